"""Versions and their releases: write, request, withdraw, approve, refuse, roll back.

What goes live takes its tools' levels along only as far as its evidence carries them (see
`agents.releases.candidates`).

Each function is one transaction that locks the agent first, so that two decisions about one agent
follow one another. Whose role allows what is the caller's to check; that nobody decides their own
release is checked here and held by the database.
"""

from contextlib import AbstractContextManager
from types import EllipsisType

import pghistory
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from agents.config import VersionConfig
from agents.errors import ReleaseError
from agents.models import Agent, EvalRun, Gate, Release, Version
from agents.releases.candidates import start_over
from agents.releases.config_rules import normalised, problems_of
from agents.releases.errors import (
    EvidenceVoidError,
    InvalidVersionError,
    OwnReleaseError,
    Problem,
    StaleReleaseError,
)
from agents.releases.evidence import checked_evidence, what_changed
from agents.releases.gate_evidence import gate_hash
from agents.tools.autonomy import database_now
from agents.tools.registry import contracts
from agents.tools.standing import freeze_authority

MAX_NOTE = 500
MAX_REASON = 1000
WAS_LIVE = (Release.Status.LIVE, Release.Status.SUPERSEDED, Release.Status.ROLLED_BACK)


def find_version(*, agent: Agent, config: VersionConfig) -> Version | None:
    """Return the agent's version with the same content, if there is one."""
    content_hash = normalised(config).content_hash
    return Version.objects.filter(agent=agent, content_hash=content_hash).first()


def create_version(
    *, agent: Agent, config: VersionConfig, note: str, author: AbstractBaseUser | None
) -> Version:
    """Write the agent's next version; the same content again is the version that exists.

    Raises:
        InvalidVersionError: The configuration cannot be run, or the note is too long.
    """
    config = normalised(config)
    known = [contract.name for contract in contracts(agent.project_id)]
    problems = problems_of(config, known_tools=known)
    if len(note.strip()) > MAX_NOTE:
        text = f"The note has {len(note.strip())} characters; {MAX_NOTE} are the most."
        problems.append(Problem("note", text))
    if problems:
        raise InvalidVersionError(problems)
    with transaction.atomic():
        _locked(agent)
        existing = find_version(agent=agent, config=config)
        if existing is not None:
            return existing
        highest = Version.objects.filter(agent=agent).aggregate(highest=Max("number"))["highest"]
        return Version.objects.create(
            agent=agent,
            number=(highest or 0) + 1,
            config=config.to_json(),
            content_hash=config.content_hash,
            note=note.strip(),
            author_id=author.pk if author else None,
        )


def request_release(
    *,
    version: Version,
    eval_run: EvalRun | None,
    reason: str,
    by: AbstractBaseUser,
    gate: Gate | None = None,
) -> Release:
    """Ask for a version to go live, on the evidence of an eval run that passed, or of a gate.

    On neither only where the agent has no golden test, and on a gate that is inconclusive: the
    release then says so.

    Raises:
        EvidenceError: The evidence does not prove this version (any more), or is missing.
        ReleaseError: No reason, or the version is live or waits already.
    """
    reason = _checked_reason(reason, "request a release")
    with transaction.atomic(), _recorded(by, reason, "request release"):
        agent = _locked(version.agent)
        if agent.live_version_id == version.pk:
            raise ReleaseError(f"{version} is live already; nothing was requested.")
        waiting = version.releases.filter(status=Release.Status.WAITING).first()
        if waiting is not None:
            raise StaleReleaseError(
                f"{version} waits for approval already: {waiting.requested_by} requested it on "
                f"{_day(waiting)}."
            )
        evidence_hash, note = checked_evidence(
            agent=agent, version=version, eval_run=eval_run, gate=gate
        )
        return Release.objects.create(
            agent=agent,
            version=version,
            baseline_id=agent.live_version_id,
            author_id=version.author_id,
            requested_by_id=by.pk,
            reason=reason,
            eval_run=gate.candidate_run if gate else eval_run,
            gate=gate,
            evidence_hash=evidence_hash,
            evidence_note=note,
        )


