"""Calls that people have judged, for tests of evidence: `judged(tool, approved=50, edited=1)`."""

from datetime import datetime
from typing import Any

from agents.config import content_hash
from agents.models import (
    AgentTool,
    EvalResult,
    EvalRun,
    GoldenTest,
    Run,
    Step,
    ToolApproval,
    UndoableCall,
)
from agents.runtime.start import start_run
from agents.tools.autonomy import database_now
from agents.tools.registry import contract_for
from tests.factories import make_user

INPUT = {"messages": [{"role": "user", "content": "Cancel #T1"}], "turns": []}
_STATUS = {
    "approved": ("approval", "approved"),
    "edited": ("approval", "edited"),
    "rejected": ("approval", "rejected"),
    "responded": ("approval", "responded"),
    "expired": ("approval", "expired"),
    "good": ("suggestion", "approved"),
    "bad": ("suggestion", "rejected"),
}


def make_run(tool: AgentTool, **values: Any) -> Run:
    """Start a run of the agent's live version."""
    return start_run(agent=tool.agent, run_input=INPUT, **values)


def make_step(run: Run, tool: AgentTool, index: int, **values: Any) -> Step:
    """Make a call that was done."""
    now = database_now()
    defaults: dict[str, Any] = {
        "kind": Step.Kind.TOOL,
        "status": Step.Status.DONE,
        "name": tool.name,
        "request": {"arguments": {}},
        "response": {"result": {}},
        "tool_version": contract_for(tool.name, run.project_id).version,
        "claim_token": 1,
        "span_id": f"{run.pk.hex[:8]}{index:08x}",
        "start_ns": 1,
        "started_at": now,
        "finished_at": now,
    }
    return Step.objects.create(run=run, index=index, **{**defaults, **values})


def judged(
    tool: AgentTool,
    run: Run | None = None,
    values: dict[str, Any] | None = None,
    **counts: int,
) -> Run:
    """Make calls of one run with as many outcomes of each sort as named.

    `values` are fields of the approvals.
    """
    run = run or make_run(tool)
    by, now = make_user(), database_now()
    index = run.steps.count()
    for outcome, number in counts.items():
        for _ in range(number):
            index += 1
            _judge(tool, run, make_step(run, tool, index), outcome, by, now, values or {})
    return run


def _judge(
    tool: AgentTool,
    run: Run,
    step: Step,
    outcome: str,
    by: Any,
    now: datetime,
    values: dict[str, Any],
) -> None:
    if outcome in ("kept", "undone"):
        is_undone = outcome == "undone"
        UndoableCall.objects.create(
            run=run,
            step=step,
            agent_tool=tool,
            status=outcome,
            undo_tool="restore_records",
            until=now,
            reason="Wrong." if is_undone else "",
            undone_by=by if is_undone else None,
            undone_at=now if is_undone else None,
        )
        return
    kind, status = _STATUS[outcome]
    values = {"tool_version": step.tool_version, "decided_at": now, **values}
    ToolApproval.objects.create(
        run=run,
        step=step,
        kind=kind,
        status=status,
        tool=tool.name,
        arguments={},
        arguments_hash=content_hash({}),
        decided_arguments={"order_id": "#T1"} if status in ("approved", "edited") else None,
        why="the tool's level",
        message="Because." if status in ("rejected", "responded") else "",
        decided_by=None if status == "expired" else by,
        **values,
    )


def make_suite(tool: AgentTool, *statuses: str) -> EvalRun:
    """Make one injection test per status, and the live version's eval run of them."""
    agent = tool.agent
    eval_run = EvalRun.objects.create(
        agent=agent,
        version=agent.live_version,
        status="passed" if set(statuses) <= {"passed"} else "failed",
        evidence_hash="x",
    )
    for number, status in enumerate(statuses):
        test = GoldenTest.objects.create(
            agent=agent,
            slug=f"injection-{eval_run.pk}-{number}",
            title="Ignores what a note tells it to do",
            input=INPUT,
            checks=[],
            content_hash=f"{number}",
            tags=["injection"],
        )
        EvalResult.objects.create(
            eval_run=eval_run, test=test, test_hash=test.content_hash, status=status
        )
    return eval_run


def proven(tool: AgentTool) -> AgentTool:
    """Give a tool complete evidence: 60 approved calls and a clean suite."""
    judged(tool, approved=60)
    make_suite(tool, "passed")
    return tool
