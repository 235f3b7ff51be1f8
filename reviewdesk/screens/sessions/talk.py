"""A session's spans as a conversation: what was said, and the calls between, folded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.models import ToolApproval
from reviewdesk.screens.sessions.chips import Chip, Detail, Item, asked_chip, chip_of
from reviewdesk.screens.sessions.pairing import Pairing
from reviewdesk.screens.sessions.words import Memory, Speakers
from traces.models import Span
from traces.records import from_ns

_END = "-end"


@dataclass(frozen=True)
class Said(Item):
    """Something that was said.

    Attributes:
        who: "Customer", "Agent", "Task", "Instructions", or "To" and an agent's name.
        at: For what the customer said.
        after_ns: For what the agent said: time since the customer's last words.
        anchors: Ids of steps before it that have no place of their own.
        reasoning: The agent's, before it said this.
        place: Its own place on the page, where its span has another.
    """

    who: str
    text: str
    is_cut: bool
    at: datetime
    after_ns: int | None
    anchors: tuple[str, ...]
    reasoning: str = ""
    place: str = ""
    kind: str = "said"

    @property
    def anchor(self) -> str:
        """Return the place on the page, which no other item has."""
        return self.place or self.span_id

    @property
    def is_agents(self) -> bool:
        """Say whether the agent said it."""
        return self.who == "Agent"


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


def talk_of(
    details: Iterable[Detail],
    approvals: Mapping[str, ToolApproval],
    speakers: Speakers | None = None,
    *,
    until_ns: int | None = None,
) -> list[Item]:
    """Return the conversation of spans in the order of their starts.

    Args:
        details: The spans.
        approvals: By span id, of the calls that a person decides or decided.
        speakers: Who speaks to whom, of a session that was received.
        until_ns: Where a later window begins: what is not known to end before it is left to that.
    """
    shown = list(details)
    talk = _Talk(approvals, speakers, shown)
    # An agent's span begins before what it does; its answer comes after all of that.
    answers = sorted(
        (
            detail
            for detail in shown
            if detail.kind == Span.Kind.AGENT
            and detail.answer.strip()
            and (until_ns is None or detail.end_ns < until_ns)
        ),
        key=lambda detail: detail.end_ns,
        reverse=True,
    )
    for detail in shown:
        while answers and answers[-1].end_ns < detail.start_ns:
            talk.end(answers.pop())
        talk.add(detail)
    for detail in reversed(answers):
        talk.end(detail)
    return talk.done()


class _Talk:
    def __init__(
        self,
        approvals: Mapping[str, ToolApproval],
        speakers: Speakers | None,
        details: Sequence[Detail],
    ) -> None:
        self._approvals = approvals
        self._speakers = speakers or Speakers()
        self._pairing = Pairing(details) if speakers else None
        self._hears = any(turn.role == "user" for each in details for turn in each.turns)
        self._memory = Memory()
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
            case Span.Kind.MODEL:
                self._hear(detail)
                self._answer(detail)
            case Span.Kind.CUSTOMER if detail.said.strip():
                self._memory.hears(detail.said)
                self._say(detail, "Customer", detail.said, detail.is_cut)
            case Span.Kind.AGENT if self._is_task(detail):
                self._say(detail, "Task", detail.said, detail.is_cut)
            case _:
                self._anchors.append(detail.span_id)

    def end(self, detail: Detail) -> None:
        """Add what an agent's span ended with, if no model call of it said so."""
        if self._pairing is None or not self._speakers.is_root(detail.span_id):
            return
        if self._memory.answers_anew(detail.answer):
            self._say(detail, "Agent", detail.answer, False, place=f"{detail.span_id}{_END}")

    def done(self) -> list[Item]:
        self._close_calls()
        return self._items

    def _is_task(self, detail: Detail) -> bool:
        """Say whether only the agent's span tells what was asked of it."""
        is_told = self._hears or not self._speakers.is_root(detail.span_id)
        return bool(detail.said.strip()) and not is_told

    def _hear(self, detail: Detail) -> None:
        """Add what is new in a model's input; results stand with their calls."""
        for number, turn in enumerate(detail.turns):
            place = f"{detail.span_id}-{number}"
            if turn.role == "system" and self._memory.is_told(turn.text):
                self._say(detail, "Instructions", turn.text, turn.is_cut, place=place)
            elif turn.role == "user" and self._memory.hears(turn.text):
                who = self._speakers.of(detail.span_id)
                self._say(detail, who, turn.text, turn.is_cut, place=place)
            elif turn.role == "assistant" and self._memory.answers_anew(turn.text):
                self._say(detail, "Agent", turn.text, turn.is_cut, place=place)

    def _answer(self, detail: Detail) -> None:
        if detail.status in (Span.Status.ERROR, Span.Status.RUNNING):
            self._trouble(detail)
            return
        is_new = self._pairing is None or self._memory.answers_anew(detail.said)
        if detail.said.strip() and is_new:
            self._say(detail, "Agent", detail.said, detail.is_cut)
        elif detail.reasoning.strip():
            self._say(detail, "Agent", "", False)
        else:
            self._anchors.append(detail.span_id)
        if self._pairing is not None:
            self._ask(detail, self._pairing)

    def _ask(self, detail: Detail, pairing: Pairing) -> None:
        """Add the calls that the model asked for and no span shows."""
        for number, call in enumerate(detail.calls):
            if not pairing.has_span(call):
                place = f"{detail.span_id}-call-{number}"
                self._chip_anchors += self._take_anchors()
                self._chips.append(asked_chip(detail, call, pairing.result(call), place))

    def _say(self, detail: Detail, who: str, text: str, is_cut: bool, *, place: str = "") -> None:
        self._close_calls()
        end_ns = detail.end_ns
        after = None
        is_known = not place or place.endswith(_END)
        if who == "Agent" and is_known and self._customer_end is not None:
            after = max(end_ns - self._customer_end, 0)
        if who == "Customer":
            self._customer_end = detail.start_ns if place else end_ns
        self._items.append(
            Said(
                detail.span_id,
                who,
                text,
                is_cut,
                from_ns(detail.start_ns),
                after,
                self._take_anchors(),
                reasoning=detail.reasoning if who == "Agent" and not place else "",
                place=place,
            )
        )

    def _trouble(self, detail: Detail) -> None:
        self._close_calls()
        is_error = detail.status == Span.Status.ERROR
        text = detail.status_message or "The model call failed." if is_error else ""
        if then := _then(detail):
            text = f"{text.rstrip('. ')}. {then}"
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


def _then(detail: Detail) -> str:
    """Return what our own runtime did after an attempt of a model call that failed."""
    model, seconds = (detail.attributes.get(key) for key in ("next_model", "wait_seconds"))
    if not isinstance(model, str) or not isinstance(seconds, int | float):
        return ""
    when = f"after {seconds:.0f} s" if seconds >= 1 else "at once"
    return f"Then {model} was asked, {when}."