def withdraw_release(*, release: Release, by: AbstractBaseUser, reason: str = "") -> Release:
    """Take back a request that waits; its author or requester may.

    Raises:
        ReleaseError: Somebody else withdraws it.
        StaleReleaseError: It does not wait any more.
    """
    with transaction.atomic(), _recorded(by, reason.strip(), "withdraw release"):
        row = _locked_waiting(release)
        if by.pk not in (row.author_id, row.requested_by_id):
            raise ReleaseError(
                f"Only {row.requested_by}, who requested it, or the author of {row.version} may "
                "withdraw it; you may refuse it."
            )
        row.status = Release.Status.WITHDRAWN
        row.decision_reason = reason.strip()[:MAX_REASON]
        row.decided_at = timezone.now()
        row.save(update_fields=["status", "decision_reason", "decided_at"])
    return row


def approve_release(
    *,
    release: Release,
    by: AbstractBaseUser,
    reason: str = "",
    seen_live: Version | EllipsisType | None = ...,
) -> Release:
    """Make the version live, in one transaction: the release, the one before, and the agent.

    Args:
        release: The one that waits.
        by: Neither author nor requester.
        reason: What the person adds, if anything.
        seen_live: The live version that the person compared it with (None: there was none); the
            approval is refused if another one is live by now. Left out, any will do.

    Raises:
        OwnReleaseError: Author or requester would decide.
        StaleReleaseError: It does not wait any more, or `seen_live` is not live.
        EvidenceVoidError: The evidence changed since the request; the release is void now.
    """
    reason = reason.strip()[:MAX_REASON]
    with transaction.atomic(), _recorded(by, reason or release.reason, "approve release"):
        freeze_authority()
        row = _locked_waiting(release)
        _check_other_person(row, by)
        agent = row.agent
        if not isinstance(seen_live, EllipsisType):
            _check_seen_live(agent, seen_live)
        change = what_changed(agent=agent, eval_run=row.eval_run, gate=row.gate)
        if not change and row.gate and gate_hash(row.gate) != row.evidence_hash:
            change = f"gate {row.gate.pk} is not what it was when this was requested"
        if change:
            _make_void(row, change)
        else:
            _replace_live(agent, Release.Status.SUPERSEDED)
            row.baseline_id = agent.live_version_id
            row.status = Release.Status.LIVE
            _decide(row, by, reason)
            _set_live(agent, row.version)
    if change:
        raise EvidenceVoidError(
            f"Nothing went live, and this request is void: {change}. Run "
            f"{'the gate' if row.gate else 'the golden tests'} on {row.version} again and request "
            "its release again."
        )
    return row


def refuse_release(*, release: Release, by: AbstractBaseUser, reason: str) -> Release:
    """Refuse a release that waits; the version may be requested again.

    Raises:
        OwnReleaseError: Author or requester would decide; they may withdraw it.
        ReleaseError: No reason is given.
        StaleReleaseError: It does not wait any more.
    """
    reason = _checked_reason(reason, "refuse a release")
    with transaction.atomic(), _recorded(by, reason, "refuse release"):
        row = _locked_waiting(release)
        _check_other_person(row, by)
        row.status = Release.Status.REFUSED
        _decide(row, by, reason)
    return row


