"""Level arithmetic: every limit on a tool, and the lowest of them, which holds. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from agents.models import KillSwitch, Level, Tier
from agents.tools.contract import ToolContract

NO_UNDO = "nothing undoes it, so a person approves each call"
NOTHING_TO_UNDO = "a read leaves nothing to undo, so it is simply made"


@dataclass(frozen=True)
class Lift:
    """A tier's ceiling lifted for an agent, until a date."""

    tier: Tier
    level: Level
    reason: str
    expires_at: datetime


@dataclass(frozen=True)
class Held:
    """An open incident that holds a tool down."""

    number: int
    title: str
    ceiling: Level


@dataclass(frozen=True)
class Switch:
    """A kill switch that is on and covers a tool."""

    id: int
    scope: KillSwitch.Scope
    stops: KillSwitch.Stops
    reason: str
    since: datetime

    def holds(self, contract: ToolContract | None) -> bool:
        """Say whether it stops calls of `contract`; None is a model call."""
        if self.stops is KillSwitch.Stops.ALL:
            return True
        return contract is not None and not contract.is_read


@dataclass(frozen=True)
class Standing:
    """All that is written about a tool of an agent, as one query read it.

    Attributes:
        level: The tool's own level.
        reason: Why it is so.
        contract_version: The contract that an acting level was granted for; empty: it was given
            before that was kept.
        candidate_since: Since when it has to prove itself again, or None.
        candidate_why: Why.
        ceiling: The agent's ceiling.
        agent: The agent's name.
        live_version_id: The agent's live version, or None.
        lifts: Of the agent, expired ones too.
        incidents: Open ones that hold this tool.
        switches: On, and covering this tool or more.
    """

    level: Level
    reason: str
    contract_version: str
    candidate_since: datetime | None
    candidate_why: str
    ceiling: Level
    agent: str
    live_version_id: int | None
    lifts: tuple[Lift, ...] = ()
    incidents: tuple[Held, ...] = ()
    switches: tuple[Switch, ...] = ()


@dataclass(frozen=True)
class RunFacts:
    """What a run adds to the standing of its agent's tools.

    Attributes:
        version_id: Its version.
        version: The same for people.
        is_serious: Whether its effects are meant: a golden test and a replay keep theirs for
            themselves, so any version may make them.
        taint: The first untrusted content that it read: `{step, tool, why}`, or None.
    """

    version_id: int
    version: str
    is_serious: bool
    taint: dict[str, object] | None


@dataclass(frozen=True)
class LimitOnTool:
    """One of the limits on a tool.

    Attributes:
        name: What limits: `tool`, `tier`, `agent`, `taint`, `incident`, `candidate` or `stop`.
        title: The same for people.
        level: The highest level it allows.
        binds: Whether it is (one of) the lowest.
        note: Where it comes from, for people.
        given: The level that was set, where the kind of tool makes it mean another one.
    """

    name: str
    title: str
    level: Level
    binds: bool
    note: str
    given: Level | None = None


@dataclass(frozen=True)
class EffectiveLevel:
    """The level that holds now, and every limit that was weighed."""

    level: Level
    limits: tuple[LimitOnTool, ...]

    @property
    def binding(self) -> tuple[LimitOnTool, ...]:
        """Return the limits that bind."""
        return tuple(limit for limit in self.limits if limit.binds)

    @property
    def is_held_back(self) -> bool:
        """Say whether the tool's own level is higher than what holds."""
        own = self.limits[0]
        return (own.given or own.level).rank > self.level.rank

    @property
    def why(self) -> str:
        """Return the binding limits in words, e.g. `the tool's level; tier money`."""
        return "; ".join(limit.title for limit in self.binding)

    @property
    def is_offered(self) -> bool:
        """Say whether the model is offered the tool; one that is merely stopped is."""
        return all(each.level is not Level.OFF for each in self.limits if each.name != "stop")

    def limit(self, name: str) -> LimitOnTool:
        """Return the limit of this name."""
        return next(limit for limit in self.limits if limit.name == name)


@dataclass(frozen=True)
class _Limit:
    name: str
    title: str
    level: Level
    note: str


def weigh(
    standing: Standing, contract: ToolContract, *, now: datetime, run: RunFacts | None = None
) -> EffectiveLevel:
    """Return the level that holds at `now`; with a run also what its version and context mean.

    Without a run the taint is unknown and the live version is meant.
    """
    ceiling, note = tier_ceiling(contract.tier, standing.lifts, now=now)
    own = [
        _Limit("tool", "the tool's level", standing.level, standing.reason),
        _Limit("tier", f"tier {contract.tier.label}", ceiling, note),
        _Limit("agent", "the agent's ceiling", standing.ceiling, standing.agent),
    ]
    lowest = min((limit.level for limit in own), key=lambda level: level.rank)
    return combine(
        [
            *own,
            _taint(lowest, contract, run),
            _incident(standing),
            _candidate(standing, contract, run),
            _stop(standing, contract),
        ],
        contract,
    )


