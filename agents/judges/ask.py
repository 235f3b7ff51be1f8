"""Asking a judge: rows that say what is to be judged, and taking them back."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F, Q, QuerySet

from agents.errors import JudgeError
from agents.judges.hints import hint_judges_on_commit
from agents.judges.verdicts import PENDING
from agents.models import EvalResult, EvalRun, Judgement, JudgeVersion
from agents.tools.autonomy import database_now
from traces.models import Session

MOST_ASKED = 5000
LONGEST_SUBJECT = 2000
_JUDGEABLE = (EvalResult.Status.PASSED, EvalResult.Status.FAILED)


def request_judgements(
    *,
    version: JudgeVersion,
    sessions: Iterable[Session] = (),
    eval_results: Sequence[EvalResult] = (),
    subjects: Sequence[str] = ("",),
    by: AbstractBaseUser | None,
) -> int:
    """Ask `version` about sessions, or about results of eval runs; return how many are to come.

    What it was asked before is not asked again, unless that failed. Safe to repeat.

    Args:
        version: With its judge.
        sessions: Of the judge's project; judged by the rubric.
        eval_results: Of its agents. Those without a run, not run yet or spoilt by an
            infrastructure error are passed over: they say nothing about the agent.
        subjects: For each result, expectations (see `subject_of`); empty text is the rubric.
        by: Who asked; None is a rule.

    Raises:
        JudgeError: The judge is archived, a row is another project's, or it is too much at once.
    """
    rows = [Judgement(version=version, session=session) for session in sessions]
    _check(version, [row.session for row in rows], subjects)
    rows += _of_results(version, eval_results, subjects)
    if len(rows) > MOST_ASKED:
        raise JudgeError(
            f"These are {len(rows):,} judgements; at most {MOST_ASKED:,} are asked for at once. "
            "Choose fewer sessions."
        )
    with transaction.atomic():
        num_again = _ask_again(version, rows, by)
        known = _known(version, rows)
        new = {_key(row): row for row in rows if _key(row) not in known}
        now = database_now()
        for row in new.values():
            row.next_at, row.requested_by_id = now, by.pk if by else None
        Judgement.objects.bulk_create(new.values(), batch_size=1000, ignore_conflicts=True)
        hint_judges_on_commit()
    return len(new) + num_again


def ask_failed_again(judgements: QuerySet[Judgement], *, by: AbstractBaseUser) -> int:
    """Ask once more for those of these judgements that failed; return how many are to come.

    In the caller's transaction or one of its own.
    """
    with transaction.atomic():
        num = _make_due(judgements.filter(status=Judgement.Status.FAILED), by)
        hint_judges_on_commit()
    return num


def stop_asking(*, version: JudgeVersion, by: AbstractBaseUser) -> int:
    """Take back what has not been judged yet, under way or not; return how many.

    What a worker hears of those from now on is not written: its token has moved on.
    """
    open_rows = Judgement.objects.filter(version=version, status__in=PENDING)
    return _take_back(open_rows, f"Stopped by {by} before it was judged.")


def stop_asking_about(*, eval_run: EvalRun) -> int:
    """Take back what has not been judged yet of an eval run of which nothing counts any more.

    In the transaction that ends it; what is under way is not asked a second time.
    """
    open_rows = Judgement.objects.filter(eval_result__eval_run=eval_run, status__in=PENDING)
    why = f"Eval run {eval_run.pk} was {eval_run.get_status_display()} before it was judged."
    return _take_back(open_rows, why)


def subject_of(expectation: dict[str, str]) -> str:
    """Return an expectation `{kind: must | must_not, text}` of a golden test as a subject."""
    words = "must" if expectation["kind"] == "must" else "must not"
    return f"The agent {words}: {expectation['text']}"[:LONGEST_SUBJECT]


def _take_back(open_rows: QuerySet[Judgement], why: str) -> int:
    return open_rows.update(
        status=Judgement.Status.FAILED,
        error=why,
        claim_token=F("claim_token") + 1,
        next_at=None,
        lease_until=None,
        finished_at=database_now(),
    )


def _check(version: JudgeVersion, sessions: Sequence[Session], subjects: Sequence[str]) -> None:
    judge = version.judge
    if judge.archived_at:
        raise JudgeError(f"The judge {judge} is archived; it is not asked any more.")
    if any(session.project_id != judge.project_id for session in sessions):
        raise JudgeError(f"The judge {judge} is another project's than one of the sessions.")
    longest = max(map(len, subjects), default=0)
    if longest > LONGEST_SUBJECT:
        raise JudgeError(f"A subject has {longest:,} characters; {LONGEST_SUBJECT:,} at most.")


def _of_results(
    version: JudgeVersion, eval_results: Sequence[EvalResult], subjects: Sequence[str]
) -> list[Judgement]:
    found = EvalResult.objects.filter(pk__in=[each.pk for each in eval_results])
    pairs = found.filter(run__isnull=False, status__in=_JUDGEABLE).values_list(
        "pk", "run__session_id", "eval_run__agent__project_id"
    )
    rows = []
    for result_id, session_id, project_id in pairs:
        if project_id != version.judge.project_id:
            raise JudgeError(f"The judge {version.judge} is another project's than a result.")
        rows += [
            Judgement(
                version=version, eval_result_id=result_id, session_id=session_id, subject=subject
            )
            for subject in subjects
        ]
    return rows


def _key(row: Judgement) -> tuple[UUID, int | None, str]:
    return row.session_id, row.eval_result_id, row.subject


def _asked(version: JudgeVersion, rows: Sequence[Judgement]) -> QuerySet[Judgement]:
    """Return what there is of these rows already."""
    of_sessions = {row.session_id for row in rows if row.eval_result_id is None}
    of_results = {row.eval_result_id for row in rows if row.eval_result_id is not None}
    return Judgement.objects.filter(
        Q(eval_result=None, session__in=of_sessions)
        | Q(eval_result__in=of_results, subject__in={row.subject for row in rows}),
        version=version,
    )


def _known(version: JudgeVersion, rows: Sequence[Judgement]) -> set[tuple[UUID, int | None, str]]:
    return set(_asked(version, rows).values_list("session_id", "eval_result_id", "subject"))


def _ask_again(
    version: JudgeVersion, rows: Sequence[Judgement], by: AbstractBaseUser | None
) -> int:
    return _make_due(_asked(version, rows).filter(status=Judgement.Status.FAILED), by)


def _make_due(failed: QuerySet[Judgement], by: AbstractBaseUser | None) -> int:
    return failed.update(
        status=Judgement.Status.PENDING,
        error="",
        num_attempts=0,
        next_at=database_now(),
        finished_at=None,
        requested_by_id=by.pk if by else None,
    )
