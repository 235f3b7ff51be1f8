"""What the Releases screen shows: versions with their state, and who may decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Avg, Count, FloatField, Q, StdDev
from django.db.models.functions import Cast

from agents.models import Agent, EvalResult, EvalRun, Release, Version
from agents.releases.propose import WAS_LIVE
from reviewdesk.kpis.estimates import Interval, Summary, mean_difference
from reviewdesk.people.models import Membership, User
from reviewdesk.people.roles import ALLOWED, Permission, is_allowed, roles_with
from traces.models import Session

PAGE_SIZE = 50
MAX_PEOPLE = 8
STATES = {
    "live": ("good", "circle-check", "live"),
    "waiting": ("info", "hourglass", "waiting for approval"),
    "refused": ("bad", "circle-x", "refused"),
    "void": ("warn", "alert-triangle", "evidence void"),
    "was_live": ("none", "history", "was live"),
    "draft": ("none", "pencil", "draft"),
}
EVAL_STATES = {
    EvalRun.Status.RUNNING: ("accent", "loader-2", "running"),
    EvalRun.Status.PASSED: ("good", "circle-check", "passed"),
    EvalRun.Status.FAILED: ("bad", "circle-x", "failed"),
    EvalRun.Status.INCONCLUSIVE: ("warn", "alert-triangle", "inconclusive"),
    EvalRun.Status.VOID: ("warn", "alert-triangle", "void"),
    EvalRun.Status.CANCELLED: ("none", "ban", "cancelled"),
}


@dataclass(frozen=True)
class EvalSummary:
    """An eval run and how many of its repeats passed."""

    run: EvalRun
    num_tests: int
    num_passed: int
    num_failed: int
    num_errors: int
    num_repeats: int
    num_not_judged: int = 0

    @property
    def pill(self) -> tuple[str, str, str]:
        """Return kind, icon and word."""
        return EVAL_STATES[EvalRun.Status(self.run.status)]

    @property
    def num_done(self) -> int:
        """Return the repeats that have ended."""
        return self.num_passed + self.num_failed + self.num_errors + self.num_not_judged


@dataclass(frozen=True)
class VersionRow:
    """A version in the list.

    Attributes:
        state: A key of `STATES`.
        release: Its newest release, if it has any.
        was_live: Whether a roll back may return to it.
        evaluated: Its newest eval run, if it has any.
    """

    version: Version
    state: str
    release: Release | None
    was_live: bool
    evaluated: EvalSummary | None

    @property
    def pill(self) -> tuple[str, str, str]:
        """Return kind, icon and word."""
        return STATES[self.state]


@dataclass(frozen=True)
class Decider:
    """A member and what they may do about a release, in words."""

    name: str
    role: str
    icon: str
    kind: str
    text: str
    is_you: bool


@dataclass(frozen=True)
class CostRow:
    """A measure of the sessions of two versions; None is unknown.

    Attributes:
        unit: `money` or `duration`.
        change: Change of the mean, as a share of the mean before, with its 95 % interval.
    """

    title: str
    unit: str
    before: float | None
    num_before: int
    now: float | None
    num_now: int
    change: float | None
    interval: Interval | None


def version_rows(agent: Agent, versions: list[Version]) -> list[VersionRow]:
    """Return the versions with state and evidence. Three queries for any number of versions."""
    releases: dict[int, list[Release]] = {}
    for release in (
        Release.objects.filter(version__in=versions)
        .select_related("requested_by", "decided_by")
        .order_by("-pk")
    ):
        releases.setdefault(release.version_id, []).append(release)
    evaluated = eval_summaries(versions)
    return [
        _row(agent, version, releases.get(version.pk, []), evaluated.get(version.pk))
        for version in versions
    ]


def eval_summaries(versions: list[Version]) -> dict[int, EvalSummary]:
    """Return each version's newest eval run of all tests, by the version's key. Two queries."""
    runs = list(
        EvalRun.objects.filter(version__in=versions, is_partial=False)
        .select_related("requested_by")
        .order_by("version", "-created_at", "-pk")
        .distinct("version")
    )
    return {summary.run.version_id: summary for summary in summaries_of(runs)}


def summaries_of(runs: list[EvalRun]) -> list[EvalSummary]:
    """Return how many repeats of each eval run passed. One query."""
    status = EvalResult.Status
    counts = {
        row["eval_run_id"]: row
        for row in EvalResult.objects.filter(eval_run__in=runs)
        .values("eval_run_id")
        .annotate(
            tests=Count("test", distinct=True),
            repeats=Count("pk"),
            passed=Count("pk", filter=Q(status=status.PASSED)),
            failed=Count("pk", filter=Q(status=status.FAILED)),
            errors=Count("pk", filter=Q(status=status.INFRA_ERROR)),
            not_judged=Count("pk", filter=Q(status=status.NOT_JUDGED)),
        )
    }
    return [_summary(run, counts.get(run.pk, {})) for run in runs]


def deciders(release: Release, *, you: User) -> tuple[list[Decider], int]:
    """Return you, the people of the release and those who may decide it, and how many others.

    One query.
    """
    members = list(
        Membership.objects.filter(project=release.agent.project_id)
        .select_related("user")
        .order_by("user__name", "pk")
    )
    people = [_decider(release, member, you) for member in members]
    order = {"circle-check": 0, "circle-x": 0, "circle-dot": 1, "ban": 2}
    parts = {release.author_id, release.requested_by_id, release.decided_by_id, you.pk}
    is_open = release.status == Release.Status.WAITING
    named = [
        person
        for member, person in zip(members, people, strict=True)
        if member.user_id in parts or (is_open and person.icon == "circle-dot")
    ]
    named.sort(key=lambda person: (order[person.icon], not person.is_you))
    return named[:MAX_PEOPLE], len(people) - len(named[:MAX_PEOPLE])


def can_be_decided(project_id: int, *, but_not: set[int | None]) -> bool:
    """Say whether the project has a member, other than these, who may decide. One query."""
    found = Membership.objects.filter(
        project=project_id, role__in=ALLOWED[Permission.DECIDE_RELEASES], user__is_active=True
    )
    return bool(set(found.values_list("user_id", flat=True)) - but_not)


def costs(now: Version, before: Version | None) -> list[CostRow]:
    """Compare the sessions of two versions: customers' and golden tests'. Two queries."""
    found = {version.pk: _measures(version) for version in (now, before) if version}
    empty = {key: Summary(0, None, None) for key in _MEASURES}
    old = found[before.pk] if before else empty
    return [
        _cost_row(title, unit, old[key], found[now.pk][key])
        for key, (title, unit, _, _) in _MEASURES.items()
    ]


_MEASURES = {
    "golden": ("Cost, golden session", "money", "cost_usd", True),
    "live": ("Cost, customer's session", "money", "cost_usd", False),
    "worked": ("Time, customer's session", "duration", "working_ns", False),
}


def _measures(version: Version) -> dict[str, Summary]:
    ended = ~Q(status__in=[Session.Status.RUNNING, Session.Status.WAITING])
    aggregates: dict[str, Any] = {}
    for key, (_, _, column, is_golden) in _MEASURES.items():
        wanted = ended & Q(is_golden=is_golden)
        value = Cast(column, FloatField())
        aggregates[f"{key}_n"] = Count(column, filter=wanted)
        aggregates[f"{key}_mean"] = Avg(value, filter=wanted)
        aggregates[f"{key}_deviation"] = StdDev(value, filter=wanted, sample=True)
    sessions = Session.objects.filter(
        project=version.agent.project_id,
        agent_name=version.agent.slug,
        version_name=str(version),
    ).exclude(is_golden=True, metadata__has_key="planted")
    row = sessions.aggregate(**aggregates)
    return {
        key: Summary(row[f"{key}_n"], row[f"{key}_mean"], row[f"{key}_deviation"])
        for key in _MEASURES
    }


def _cost_row(title: str, unit: str, before: Summary, now: Summary) -> CostRow:
    change, interval = None, None
    if now.mean is not None and before.mean:
        change = now.mean / before.mean - 1
        difference = mean_difference(now, before)
        if difference:
            low, high = difference.low / before.mean, difference.high / before.mean
            interval = Interval(low, high)
    return CostRow(title, unit, before.mean, before.n, now.mean, now.n, change, interval)


def _row(
    agent: Agent, version: Version, releases: list[Release], evaluated: EvalSummary | None
) -> VersionRow:
    newest = releases[0] if releases else None
    was_live = any(release.status in WAS_LIVE for release in releases)
    if agent.live_version_id == version.pk:
        state = "live"
    elif newest and newest.status in ("waiting", "refused", "void"):
        state = str(newest.status)
    else:
        state = "was_live" if was_live else "draft"
    return VersionRow(version, state, newest, was_live, evaluated)


def _summary(run: EvalRun, counts: Mapping[str, Any]) -> EvalSummary:
    return EvalSummary(
        run=run,
        num_tests=counts.get("tests", 0),
        num_passed=counts.get("passed", 0),
        num_failed=counts.get("failed", 0),
        num_errors=counts.get("errors", 0),
        num_repeats=counts.get("repeats", 0),
        num_not_judged=counts.get("not_judged", 0),
    )


def _decider(release: Release, member: Membership, you: User) -> Decider:
    icon, kind, text = _may_decide(release, member)
    is_you = member.user_id == you.pk
    name = "You" if is_you else str(member.user)
    return Decider(name, member.get_role_display(), icon, kind, text, is_you)


def _may_decide(release: Release, member: Membership) -> tuple[str, str, str]:
    if member.user_id == release.decided_by_id:
        is_refused = release.status == Release.Status.REFUSED
        word = "refused" if is_refused else "approved"
        said = f", “{release.decision_reason}”" if release.decision_reason else ""
        when = f"{release.decided_at:%a %d %b, %H:%M}"
        icon = ("circle-x", "bad") if is_refused else ("circle-check", "good")
        return (*icon, f"{word} {when}{said}")
    is_open = release.status == Release.Status.WAITING
    may_not = "may not: " if is_open else ""
    if member.user_id == release.author_id:
        return "ban", "muted", f"{may_not}author of {release.version}"
    if member.user_id == release.requested_by_id:
        return "ban", "muted", f"{may_not}requested this release"
    if not is_allowed(member.role, Permission.DECIDE_RELEASES):
        roles = " or ".join(roles_with(Permission.DECIDE_RELEASES))
        return "ban", "muted", f"{may_not}needs the role {roles}"
    return "circle-dot", "info", "may approve" if is_open else "could have decided"
