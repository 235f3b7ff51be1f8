"""A session's page read from the store: all spans in outline, a window of them with contents."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from agents.models import Run, ToolApproval
from reviewdesk.screens.sessions.chips import Item
from reviewdesk.screens.sessions.details import details_of
from reviewdesk.screens.sessions.talk import talk_of
from reviewdesk.screens.sessions.timeline import Bucket, Timeline, lay_time, overview_of
from reviewdesk.screens.sessions.tree import Outline, Tree, TreeRow, lay_out
from reviewdesk.screens.sessions.values import cut
from reviewdesk.screens.sessions.words import Speakers
from traces.models import Session, Span
from traces.records import to_ns

WINDOW = 200
MAX_OUTLINE = 100_000

_OWN = (Session.Source.RUNTIME, Session.Source.DEMO)

# By the primary key's first column and within the partitions from the session's start on; the
# rows' large values lie elsewhere (TOAST) and are not read.
_OUTLINES = """
SELECT span_id, parent_id, kind, name, start_ns, duration_ns, status
FROM traces_span WHERE session_id = %s AND start_ns >= %s
ORDER BY start_ns, span_id LIMIT %s
"""


@dataclass(frozen=True)
class Step:
    """A line of the steps column.

    Attributes:
        row: Its place in the tree.
        title: What it is called.
        has_place: Whether the conversation shows it.
    """

    row: TreeRow
    title: str
    has_place: bool

    @property
    def span(self) -> Outline:
        """Return the span."""
        return self.row.span

    @property
    def rev(self) -> str:
        """Return what changes when the line has to be shown anew."""
        span, row = self.row.span, self.row
        return f"{span.status}-{span.duration_ns}-{row.bar_start}-{row.bar_width}"


@dataclass(frozen=True)
class Errors:
    """A session's failed spans, wherever they are.

    Attributes:
        first: Id of the earliest one that did not fail because a span below it did.
        before: Ids of those above the window, in the order of the tree.
        after: Ids of those below it.
    """

    num: int
    first: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def previous(self) -> str:
        """Return the one nearest above the window, or the last of all below it, or empty."""
        return self.before[-1] if self.before else self.after[-1] if self.after else ""

    @property
    def next(self) -> str:
        """Return the one nearest below the window, or the first of all above it, or empty."""
        return self.after[0] if self.after else self.before[0] if self.before else ""


@dataclass(frozen=True)
class Reading:
    """What the session's page shows of its spans.

    Attributes:
        steps: The window's lines.
        talk: The window's conversation.
        num_rows: Of the whole tree.
        first: Index of the window's first line.
        busy_ns: Time in which something was done, waits left out.
        focus: The span that was asked for, or empty.
        is_partial: Whether the session has more spans than `MAX_OUTLINE`.
        errors: The failed ones of all.
        timeline: The window against time, where it was asked for.
        overview: All of a session that is longer than a window.
    """

    steps: list[Step]
    talk: list[Item]
    num_rows: int
    first: int
    busy_ns: int
    focus: str
    is_partial: bool
    errors: Errors
    timeline: Timeline | None
    overview: list[Bucket]

    @property
    def last(self) -> int:
        """Return the index after the window's last line."""
        return self.first + len(self.steps)

    @property
    def earlier(self) -> int | None:
        """Return where the window before this one begins."""
        return max(self.first - WINDOW, 0) if self.first else None

    @property
    def later(self) -> int | None:
        """Return where the window after this one begins."""
        return self.last if self.last < self.num_rows else None


