"""What a new live version means for authority: what it was not proven with starts over.

Each tool that writes becomes a candidate (at most `approve`) unless the eval run of the version's
release, or that of its gate, carried evidence for it: a golden test that passed in every repeat
called the tool and the call succeeded. A new contract of a tool starts over by itself (see
`agents.tools.levels`).
"""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from agents.models import Agent, AgentTool, EvalResult, EvalRun, Gate, Release, Step, Version
from agents.tools.contract import NOT_MADE
from agents.tools.registry import contracts_named


def start_over(*, agent: Agent, version: Version, now: datetime) -> list[AgentTool]:
    """Make candidates of the tools that `version` brings no evidence for; return them.

    Called in the transaction that makes the version live, which began with `freeze_authority`. A
    tool that is a candidate already is one from now on: its calls so far were another version's.
    """
    rows = list(agent.tools.select_for_update(of=("self",)).order_by("pk"))
    known = contracts_named({row.name for row in rows}, agent.project_id)
    release = _release_of(version)
    proven = proven_tools(release.eval_run, release.gate) if release else set()
    over = [
        row
        for row in rows
        if row.name in known and not known[row.name].is_read and row.name not in proven
    ]
    for row in over:
        row.candidate_since = now
        row.candidate_why = f"{version} went live without a golden test that calls it and passed"
        row.save(update_fields=["candidate_since", "candidate_why"])
    return over


def proven_tools(eval_run: EvalRun | None, gate: Gate | None = None) -> set[str]:
    """Return the tools that were called in tests that passed every time. Two queries.

    Of an eval run that passed as a whole, or of the candidate's in a gate that passed.
    """
    if eval_run is None:
        return set()
    if eval_run.status != EvalRun.Status.PASSED and not _has_passed(gate):
        return set()
    passed: dict[int, bool] = defaultdict(lambda: True)
    runs: dict[int, list[UUID]] = defaultdict(list)
    for test, status, run in eval_run.results.values_list("test_id", "status", "run_id"):
        passed[test] = passed[test] and status == EvalResult.Status.PASSED
        if run is not None:
            runs[test].append(run)
    clean = [run for test, ids in runs.items() if passed[test] for run in ids]
    steps = Step.objects.filter(
        run__in=clean, kind=Step.Kind.TOOL, status=Step.Status.DONE
    ).exclude(response__has_any_keys=NOT_MADE)
    return set(steps.values_list("name", flat=True).distinct())


def _has_passed(gate: Gate | None) -> bool:
    return gate is not None and gate.status == Gate.Status.PASSED


def _release_of(version: Version) -> Release | None:
    """Return what proved the version when it was approved; rolling back to it brings no more."""
    return (
        version.releases.filter(kind=Release.Kind.RELEASE, eval_run__isnull=False)
        .exclude(decided_at=None)
        .select_related("eval_run", "gate")
        .order_by("-decided_at")
        .first()
    )
