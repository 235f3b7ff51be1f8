"""The versions of a golden test: who changed what, and which eval runs were of which version."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, F, Q

from agents.golden.content import FIELDS, content_of
from agents.golden.files import readable
from agents.models import EvalRun, GoldenTest, GoldenTestVersion
from agents.releases.diff import Piece, fold, word_diff
from traces.erasure import ERASED

MOST_VERSIONS = 100
MOST_RUNS = 300
_TITLES = {
    "input": "What the customer says",
    "fixtures": "Fixtures",
    "checks": "Checks",
    "expectations": "In plain words",
    "customer": "Who the customer is",
    "on_missing": "A call without a fixture",
    "rules": "Rules",
}


@dataclass(frozen=True)
class Line:
    """A version, the eval runs that pinned it, and what it is compared with.

    Attributes:
        runs: Newest first.
        before: The version before it, or None.
    """

    version: GoldenTestVersion
    runs: tuple[EvalRun, ...]
    before: GoldenTestVersion | None
    is_current: bool

    @property
    def is_erased(self) -> bool:
        """Say whether its content was erased with a person's data."""
        return bool(getattr(self.version, "is_erased", False))

    @property
    def is_compared(self) -> bool:
        """Say whether there is something to compare it with."""
        before = self.before
        return not (before is None or self.is_erased or getattr(before, "is_erased", False))


@dataclass(frozen=True)
class Change:
    """A part of the content that differs."""

    title: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Comparison:
    """Two versions and what differs between them."""

    before: GoldenTestVersion
    after: GoldenTestVersion
    changes: tuple[Change, ...]


def read_history(test: GoldenTest) -> tuple[Line, ...]:
    """Return the newest versions, newest first. Two queries."""
    is_erased = ExpressionWrapper(Q(content__input=ERASED), BooleanField())
    found = test.versions.select_related("author").defer("content").annotate(is_erased=is_erased)
    versions = list(found.order_by("-number")[:MOST_VERSIONS])
    runs = _runs_by_version(test)
    return tuple(
        Line(
            version=version,
            runs=tuple(runs.get(version.pk, ())),
            before=versions[at + 1] if at + 1 < len(versions) else None,
            is_current=version.number == test.number,
        )
        for at, version in enumerate(versions)
    )


def compare_versions(test: GoldenTest, before: int, after: int) -> Comparison | None:
    """Return what differs between two versions by number; None where there is no such. A query."""
    found = {
        version.number: version for version in test.versions.filter(number__in=[before, after])
    }
    if before not in found or after not in found:
        return None
    changes = tuple(_changes(content_of(found[before]), content_of(found[after])))
    return Comparison(found[before], found[after], changes)


def _changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
    for name in FIELDS:
        if before[name] != after[name]:
            pieces = word_diff(_text(before[name]), _text(after[name]))
            yield Change(_TITLES[name], fold(pieces))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return readable(value) if value else ""


def _runs_by_version(test: GoldenTest) -> dict[int, list[EvalRun]]:
    pinned = (
        EvalRun.objects.filter(results__test=test)
        .exclude(results__test_version=None)
        .annotate(pinned_id=F("results__test_version"))
        .select_related("version")
        .order_by("-pk")
        .distinct()
    )
    found: dict[int, list[EvalRun]] = {}
    for eval_run in pinned[:MOST_RUNS]:
        found.setdefault(eval_run.pinned_id, []).append(eval_run)
    return found
