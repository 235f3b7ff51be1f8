"""Changing and archiving golden tests; evidence gathered with them is void from then on."""

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

import pghistory
from django.apps import apps
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from agents.errors import GoldenError
from agents.golden.content import (
    Parts,
    check_together,
    checked_about,
    checked_checks,
    checked_input,
    checked_parts,
    checked_reason,
    checked_suite,
    content_of,
    hash_of,
    known_tools,
)
from agents.golden.judgements import Check
from agents.golden.runner import void_running
from agents.golden.versions import current_version, record_version
from agents.models import Agent, GoldenTest
from agents.tools.autonomy import database_now

_ARCHIVE = "archive test"
_TAKE_BACK = "take promotion back"
_TAKEN_BACK = "Taken back right after it was promoted."


class Standing(TypedDict, total=False):
    """Where a test belongs; none of it is part of its content."""

    suite: str
    is_critical: bool
    owner_id: int | None


class Changes(Standing, Parts, total=False):
    """What of a test may be given beside what people must say."""


def edit_test(
    *,
    test: GoldenTest,
    title: str,
    checks: Sequence[Check],
    severity: str,
    tags: Sequence[str],
    reason: str,
    by: AbstractBaseUser,
    run_input: dict[str, Any] | None = None,
    **changes: Unpack[Changes],
) -> GoldenTest:
    """Change a test. A change of content is a new version of it; eval runs under way become void.

    Args:
        test: An active test.
        title: What people call it.
        checks: All of them, at least one.
        severity: A `GoldenTest.Severity` value.
        tags: Words to find it by.
        reason: Why this must not come back.
        by: Who edits.
        run_input: The customer's part; None leaves it as it is.
        changes: What else is to be another; what is not given stays as it is.

    Raises:
        GoldenError: The test is archived, or a value cannot be used.
    """
    about = checked_about(title=title, severity=severity, tags=tags, reason=reason)
    about |= checked_standing(changes)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="edit test"):
        row = lock_active(test)
        tools = tools_of(row)
        content = {
            **content_of(row),
            "input": checked_input(run_input or row.input),
            "checks": checked_checks(checks, tools),
            **checked_parts(changes, tools),
        }
        check_together(content)
        write_changes(row=row, about=about, content=content, by=by)
    return row


def write_changes(
    *, row: GoldenTest, about: dict[str, Any], content: dict[str, Any], by: AbstractBaseUser
) -> None:
    """Write checked fields and the whole content to a locked row, in the caller's transaction."""
    digest = hash_of(content)
    is_other = digest != row.content_hash
    values = {**about, **content}
    if is_other:
        values |= {"content_hash": digest, "number": current_version(row).number + 1}
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=[*values, "updated_at"])
    if is_other:
        record_version(test=row, by=by)
        void_running(test=row, by=by)


def lock_active(test: GoldenTest) -> GoldenTest:
    """Return the test's row, locked until the transaction ends.

    Raises:
        GoldenError: It is archived.
    """
    # No key update: who settles a gate may refer to the test, and holds what an edit waits for.
    row = GoldenTest.objects.select_for_update(no_key=True).get(pk=test.pk)
    if row.archived_at is not None:
        raise GoldenError(f"“{row.title}” is archived since {row.archived_at:%d %b %Y}.")
    return row


def checked_standing(given: Standing) -> dict[str, Any]:
    """Return what is given of suite, being critical and owner, as a test's fields.

    Raises:
        GoldenError: There is no such suite.
    """
    fields: dict[str, Any] = {}
    if "suite" in given:
        fields["suite"] = checked_suite(given["suite"])
    if "is_critical" in given:
        fields["is_critical"] = given["is_critical"]
    if "owner_id" in given:
        fields["owner_id"] = given["owner_id"]
    return fields


def tools_of(test: GoldenTest) -> frozenset[str]:
    """Return the names that the test's checks, fixtures and rules may use. One query."""
    return known_tools(test.agent.project_id, [*test.fixtures, *test.rules])


def archive_test(
    *, test: GoldenTest, reason: str, by: AbstractBaseUser, action: str = _ARCHIVE
) -> GoldenTest:
    """Take a test out of later eval runs. Its results stay.

    Raises:
        GoldenError: It is archived already, or there is no reason.
    """
    reason = checked_reason(reason, "Say why the test is archived")
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action=action):
        row = lock_active(test)
        row.archived_at = database_now()
        row.save(update_fields=["archived_at", "updated_at"])
    return row


def take_back_promotion(*, test: GoldenTest, by: AbstractBaseUser) -> GoldenTest:
    """Undo a promotion by whoever made it: the test is archived, and the session free again.

    Raises:
        GoldenError: Somebody else promoted it, it was run or edited since, or it is archived.
    """
    if test.promoted_by_id != by.pk:
        raise GoldenError(
            f"“{test.title}” was promoted by somebody else; archive it with a reason."
        )
    if test.number > 1 or test.results.exists():
        raise GoldenError(
            f"“{test.title}” was edited or run since it was promoted; archive it with a reason."
        )
    return archive_test(test=test, reason=_TAKEN_BACK, by=by, action=_TAKE_BACK)


def unarchive_test(*, test: GoldenTest, reason: str, by: AbstractBaseUser) -> GoldenTest:
    """Let an archived test take part again.

    Raises:
        GoldenError: It is not archived, another test of its session is active, or there is no
            reason.
    """
    reason = checked_reason(reason, "Say why the test is taken up again")
    with (
        transaction.atomic(),
        pghistory.context(user=by.pk, reason=reason, action="take test up again"),
    ):
        Agent.objects.select_for_update().get(pk=test.agent_id)
        row = GoldenTest.objects.select_for_update().get(pk=test.pk)
        if row.archived_at is None:
            raise GoldenError(f"“{row.title}” is not archived.")
        same = GoldenTest.objects.filter(
            agent=row.agent_id, source_session=row.source_session_id, archived_at=None
        ).exclude(source_session=None)
        if other := same.first():
            raise GoldenError(
                f"“{other.title}” was made of the same session since; archive that one first."
            )
        row.archived_at = None
        row.save(update_fields=["archived_at", "updated_at"])
    return row


def archived_because(test: GoldenTest) -> str:
    """Return the reason with which a test was archived, from the audit trail. One query."""
    events = apps.get_model("agents", "GoldenTestEvent")._default_manager.filter(
        pgh_obj=test.pk, pgh_context__metadata__action__in=[_ARCHIVE, _TAKE_BACK]
    )
    reason = events.order_by("-pgh_id").values_list("pgh_context__metadata__reason", flat=True)
    return str(reason.first() or "")
