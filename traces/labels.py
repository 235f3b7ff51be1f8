"""Labels: validated, saved as drafts, completed, taken back, and compared."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils import timezone

from traces.clean import clean_text
from traces.errors import InvalidAnswersError, LabelCompletedError
from traces.label_sets import Question, ensure_label_set, questions_of
from traces.models import Label, LabelSet, Project, Session, Span
from traces.queues import finish_items

MAX_COMMENT = 5000


@dataclass(frozen=True)
class Verdict:
    """What people say of a session, together.

    Attributes:
        outcome: Of the label completed last; None is "unlabelled".
        cause: Primary cause of that label, a code.
        severity: Of that label.
        num_labels: Completed ones.
        disagrees: Whether their outcomes differ.
    """

    outcome: str | None = None
    cause: str | None = None
    severity: str | None = None
    num_labels: int = 0
    disagrees: bool = False


def current_label_set(project: Project) -> LabelSet:
    """Return the project's newest label set (the default one where it has none)."""
    return ensure_label_set(project)


def save_answers(
    *,
    session: Session,
    author: AbstractBaseUser,
    answers: Mapping[str, Any],
    first_wrong_span_id: str = "",
    comment: str = "",
    is_complete: bool = False,
) -> Label:
    """Save the author's one label of the session under the project's newest label set.

    Args:
        session: What is labelled.
        author: Whose label it is.
        answers: Choice keys by question key, a list of them where several may be given. Answers
            to questions that are not asked beside the others are left out.
        first_wrong_span_id: Of this session, or empty.
        comment: Free text.
        is_complete: Whether the label counts from now on; else it is a draft.

    Raises:
        InvalidAnswersError: An answer is unknown, or one is missing and `is_complete`.
        LabelCompletedError: The label is completed and this is a draft.
    """
    first_wrong_span_id, comment = clean_text(first_wrong_span_id), clean_text(comment)
    label_set = current_label_set(session.project)
    kept = check_answers(questions_of(label_set), answers, is_complete=is_complete)
    _check_rest(session, first_wrong_span_id, comment)
    with transaction.atomic():
        Label.objects.get_or_create(
            session=session, author_id=author.pk, defaults={"label_set": label_set}
        )
        label = Label.objects.select_for_update().get(session=session, author_id=author.pk)
        if label.completed_at and not is_complete:
            raise LabelCompletedError(
                "You have completed this label. Reopen it to change your answers."
            )
        label.label_set, label.answers = label_set, kept
        label.first_wrong_span_id, label.comment = first_wrong_span_id, comment
        label.completed_at = timezone.now() if is_complete else None
        label.save()
        if label.completed_at:
            finish_items(session_ids=[session.pk], at=label.completed_at)
    label.refresh_from_db(fields=["outcome", "cause"])
    return label


def reopen_label(*, session: Session, author: AbstractBaseUser) -> Label | None:
    """Make the author's completed label a draft again; None where there is no label."""
    with transaction.atomic():
        found = Label.objects.select_for_update().filter(session=session, author_id=author.pk)
        label = found.first()
        if label is not None and label.completed_at is not None:
            label.completed_at = None
            label.save(update_fields=["completed_at", "updated_at"])
    return label


def check_answers(
    questions: Iterable[Question], answers: Mapping[str, Any], *, is_complete: bool
) -> dict[str, Any]:
    """Return the answers that are kept, in the order of the questions.

    Raises:
        InvalidAnswersError: An answer is unknown, or one is missing and `is_complete`.
    """
    asked = {question.key: question for question in questions if question.is_asked(answers)}
    problems: dict[str, str] = {}
    kept: dict[str, Any] = {}
    for key, question in asked.items():
        chosen = _chosen(question, answers.get(key))
        unknown = [each for each in chosen if question.choice(each) is None]
        if unknown:
            problems[key] = f"{question.title}: {unknown[0]!r} is not one of its answers."
        elif chosen:
            kept[key] = chosen if question.is_multiple else chosen[0]
        elif is_complete and question.must_be_answered(answers):
            problems[key] = f"{question.title} has no answer yet."
    if problems:
        raise InvalidAnswersError(problems)
    _drop_primary_from_secondary(kept)
    return kept


def completed_labels(sessions: Iterable[Session]) -> dict[Any, list[Label]]:
    """Return the completed labels by session id, oldest first, with authors. One query."""
    found: dict[Any, list[Label]] = {}
    rows = (
        Label.objects.filter(session__in=list(sessions))
        .exclude(completed_at=None)
        .select_related("author")
        .order_by("completed_at", "pk")
    )
    for label in rows:
        found.setdefault(label.session_id, []).append(label)
    return found


def verdict_of(labels: Iterable[Label]) -> Verdict:
    """Return what these completed labels of one session say, oldest first."""
    known = list(labels)
    if not known:
        return Verdict()
    last = known[-1]
    return Verdict(
        outcome=last.outcome,
        cause=last.cause,
        severity=last.answers.get("severity"),
        num_labels=len(known),
        disagrees=len({label.outcome for label in known}) > 1,
    )


def outcome_of(session: Session) -> Verdict:
    """Return what people say of the session. One query."""
    return verdict_of(completed_labels([session]).get(session.pk, []))


def disagreed(sessions: QuerySet[Session]) -> QuerySet[Session]:
    """Return those whose reviewers named different outcomes."""
    return sessions.filter(pk__in=ids_of_disagreed())


def ids_of_disagreed() -> QuerySet[Label, Any]:
    """Return the ids of the sessions, of any project, whose reviewers named different outcomes."""
    return (
        Label.objects.exclude(completed_at=None)
        .order_by()
        .values("session")
        .annotate(num=Count("outcome", distinct=True))
        .filter(num__gt=1)
        .values_list("session", flat=True)
    )


def unlabelled(sessions: QuerySet[Session]) -> QuerySet[Session]:
    """Return those that nobody has completed a label of."""
    done = Label.objects.filter(session=OuterRef("pk")).exclude(completed_at=None)
    return sessions.filter(~Exists(done))


def labelled_as(sessions: QuerySet[Session], **conditions: Any) -> QuerySet[Session]:
    """Return those with a completed label that meets these conditions on `Label`."""
    done = Label.objects.filter(session=OuterRef("pk"), **conditions).exclude(completed_at=None)
    return sessions.filter(Exists(done))


def _chosen(question: Question, answer: Any) -> list[str]:
    """Return the answer as a list without repetitions; nothing, "" and [] are no answer."""
    given = answer if isinstance(answer, list) else [answer]
    texts = [str(each) for each in given if each not in (None, "")]
    return list(dict.fromkeys(texts if question.is_multiple else texts[-1:]))


def _drop_primary_from_secondary(kept: dict[str, Any]) -> None:
    others = [
        each for each in kept.get("secondary_causes", []) if each != kept.get("primary_cause")
    ]
    kept.pop("secondary_causes", None)
    if others:
        kept["secondary_causes"] = others


def _check_rest(session: Session, first_wrong_span_id: str, comment: str) -> None:
    problems = {}
    if len(comment) > MAX_COMMENT:
        problems["comment"] = (
            f"The comment has {len(comment):,} characters; it may have {MAX_COMMENT:,}."
        )
    spans = Span.objects.filter(session=session, span_id=first_wrong_span_id)
    if first_wrong_span_id and not spans.exists():
        problems["first_wrong_span_id"] = (
            f"The first wrong step {first_wrong_span_id} is not in this session; mark another."
        )
    if problems:
        raise InvalidAnswersError(problems)
