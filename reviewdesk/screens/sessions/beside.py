"""Two sessions beside each other: their steps aligned, what differs, and their totals."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from agents.releases.diff import word_diff
from reviewdesk.screens.sessions.alignment import Line, align
from reviewdesk.screens.sessions.reading import read_session
from reviewdesk.screens.sessions.values import Pairs
from reviewdesk.templatetags.desk import NOT_KNOWN, duration, money, thousands
from traces.models import Session

MAX_LINES = 600
MAX_DIFFED = 6_000
State = Literal["same", "words", "arguments", "result", "left", "right"]


@dataclass(frozen=True)
class Field:
    """A value of a call's arguments or result, and whether the other side has another."""

    name: str
    text: str
    differs: bool


@dataclass(frozen=True)
class Side:
    """A step as one side shows it.

    Attributes:
        words: What was said, in runs that differ or do not.
    """

    line: Line
    words: tuple[tuple[str, bool], ...] = ()
    arguments: tuple[Field, ...] = ()
    result: tuple[Field, ...] = ()


@dataclass(frozen=True)
class Row:
    """Two steps beside each other, or one alone."""

    left: Side | None
    right: Side | None
    state: State

    @property
    def is_same(self) -> bool:
        """Say whether both sides are the same."""
        return self.state == "same"


@dataclass(frozen=True)
class Part:
    """A run of rows that are the same, or one that is not."""

    rows: list[Row]
    is_same: bool


@dataclass(frozen=True)
class Total:
    """A total of both sides.

    Attributes:
        direction: Where the right one's number goes: "up", "down" or empty.
        verdict: "better", "worse" or empty where more is neither.
        is_same: Whether both are known and read alike.
    """

    name: str
    left: str
    right: str
    direction: str = ""
    verdict: str = ""
    is_same: bool = False


def lines_of(session: Session) -> tuple[list[Line], bool]:
    """Return the session's steps to compare, and whether it has more. Three queries."""
    reading = read_session(session, first=0, size=MAX_LINES)
    lines = [line for item in reading.talk for line in _lines(item)]
    return lines, reading.later is not None


def parts_of(left: Sequence[Line], right: Sequence[Line]) -> list[Part]:
    """Return both sessions as aligned rows, those that are the same in runs."""
    parts: list[Part] = []
    for a, b in align(left, right):
        row = _row(None if a is None else left[a], None if b is None else right[b])
        if row.is_same and parts and parts[-1].is_same:
            parts[-1].rows.append(row)
        else:
            parts.append(Part([row], row.is_same))
    return parts


def totals_of(left: Session, right: Session) -> list[Total]:
    """Return the totals of both; a verdict only where less, or more, is clearly better."""
    return [
        _compared("Reward", _reward(left), _reward(right), _number, better="up"),
        _compared("Errors", left.num_errors, right.num_errors, thousands, better="down"),
        _compared("Took", _took(left), _took(right), duration),
        _compared("Working", _working(left), _working(right), duration, better="down"),
        _compared("Steps", left.num_steps, right.num_steps, thousands),
        _compared("Tokens in", left.input_tokens, right.input_tokens, thousands),
        _compared("Tokens out", left.output_tokens, right.output_tokens, thousands),
        _compared("Cost", left.cost_usd, right.cost_usd, money, better="down"),
    ]


def _lines(item: Any) -> Iterable[Line]:
    if item.kind == "calls":
        return [
            Line(
                span_id=chip.span_id,
                kind="call",
                name=chip.name,
                text=f"{chip.short} → {chip.outcome}",
                arguments=_fields(chip.arguments) or (("", chip.short),),
                result=_fields(chip.result) or (("", chip.outcome),),
                duration_ns=chip.duration_ns,
                is_failed=chip.state in ("failed", "rejected", "expired"),
            )
            for chip in item.chips
        ]
    if item.kind == "said":
        return [Line(item.span_id, "said", item.who, item.text)]
    if item.kind == "trouble" and item.is_error:
        return [Line(item.span_id, "trouble", "model", item.text, is_failed=True)]
    return []


def _fields(pairs: Pairs | None) -> tuple[tuple[str, str], ...]:
    shown = pairs.shown if pairs else []
    return tuple((" ".join((pair.group, pair.name)).strip(), pair.text) for pair in shown)


def _row(left: Line | None, right: Line | None) -> Row:
    if left is None or right is None:
        sides = [_alone(line) if line else None for line in (left, right)]
        return Row(sides[0], sides[1], "right" if left is None else "left")
    if left.kind == "call":
        state: State = "same" if left.result == right.result else "result"
        state = state if left.arguments == right.arguments else "arguments"
        return Row(_call(left, right), _call(right, left), state)
    if left.text == right.text:
        return Row(_alone(left), _alone(right), "same")
    before, after = left.text[:MAX_DIFFED], right.text[:MAX_DIFFED]
    pieces = word_diff(before, after)
    sides = [
        Side(line, tuple((p.text, p.kind == kind) for p in pieces if p.kind in ("same", kind)))
        for line, kind in ((left, "removed"), (right, "added"))
    ]
    return Row(sides[0], sides[1], "words")


def _alone(line: Line) -> Side:
    fields = [tuple(Field(*pair, False) for pair in side) for side in (line.arguments, line.result)]
    return Side(line, ((line.text, False),), fields[0], fields[1])


def _call(line: Line, other: Line) -> Side:
    return Side(
        line,
        arguments=_differing(line.arguments, other.arguments),
        result=_differing(line.result, other.result),
    )


def _differing(
    mine: Iterable[tuple[str, str]], theirs: Iterable[tuple[str, str]]
) -> tuple[Field, ...]:
    known = set(theirs)
    return tuple(Field(name, text, (name, text) not in known) for name, text in mine)


def _compared(
    name: str, left: Any, right: Any, show: Callable[[Any], str], better: str = ""
) -> Total:
    texts = show(left), show(right)
    if left is None or right is None:
        return Total(name, *texts)
    if left == right or texts[0] == texts[1]:
        return Total(name, *texts, is_same=True)
    direction = "up" if right > left else "down"
    verdict = ("better" if direction == better else "worse") if better else ""
    return Total(name, *texts, direction, verdict)


def _took(session: Session) -> int | None:
    is_known = session.ended_at and session.is_length_known
    return session.last_ns - session.first_ns if is_known else None


def _working(session: Session) -> int | None:
    return session.working_ns if session.is_timed else None


def _reward(session: Session) -> float | None:
    reward = session.metadata.get("reward") if isinstance(session.metadata, dict) else None
    is_number = isinstance(reward, int | float | Decimal) and not isinstance(reward, bool)
    return float(reward) if is_number else None  # type: ignore[arg-type]  # checked above


def _number(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:g}"