def combine(limits: Iterable[_Limit], contract: ToolContract) -> EffectiveLevel:
    """Return the lowest of the limits, and mark those that bind."""
    rows = [(limit, *meaning(limit.level, contract)) for limit in limits]
    lowest = min((level for _, level, _ in rows), key=lambda level: level.rank)
    return EffectiveLevel(
        level=lowest,
        limits=tuple(
            LimitOnTool(
                name=limit.name,
                title=limit.title,
                level=level,
                binds=level is lowest,
                note="; ".join(part for part in (limit.note, note) if part),
                given=limit.level if note else None,
            )
            for limit, level, note in rows
        ),
    )


def meaning(level: Level, contract: ToolContract) -> tuple[Level, str]:
    """Return what a level means for this tool, and why where that is another level."""
    if level is not Level.ACT_WITH_UNDO:
        return level, ""
    if contract.is_read:
        return Level.AUTONOMOUS, NOTHING_TO_UNDO
    if not contract.policy.undo_tool:
        return Level.APPROVE, NO_UNDO
    return level, ""


def tier_ceiling(tier: Tier, lifts: Iterable[Lift], *, now: datetime) -> tuple[Level, str]:
    """Return a tier's ceiling under the lifts that have not expired, and where it comes from."""
    for lift in lifts:
        if lift.tier == tier and lift.expires_at > now:
            return lift.level, f"lifted until {lift.expires_at:%d %b %Y}: {lift.reason}"
    if tier.ceiling is Level.AUTONOMOUS:
        return tier.ceiling, "no ceiling"
    return tier.ceiling, f"{tier.label} never goes above {tier.ceiling.label} without a lead"


def _taint(lowest: Level, contract: ToolContract, run: RunFacts | None) -> _Limit:
    """Lower what writes by one step, never below `suggest`."""
    title = "untrusted content"
    if run is None:
        return _Limit("taint", title, Level.AUTONOMOUS, "weighed in each run")
    if run.taint is None or contract.is_read:
        note = "none in this run" if run.taint is None else "a read is not lowered by it"
        return _Limit("taint", title, Level.AUTONOMOUS, note)
    where = f"step {run.taint.get('step')} read {run.taint.get('tool')}"
    if lowest.rank <= Level.SUGGEST.rank:
        return _Limit("taint", title, Level.SUGGEST, f"{where}; it lowers nothing further")
    return _Limit("taint", title, lowest.below, f"{where}: one level lower for what writes")


def _incident(standing: Standing) -> _Limit:
    if not standing.incidents:
        return _Limit("incident", "incident", Level.AUTONOMOUS, "none is open")
    found = min(standing.incidents, key=lambda each: each.ceiling.rank)
    return _Limit("incident", f"incident {found.number}", found.ceiling, found.title)


def _candidate(standing: Standing, contract: ToolContract, run: RunFacts | None) -> _Limit:
    title = "a candidate"
    if contract.is_read:
        return _Limit("candidate", title, Level.AUTONOMOUS, "a read starts over with nothing")
    why = _why_candidate(standing, contract, run)
    if why:
        return _Limit("candidate", title, Level.APPROVE, why)
    return _Limit("candidate", title, Level.AUTONOMOUS, "it has proven itself as it is")


def _why_candidate(standing: Standing, contract: ToolContract, run: RunFacts | None) -> str:
    if run is not None and run.is_serious and run.version_id != standing.live_version_id:
        return f"{run.version} is not the live version"
    granted_for = standing.contract_version
    if standing.level.is_acting and granted_for and granted_for != contract.version:
        return f"the level was granted for contract {granted_for}; it is at {contract.version} now"
    if standing.candidate_since is not None:
        return f"since {standing.candidate_since:%d %b %Y}: {standing.candidate_why}"
    return ""


def _stop(standing: Standing, contract: ToolContract) -> _Limit:
    for switch in standing.switches:
        if switch.holds(contract):
            note = f"{switch.scope.label} stopped {switch.since:%d %b, %H:%M} UTC: {switch.reason}"
            return _Limit("stop", "the kill switch", Level.OFF, note)
    return _Limit("stop", "the kill switch", Level.AUTONOMOUS, "off")
