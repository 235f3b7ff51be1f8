"""Setting golden tests aside for a while: they are run and shown, and count for nothing."""

from datetime import date, timedelta

import pghistory
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from agents.errors import GoldenError
from agents.golden.content import checked_reason
from agents.models import GoldenTest
from agents.tools.autonomy import database_now

# Whoever needs longer decides again, or archives the test.
LONGEST_QUARANTINE = timedelta(days=90)


def quarantine_test(
    *, test: GoldenTest, until: date, reason: str, by: AbstractBaseUser
) -> GoldenTest:
    """Set a test aside until a day (UTC), on which it counts again by itself.

    Raises:
        GoldenError: The test is archived, the day is past or too far away, or there is no reason.
    """
    reason = checked_reason(reason, "Say why the test is set aside")
    today = database_now().date()
    last = today + LONGEST_QUARANTINE
    if not today < until <= last:
        raise GoldenError(
            f"The quarantine ends on {until:%d %b %Y}; choose a day from tomorrow to "
            f"{last:%d %b %Y}."
        )
    with (
        transaction.atomic(),
        pghistory.context(user=by.pk, reason=reason, action="quarantine test"),
    ):
        row = GoldenTest.objects.select_for_update().get(pk=test.pk)
        if row.archived_at is not None:
            raise GoldenError(f"“{row.title}” is archived; it takes no part in eval runs anyway.")
        row.quarantined_until, row.quarantine_reason = until, reason
        row.save(update_fields=["quarantined_until", "quarantine_reason", "updated_at"])
    return row


def lift_quarantine(*, test: GoldenTest, by: AbstractBaseUser) -> GoldenTest:
    """Let a test count again before its day.

    Raises:
        GoldenError: It is not set aside.
    """
    action = "lift quarantine of test"
    with transaction.atomic(), pghistory.context(user=by.pk, reason="", action=action):
        row = GoldenTest.objects.select_for_update().get(pk=test.pk)
        if row.quarantined_until is None:
            raise GoldenError(f"“{row.title}” is not in quarantine.")
        row.quarantined_until, row.quarantine_reason = None, ""
        row.save(update_fields=["quarantined_until", "quarantine_reason", "updated_at"])
    return row
