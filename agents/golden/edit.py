"""Changing and archiving golden tests; evidence gathered with them is void from then on."""

from collections.abc import Sequence
from typing import Any

import pghistory
from django.apps import apps
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from agents.errors import GoldenError
from agents.golden.content import (
    LONGEST_REASON,
    checked_about,
    checked_checks,
    checked_input,
    content_of,
    hash_of,
    known_tools,
)
from agents.golden.judgements import Check
from agents.golden.runner import void_running
from agents.golden.versions import record_version
from agents.models import GoldenTest
from agents.tools.autonomy import database_now

_ARCHIVE = "archive test"


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
) -> GoldenTest:
    """Change a test. Its earlier form stays in the audit trail; eval runs under way become void.

    Args:
        test: An active test.
        title: What people call it.
        checks: All of them, at least one.
        severity: A `GoldenTest.Severity` value.
        tags: Words to find it by.
        reason: Why this must not come back.
        by: Who edits.
        run_input: The customer's part; None leaves it as it is.

    Raises:
        GoldenError: The test is archived, or a value cannot be used.
    """
    about = checked_about(title=title, severity=severity, tags=tags, reason=reason)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="edit test"):
        row = _active(test)
        content: dict[str, Any] = {
            "input": checked_input(run_input or row.input),
            "checks": checked_checks(checks, known_tools(row.agent.project_id, row.fixtures)),
        }
        digest = hash_of({**content_of(row), **content})
        is_other = digest != row.content_hash
        for name, value in {**about, **content, "content_hash": digest}.items():
            setattr(row, name, value)
        row.save(update_fields=[*about, *content, "content_hash", "updated_at"])
        if is_other:
            record_version(test=row, by=by)
            void_running(test=row, by=by)
    return row


def archive_test(*, test: GoldenTest, reason: str, by: AbstractBaseUser) -> GoldenTest:
    """Take a test out of later eval runs. Its results stay.

    Raises:
        GoldenError: It is archived already, or there is no reason.
    """
    if not reason.strip():
        raise GoldenError("Say why the test is archived: the reason is empty.")
    if len(reason) > LONGEST_REASON:
        raise GoldenError(f"The reason has {len(reason)} characters; {LONGEST_REASON} at most.")
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action=_ARCHIVE):
        row = _active(test)
        row.archived_at = database_now()
        row.save(update_fields=["archived_at", "updated_at"])
    return row


def archived_because(test: GoldenTest) -> str:
    """Return the reason with which a test was archived, from the audit trail. One query."""
    events = apps.get_model("agents", "GoldenTestEvent")._default_manager.filter(
        pgh_obj=test.pk, pgh_context__metadata__action=_ARCHIVE
    )
    reason = events.order_by("-pgh_id").values_list("pgh_context__metadata__reason", flat=True)
    return str(reason.first() or "")


def _active(test: GoldenTest) -> GoldenTest:
    row = GoldenTest.objects.select_for_update().get(pk=test.pk)
    if row.archived_at is not None:
        raise GoldenError(f"“{row.title}” is archived since {row.archived_at:%d %b %Y}.")
    return row
