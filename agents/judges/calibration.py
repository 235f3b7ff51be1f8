"""Calibration: what a judge's version said of sessions that people have labelled too."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple
from uuid import UUID

from django.db.models import Exists, F, OuterRef, QuerySet

from agents.judges.measures import Confusion, confusion_of
from agents.judges.people import HumanVerdict, LabelRow, verdicts_of_people
from agents.models import Judgement, JudgeVersion
from traces.models import Label

ALL = ""
EXPECTATIONS = "expectations"
DIMENSIONS = ("agent", "version", "source", "cause")


class _Said(NamedTuple):
    """A verdict with what its session is cut by, as a row of the database."""

    version_id: int
    judgement_id: int
    session_id: UUID
    subject: str
    verdict: str
    reason: str
    agent: str
    version: str
    source: str
    title: str


@dataclass(frozen=True)
class Case:
    """A session of which both people and the judge have said something.

    Attributes:
        title: The session's first words.
        slices: `agent:…`, `version:…`, `source:…`, and `cause:…` where people named one.
        human: What people say.
        passes: What the judge says; None where its verdict says nothing either way.
    """

    session_id: UUID
    judgement_id: int
    title: str
    slices: frozenset[str]
    human: HumanVerdict
    passes: bool | None
    verdict: str
    reason: str

    @property
    def is_counted(self) -> bool:
        """Say whether both say pass or fail."""
        return self.passes is not None and self.human.passes is not None

    @property
    def is_differing(self) -> bool:
        """Say whether one says pass and the other fail."""
        return self.is_counted and self.passes != self.human.passes


@dataclass(frozen=True)
class Calibration:
    """A version's cases.

    Attributes:
        cases: About the rubric, one a session.
        expectations: About expectations of golden tests, in which the judge passes a session where
            it passes every expectation that it was asked about.
        num_own: Judged sessions left out because only the version's author has labelled them: who
            writes a judge does not also say whether it is right.
    """

    cases: tuple[Case, ...]
    expectations: tuple[Case, ...] = ()
    num_own: int = 0

    def confusion(self, slice: str = ALL) -> Confusion:
        """Return the table of a slice: empty for all, `agent:…`, …, or `expectations`."""
        return confusion_of(
            [
                (bool(case.human.passes), bool(case.passes))
                for case in self.of(slice)
                if case.is_counted
            ]
        )

    def of(self, slice: str = ALL) -> tuple[Case, ...]:
        """Return the cases of a slice."""
        if slice == ALL:
            return self.cases
        if slice == EXPECTATIONS:
            return self.expectations
        return tuple(self._by_slice.get(slice, ()))

    def slices(self, dimension: str) -> list[str]:
        """Return the slices of a dimension that have cases, the largest first."""
        sizes = {
            name: len(cases)
            for name, cases in self._by_slice.items()
            if name.startswith(f"{dimension}:")
        }
        return sorted(sizes, key=lambda name: (-sizes[name], name))

    @cached_property
    def _by_slice(self) -> dict[str, list[Case]]:
        found: dict[str, list[Case]] = defaultdict(list)
        for case in self.cases:
            for name in case.slices:
                found[name].append(case)
        return dict(found)

    @property
    def num_disputed(self) -> int:
        """Return how many were left out because people disagree among themselves."""
        return sum(case.human.passes is None for case in self.cases)

    @property
    def num_undecided(self) -> int:
        """Return how many were left out because the judge's verdict says nothing either way."""
        return sum(case.passes is None for case in self.cases)

    @property
    def differing(self) -> tuple[Case, ...]:
        """Return the cases in which the judge says another thing than people."""
        return tuple(case for case in self.cases if case.is_differing)


def calibrate(version: JudgeVersion) -> Calibration:
    """Return the version's cases. Two queries."""
    return calibrate_all([version])[version.pk]


def calibrate_all(versions: Collection[JudgeVersion]) -> dict[int, Calibration]:
    """Return the cases of versions with their judges, by their ids. Two queries for any number."""
    done = Judgement.objects.filter(
        version__in=versions, status=Judgement.Status.DONE, version__judge__question__gt=""
    )
    rows: dict[int, list[_Said]] = defaultdict(list)
    for row in _labelled(done):
        rows[row.version_id].append(row)
    labels = list(
        Label.objects.filter(session__in=done.values("session"))
        .exclude(completed_at=None)
        .order_by("completed_at", "pk")
        .values_list("session_id", "author_id", "answers")
    )
    return {version.pk: _calibration(version, rows[version.pk], labels) for version in versions}


def labels_by_others(version: JudgeVersion) -> QuerySet[Label]:
    """Return the completed labels that may measure a version: not those of its author."""
    done = Label.objects.exclude(completed_at=None)
    return done if version.author_id is None else done.exclude(author=version.author_id)


def _calibration(
    version: JudgeVersion, rows: Sequence[_Said], labels: Sequence[LabelRow]
) -> Calibration:
    author_id = version.author_id
    people = verdicts_of_people(
        version.judge, (row for row in labels if author_id is None or row[1] != author_id)
    )
    own = (row for row in labels if author_id is not None and row[1] == author_id)
    passing = passes_by_verdict(version)
    rubric: dict[UUID, Case] = {}
    others: dict[UUID, list[Case]] = defaultdict(list)
    for row in rows:
        human = people.get(row.session_id)
        if human is None:
            continue
        case = _case(row, human, passing)
        if row.subject:
            others[row.session_id].append(case)
        else:
            rubric.setdefault(row.session_id, case)
    together = tuple(_all_of(cases) for cases in others.values())
    labelled_by_author = verdicts_of_people(version.judge, own).keys() - people
    num_own = len({row.session_id for row in rows} & labelled_by_author)
    return Calibration(tuple(rubric.values()), together, num_own)


def passes_by_verdict(version: JudgeVersion) -> dict[str, bool | None]:
    """Return what each of the version's verdicts means."""
    return {each["key"]: each.get("passes") for each in version.verdicts}


def _labelled(done: QuerySet[Judgement]) -> Iterable[_Said]:
    """Return those of labelled sessions; of a session, what was said outside eval runs first.

    As plain rows: objects of judgement and session took two thirds of a page over 10,000.
    """
    labels = Label.objects.filter(session=OuterRef("session")).exclude(completed_at=None)
    named = done.filter(Exists(labels)).order_by(F("eval_result_id").asc(nulls_first=True), "pk")
    rows = named.values_list(
        "version_id",
        "pk",
        "session_id",
        "subject",
        "verdict",
        "reason",
        "session__agent_name",
        "session__version_name",
        "session__source",
        "session__title",
    )
    return map(_Said._make, rows)


@lru_cache(maxsize=4096)
def _slices_of(agent: str, version: str, source: str, cause: str) -> frozenset[str]:
    """Return the slices of a case; most cases share theirs with others."""
    slices = {f"agent:{agent}", f"version:{version}", f"source:{source}"}
    return frozenset(slices | {f"cause:{cause}"} if cause else slices)


def _case(row: _Said, human: HumanVerdict, passing: dict[str, bool | None]) -> Case:
    return Case(
        session_id=row.session_id,
        judgement_id=row.judgement_id,
        title=row.title,
        slices=_slices_of(row.agent, row.version, row.source, human.cause),
        human=human,
        passes=passing.get(row.verdict),
        verdict=row.verdict,
        reason=row.reason,
    )


def _all_of(cases: Sequence[Case]) -> Case:
    """Return one case for all expectations of a session: the first that fails, else the first."""
    failing = next((case for case in cases if case.passes is False), None)
    unclear = next((case for case in cases if case.passes is None), None)
    return failing or unclear or cases[0]
