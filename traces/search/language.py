"""The filter language as text: parsed into terms, words and problems, and written back. Pure."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from traces.clean import clean_text
from traces.search.fields import FIELDS, Field, Kind, field_named
from traces.search.values import ValueProblemError, check_value

MAX_LENGTH = 1000
MAX_TERMS = 30
_START = re.compile(r"(-?)([A-Za-z][A-Za-z_-]*)(<=|>=|!=|[:<>=])")
_PIECE = re.compile(r'"([^"]*)("|$)|([^\s,"]+)')
_BARE = re.compile(r'[^\s,"]+')
_WORD = re.compile(r'[^\s"]+')


@dataclass(frozen=True)
class Term:
    """A finished term: `-field<op>value,value`.

    Attributes:
        op: ":", "<", "<=", ">", ">=".
        values: Any of them; in their canonical spelling.
    """

    field: str
    op: str
    values: tuple[str, ...]
    is_negated: bool = False

    @property
    def name(self) -> str:
        """Return what stands before the values: `-outcome:`."""
        return f"{'-' if self.is_negated else ''}{self.field}{self.op}"

    @property
    def value(self) -> str:
        """Return the values as they are written."""
        return ",".join(_quoted(value) for value in self.values)

    def __str__(self) -> str:
        return f"{self.name}{self.value}"


@dataclass(frozen=True)
class Word:
    """Something that was said: a word's beginning, or with quotes exactly these words."""

    text: str
    is_phrase: bool = False
    is_negated: bool = False

    def __str__(self) -> str:
        text = f'"{self.text}"' if self.is_phrase else self.text
        return f"{'-' if self.is_negated else ''}{text}"


@dataclass(frozen=True)
class Problem:
    """A term that cannot be used: the term, what is wrong with it and how to write it."""

    term: str
    message: str

    def __str__(self) -> str:
        return f"{self.term}: {self.message}"


@dataclass(frozen=True)
class Query:
    """A filter: all terms and all words must be met; terms with problems are left out."""

    terms: tuple[Term, ...] = ()
    words: tuple[Word, ...] = ()
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, (*self.terms, *self.words)))

    @property
    def is_set(self) -> bool:
        """Say whether anything is asked for."""
        return bool(self.terms or self.words)

    def without(self, field: str) -> "Query":
        """Return the filter without the terms of this field."""
        return replace(self, terms=tuple(term for term in self.terms if term.field != field))

    def without_term(self, gone: Term) -> "Query":
        """Return the filter without this term."""
        return replace(self, terms=tuple(term for term in self.terms if term != gone))

    def plus(self, term: Term) -> "Query":
        """Return the filter with this term too, unless it is there."""
        return self if term in self.terms else replace(self, terms=(*self.terms, term))

    def values_of(self, field: str) -> tuple[str, ...]:
        """Return the values asked for in this field, in terms that are not turned around."""
        return tuple(
            value
            for term in self.terms
            if term.field == field and not term.is_negated
            for value in term.values
        )


def parse(text: str) -> Query:
    """Return the filter that `text` writes; never raises.

    What is over `MAX_LENGTH` characters or `MAX_TERMS` terms is left out and said so.
    """
    text = clean_text(text)
    terms: list[Term] = []
    words: list[Word] = []
    problems: list[Problem] = []
    if len(text) > MAX_LENGTH:
        problems.append(
            Problem(
                f"{text[MAX_LENGTH:][:20]}…",
                f"a filter has at most {MAX_LENGTH:,} characters; the rest is left out.",
            )
        )
        text = text[:MAX_LENGTH]
    for found in _read(text):
        if isinstance(found, Problem):
            problems.append(found)
        elif len(terms) + len(words) >= MAX_TERMS:
            problems.append(Problem(str(found), f"a filter has at most {MAX_TERMS} terms."))
            break
        elif isinstance(found, Word):
            words.append(found)
        elif found not in terms:
            terms.append(found)
    return Query(tuple(terms), tuple(words), tuple(problems))


def _read(text: str) -> Iterator[Term | Word | Problem]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        start = _START.match(text, at)
        if start:
            at, found = _read_term(text, start)
            yield found
        else:
            at, *several = _read_word(text, at)
            yield from several


def _read_term(text: str, start: re.Match[str]) -> tuple[int, Term | Problem]:
    at = start.end()
    values: list[str] = []
    is_open = False
    while piece := _PIECE.match(text, at):
        values.append(piece[1] if piece[3] is None else piece[3])
        is_open = is_open or (piece[3] is None and not piece[2])
        at = piece.end()
        if at >= len(text) or text[at] != ",":
            break
        at += 1
    written = text[start.start() : at]
    field = field_named(start[2])
    if field is None:
        return at, Problem(written, _unknown(start[2]))
    if is_open:
        return at, Problem(written, 'the quote has no end; close it with ".')
    return at, _term(field, start[3], bool(start[1]), values, written)


def _term(
    field: Field, op: str, is_negated: bool, values: list[str], written: str
) -> Term | Problem:
    if op == "!=":
        op, is_negated = ":", not is_negated
    op = ":" if op == "=" else op
    # `age:7d` can only mean "not older than": nobody asks for the very microsecond.
    if field.name == "age" and op == ":":
        op = "<"
    given = [value.strip() for value in values if value.strip()]
    if not given:
        return Problem(written, f"a value is missing; write for instance {field.example}.")
    if op != ":" and not field.compares:
        return Problem(written, f"{field.name} is not compared; write {field.example}.")
    if len(given) > 1 and (op != ":" or field.kind == Kind.DAY):
        return Problem(written, f"one value only; write for instance {field.example}.")
    try:
        kept = tuple(dict.fromkeys(check_value(field, value) for value in given))
    except ValueProblemError as error:
        return Problem(written, str(error))
    return Term(field.name, op, kept, is_negated)


def _read_word(text: str, at: int) -> tuple[int, *tuple[Word | Problem, ...]]:
    begin = at
    is_negated = text[at] == "-" and at + 1 < len(text) and not text[at + 1].isspace()
    if is_negated:
        at += 1
    if text[at] != '"':
        match = _WORD.match(text, at)
        end = match.end() if match else at + 1
        return end, Word(text[at:end], is_negated=is_negated)
    end = text.find('"', at + 1)
    if end < 0:
        inner = " ".join(text[at + 1 :].split())
        problem = Problem(text[begin:].strip(), 'the quote has no end; close it with ".')
        return (
            (len(text), problem, Word(inner, True, is_negated)) if inner else (len(text), problem)
        )
    inner = " ".join(text[at + 1 : end].split())
    return (end + 1, Word(inner, True, is_negated)) if inner else (end + 1,)


def _unknown(name: str) -> str:
    names = [field.name for field in FIELDS]
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    if close:
        field = field_named(close[0])
        example = f"; did you mean {field.example}?" if field else "."
    else:
        example = '; in quotes it is searched as words: "…".'
    return f"there is no filter {name}{example}"


def _quoted(value: str) -> str:
    return value if _BARE.fullmatch(value) else f'"{value}"'