def read_session(
    session: Session,
    *,
    focus: str = "",
    first: int | None = None,
    size: int | None = None,
    with_timeline: bool = False,
) -> Reading:
    """Read the window around `focus` (a span id), from line `first`, or where most matters.

    Three queries. Without either the window begins at the start, or ends at the end of a session
    that is still going on.
    """
    outlines = outlines_of(session)
    approvals = approvals_of(session)
    tree = lay_out(outlines[:MAX_OUTLINE], _decided(approvals))
    num_rows = len(tree.order)
    begin = _begin(session, tree, focus, first)
    end = begin + (size or WINDOW)
    rows = tree.window(begin, end)
    is_received = session.source not in _OWN
    details = details_of(session, [row.span for row in rows], _opening(outlines))
    words = {detail.span_id: detail.said for detail in details}
    after = tree.order[end][0].start_ns if end < num_rows else None
    talk = talk_of(details, approvals, Speakers(outlines) if is_received else None, until_ns=after)
    shown = {span_id for item in talk for span_id in item.span_ids}
    return Reading(
        steps=[Step(row, _title(row.span, words), row.span.span_id in shown) for row in rows],
        talk=talk,
        num_rows=num_rows,
        first=begin,
        busy_ns=tree.busy_ns,
        focus=focus,
        is_partial=len(outlines) > MAX_OUTLINE,
        errors=_errors(tree, begin, end),
        timeline=lay_time(tree, rows, details) if with_timeline else None,
        overview=overview_of(tree, begin, end) if num_rows > WINDOW else [],
    )


def outlines_of(session: Session) -> list[Outline]:
    """Return all spans of the session without their contents, up to one above `MAX_OUTLINE`.

    By start. One query, past the ORM, which takes twice as long for 50,000 rows.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OUTLINES, [session.pk, session.first_ns, MAX_OUTLINE + 1])
        return list(map(Outline._make, cursor.fetchall()))


def spans_of(session: Session) -> QuerySet[Span]:
    """Return the session's spans; the bound on their start spares partitions."""
    return Span.objects.filter(session=session, start_ns__gte=session.first_ns)


def approvals_of(session: Session) -> dict[str, ToolApproval]:
    """Return the session's approvals by the span of their call. One query."""
    rows = ToolApproval.objects.filter(run__session=session).select_related("step", "decided_by")
    return {approval.step.span_id: approval for approval in rows}


def run_of(session: Session) -> Run | None:
    """Return the run whose session this is. One query."""
    if session.source != Session.Source.RUNTIME:
        return None
    return Run.objects.select_related("agent", "version").filter(session=session).first()


def _opening(outlines: Sequence[Outline]) -> str:
    """Return the id of the first model call, whose input holds what was said before the session."""
    return next((span.span_id for span in outlines if span.kind == Span.Kind.MODEL), "")


def _decided(approvals: dict[str, ToolApproval]) -> dict[str, int]:
    return {
        span_id: to_ns(approval.decided_at)
        for span_id, approval in approvals.items()
        if isinstance(approval.decided_at, datetime)
    }


def _begin(session: Session, tree: Tree, focus: str, first: int | None) -> int:
    end = max(len(tree.order) - WINDOW, 0)
    for index, (span, _) in enumerate(tree.order if focus else ()):
        if span.span_id == focus:
            return min(max(index - WINDOW // 2, 0), end)
    if first is not None:
        return min(max(first, 0), end)
    return end if session.status in (Session.Status.RUNNING, Session.Status.WAITING) else 0


def _errors(tree: Tree, begin: int, end: int) -> Errors:
    failed = [
        (index, span)
        for index, (span, _) in enumerate(tree.order)
        if span.status == Span.Status.ERROR
    ]
    above_others = {span.parent_id for _, span in failed}
    origins = [span for _, span in failed if span.span_id not in above_others]
    earliest = min(origins, key=lambda span: (span.start_ns, span.span_id), default=None)
    return Errors(
        num=len(failed),
        first=earliest.span_id if earliest else "",
        before=tuple(span.span_id for index, span in failed if index < begin),
        after=tuple(span.span_id for index, span in failed if index >= end),
    )


def _title(span: Outline, words: dict[str, str]) -> str:
    if span.kind == Span.Kind.CUSTOMER:
        return cut(words.get(span.span_id, ""), 60) or "customer"
    return "chat" if span.kind == Span.Kind.MODEL else span.name
