"""The filter language as conditions of a query on sessions."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
    Regex,
)

from traces.label_sets import FAILED_OUTCOMES
from traces.models import Label, Project, QueueItem, Score, Session
from traces.search.language import Query, Term, Word
from traces.search.values import day_of, duration_ms, number_of, score_of
from traces.search.words import search_query

ENDED = (
    Session.Status.COMPLETED,
    Session.Status.HANDED_OVER,
    Session.Status.FAILED,
    Session.Status.CANCELLED,
)
_LOOKUPS = {":": "exact", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_COMPARISONS = {
    ":": Exact,
    "<": LessThan,
    "<=": LessThanOrEqual,
    ">": GreaterThan,
    ">=": GreaterThanOrEqual,
}
_COLUMNS = {"agent": "agent_name", "version": "version_name"}
_LISTS = {"tool": "tools", "model": "model_names"}
_NUMBERS = {"cost": "cost_usd", "errors": "num_errors", "steps": "num_steps"}
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
# As the indexes session_took and session_tokens have them.
TOOK_US = F("last_ns") / 1000 - F("first_ns") / 1000
TOKENS = Coalesce(
    F("input_tokens") + F("output_tokens"),
    F("input_tokens"),
    F("output_tokens"),
    output_field=BigIntegerField(),
)


def apply(
    query: Query, sessions: QuerySet[Session], project: Project, now: datetime
) -> QuerySet[Session]:
    """Return the sessions that meet the filter, in no order.

    Golden tests' runs are left out unless a term asks for them. `now` is what `age` counts from.
    """
    if not _asks_for_golden(query):
        sessions = sessions.filter(is_golden=False)
    for term in query.terms:
        condition = _condition(term, project, now)
        sessions = sessions.filter(~condition if term.is_negated else condition)
    return sessions.filter(_said(query.words)) if query.words else sessions


def _asks_for_golden(query: Query) -> bool:
    return any(
        term.field == "golden" or (term.field == "is" and "golden" in term.values)
        for term in query.terms
    )


def _said(words: tuple[Word, ...]) -> Q:
    # A word in which nothing can be searched ("&") is found nowhere.
    searched = search_query(words)
    found = Q(said_vector=searched) if searched else Q(pk__in=[])
    if len(words) == 1 and (pk := _uuid(words[0].text)):
        return ~Q(pk=pk) if words[0].is_negated else found | Q(pk=pk)
    return found


def _condition(term: Term, project: Project, now: datetime) -> Q:
    make = _MAKERS[term.field]
    return reduce(or_, (make(term, value, project, now) for value in term.values))


def _text(term: Term, value: str, project: Project, now: datetime) -> Q:
    return _like(_COLUMNS[term.field], value)


def _like(column: str, value: str) -> Q:
    """Return equality, or with `*` the pattern; a beginning alone can use a btree."""
    if "*" not in value:
        return Q(**{column: value})
    if value.endswith("*") and "*" not in value[:-1]:
        return Q(**{f"{column}__startswith": value[:-1]})
    return Q(**{f"{column}__regex": f"^{_pattern(value, '.*')}$"})


def _listed(term: Term, value: str, project: Project, now: datetime) -> Q:
    # Containment is what the GIN index answers; a pattern is compared with the list's text, row
    # by row from the newest on, which is quick where the pattern is common.
    column = _LISTS[term.field]
    if "*" not in value:
        return Q(**{f"{column}__contains": [value]})
    names = _pattern(value, '[^"]*')
    return Q(Regex(Cast(column, TextField()), f'"{names}"'))


def _customer(term: Term, value: str, project: Project, now: datetime) -> Q:
    # Customers are in the text index too: it finds the few sessions in which the name occurs at
    # all, and the column is compared in those only.
    searched = search_query([Word(value.replace("*", " "))])
    pattern = Q(customer__iregex=_pattern(value, ".*")) if "*" in value else Q()
    if "*" not in value:
        pattern = Q(customer__icontains=value)
    return pattern & Q(said_vector=searched) if searched and value[0] != "*" else pattern


def _id(term: Term, value: str, project: Project, now: datetime) -> Q:
    found = _like("external_id", value)
    return found | Q(pk=pk) if (pk := _uuid(value)) else found


def _number(term: Term, value: str, project: Project, now: datetime) -> Q:
    number = number_of(value)
    return Q(**{f"{_NUMBERS[term.field]}__{_LOOKUPS[term.op]}": number})


def _tokens(term: Term, value: str, project: Project, now: datetime) -> Q:
    return Q(_COMPARISONS[term.op](TOKENS, int(number_of(value))))


def _took(term: Term, value: str, project: Project, now: datetime) -> Q:
    return Q(_COMPARISONS[term.op](TOOK_US, duration_ms(value) * 1000))


def _working(term: Term, value: str, project: Project, now: datetime) -> Q:
    return Q(**{f"working_ns__{_LOOKUPS[term.op]}": duration_ms(value) * 1_000_000})


def _age(term: Term, value: str, project: Project, now: datetime) -> Q:
    try:
        start = now - timedelta(milliseconds=duration_ms(value))
    except OverflowError:
        start = _EARLIEST
    # An age under 7 days is a start after the day before.
    turned = {"<": "gt", "<=": "gte", ">": "lt", ">=": "lte", ":": "gte"}
    return Q(**{f"started_at__{turned[term.op]}": start})


def _since(term: Term, value: str, project: Project, now: datetime) -> Q:
    return Q(started_at__gte=_midnight(day_of(value)))


def _until(term: Term, value: str, project: Project, now: datetime) -> Q:
    day = day_of(value)
    # Nothing starts after the calendar's last day, which has no day after it either.
    return Q() if day == date.max else Q(started_at__lt=_midnight(day + timedelta(days=1)))


def _status(term: Term, value: str, project: Project, now: datetime) -> Q:
    return Q(status=value.replace("-", "_"))


def _source(term: Term, value: str, project: Project, now: datetime) -> Q:
    return Q(source=value)


def _outcome(term: Term, value: str, project: Project, now: datetime) -> Q:
    match value:
        case "none":
            return ~_labelled() & Q(status__in=ENDED)
        case "any":
            return _labelled()
        case "failed":
            return _labelled(outcome__in=FAILED_OUTCOMES)
        case "disagree":
            return Q(pk__in=_disagreeing().values("session"))
    if "*" in value:
        return _labelled(outcome__regex=f"^{_pattern(value.replace('-', '_'), '.*')}$")
    return _labelled(outcome__in={value, value.replace("-", "_")})


def _disagreeing() -> QuerySet[Label]:
    """Return labels beside which a later one names another outcome.

    Two labels of a session are joined by hash; grouping all labels by session takes twice as long.
    """
    later = Label.objects.filter(session=OuterRef("session"), pk__gt=OuterRef("pk"))
    later = later.exclude(completed_at=None).exclude(outcome=OuterRef("outcome"))
    return Label.objects.filter(Exists(later)).exclude(completed_at=None)


def _cause(term: Term, value: str, project: Project, now: datetime) -> Q:
    if "*" in value:
        return _labelled(cause__regex=f"^{_pattern(value, '.*')}$")
    return _labelled(cause=value)


def _labelled_by(term: Term, value: str, project: Project, now: datetime) -> Q:
    pattern = _pattern(value, ".*")
    who = Q(author__email__iregex=f"^{pattern}(@|$)") | Q(author__name__iregex=rf"\m{pattern}\M")
    done = Label.objects.filter(who, session=OuterRef("pk")).exclude(completed_at=None)
    return Q(Exists(done))


def _score(term: Term, value: str, project: Project, now: datetime) -> Q:
    # By the index score_name: the scores of a name are few beside all sessions.
    sought = score_of(value)
    meant = _like("name", sought.name)
    if sought.op == "=":
        alike = Q(label__iexact=sought.label)
        meant &= alike if sought.number is None else alike | Q(value=sought.number)
    elif sought.op:
        meant &= Q(**{f"value__{_LOOKUPS[sought.op]}": sought.number})
    return Q(Exists(Score.objects.filter(meant, project=project, session=OuterRef("pk"))))


def _queue(term: Term, value: str, project: Project, now: datetime) -> Q:
    name = Q(queue__name__iexact=value)
    if "*" in value:
        name = Q(queue__name__iregex=f"^{_pattern(value, '.*')}$")
    waiting = QueueItem.objects.filter(name, queue__project=project, done_at=None)
    return Q(pk__in=waiting.values("session"))


def _has(term: Term, value: str, project: Project, now: datetime) -> Q:
    match value:
        case "errors":
            return Q(num_errors__gt=0)
        case "label":
            return _labelled()
        case "comment":
            return _labelled(comment__gt="")
        case "cost":
            return Q(cost_usd__isnull=False)
        case "tools":
            return ~Q(tools=[])
        case "customer":
            return ~Q(customer="")
        case "masked":
            return ~Q(masked={})
    waiting = QueueItem.objects.filter(queue__project=project, done_at=None)
    return Q(pk__in=waiting.values("session"))


def _is(term: Term, value: str, project: Project, now: datetime) -> Q:
    match value:
        case "golden":
            return Q(is_golden=True)
        case "labelled":
            return _labelled()
        case "unlabelled":
            return ~_labelled()
        case "live":
            return ~Q(status__in=ENDED)
    return Q(status__in=ENDED)


def _golden(term: Term, value: str, project: Project, now: datetime) -> Q:
    return Q(is_golden=True) if value == "only" else Q(is_golden__in=(True, False))


def _masked(term: Term, value: str, project: Project, now: datetime) -> Q:
    return ~Q(masked={}) if "*" in value else Q(masked__has_key=value)


def _labelled(**conditions: Any) -> Q:
    done = Label.objects.filter(session=OuterRef("pk"), **conditions).exclude(completed_at=None)
    return Q(Exists(done))


def _pattern(value: str, any_letters: str) -> str:
    return any_letters.join(re.escape(part) for part in value.split("*"))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        return None


_Maker = Callable[[Term, str, Project, datetime], Q]
_MAKERS: dict[str, _Maker] = {
    "outcome": _outcome,
    "cause": _cause,
    "labelled-by": _labelled_by,
    "score": _score,
    "status": _status,
    "agent": _text,
    "version": _text,
    "tool": _listed,
    "model": _listed,
    "customer": _customer,
    "id": _id,
    "source": _source,
    "cost": _number,
    "errors": _number,
    "steps": _number,
    "tokens": _tokens,
    "took": _took,
    "working": _working,
    "age": _age,
    "since": _since,
    "until": _until,
    "queue": _queue,
    "has": _has,
    "is": _is,
    "golden": _golden,
    "masked": _masked,
}
