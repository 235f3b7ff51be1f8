"""How far judges are with the results of an eval run: who is waited for, and what failed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import Now
from django.utils.dateparse import parse_datetime

from agents.golden.ask_again import ASKED_AGAIN
from agents.judges.verdicts import PENDING
from agents.models import EvalRun, Judgement

MOST_ERRORS = 5
# The time left is told from what was answered of late: waits for an endpoint are no speed.
_LATELY_SECONDS = 60
_ENDED = (Judgement.Status.DONE, Judgement.Status.FAILED)


@dataclass(frozen=True)
class JudgeCount:
    """One judge's answers about an eval run: to come, failed and given."""

    slug: str
    name: str
    number: int
    num_waiting: int
    num_failed: int
    num_done: int


@dataclass(frozen=True)
class AskedAgainLine:
    """Who had judges asked again, when, and for how many answers; the name may be gone."""

    by: str
    at: datetime | None
    num: int


@dataclass(frozen=True)
class Judging:
    """What judges have still to say of an eval run, and what they failed to say.

    Attributes:
        judges: Those that were asked, those that are waited for first.
        waits_because: Why judgements are put off: a budget, a stop, an endpoint that is away.
        errors: Why judgements failed, and how often, most often first.
        failed: How many judgements failed, by the result's id.
        seconds_left: As fast as in the last minute; None where nothing was answered in it.
        cost_usd: Of the judges' answers so far; None is unknown.
        cost_in_all: What that comes to with those to come; None is unknown, or all are there.
        asked_again: The last one first.
    """

    judges: tuple[JudgeCount, ...] = ()
    waits_because: str = ""
    errors: tuple[tuple[str, int], ...] = ()
    failed: Mapping[int, int] = field(default_factory=dict)
    seconds_left: int | None = None
    cost_usd: Decimal | None = None
    cost_in_all: Decimal | None = None
    asked_again: tuple[AskedAgainLine, ...] = ()

    @property
    def num_waiting(self) -> int:
        """Return how many answers are to come."""
        return sum(each.num_waiting for each in self.judges)

    @property
    def num_failed(self) -> int:
        """Return how many judgements failed, so that they say nothing."""
        return sum(each.num_failed for each in self.judges)

    @property
    def num_asked(self) -> int:
        """Return how many judgements there are."""
        return sum(each.num_waiting + each.num_failed + each.num_done for each in self.judges)

    @property
    def words(self) -> str:
        """Return the counts: "12 wait for judge Helpfulness, 3 asks failed"; empty if neither."""
        parts = [
            f"{each.num_waiting:,} wait{'s' if each.num_waiting == 1 else ''} for judge {each.name}"
            for each in self.judges
            if each.num_waiting
        ]
        if self.num_failed:
            parts.append(self.failed_words)
        return ", ".join(parts)

    @property
    def failed_words(self) -> str:
        """Return how many judgements failed: "3 asks failed"."""
        return f"{self.num_failed:,} ask{'' if self.num_failed == 1 else 's'} failed"


def read_judging(eval_run: EvalRun) -> Judging:
    """Return how far judges are with an eval run's results. Three queries at most."""
    asked = Judgement.objects.filter(eval_result__eval_run=eval_run)
    lately = Q(status__in=_ENDED, finished_at__gt=Now() - timedelta(seconds=_LATELY_SECONDS))
    rows = list(
        asked.values("version__judge__slug", "version__judge__name", "version__number")
        .annotate(
            num_waiting=Count("pk", filter=Q(status__in=PENDING)),
            num_failed=Count("pk", filter=Q(status=Judgement.Status.FAILED)),
            num_done=Count("pk", filter=Q(status=Judgement.Status.DONE)),
            num_lately=Count("pk", filter=lately),
            num_priced=Count("pk", filter=Q(status=Judgement.Status.DONE, cost_usd__isnull=False)),
            cost=Sum("cost_usd"),
            waits_because=Max("error", filter=Q(status=Judgement.Status.PENDING)),
        )
        .order_by("version__judge__slug", "version__number")
    )
    judges = [_count(row) for row in rows]
    judges.sort(key=lambda each: (-each.num_waiting, each.name.casefold(), each.number))
    waiting, done = sum(each.num_waiting for each in judges), sum(row["num_done"] for row in rows)
    num_lately = sum(row["num_lately"] for row in rows)
    costs = [row["cost"] for row in rows if row["cost"] is not None]
    is_priced = bool(done) and done == sum(row["num_priced"] for row in rows)
    cost = sum(costs, Decimal(0)) if is_priced else None
    errors, failed = _failures(eval_run) if any(row["num_failed"] for row in rows) else ((), {})
    return Judging(
        judges=tuple(judges),
        waits_because=max((row["waits_because"] or "" for row in rows), default=""),
        errors=errors,
        failed=failed,
        seconds_left=round(waiting * _LATELY_SECONDS / num_lately) if num_lately else None,
        cost_usd=cost,
        cost_in_all=cost * (done + waiting) / done if cost and waiting else None,
        asked_again=_asked_again(eval_run),
    )


def _count(row: Mapping[str, object]) -> JudgeCount:
    return JudgeCount(
        slug=str(row["version__judge__slug"]),
        name=str(row["version__judge__name"]),
        number=int(str(row["version__number"])),
        num_waiting=int(str(row["num_waiting"])),
        num_failed=int(str(row["num_failed"])),
        num_done=int(str(row["num_done"])),
    )


def _failures(eval_run: EvalRun) -> tuple[tuple[tuple[str, int], ...], dict[int, int]]:
    """Return why judgements failed with how often, and how many did by result."""
    failed = Judgement.objects.filter(
        eval_result__eval_run=eval_run, status=Judgement.Status.FAILED
    )
    errors: Counter[str] = Counter()
    results: Counter[int] = Counter()
    for result_id, error in failed.values_list("eval_result_id", "error"):
        errors[error] += 1
        results[result_id] += 1
    return tuple(errors.most_common(MOST_ERRORS)), dict(results)


def _asked_again(eval_run: EvalRun) -> tuple[AskedAgainLine, ...]:
    """Return who had judges asked again; one query where somebody had."""
    told: Sequence[dict[str, object]] = eval_run.options.get(ASKED_AGAIN, ())
    people = get_user_model().objects.in_bulk({each["by"] for each in told}) if told else {}
    return tuple(
        AskedAgainLine(
            by=str(people.get(each["by"], "somebody who has left")),
            at=parse_datetime(str(each["at"])),
            num=int(str(each["num"])),
        )
        for each in reversed(told)
    )
