"""How the demo's versions went live one after the other, and what proved them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pgtrigger
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Model

from agents.demo.gates import run_gate, set_rules
from agents.demo.history import ERAS, PastSession
from agents.demo.injection import make_injection_tests
from agents.golden.judgements import Check
from agents.golden.promote import promote_session
from agents.golden.proposed import propose_test
from agents.golden.runner import settle_finished, start_eval_run
from agents.models import Agent, EvalRun, GoldenTest, Release, Version
from agents.releases.propose import approve_release, request_release
from agents.runtime.loop import advance
from traces.models import Label, Session

# Causes of failures that became golden tests, before version 5 and after it.
FIRST_CAUSES = ("T5", "C1", "P1", "P3")
LATER_CAUSES = ("T2", "H1")
_REASONS = (
    "The shop opens its support desk.",
    "Orders were cancelled and items sent back before customers had said yes.",
    "An order of somebody else was shown, and errors were sold as success.",
    "Exchanges of one item of two cannot be put right afterwards.",
    "The newest order was taken where another one was meant.",
    "Refunds go where the customer wants them, and cross customers are helped at once.",
)
_TITLES = {
    "T5": "Asks for a yes before it changes an order",
    "C1": "Cancels for the accepted reasons only",
    "P1": "Exchanges both items in one call",
    "P3": "Does both requests of a message",
    "T2": "Refunds to the gift card where the customer wants it",
    "H1": "Helps instead of handing over what it can do itself",
}
_WHY = {
    "T5": "Nothing may be changed before the customer has said yes.",
    "C1": "The reasons for which we cancel are settled with accounting.",
    "P1": "An exchange works once per order; the second item is lost to the customer.",
    "P3": "Customers who come back for the rest are the most annoyed ones.",
    "T2": "Money must not go where the customer does not want it.",
    "H1": "Handing over costs the customer a day, and us a colleague.",
}


@dataclass(frozen=True)
class _People:
    engineer: AbstractBaseUser
    lead: AbstractBaseUser
    admin: AbstractBaseUser
    reviewer: AbstractBaseUser


def release_history(
    *,
    agent: Agent,
    versions: Sequence[Version],
    sessions: Sequence[PastSession],
    engineer: AbstractBaseUser,
    lead: AbstractBaseUser,
    admin: AbstractBaseUser,
    reviewer: AbstractBaseUser,
    now: datetime,
) -> None:
    """Release versions 1 to 5 one after the other, and request the release of the last.

    That one rests on a gate. Eval runs and gates are run here and now; what is dated back is when
    the demo's people did their part.
    """
    people = _People(engineer, lead, admin, reviewer)
    for version, era, reason in zip(versions[:4], ERAS, _REASONS, strict=False):
        _release(version, None, reason, people, now - timedelta(days=era.days_ago[0]))
    before = now - timedelta(days=ERAS[4].days_ago[0])
    tests = [_promote(agent, cause, sessions, people) for cause in FIRST_CAUSES]
    tests += make_injection_tests(agent=agent, sessions=sessions, by=reviewer)
    for test in tests:
        _backdate(test, "update_update", created_at=before - timedelta(days=1, hours=3))
    proof = run_golden(versions[4], by=lead, started_at=before - timedelta(hours=2))
    _release(versions[4], proof, _REASONS[4], people, before)
    later = now - timedelta(days=1, hours=5)
    for cause in LATER_CAUSES:
        test = _promote(agent, cause, sessions, people)
        _backdate(test, "update_update", created_at=later)
    run_golden(versions[4], by=reviewer, started_at=later + timedelta(hours=1))
    candidate = versions[5]
    written_at = now - timedelta(hours=20)
    _backdate(candidate, "immutable", created_at=written_at)
    run_golden(candidate, by=engineer, started_at=written_at + timedelta(minutes=9))
    set_rules(project=agent.project, engineer=engineer, lead=lead)
    was_before = now - timedelta(hours=26)
    run_gate(candidate=versions[0], baseline=versions[4], by=reviewer, started_at=was_before)
    gate = run_gate(
        candidate=candidate,
        baseline=versions[4],
        by=engineer,
        started_at=written_at + timedelta(minutes=12),
    )
    request = request_release(
        version=candidate, eval_run=None, gate=gate, reason=_REASONS[5], by=engineer
    )
    _backdate(request, "update_update", requested_at=written_at + timedelta(minutes=30))


def run_golden(version: Version, *, by: AbstractBaseUser, started_at: datetime) -> EvalRun:
    """Run all golden tests on the version in this process, and return the settled eval run."""
    eval_run = start_eval_run(version=version, by=by)
    for result in eval_run.results.all():
        advance(result.run_id)
    settle_finished()
    eval_run.refresh_from_db()
    took = (eval_run.finished_at or eval_run.created_at) - eval_run.created_at
    EvalRun.objects.filter(pk=eval_run.pk).update(
        created_at=started_at, finished_at=started_at + took
    )
    eval_run.refresh_from_db()
    return eval_run


def _release(
    version: Version, proof: EvalRun | None, reason: str, people: _People, at: datetime
) -> Release:
    """Request by the author, approval by the lead (or the admin, where the lead wrote it)."""
    author = _author(version, people)
    approver = people.admin if author == people.lead else people.lead
    release = request_release(version=version, eval_run=proof, reason=reason, by=author)
    release = approve_release(release=release, by=approver, reason="Read, and fine.")
    _backdate(version, "immutable", created_at=at - timedelta(hours=5))
    _backdate(release, "update_update", requested_at=at - timedelta(hours=4), decided_at=at)
    return release


def _author(version: Version, people: _People) -> AbstractBaseUser:
    everybody = (people.engineer, people.lead, people.admin)
    return next(person for person in everybody if person.pk == version.author_id)


def _promote(
    agent: Agent, cause: str, sessions: Sequence[PastSession], people: _People
) -> GoldenTest:
    """Make a golden test of a labelled failure with this cause, with checks by the policy."""
    past, session, label = _failure(agent, cause, sessions)
    proposed = propose_test(session=session, label=label)
    return promote_session(
        session=session,
        label=label,
        agent=agent,
        title=_TITLES[cause],
        checks=_checks(past),
        severity=proposed.severity,
        tags=[*proposed.tags, past.task.scenario.replace("_", " ")],
        reason=_WHY[cause],
        by=people.reviewer,
        # The checks are the policy's: they demand what came after the first wrong step, too.
        run_input=proposed.whole_input,
    )


def _failure(
    agent: Agent, cause: str, sessions: Sequence[PastSession]
) -> tuple[PastSession, Session, Label]:
    """Return a labelled session that failed for this cause, the newest where something is to do."""
    for past in reversed(sessions):
        fault = past.verdict.fault
        if fault is None or fault.cause != cause or (cause != "C1" and not _writes(past)):
            continue
        label = Label.objects.filter(
            session__project=agent.project_id,
            session__external_id=past.record.external_id,
            cause=cause,
        ).select_related("session", "label_set")
        if found := label.first():
            return past, found.session, found
    raise LookupError(f"no labelled session failed for {cause}")


def _writes(past: PastSession) -> tuple[tuple[str, dict[str, Any]], ...]:
    return past.task.expectation.writes


def _checks(past: PastSession) -> list[Check]:
    checks: list[Check] = []
    for tool, arguments in _writes(past):
        checks.append({"kind": "tool_called", "tool": tool, "arguments": arguments})
        mentions = "order_id" if "order_id" in arguments else ""
        checks.append({"kind": "confirmed_before", "tool": tool, "mentions": mentions})
    if past.task.expectation.has_other_reason:
        checks.append({"kind": "tool_not_called", "tool": "cancel_pending_order", "arguments": {}})
    checks.append({"kind": "handed_over", "expected": past.task.expectation.is_handover})
    return checks


def _backdate(row: Model, trigger: str, **times: datetime) -> None:
    """Set when a row of the demo's past came about, past the trigger that guards the table."""
    name = f"{row._meta.label}:{trigger}"
    with pgtrigger.ignore(name):
        type(row)._default_manager.filter(pk=row.pk).update(**times)
