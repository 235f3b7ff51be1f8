"""What judges said of sessions and of results of eval runs, and whether it is believed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from agents.judges.calibration import Calibration, calibrate_all
from agents.judges.trust import slice_of_result, trust_in
from agents.models import EvalResult, EvalRun, Judgement, JudgeVersion
from traces.models import Session

PENDING = (Judgement.Status.PENDING, Judgement.Status.RUNNING)


@dataclass(frozen=True)
class JudgeVerdict:
    """One answer of a judge, or that there is none.

    Attributes:
        subject: The expectation that was asked about; empty for the rubric.
        status: `Judgement.Status`; only one that is done has a verdict.
        title: The verdict in words; empty without one.
        passes: Whether it means "pass"; None without a verdict, or where it says nothing.
        reason: The judge's own words: data, like all that a model writes.
        error: Why there is no verdict.
        is_advisory: It may not gate.
        why: Why it is advisory, or why it is believed.
        result_id: The result of an eval run that it is about, if it is about one.
    """

    judgement_id: int
    version: JudgeVersion
    subject: str
    status: Judgement.Status
    title: str
    passes: bool | None
    reason: str
    error: str
    is_advisory: bool
    why: str
    result_id: int | None = None

    @property
    def has_failed(self) -> bool:
        """Say whether the judge could not judge it, so that there is no verdict."""
        return self.status == Judgement.Status.FAILED


def verdicts_for(eval_result: EvalResult) -> list[JudgeVerdict]:
    """Return what judges said of a result, the rubric first. Three queries."""
    return verdicts_of([eval_result]).get(eval_result.pk, [])


def verdicts_of(eval_results: Sequence[EvalResult]) -> dict[int, list[JudgeVerdict]]:
    """Return what judges said of these results, by their ids. Three queries for any number."""
    rows = list(
        Judgement.objects.filter(eval_result__in=eval_results)
        .select_related("version__judge", "eval_result__eval_run__agent")
        .order_by("version__judge__slug", "version__number", "subject", "pk")
    )
    calibrations = calibrate_all({row.version_id: row.version for row in rows}.values())
    found: dict[int, list[JudgeVerdict]] = defaultdict(list)
    for row in rows:
        if (result := row.eval_result) is not None:
            slug = result.eval_run.agent.slug
            found[result.pk].append(_verdict(row, slug, calibrations))
    return dict(found)


def verdicts_on_session(session: Session) -> list[JudgeVerdict]:
    """Return what judges said of a session, in eval runs and outside, newest judge version first.

    One query, three where a judge was asked.
    """
    rows = list(
        Judgement.objects.filter(session=session)
        .select_related("version__judge")
        .order_by("version__judge__slug", "-version__number", "subject", "pk")
    )
    versions = {row.version_id: row.version for row in rows}.values()
    calibrations = calibrate_all(versions) if rows else {}
    return [_verdict(row, session.agent_name, calibrations) for row in rows]


def num_pending(eval_run: EvalRun) -> int:
    """Return how many judgements of an eval run's results are still to come."""
    return Judgement.objects.filter(eval_result__eval_run=eval_run, status__in=PENDING).count()


def why_waiting(eval_run_ids: Sequence[int]) -> str:
    """Return why judgements of these eval runs are put off: a budget, a stop, an endpoint.

    Empty where none is. One query.
    """
    waiting = Judgement.objects.filter(
        eval_result__eval_run__in=eval_run_ids, status=Judgement.Status.PENDING
    ).exclude(error="")
    return waiting.order_by("next_at").values_list("error", flat=True).first() or ""


def _verdict(row: Judgement, agent: str, calibrations: dict[int, Calibration]) -> JudgeVerdict:
    slice = slice_of_result(agent_slug=agent, subject=row.subject)
    trust = trust_in(row.version, calibrations[row.version_id], slice)
    said = next((each for each in row.version.verdicts if each["key"] == row.verdict), None)
    return JudgeVerdict(
        judgement_id=row.pk,
        version=row.version,
        subject=row.subject,
        status=Judgement.Status(row.status),
        title=str(said.get("title") or said["key"]) if said else "",
        passes=said.get("passes") if said else None,
        reason=row.reason,
        error=row.error,
        is_advisory=not trust.is_trusted,
        why=trust.why,
        result_id=row.eval_result_id,
    )
