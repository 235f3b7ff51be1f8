"""From a session that a person has judged to a golden test that keeps it from coming back."""

from collections.abc import Sequence
from typing import Any, Unpack

import pghistory
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils.text import slugify

from agents.errors import GoldenError
from agents.golden.content import (
    check_together,
    checked_about,
    checked_checks,
    checked_input,
    checked_parts,
    content_of,
    hash_of,
)
from agents.golden.edit import Changes, checked_standing
from agents.golden.judgements import Check
from agents.golden.proposals import Recording
from agents.golden.proposed import propose_test
from agents.golden.versions import record_version
from agents.models import Agent, GoldenTest, Run, ShopRecord
from traces.models import Label, Session

_SLUG_LENGTH = 70
_RECORD_ARGUMENTS = {"order_id": "order", "user_id": "user", "product_id": "product"}


def agent_of(session: Session) -> Agent | None:
    """Return the agent that a test of this session is for, or None if a person has to say.

    It is the agent that ran it here, or the project's agent of that name, or its only one.
    """
    run = Run.objects.select_related("agent").filter(session=session).first()
    if run is not None:
        return run.agent
    agents = list(Agent.objects.filter(project=session.project_id).order_by("name")[:50])
    named = [agent for agent in agents if session.agent_name in {agent.slug, agent.name}]
    if len(named) == 1:
        return named[0]
    return agents[0] if len(agents) == 1 else None


def promoted_test(*, session: Session, agent: Agent | None = None) -> GoldenTest | None:
    """Return the active test that was made of this session (for this agent), if there is one."""
    tests = GoldenTest.objects.filter(source_session=session, archived_at=None)
    if agent is not None:
        tests = tests.filter(agent=agent)
    return tests.select_related("agent").order_by("pk").first()


def missing_records(*, agent: Agent, recording: Recording) -> list[str]:
    """Return the records that the recording used and the agent's shop lacks, such as "order #A1".

    A run of the test would not find them, save where a fixture answers. One query.
    """
    used = {
        (kind, key)
        for call in recording.calls
        for name, kind in _RECORD_ARGUMENTS.items()
        if call.error is None and isinstance(key := call.arguments.get(name), str)
    }
    known = set(
        ShopRecord.objects.filter(
            dataset=agent.dataset, key__in=[key for _, key in used]
        ).values_list("kind", "key")
    )
    return [f"{kind} {key}" for kind, key in sorted(used - known)]


def promote_session(
    *,
    session: Session,
    label: Label | None,
    agent: Agent | None,
    title: str,
    checks: Sequence[Check],
    severity: str,
    tags: Sequence[str],
    reason: str,
    by: AbstractBaseUser,
    run_input: dict[str, Any] | None = None,
    **changes: Unpack[Changes],
) -> GoldenTest:
    """Make a golden test of a session; a session that is one already gives that test.

    Args:
        session: An ended session of the agent's project.
        label: The label that says what was wrong; kept as the test's origin.
        agent: Whose runs it tests.
        title: What people call it.
        checks: As the reviewer left them, at least one.
        severity: A `GoldenTest.Severity` value.
        tags: Words to find it by.
        reason: Why this must not come back.
        by: Who promotes.
        run_input: The customer's part as the reviewer left it; None is as proposed.
        changes: What else the reviewer wants; the owner is who promotes, where it is not given.

    Raises:
        GoldenError: The session, the agent or a check cannot be used; the message says why.
    """
    if agent is None or agent.project_id != session.project_id:
        raise GoldenError("Choose the agent that the test is for: one of this project.")
    proposed = propose_test(session=session, label=label)
    given: Changes = {"owner_id": by.pk, "suite": proposed.suite, **changes}
    about = checked_about(title=title, severity=severity, tags=tags, reason=reason)
    about |= checked_standing(given)
    test = GoldenTest(
        agent=agent,
        input=checked_input(run_input or proposed.run_input),
        fixtures=[fixture.to_json() for fixture in proposed.fixtures],
        checks=checked_checks(checks, proposed.tools),
        source_session=session,
        source_label=label,
        source_span_id=label.first_wrong_span_id if label else "",
        promoted_by_id=by.pk,
        **about,
    )
    for name, value in checked_parts(given, proposed.tools).items():
        setattr(test, name, value)
    return _save_new(test, by=by)


def add_test(*, test: GoldenTest, by: AbstractBaseUser | None) -> GoldenTest:
    """Write a new test with its first version, in the caller's transaction.

    Everything of it is set but slug and hash; its agent's row is locked.

    Raises:
        GoldenError: Parts of its content contradict each other.
    """
    check_together(content_of(test))
    test.slug = test.slug or _free_slug(test.agent, test.title)
    test.content_hash = hash_of(content_of(test))
    test.save(force_insert=True)
    record_version(test=test, by=by)
    return test


def _save_new(test: GoldenTest, *, by: AbstractBaseUser) -> GoldenTest:
    context = {"user": by.pk, "reason": test.reason, "action": "promote"}
    with transaction.atomic(), pghistory.context(**context):
        Agent.objects.select_for_update().get(pk=test.agent_id)
        session = test.source_session
        if session and (known := promoted_test(session=session, agent=test.agent)):
            return known
        return add_test(test=test, by=by)


def _free_slug(agent: Agent, title: str) -> str:
    wanted = slugify(title)[:_SLUG_LENGTH].strip("-") or "test"
    taken = set(
        GoldenTest.objects.filter(agent=agent, slug__startswith=wanted).values_list(
            "slug", flat=True
        )
    )
    if wanted not in taken:
        return wanted
    return next(slug for n in range(2, len(taken) + 3) if (slug := f"{wanted}-{n}") not in taken)