def roll_back(
    *,
    agent: Agent,
    to_version: Version,
    by: AbstractBaseUser,
    reason: str,
    seen_live: Version | EllipsisType | None = ...,
) -> Release:
    """Make a version live again that was live before, at once and without a second person.

    Raises:
        ReleaseError: The version was never live, is another agent's, or no reason is given.
        StaleReleaseError: It is live already, or `seen_live` (see `approve_release`) is not.
    """
    reason = _checked_reason(reason, "roll back")
    with transaction.atomic(), _recorded(by, reason, "roll back"):
        freeze_authority()
        row = _locked(agent)
        if row.live_version_id == to_version.pk:
            raise StaleReleaseError(f"{to_version} is live already; nothing was changed.")
        if not isinstance(seen_live, EllipsisType):
            _check_seen_live(row, seen_live)
        if not row.releases.filter(version=to_version, status__in=WAS_LIVE).exists():
            raise ReleaseError(
                f"{to_version} of {row} was never live. Request its release instead: rolling back "
                "only returns to what was approved before."
            )
        before = row.live_version_id
        _replace_live(row, Release.Status.ROLLED_BACK)
        release = Release.objects.create(
            agent=row,
            version=to_version,
            baseline_id=before,
            kind=Release.Kind.ROLLBACK,
            status=Release.Status.LIVE,
            author_id=to_version.author_id,
            requested_by_id=by.pk,
            reason=reason,
            decided_at=timezone.now(),
        )
        _set_live(row, to_version)
    return release


def _recorded(by: AbstractBaseUser, reason: str, action: str) -> AbstractContextManager[object]:
    context: AbstractContextManager[object] = pghistory.context(
        user=by.pk, reason=reason, action=action
    )
    return context


def _locked(agent: Agent) -> Agent:
    # No key update: starting a run refers to the agent and need not wait for a decision.
    return Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)


def _locked_waiting(release: Release) -> Release:
    agent = _locked(release.agent)
    row = (
        Release.objects.select_for_update(of=("self",))
        .select_related(
            "version",
            "requested_by",
            "decided_by",
            "eval_run",
            "gate__candidate_run__version",
            "gate__candidate",
            "gate__baseline",
            "gate__baseline_run",
            "gate__policy",
        )
        .get(pk=release.pk)
    )
    row.agent = agent
    if row.status != Release.Status.WAITING:
        who = f" by {row.decided_by} on {_day(row)}" if row.decided_by else ""
        raise StaleReleaseError(
            f"The release of {row.version} is decided already: {row.get_status_display()}{who}. "
            "Nothing was changed."
        )
    return row


def _check_other_person(release: Release, by: AbstractBaseUser) -> None:
    if by.pk == release.author_id:
        part = f"wrote {release.version}"
    elif by.pk == release.requested_by_id:
        part = "requested this release"
    else:
        return
    raise OwnReleaseError(
        f"You {part}, so another person decides it. You may withdraw the request."
    )


def _check_seen_live(agent: Agent, seen_live: Version | None) -> None:
    if agent.live_version_id != (seen_live.pk if seen_live else None):
        now = str(agent.live_version) if agent.live_version else "no version"
        before = str(seen_live) if seen_live else "no version"
        raise StaleReleaseError(
            f"{now} of {agent} is live now; you compared with {before}. Nothing was changed: look "
            "at the difference again, then decide."
        )


def _make_void(release: Release, change: str) -> None:
    release.status = Release.Status.VOID
    release.decided_at = timezone.now()
    release.decision_reason = f"The evidence changed: {change}."[:MAX_REASON]
    release.save(update_fields=["status", "decided_at", "decision_reason"])


def _replace_live(agent: Agent, status: Release.Status) -> None:
    for live in agent.releases.select_for_update().filter(status=Release.Status.LIVE):
        live.status = status
        live.save(update_fields=["status"])


def _decide(release: Release, by: AbstractBaseUser, reason: str) -> None:
    release.decided_by_id = by.pk
    release.decided_at = timezone.now()
    release.decision_reason = reason
    release.save(
        update_fields=["status", "baseline", "decided_by", "decided_at", "decision_reason"]
    )


def _set_live(agent: Agent, version: Version) -> None:
    agent.live_version = version
    agent.save(update_fields=["live_version"])
    start_over(agent=agent, version=version, now=database_now())


def _checked_reason(reason: str, act: str) -> str:
    reason = reason.strip()
    if not 3 <= len(reason) <= MAX_REASON:
        raise ReleaseError(
            f"To {act} takes a reason of 3 to {MAX_REASON} characters; this one has {len(reason)}."
        )
    return reason


def _day(release: Release) -> str:
    when = release.decided_at or release.requested_at
    return f"{when:%d %b, %H:%M} UTC"
