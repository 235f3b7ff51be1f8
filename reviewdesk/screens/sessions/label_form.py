"""The label panel of a session's page: the questions, the answers given, and who may see what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, QueryDict

from reviewdesk.people.access import DeskRequest, may
from reviewdesk.people.roles import Permission, roles_with
from traces.label_sets import Choice, Question, questions_of
from traces.labels import current_label_set, save_answers
from traces.models import Label, LabelSet, Session

MAX_DIGITS = 9


@dataclass(frozen=True)
class Option:
    """An answer as it is offered: the digit that gives it, and whether it is given."""

    choice: Choice
    digit: str
    is_chosen: bool


@dataclass(frozen=True)
class LabelField:
    """A question as it is asked.

    Attributes:
        options: On the digits.
        more: All choices of a question that has more than digits, else empty.
        is_asked: Not asked beside some answers to others.
        problem: Why its answer cannot stand, or empty.
    """

    question: Question
    options: tuple[Option, ...]
    more: tuple[Option, ...]
    is_asked: bool
    problem: str

    @property
    def chosen(self) -> list[str]:
        """Return the keys of the given answers."""
        return [option.choice.key for option in self.more or self.options if option.is_chosen]

    @property
    def num_asked(self) -> int:
        """Return how many choices there are."""
        return len(self.question.choices)

    @property
    def chosen_beyond(self) -> Choice | None:
        """Return the given answer where it is on no digit."""
        on_digits = {option.choice.key for option in self.options}
        for option in self.more:
            if option.is_chosen and option.choice.key not in on_digits:
                return option.choice
        return None


@dataclass(frozen=True)
class LabelPanel:
    """The right column.

    Attributes:
        label: The person's own, or None.
        fields: Questions with one answer.
        also: The question for further causes, or None.
        others: Completed labels of others, where they may be seen.
        num_hidden: How many there are that may not be seen yet.
        reason: Why the person may not label, or empty.
    """

    label_set: LabelSet
    label: Label | None
    fields: tuple[LabelField, ...]
    also: LabelField | None
    others: tuple[Label, ...]
    num_hidden: int
    reason: str
    first_wrong_span_id: str = ""
    comment: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_completed(self) -> bool:
        """Say whether the person has completed their label."""
        return self.label is not None and self.label.completed_at is not None


def label_panel(
    request: HttpRequest,
    session: Session,
    *,
    given: QueryDict | None = None,
    problems: Mapping[str, str] | None = None,
) -> LabelPanel:
    """Return the panel for this person. Two queries (three in a project without a label set).

    Args:
        request: Whose panel it is.
        session: What is labelled.
        given: What was sent and could not be saved; it is shown instead of what is stored.
        problems: Why, by question.
    """
    label_set = current_label_set(session.project)
    questions = questions_of(label_set)
    labels = list(session.labels.select_related("author", "label_set").order_by("completed_at"))
    own = next((label for label in labels if label.author_id == request.user.pk), None)
    others = tuple(each for each in labels if each is not own and each.completed_at)
    may_label = may(request, Permission.LABEL)
    is_blind = may_label and not (own and own.completed_at)
    answers = answers_from(questions, given) if given else (own.answers if own else {})
    fields = [_field(question, answers, problems or {}) for question in questions]
    return LabelPanel(
        label_set=label_set,
        label=own,
        fields=tuple(each for each in fields if not each.question.is_multiple),
        also=next((each for each in fields if each.question.is_multiple), None),
        others=() if is_blind else others,
        num_hidden=len(others) if is_blind else 0,
        reason="" if may_label else _why_not(),
        first_wrong_span_id=_text(given, own, "first_wrong_span_id"),
        comment=_text(given, own, "comment"),
        problems=problems or {},
    )


def answers_from(questions: tuple[Question, ...], data: QueryDict) -> dict[str, Any]:
    """Return the answers of a sent form, by question."""
    return {
        question.key: data.getlist(question.key) if question.is_multiple else data[question.key]
        for question in questions
        if question.key in data
    }


def answers_of(session: Session, data: QueryDict) -> dict[str, Any]:
    """Return the answers of a sent form to the project's newest label set. One query."""
    return answers_from(questions_of(current_label_set(session.project)), data)


def save_label(request: DeskRequest, session: Session, *, is_complete: bool) -> Label:
    """Save the answers of a sent form as the person's label.

    Raises:
        InvalidAnswersError: An answer is unknown, or one is missing and `is_complete`.
        LabelCompletedError: The label is completed and this is a draft.
    """
    return save_answers(
        session=session,
        author=request.user,
        answers=answers_of(session, request.POST),
        first_wrong_span_id=request.POST.get("first_wrong_span_id", ""),
        comment=request.POST.get("comment", ""),
        is_complete=is_complete,
    )


def told(label: Label) -> list[tuple[str, list[Choice]]]:
    """Return a label in words: (question's title, answers), under the set it was made with."""
    rows = []
    for question in questions_of(label.label_set):
        answer = label.answers.get(question.key)
        keys = answer if isinstance(answer, list) else [answer]
        chosen = [choice for key in keys if key and (choice := question.choice(key))]
        if chosen:
            rows.append((question.title, chosen))
    return rows


def _field(
    question: Question, answers: Mapping[str, Any], problems: Mapping[str, str]
) -> LabelField:
    answer = answers.get(question.key)
    chosen = answer if isinstance(answer, list) else [answer]
    on_digits = question.on_keys or tuple(each.key for each in question.choices[:MAX_DIGITS])
    first = [choice for key in on_digits if (choice := question.choice(key))]
    has_more = len(question.choices) > len(first) or question.is_multiple
    digits = {choice.key: str(number) for number, choice in enumerate(first, 1)}
    every = [
        Option(choice, digits.get(choice.key, ""), choice.key in chosen)
        for choice in [*first, *(each for each in question.choices if each not in first)]
    ]
    by_code = sorted(every, key=lambda option: option.choice.code)
    return LabelField(
        question=question,
        options=tuple(every[: len(first)]),
        more=tuple(by_code) if has_more else (),
        is_asked=question.is_asked(answers),
        problem=problems.get(question.key, ""),
    )


def _text(given: QueryDict | None, own: Label | None, name: str) -> str:
    if given is not None:
        return given.get(name, "")
    return str(getattr(own, name)) if own else ""


def _why_not() -> str:
    roles = roles_with(Permission.LABEL)
    return f"Labelling takes the role {', '.join(roles[:-1])} or {roles[-1]}."
