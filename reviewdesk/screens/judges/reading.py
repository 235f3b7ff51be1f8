"""What the Judges pages show, read from the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Avg, Count, Q, Sum

from agents.judges.calibration import (
    ALL,
    DIMENSIONS,
    EXPECTATIONS,
    Calibration,
    Case,
    calibrate_all,
    labels_by_others,
    passes_by_verdict,
)
from agents.judges.measures import Confusion, Kappa, Rate
from agents.judges.prediction import CorrectedRate, corrected_rate
from agents.judges.trust import FLOOR, Trust, trust_in
from agents.judges.verdicts import PENDING
from agents.models import Judge, Judgement, JudgeVersion
from traces.label_sets import Question, questions_of
from traces.labels import current_label_set
from traces.models import Project

MOST_ERRORS = 5
_DONE, _FAILED = Judgement.Status.DONE, Judgement.Status.FAILED


@dataclass(frozen=True)
class Counts:
    """How far a version's judgements are.

    Attributes:
        cost_usd: Of those whose price is known; None where none is.
        num_unpriced: Judged ones of unknown cost.
        mean_usd: Of one judgement, or None.
    """

    num_done: int = 0
    num_pending: int = 0
    num_failed: int = 0
    cost_usd: Decimal | None = None
    num_unpriced: int = 0
    mean_usd: Decimal | None = None

    @property
    def num_ended(self) -> int:
        """Return how many have a verdict or failed."""
        return self.num_done + self.num_failed

    @property
    def num_asked(self) -> int:
        """Return how many there are."""
        return self.num_ended + self.num_pending


@dataclass(frozen=True)
class JudgeRow:
    """A judge in the list, by its newest version."""

    judge: Judge
    version: JudgeVersion
    trust: Trust
    table: Confusion
    counts: Counts
    measured_by: str

    @property
    def kappa(self) -> Kappa | None:
        """Return Cohen's kappa over all its cases."""
        return self.table.kappa


@dataclass(frozen=True)
class SliceRow:
    """A slice of a version's calibration."""

    name: str
    title: str
    table: Confusion
    trust: Trust


@dataclass(frozen=True)
class Measure:
    """A rate as the page shows it: with its interval as a bar, and the floor where one holds."""

    name: str
    what: str
    rate: Rate
    floor: float | None


@dataclass(frozen=True)
class Disagreement:
    """A case in which the judge says another thing than people, in words."""

    case: Case
    people_say: str
    judge_says: str


@dataclass(frozen=True)
class JudgePage:
    """One version of a judge.

    Attributes:
        differing: What it says otherwise than people: flattery first, then what is too strict.
        dimension: What the slices are cut by.
    """

    judge: Judge
    version: JudgeVersion
    versions: Sequence[JudgeVersion]
    calibration: Calibration
    trust: Trust
    counts: Counts
    measured_by: str
    rate: CorrectedRate
    slices: tuple[SliceRow, ...]
    dimension: str
    differing: tuple[Disagreement, ...]
    errors: Sequence[tuple[str, int]]

    @property
    def table(self) -> Confusion:
        """Return the counts over all cases."""
        return self.calibration.confusion()

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Return the rates that the page shows as bars."""
        table = self.table
        return (
            Measure("TPR", "of what people pass, the judge passes", table.tpr, FLOOR),
            Measure("TNR", "of what people fail, the judge fails", table.tnr, FLOOR),
            Measure("Agreement", "says the same as people, by chance too", table.agreement, None),
        )

    @property
    def is_newest(self) -> bool:
        """Say whether no later version was written."""
        return self.version.pk == self.versions[0].pk


def read_judges(project: Project, *, is_archived: bool = False) -> list[JudgeRow]:
    """Return the project's judges by name, each with its newest version. Six queries."""
    newest = (
        JudgeVersion.objects.filter(
            judge__project=project, judge__archived_at__isnull=not is_archived
        )
        .order_by("judge", "-number")
        .distinct("judge")
        .select_related("judge")
    )
    versions = sorted(newest, key=lambda version: version.judge.name.casefold())
    calibrations = calibrate_all(versions)
    counts = _counts(versions)
    questions = _questions(project)
    return [
        JudgeRow(
            judge=version.judge,
            version=version,
            trust=trust_in(version, calibrations[version.pk]),
            table=calibrations[version.pk].confusion(),
            counts=counts.get(version.pk, Counts()),
            measured_by=_measured_by(version.judge, questions),
        )
        for version in versions
    ]


