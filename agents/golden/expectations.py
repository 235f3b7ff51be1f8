"""What a test expects in plain words, and what a judge that is believed says of it.

Exact checks decide at once; a judge is asked about the rest when a result has been judged by
them. What a judge says counts only where it is believed, else it is shown as advisory, and what
no judge said is not judged: neither met nor broken.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Q

from agents.golden.content import content_of
from agents.golden.judgements import shorten
from agents.judges.ask import request_judgements, subject_of
from agents.judges.calibration import EXPECTATIONS
from agents.judges.trust import trust_of
from agents.judges.verdicts import PENDING, JudgeVerdict, verdicts_of
from agents.models import EvalResult, EvalRun, Judgement, JudgeVersion

KIND = "expectation"
RUBRIC = "judge_rubric"
NOTHING_JUDGED = "Nothing of it was judged: it has no exact check, and no judge is believed."
_DECIDED = (EvalResult.Status.PASSED, EvalResult.Status.FAILED)


class State(StrEnum):
    """What is known of an expectation."""

    MET = "met"
    BROKEN = "broken"
    UNDECIDED = "undecided"
    WAITING = "being judged"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True)
class Expectation:
    """One expectation and what is known of it in one result.

    Attributes:
        text: In plain words, such as "must: name the fee before it refunds".
        state: What a judge said, if one did.
        is_advisory: The judge is not believed: it counts for nothing.
        reason: The judge's own words, or why there is no verdict: data, to be escaped.
        judge: Who said it, or empty.
    """

    text: str
    state: State
    is_advisory: bool = False
    reason: str = ""
    judge: str = ""


def expectations_of(
    content: dict[str, Any], verdicts: Sequence[JudgeVerdict] = ()
) -> tuple[Expectation, ...]:
    """Return a test's expectations with what judges said, a believed one before others.

    Args:
        content: Of the test or of the version that was run.
        verdicts: Of one result, as `verdicts_for` returns them.
    """
    said: dict[str, list[JudgeVerdict]] = defaultdict(list)
    for verdict in verdicts:
        said[verdict.subject].append(verdict)
    return tuple(
        _expectation(words_of(each), said[subject_of(each)])
        for each in content.get("expectations", ())
    )


def words_of(expectation: dict[str, str]) -> str:
    """Return an expectation as people read it."""
    return f"{'must' if expectation['kind'] == 'must' else 'must not'}: {expectation['text']}"


def judge_for_expectations(project_id: int) -> JudgeVersion | None:
    """Return the version that is asked about expectations, or None where there is none to ask.

    It is the newest version of a judge with a question that people answer, too, one that is
    believed about expectations before others. One query, and two for each such judge.
    """
    versions = JudgeVersion.objects.filter(
        judge__project=project_id, judge__archived_at=None
    ).exclude(judge__question="")
    newest: dict[int, JudgeVersion] = {}
    for version in versions.select_related("judge").order_by("judge__created_at", "-number"):
        newest.setdefault(version.judge_id, version)
    for version in newest.values():
        if trust_of(version, EXPECTATIONS).is_trusted:
            return version
    return next(iter(newest.values()), None)


def ask_judges(results: Sequence[EvalResult], *, by: AbstractBaseUser | None) -> int:
    """Ask judges about results that the exact checks have just judged; return how many answers.

    About expectations the project's judge for them, about a `judge_rubric` the judge it names.
    What was asked before is not asked again, so it may be called twice. In the transaction that
    wrote the results, so that whoever waits for them finds the judgements waiting.

    Args:
        results: Of one project, with test and test version.
        by: Who asked for the eval run.
    """
    wanted: dict[tuple[str, tuple[str, ...]], list[EvalResult]] = defaultdict(list)
    for result in results:
        content = content_of(result.test_version or result.test)
        if result.status not in _DECIDED or result.run_id is None:
            continue
        if subjects := tuple(map(subject_of, content["expectations"])):
            wanted["", subjects].append(result)
        for slug in _judges_named(content):
            wanted[slug, ("",)].append(result)
    if not wanted:
        return 0
    versions = _versions(results[0], {slug for slug, _ in wanted})
    num_asked = 0
    for (slug, subjects), asked in wanted.items():
        if (version := versions.get(slug)) is not None:
            num_asked += request_judgements(
                version=version, eval_results=asked, subjects=subjects, by=by
            )
    return num_asked


def count_verdicts(eval_run: EvalRun) -> int:
    """Count what believed judges said of an eval run's passed results; return how many changed.

    A refusal fails a result, and is added to its checks. One of which nothing was judged, by a
    check or by a judge that is believed, passes nothing and fails nothing: it is not judged. Call
    it with the eval run's row locked, once nothing of it `waits_for_judges`. Two queries where no
    judge has a say.
    """
    changed = []
    results = _to_count(eval_run)
    verdicts = verdicts_of(results) if results else {}
    for result in results:
        before = (result.status, result.checks)
        _count(result, verdicts.get(result.pk, []))
        if (result.status, result.checks) != before:
            changed.append(result)
    EvalResult.objects.bulk_update(changed, ["status", "checks", "error"])
    return len(changed)


def waits_for_judges(eval_run: EvalRun) -> bool:
    """Say whether judgements of an eval run's results are still to come. One query."""
    return Judgement.objects.filter(eval_result__eval_run=eval_run, status__in=PENDING).exists()


