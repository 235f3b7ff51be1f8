"""A session's spans as a conversation: what was said, and the calls between, folded."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from agents.models import ToolApproval
from reviewdesk.screens.sessions.chips import Chip, Detail, Item, chip_of
from traces.models import Span
from traces.records import from_ns


@dataclass(frozen=True)
class Said(Item):
    """Something that was said.

    Attributes:
        who: "Customer", "Agent" or "Task".
        at: For what the customer said.
        after_ns: For what the agent said: time since the customer's last words.
        anchors: Ids of steps before it that have no place of their own.
    """

    who: str
    text: str
    is_cut: bool
    at: datetime
    after_ns: int | None
    anchors: tuple[str, ...]
    kind: str = "said"


@dataclass(frozen=True)
class Calls(Item):
    """Calls that follow each other without anything said between them."""

    chips: tuple[Chip, ...]
    anchors: tuple[str, ...]
    kind: str = "calls"

    @property
    def span_ids(self) -> tuple[str, ...]:
        """Return the calls' spans."""
        return tuple(chip.span_id for chip in self.chips)


@dataclass(frozen=True)
class Trouble(Item):
    """A model call that failed, or that is under way."""

    text: str
    is_error: bool
    kind: str = "trouble"


def talk_of(details: Iterable[Detail], approvals: Mapping[str, ToolApproval]) -> list[Item]:
    """Return the conversation of spans in the order of their starts.

    Args:
        details: The spans.
        approvals: By span id, of the calls that a person decides or decided.
    """
    talk = _Talk(approvals)
    for detail in details:
        talk.add(detail)
    return talk.done()


class _Talk:
    def __init__(self, approvals: Mapping[str, ToolApproval]) -> None:
        self._approvals = approvals
        self._items: list[Item] = []
        self._chips: list[Chip] = []
        self._chip_anchors: tuple[str, ...] = ()
        self._anchors: list[str] = []
        self._customer_end: int | None = None

    def add(self, detail: Detail) -> None:
        match detail.kind:
            case Span.Kind.TOOL:
                self._chip_anchors += self._take_anchors()
                self._chips.append(chip_of(detail, self._approvals.get(detail.span_id)))
            case Span.Kind.MODEL if detail.status in (Span.Status.ERROR, Span.Status.RUNNING):
                self._trouble(detail)
            case Span.Kind.CUSTOMER | Span.Kind.MODEL | Span.Kind.AGENT if detail.said.strip():
                self._say(detail)
            case _:
                self._anchors.append(detail.span_id)

    def done(self) -> list[Item]:
        self._close_calls()
        return self._items

    def _say(self, detail: Detail) -> None:
        self._close_calls()
        is_customer = detail.kind == Span.Kind.CUSTOMER
        end_ns = detail.start_ns + detail.duration_ns
        after = None
        if detail.kind == Span.Kind.MODEL and self._customer_end is not None:
            after = max(end_ns - self._customer_end, 0)
        if is_customer:
            self._customer_end = end_ns
        who = {Span.Kind.CUSTOMER: "Customer", Span.Kind.MODEL: "Agent"}.get(
            Span.Kind(detail.kind), "Task"
        )
        anchors = self._take_anchors()
        self._items.append(
            Said(
                detail.span_id,
                who,
                detail.said,
                detail.is_cut,
                from_ns(detail.start_ns),
                after,
                anchors,
            )
        )

    def _trouble(self, detail: Detail) -> None:
        self._close_calls()
        is_error = detail.status == Span.Status.ERROR
        text = detail.status_message or "The model call failed." if is_error else ""
        self._items.append(Trouble(detail.span_id, text, is_error))

    def _close_calls(self) -> None:
        if self._chips:
            self._items.append(
                Calls(self._chips[0].span_id, tuple(self._chips), self._chip_anchors)
            )
            self._chips, self._chip_anchors = [], ()

    def _take_anchors(self) -> tuple[str, ...]:
        taken, self._anchors = tuple(self._anchors), []
        return taken