def read_judge(judge: Judge, number: int | None, dimension: str) -> JudgePage | None:
    """Return a version's page (the newest one's without a number); None where it is not there."""
    versions = list(judge.versions.select_related("author").order_by("-number"))
    chosen = next((each for each in versions if number in (None, each.number)), None)
    if chosen is None:
        return None
    chosen.judge = judge
    dimension = dimension if dimension in DIMENSIONS else DIMENSIONS[0]
    calibration = calibrate_all([chosen])[chosen.pk]
    questions = _questions(judge.project)
    return JudgePage(
        judge=judge,
        version=chosen,
        versions=versions,
        calibration=calibration,
        trust=trust_in(chosen, calibration),
        counts=read_counts(chosen),
        measured_by=_measured_by(judge, questions),
        rate=_rate(chosen, calibration),
        slices=_slices(chosen, calibration, dimension, questions),
        dimension=dimension,
        differing=_differing(chosen, calibration, questions),
        errors=_errors(chosen),
    )


def read_counts(version: JudgeVersion) -> Counts:
    """Return how far a version's judgements are. One query."""
    return _counts([version]).get(version.pk, Counts())


def _slices(
    version: JudgeVersion,
    calibration: Calibration,
    dimension: str,
    questions: dict[str, Question],
) -> tuple[SliceRow, ...]:
    names = [ALL, *calibration.slices(dimension)]
    if calibration.expectations:
        names.append(EXPECTATIONS)
    return tuple(
        SliceRow(
            name,
            _slice_title(name, questions),
            calibration.confusion(name),
            trust_in(version, calibration, name),
        )
        for name in names
    )


def _differing(
    version: JudgeVersion, calibration: Calibration, questions: dict[str, Question]
) -> tuple[Disagreement, ...]:
    titles = {each["key"]: each.get("title") or each["key"] for each in version.verdicts}
    question = questions.get(version.judge.question)
    answers = {choice.key: choice.title for choice in question.choices} if question else {}
    cases = sorted(calibration.differing, key=lambda case: not case.passes)
    return tuple(
        Disagreement(
            case,
            answers.get(case.human.answer, case.human.answer),
            titles.get(case.verdict, case.verdict),
        )
        for case in cases
    )


def _slice_title(name: str, questions: dict[str, Question]) -> str:
    if name == ALL:
        return "All sessions"
    if name == EXPECTATIONS:
        return "Expectations of golden tests"
    dimension, _, value = name.partition(":")
    if dimension == "cause" and (causes := questions.get("primary_cause")):
        choice = causes.choice(value)
        return f"{choice.code} {choice.title}" if choice else value
    return value or "without a name"


def _counts(versions: Sequence[JudgeVersion]) -> dict[int, Counts]:
    done, failed = Q(status=_DONE), Q(status=_FAILED)
    rows = (
        Judgement.objects.filter(version__in=versions)
        .order_by()
        .values("version")
        .annotate(
            num_done=Count("pk", filter=done),
            num_pending=Count("pk", filter=Q(status__in=PENDING)),
            num_failed=Count("pk", filter=failed),
            total=Sum("cost_usd"),
            num_unpriced=Count("pk", filter=done & Q(cost_usd=None)),
            mean=Avg("cost_usd"),
        )
    )
    return {
        row["version"]: Counts(
            row["num_done"],
            row["num_pending"],
            row["num_failed"],
            row["total"],
            row["num_unpriced"],
            row["mean"],
        )
        for row in rows
    }


def _rate(version: JudgeVersion, calibration: Calibration) -> CorrectedRate:
    labelled = [
        (bool(case.human.passes), bool(case.passes))
        for case in calibration.cases
        if case.is_counted
    ]
    passing = passes_by_verdict(version)
    said = Judgement.objects.filter(version=version, status=_DONE, eval_result=None)
    labels = labels_by_others(version).values("session")
    verdicts = said.exclude(session__in=labels).values_list("verdict", flat=True)
    found = [passing.get(verdict) for verdict in verdicts]
    return corrected_rate(labelled, [each for each in found if each is not None])


def _errors(version: JudgeVersion) -> list[tuple[str, int]]:
    """Return why judgements failed, the most frequent first."""
    failed = Judgement.objects.filter(version=version, status=_FAILED).order_by()
    rows = failed.values("error").annotate(num=Count("pk")).order_by("-num", "error")
    return [(row["error"], row["num"]) for row in rows[:MOST_ERRORS]]


def _questions(project: Project) -> dict[str, Question]:
    return {each.key: each for each in questions_of(current_label_set(project))}


def _measured_by(judge: Judge, questions: dict[str, Question]) -> str:
    """Return what people are asked alike: "Outcome: Resolved is a pass"."""
    if not judge.question:
        return ""
    question = questions.get(judge.question)
    if question is None:
        return f"{judge.question}: {', '.join(judge.passes)} is a pass"
    titles: list[Any] = [question.choice(key) for key in judge.passes]
    names = " or ".join(choice.title if choice else "?" for choice in titles)
    return f"{question.title}: {names} is a pass"