def _to_count(eval_run: EvalRun) -> list[EvalResult]:
    """Return the passed results that a judge refused, or that no exact check has passed."""
    passed = eval_run.results.filter(status=EvalResult.Status.PASSED)
    said = Judgement.objects.filter(
        eval_result__in=passed, status=Judgement.Status.DONE
    ).values_list("eval_result_id", "verdict", "version__verdicts")
    failing = {
        pk
        for pk, verdict, known in said
        if any(each["key"] == verdict and each.get("passes") is False for each in known)
    }
    unjudged = ~Q(checks__contains=[{"passed": True}]) | Q(checks__contains=[{"passed": None}])
    rows = passed.filter(unjudged | Q(pk__in=failing)).select_related("test", "test_version")
    return list(rows.order_by("pk"))


def _count(result: EvalResult, verdicts: Sequence[JudgeVerdict]) -> None:
    content = content_of(result.test_version or result.test)
    asked = [check for check in content["checks"] if check["kind"] == RUBRIC]
    rubrics = iter(_rubric(check, verdicts) for check in asked)
    result.checks = [
        {**check, **next(rubrics, {})} if check["kind"] == RUBRIC else check
        for check in result.checks
    ]
    expected = expectations_of(content, verdicts)
    believed = [each for each in expected if not each.is_advisory]
    broken = [each for each in believed if each.state is State.BROKEN]
    result.checks += map(_as_check, broken)
    said = {check["passed"] for check in result.checks}
    if False in said:
        result.status = EvalResult.Status.FAILED
    elif True not in said and not any(each.state is State.MET for each in believed):
        result.status = EvalResult.Status.NOT_JUDGED
        result.error = _why_not_judged(verdicts)


def _why_not_judged(verdicts: Sequence[JudgeVerdict]) -> str:
    """Return why nothing decided a result: a judge that failed, or none that is believed."""
    failed = next((each for each in verdicts if each.has_failed), None)
    if failed is None:
        return NOTHING_JUDGED
    error = shorten(failed.error, 400).rstrip(".") or "no reason given"
    return f"Nothing of it was judged: it has no exact check, and {failed.version} failed: {error}."


def _rubric(check: dict[str, Any], verdicts: Sequence[JudgeVerdict]) -> dict[str, Any]:
    """Return what became of a `judge_rubric`: passed only as far as the judge is believed."""
    own = [
        each for each in verdicts if each.version.judge.slug == check["judge"] and not each.subject
    ]
    if not own:
        return {"passed": None, "found": f"not judged: there is no judge called {check['judge']}"}
    told = own[-1]
    if told.status != Judgement.Status.DONE:
        return {"passed": None, "found": f"not judged: {shorten(told.error)}"}
    found = f"{told.version}: {told.title}: {shorten(told.reason, 400)}"
    if told.is_advisory:
        return {"passed": None, "found": f"advisory: {found}"}
    return {"passed": told.passes, "found": found}


def _judges_named(content: dict[str, Any]) -> list[str]:
    return [check["judge"] for check in content["checks"] if check["kind"] == RUBRIC]


def _versions(result: EvalResult, slugs: set[str]) -> dict[str, JudgeVersion | None]:
    """Return the newest version of each judge by its slug, and of that for expectations by ""."""
    project_id = result.test.agent.project_id
    versions = JudgeVersion.objects.filter(
        judge__project=project_id, judge__slug__in=slugs, judge__archived_at=None
    )
    found: dict[str, JudgeVersion | None] = {
        version.judge.slug: version
        for version in versions.select_related("judge").order_by("number")
    }
    return {**found, "": _judge_of_run(result, project_id)} if "" in slugs else found


def _judge_of_run(result: EvalResult, project_id: int) -> JudgeVersion | None:
    """Return who is asked about expectations: once chosen, the same for the whole eval run.

    Choosing reads all that the judge was measured on, and results come in one by one.
    """
    asked = Judgement.objects.filter(eval_result__eval_run=result.eval_run_id).exclude(subject="")
    known = asked.filter(version__judge__archived_at=None).select_related("version__judge")
    if chosen := known.order_by("pk").first():
        return chosen.version
    return judge_for_expectations(project_id)


def _expectation(text: str, verdicts: Sequence[JudgeVerdict]) -> Expectation:
    if not verdicts:
        return Expectation(text, State.NOT_JUDGED)
    told = min(verdicts, key=lambda each: (each.is_advisory, -each.version.number))
    if told.status in PENDING:
        return Expectation(text, State.WAITING, told.is_advisory, judge=str(told.version))
    if told.status != Judgement.Status.DONE:
        return Expectation(text, State.NOT_JUDGED, told.is_advisory, told.error, str(told.version))
    state = {True: State.MET, False: State.BROKEN, None: State.UNDECIDED}[told.passes]
    return Expectation(text, state, told.is_advisory, told.reason, str(told.version))


def _as_check(broken: Expectation) -> dict[str, Any]:
    found = f"{broken.judge}: {shorten(broken.reason, 400)}"
    return {"kind": KIND, "title": broken.text, "passed": False, "found": found}
