"""The checks of a form: rows that a person edits, adds and drops before anything is saved."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from agents.golden.check_fields import (
    RECORD_KINDS,
    BadCheckError,
    check_from_texts,
    texts_of,
)
from agents.golden.checks import KINDS, CheckKind, Field, FieldKind
from agents.golden.judgements import Check
from agents.golden.proposals import Proposal
from reviewdesk.screens.golden.judge_choices import JudgeChoices

_KIND_NAME = re.compile(r"check-(\d{1,4})-kind")


_CONTROLS = {
    FieldKind.ARGUMENTS: "json",
    FieldKind.SCHEMA: "json",
    FieldKind.TOOLS: "lines",
    FieldKind.LINES: "lines",
    FieldKind.CONDITIONS: "lines",
}
_INPUT_MODES = {FieldKind.NUMBER: "numeric", FieldKind.DECIMAL: "decimal"}
_CODE = frozenset({FieldKind.PATTERN, FieldKind.JSONPATH})


@dataclass(frozen=True)
class FieldBox:
    """A field of a row as the form shows it.

    Attributes:
        name: In the form.
        value: As it was written.
        problem: What is wrong with it, or empty.
        options: Value and words, where it is chosen.
        is_focused: Whether it takes the focus.
    """

    field: Field
    name: str
    value: str
    problem: str
    options: tuple[tuple[str, str], ...] = ()
    is_focused: bool = False

    @property
    def control(self) -> str:
        """Return which control it takes: select, lines, json or text."""
        return "select" if self.options else _CONTROLS.get(self.field.kind, "text")

    @property
    def input_mode(self) -> str:
        """Return which keyboard a phone shows for it, or nothing."""
        return _INPUT_MODES.get(self.field.kind, "")

    @property
    def is_code(self) -> bool:
        """Say whether it is written in signs rather than words."""
        return self.field.kind in _CODE

    @property
    def num_lines(self) -> int:
        """Return how many lines its text takes, 2 to 10."""
        return min(10, max(2, self.value.count("\n") + 1))


@dataclass(frozen=True)
class CheckRow:
    """A check in the form.

    Attributes:
        index: Tells the rows apart; kept when another one is dropped.
        texts: By the name of the field.
        problems: Sentences by the name of the field.
        why: Why it is proposed, or empty.
        judges: That it may name; None: any.
        is_new: Added by this very request, so that its first field takes the focus.
    """

    index: int
    kind: CheckKind
    texts: dict[str, str]
    tools: tuple[str, ...]
    problems: dict[str, str] = field(default_factory=dict)
    why: str = ""
    judges: JudgeChoices | None = None
    is_new: bool = False

    @property
    def boxes(self) -> list[FieldBox]:
        """Return the row's fields, without those that are folded away."""
        fields = [each for each in self.kind.fields if not each.is_more]
        return [self._box(each, self.is_new and each is fields[0]) for each in fields]

    @property
    def more(self) -> list[FieldBox]:
        """Return the fields that are folded away until they are used."""
        return [self._box(each) for each in self.kind.fields if each.is_more]

    @property
    def is_more_open(self) -> bool:
        """Say whether one of those says something."""
        return any(box.value or box.problem for box in self.more)

    @property
    def about(self) -> str:
        """Return why it is proposed, or what its kind looks for."""
        return self.why or self.kind.summary

    @property
    def other_problems(self) -> list[str]:
        """Return what is wrong with none of its fields."""
        names = {each.name for each in self.kind.fields}
        return [problem for name, problem in self.problems.items() if name not in names]

    def judge_problems(self) -> dict[str, str]:
        """Return which of its judges cannot be asked, and why, by the name of the field."""
        named = {
            each.name: self.judges.problem_of(self.texts.get(each.name, "").strip())
            for each in self.kind.fields
            if each.kind is FieldKind.JUDGE and self.judges
        }
        return {name: problem for name, problem in named.items() if problem}

    def _box(self, each: Field, is_focused: bool = False) -> FieldBox:
        problem = self.problems.get(each.name) or self.judge_problems().get(each.name, "")
        return FieldBox(
            field=each,
            name=f"check-{self.index}-{each.name}",
            value=self.texts.get(each.name, ""),
            problem=problem,
            options=self._options(each),
            is_focused=is_focused,
        )

    def _options(self, each: Field) -> tuple[tuple[str, str], ...]:
        if each.kind is FieldKind.FLAG:
            return (("yes", "yes"), ("no", "no"))
        if each.kind is FieldKind.CHOICE:
            return each.choices
        if each.kind is FieldKind.JUDGE:
            return self._judge_options(self.texts.get(each.name, "").strip())
        names = {FieldKind.TOOL: self.tools, FieldKind.RECORD: RECORD_KINDS}.get(each.kind, ())
        return tuple((name, name) for name in names)

    def _judge_options(self, named: str) -> tuple[tuple[str, str], ...]:
        """Return the judges to choose from, with the one that is named though it is not there."""
        options = self.judges.options if self.judges else ()
        if not named or named in dict(options) or not self.judges:
            return options
        return ((named, f"{named}: cannot be asked"), *options)


def rows_of_checks(
    checks: Iterable[Check | Proposal],
    tools: Collection[str],
    judges: JudgeChoices | None = None,
) -> tuple[CheckRow, ...]:
    """Return rows for checks as they are stored or proposed."""
    rows = []
    for index, each in enumerate(checks):
        check, why = (each.check, each.why) if isinstance(each, Proposal) else (each, "")
        kind = KINDS[check["kind"]]
        texts, names = texts_of(check), tuple(sorted(tools))
        rows.append(CheckRow(index, kind, texts, names, why=why, judges=judges))
    return tuple(rows)


def rows_of_form(
    data: Mapping[str, str], tools: Collection[str], judges: JudgeChoices | None = None
) -> tuple[CheckRow, ...]:
    """Return the rows that were sent, in their order, without the one that is dropped.

    `add` with a kind's name adds an empty row, `drop` with an index leaves one out.
    """
    indexes = sorted(int(found[1]) for name in data if (found := _KIND_NAME.fullmatch(name)))
    dropped = data.get("drop", "")
    rows = [
        _row(index, data, tools, judges)
        for index in indexes
        if str(index) != dropped and data[f"check-{index}-kind"] in KINDS
    ]
    added = KINDS.get(data.get("kind", "")) if "add" in data else None
    if added:
        index = indexes[-1] + 1 if indexes else 0
        names = tuple(sorted(tools))
        rows.append(CheckRow(index, added, {}, names, judges=judges, is_new=True))
    return tuple(rows)


def read_rows(
    rows: Iterable[CheckRow], tools: Collection[str]
) -> tuple[list[Check], tuple[CheckRow, ...]]:
    """Return the checks that the rows say, and the rows with what is wrong with them."""
    checks: list[Check] = []
    told: list[CheckRow] = []
    for row in rows:
        problems: dict[str, str] = {}
        try:
            checks.append(check_from_texts(row.kind.name, row.texts, tools))
        except BadCheckError as error:
            problems = error.problems
        told.append(replace(row, problems=row.judge_problems() | problems, is_new=False))
    return checks, tuple(told)


def _row(
    index: int, data: Mapping[str, str], tools: Collection[str], judges: JudgeChoices | None
) -> CheckRow:
    kind = KINDS[data[f"check-{index}-kind"]]
    texts = {each.name: data.get(f"check-{index}-{each.name}", "") for each in kind.fields}
    why = data.get(f"check-{index}-why", "")[:300]
    return CheckRow(index, kind, texts, tuple(sorted(tools)), why=why, judges=judges)
