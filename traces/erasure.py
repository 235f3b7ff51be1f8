"""Deleting one person's data by their customer id, with a record that does not name them.

One transaction: either everything of the person is gone and the record says how much, or nothing
is and an error says why. Sessions that come in meanwhile belong to the next erasure.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pghistory
import pgtrigger
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import Q

from traces.errors import ErasureError
from traces.models import Erasure, Label, Project, Session, Span, Trace
from traces.redaction import masker_for
from traces.retention import delete_sessions

MAX_REASON = 500
ERASED = "erased on request"

# What else knows the person's sessions: deletes what it holds and says how much, by name.
EraseMore = Callable[[Sequence[uuid.UUID]], Mapping[str, int]]


def sessions_of_customer(*, project: Project, customer: str) -> list[uuid.UUID]:
    """Return the sessions of a customer, whose id is given as it was sent or as it is stored."""
    wanted = customer.strip()
    if not wanted:
        return []
    known = {wanted[:200], masker_for(project).customer(wanted)[:200]}
    return list(
        Session.objects.filter(Q(project=project), customer__in=known).values_list("pk", flat=True)
    )


def erase_customer(
    *,
    project: Project,
    customer: str,
    by: AbstractBaseUser | None,
    reason: str,
    erase_more: EraseMore | None = None,
) -> Erasure:
    """Delete all sessions of a customer with their spans, labels, queue items, scores and runs.

    In the audit trail, the comments of their labels' events are blanked; who did what and when
    stays.

    Args:
        project: Whose customer it is.
        customer: The id, as it was sent or as it is stored (a pseudonym).
        by: Who asked for it; None is the command line.
        reason: Why; kept.
        erase_more: Deletes what other rooms hold of these sessions, in the same transaction.

    Raises:
        ErasureError: The project has no session of that customer, or no reason is given.
    """
    if not reason.strip():
        raise ErasureError("Say why the data is deleted: the reason stays in the audit trail.")
    context = {"user": by.pk if by else None, "reason": reason[:MAX_REASON], "action": "erase"}
    with transaction.atomic(), pghistory.context(**context):
        ids = sessions_of_customer(project=project, customer=customer)
        # Traces before sessions, as whoever adds spans locks them: neither blocks the other.
        list(
            Trace.objects.select_for_update()
            .filter(project=project, session__in=ids)
            .order_by("trace_id")
            .values_list("trace_id")
        )
        ids = list(
            Session.objects.select_for_update()
            .filter(pk__in=ids)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        if not ids:
            raise ErasureError(
                f"{project} has no session of the customer {customer.strip()!r}. Give the id as "
                "the session list shows it, or as it was sent."
            )
        num_spans = Span.objects.filter(session__in=ids).count()
        num_labels = Label.objects.filter(session__in=ids).count()
        details = dict(erase_more(ids)) if erase_more else {}
        details["label_comments_in_trail"] = _blank_comments(ids)
        delete_sessions(ids)
        return Erasure.objects.create(
            project=project,
            customer_digest=masker_for(project).digest(_stored(project, customer)),
            reason=reason[:MAX_REASON],
            num_sessions=len(ids),
            num_spans=num_spans,
            num_labels=num_labels,
            details={name: num for name, num in details.items() if num},
            by_id=by.pk if by else None,
        )


def blank_events(table: str, columns: Mapping[str, str], where: str, values: list[Any]) -> int:
    """Blank text in lines of the audit trail, which otherwise nobody can change; return how many.

    Only an erasure does so: the trigger that keeps the lines is passed over in this transaction
    alone, and the erasure is itself a line.

    Args:
        table: Of the events; ours, never from outside.
        columns: SQL expressions of what stands there afterwards, by column.
        where: SQL condition.
        values: Its parameters.
    """
    changes = ", ".join(f"{name} = {value}" for name, value in columns.items())
    with pgtrigger.ignore(_URIS[table]), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {changes} WHERE {where}", values)  # noqa: S608
        num_blanked: int = cursor.rowcount
    return num_blanked


_URIS = {
    "traces_labelevent": "traces.LabelEvent:append_only",
    "agents_toolapprovalevent": "agents.ToolApprovalEvent:append_only",
    "agents_goldentestevent": "agents.GoldenTestEvent:append_only",
}


def _blank_comments(ids: Sequence[uuid.UUID]) -> int:
    return blank_events(
        "traces_labelevent",
        {"comment": f"'({ERASED})'"},
        "session_id = ANY(%s) AND comment <> ''",
        [list(ids)],
    )


def _stored(project: Project, customer: str) -> str:
    """Return the customer's id as it is stored, so that both ways to give it have one digest."""
    return masker_for(project).customer(customer.strip())[:200]
