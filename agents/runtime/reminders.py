"""Reminding of calls that wait: once, when half of their time is gone."""

from datetime import timedelta

from django.db import transaction
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F

from agents.models import ToolApproval
from agents.outbox import tell
from agents.tools.autonomy import database_now

_HALF = ExpressionWrapper((F("expires_at") - F("created_at")) / 2, output_field=DurationField())
_HALF_GONE = ExpressionWrapper(F("created_at") + _HALF, output_field=DateTimeField())


def remind_of_waiting() -> int:
    """Tell of the calls whose time is half gone, once each; return how many."""
    waiting = ToolApproval.objects.filter(
        status=ToolApproval.Status.WAITING, reminded_at=None, expires_at__isnull=False
    )
    due = waiting.annotate(remind_at=_HALF_GONE).filter(remind_at__lte=database_now())
    reminded = 0
    for pk in list(due.order_by("expires_at").values_list("pk", flat=True)[:200]):
        reminded += _remind(pk)
    return reminded


def _remind(pk: int) -> int:
    with transaction.atomic():
        row = (
            ToolApproval.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("run__project")
            .filter(pk=pk, status=ToolApproval.Status.WAITING, reminded_at=None)
            .first()
        )
        if row is None or row.expires_at is None:
            return 0
        now = database_now()
        row.reminded_at = now
        row.save(update_fields=["reminded_at"])
        minutes = max(round((row.expires_at - now) / timedelta(minutes=1)), 0)
        tell(
            project=row.run.project,
            event="approval_reminder",
            payload={
                "title": f"A call of {row.tool} still waits: it expires in {minutes} min",
                "url": f"/p/{row.run.project.slug}/approvals/{row.pk}/",
                "approval": row.pk,
                "tool": row.tool,
            },
            key=f"approval:{row.pk}:reminder",
        )
    return 1
