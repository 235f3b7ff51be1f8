"""The rows of agents, their runs, and the proof for their releases."""

from agents.models.agent import Agent, AgentTool, CeilingLift, Level, Tier
from agents.models.approval import ApprovalVote, EffectReview, ToolApproval
from agents.models.approval_rules import ApprovalRules
from agents.models.autonomy import Demotion, KillSwitch, LevelProposal, UndoableCall
from agents.models.budget import Budget, BudgetWarning, Spend
from agents.models.evals import EvalResult, EvalRun
from agents.models.gate import Gate, GatePolicy
from agents.models.golden import GoldenTest, GoldenTestVersion, Intent
from agents.models.incident import Incident, IncidentNote
from agents.models.judge import Judge, Judgement, JudgeVersion
from agents.models.outbox import MailSubscription, Message, Webhook
from agents.models.release import Release
from agents.models.run import Run, Step, WorkerHeartbeat
from agents.models.schedule import Schedule
from agents.models.shop import ShopRecord, ShopWrite
from agents.models.tool import Effect, ToolDefinition, ToolGuard, ToolSlot, ToolSource
from agents.models.version import Version

__all__ = [
    "Agent",
    "AgentTool",
    "ApprovalRules",
    "ApprovalVote",
    "Budget",
    "BudgetWarning",
    "CeilingLift",
    "Demotion",
    "Effect",
    "EffectReview",
    "EvalResult",
    "EvalRun",
    "Gate",
    "GatePolicy",
    "GoldenTest",
    "GoldenTestVersion",
    "Incident",
    "IncidentNote",
    "Intent",
    "Judge",
    "JudgeVersion",
    "Judgement",
    "KillSwitch",
    "Level",
    "LevelProposal",
    "MailSubscription",
    "Message",
    "Release",
    "Run",
    "Schedule",
    "ShopRecord",
    "ShopWrite",
    "Spend",
    "Step",
    "Tier",
    "ToolApproval",
    "ToolDefinition",
    "ToolGuard",
    "ToolSlot",
    "ToolSource",
    "UndoableCall",
    "Version",
    "Webhook",
    "WorkerHeartbeat",
]
