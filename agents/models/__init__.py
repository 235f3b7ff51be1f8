"""The rows of agents, their runs, and the proof for their releases."""

from agents.models.agent import Agent, AgentTool, CeilingLift, Level, Tier
from agents.models.golden import EvalResult, EvalRun, GoldenTest
from agents.models.release import Release
from agents.models.run import Run, Step, ToolApproval, WorkerHeartbeat
from agents.models.shop import ShopRecord, ShopWrite
from agents.models.version import Version

__all__ = [
    "Agent",
    "AgentTool",
    "CeilingLift",
    "EvalResult",
    "EvalRun",
    "GoldenTest",
    "Level",
    "Release",
    "Run",
    "ShopRecord",
    "ShopWrite",
    "Step",
    "Tier",
    "ToolApproval",
    "Version",
    "WorkerHeartbeat",
]
