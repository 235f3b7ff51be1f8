"""Proposals to raise a level: who may decide one, what may be proposed, and what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.models import Level, LevelProposal
from agents.tools.contract import ToolContract
from agents.tools.evidence import Evidence
from agents.tools.levels import meaning
from reviewdesk.kpis.estimates import Estimate, Interval
from reviewdesk.people.access import DeskRequest, may
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.autonomy.charts import IntervalBar, interval_bar
from reviewdesk.screens.autonomy.matrix import Cell
from traces.models import Project


@dataclass(frozen=True)
class Raise:
    """A level that could be proposed.

    Attributes:
        gaps: Why it may not be proposed yet, a sentence each.
        note: What would hold it back if it were granted, or empty.
    """

    level: Level
    gaps: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class ProposalLine:
    """A proposal, and what this person may do about it.

    Attributes:
        refusal: Why this person may not decide it, or empty.
        is_own: Whether they proposed it.
        n: Calls that speak for it.
        unedited: Those that were right as proposed.
    """

    proposal: LevelProposal
    refusal: str
    is_own: bool
    n: int
    unedited: int
    bar: IntervalBar | None

    @property
    def is_waiting(self) -> bool:
        """Say whether nobody has decided it."""
        return self.proposal.status == LevelProposal.Status.WAITING

    @property
    def evidence(self) -> dict[str, Any]:
        """Return what was frozen."""
        found: dict[str, Any] = self.proposal.evidence
        return found

    @property
    def needs_no_calls(self) -> bool:
        """Say whether its tier asks for no calls: a plain read breaks nothing."""
        return self.evidence.get("target") is None


def waiting_proposals(project: Project, request: DeskRequest) -> list[ProposalLine]:
    """Return the proposals that wait in a project, oldest first. One query."""
    rows = LevelProposal.objects.filter(
        agent_tool__agent__project=project, status=LevelProposal.Status.WAITING
    ).select_related("agent_tool__agent", "proposed_by", "decided_by")
    return [line_of(row, request) for row in rows.order_by("proposed_at", "pk")]


def line_of(proposal: LevelProposal, request: DeskRequest) -> ProposalLine:
    """Return a proposal as this person sees it; reads its tool and the people of it."""
    is_own = proposal.proposed_by_id == request.user.pk
    refusal = ""
    if is_own:
        refusal = "yours: another lead decides"
    elif not may(request, Permission.RAISE_AUTONOMY):
        refusal = f"to decide it takes {' or '.join(roles_with(Permission.RAISE_AUTONOMY))}"
    evidence = proposal.evidence
    return ProposalLine(
        proposal=proposal,
        refusal=refusal,
        is_own=is_own,
        n=evidence.get("n", 0),
        unedited=evidence.get("unedited", 0),
        bar=bar_of(
            evidence.get("unedited", 0),
            evidence.get("n", 0),
            evidence.get("lower"),
            evidence.get("upper"),
            evidence.get("target"),
        ),
    )


def bar_of(
    unedited: int, n: int, lower: float | None, upper: float | None, target: float | None
) -> IntervalBar | None:
    """Return the picture of a share against its target, or None without a call."""
    if lower is None or upper is None or n == 0:
        return None
    return interval_bar(Estimate(unedited / n, Interval(lower, upper), n, 1), target=target)


def step_down(level: Level, contract: ToolContract) -> Level | None:
    """Return the next lower level that means something for this tool; None below `off`."""
    lower = level
    while lower.rank:
        lower = lower.below
        if meaning(lower, contract)[0] is lower:
            return lower
    return None


def raises_for(cell: Cell, contract: ToolContract, evidence: Evidence | None) -> tuple[Raise, ...]:
    """Return every level that a proposal could ask for, lowest first, with what is missing."""
    if cell.agent_tool is None or cell.effective is None or cell.standing is None:
        return ()
    now = Level(cell.agent_tool.level)
    found = []
    for level in Level:
        is_confirmed = level is now and level.is_acting and _is_candidate(cell, contract)
        if meaning(level, contract)[0] is not level or not (level.rank > now.rank or is_confirmed):
            continue
        gaps = evidence.gaps if evidence and level.is_acting else ()
        found.append(Raise(level, tuple(gaps), note_of(cell, level)))
    return tuple(found)


def note_of(cell: Cell, level: Level) -> str:
    """Say what would hold a level back if it were the tool's own, or nothing."""
    if cell.effective is None:
        return ""
    # A granted proposal ends being a candidate.
    others = [
        limit for limit in cell.effective.limits if limit.name not in {"tool", "candidate", "taint"}
    ]
    holding = [limit for limit in others if limit.level.rank < level.rank]
    if not holding:
        return ""
    lowest = min(holding, key=lambda limit: limit.level.rank)
    return f"held at {lowest.level.label} by {lowest.title}"


def open_raises(raises: Sequence[Raise]) -> list[Raise]:
    """Return those that may be proposed now."""
    return [each for each in raises if not each.gaps]


def _is_candidate(cell: Cell, contract: ToolContract) -> bool:
    standing = cell.standing
    if standing is None:
        return False
    return standing.candidate_since is not None or standing.contract_version != contract.version
