"""The filter language as conditions of a query on sessions."""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from operator import or_

from django.db.models import BigIntegerField, F, Q, QuerySet, TextField
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
    Regex,
)

from traces.models import Project, QueueItem, Session
from traces.planted import PLANTED, waits_secretly
from traces.redaction import masker_for
from traces.search.language import Query, Term, Word
from traces.search.matching import ENDED, LOOKUPS, like, regex_of
from traces.search.values import day_of, duration_ms, number_of
from traces.search.verdicts import cause, labelled, labelled_by, outcome, score
from traces.search.words import search_query

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

    Golden tests' runs are left out unless a term asks for them. So are planted requests, except for
    those that wait, which are ordinary sessions meanwhile. `now` is what `age` counts from.
    """
    secret = Q(waits_secretly(project))
    if _asks_for_golden(query):
        sessions = sessions.filter(secret | ~Q(metadata__has_key=PLANTED))
    else:
        sessions = sessions.filter(Q(is_golden=False) | secret)
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
    return like(_COLUMNS[term.field], value)


def _listed(term: Term, value: str, project: Project, now: datetime) -> Q:
    # Containment is what the GIN index answers; a pattern is compared with the list's text, row
    # by row from the newest on, which is quick where the pattern is common.
    column = _LISTS[term.field]
    if "*" not in value:
        return Q(**{f"{column}__contains": [value]})
    names = regex_of(value, '[^"]*')
    return Q(Regex(Cast(column, TextField()), f'"{names}"'))


def _customer(term: Term, value: str, project: Project, now: datetime) -> Q:
    # A customer of just that name or id is found by the index of customers, whatever others share
    # a part of it; who is stored under a pseudonym is asked for by what it stands for.
    whole = masker_for(project).customer(value) if "@" in value else value
    if project.sessions.filter(customer=whole).exists():
        return Q(customer=whole)
    # Customers are in the text index too: it finds the few sessions in which the name occurs at
    # all, and the column is compared in those only.
    searched = search_query([Word(value.replace("*", " "))])
    pattern = Q(customer__iregex=regex_of(value, ".*")) if "*" in value else Q()
    if "*" not in value:
        pattern = Q(customer__icontains=value)
    return pattern & Q(said_vector=searched) if searched and value[0] != "*" else pattern


def _id(term: Term, value: str, project: Project, now: datetime) -> Q:
    found = like("external_id", value)
    return found | Q(pk=pk) if (pk := _uuid(value)) else found


def _number(term: Term, value: str, project: Project, now: datetime) -> Q:
    number = number_of(value)
    return Q(**{f"{_NUMBERS[term.field]}__{LOOKUPS[term.op]}": number})


def _tokens(term: Term, value: str, project: Project, now: datetime) -> Q:
    return Q(_COMPARISONS[term.op](TOKENS, int(number_of(value))))


def _took(term: Term, value: str, project: Project, now: datetime) -> Q:
    return Q(_COMPARISONS[term.op](TOOK_US, duration_ms(value) * 1000))


def _working(term: Term, value: str, project: Project, now: datetime) -> Q:
    return Q(**{f"working_ns__{LOOKUPS[term.op]}": duration_ms(value) * 1_000_000})


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


def _queue(term: Term, value: str, project: Project, now: datetime) -> Q:
    name = Q(queue__name__iexact=value)
    if "*" in value:
        name = Q(queue__name__iregex=f"^{regex_of(value, '.*')}$")
    waiting = QueueItem.objects.filter(name, queue__project=project, done_at=None)
    return Q(pk__in=waiting.values("session"))


def _has(term: Term, value: str, project: Project, now: datetime) -> Q:
    match value:
        case "errors":
            return Q(num_errors__gt=0)
        case "label":
            return labelled()
        case "comment":
            return labelled(comment__gt="")
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
            return _of_golden_tests(project)
        case "labelled":
            return labelled()
        case "unlabelled":
            return ~labelled()
        case "live":
            return ~Q(status__in=ENDED)
    return Q(status__in=ENDED)


def _golden(term: Term, value: str, project: Project, now: datetime) -> Q:
    return _of_golden_tests(project) if value == "only" else Q(is_golden__in=(True, False))


def _of_golden_tests(project: Project) -> Q:
    return Q(is_golden=True) & ~Q(waits_secretly(project))


def _masked(term: Term, value: str, project: Project, now: datetime) -> Q:
    return ~Q(masked={}) if "*" in value else Q(masked__has_key=value)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        return None


_Maker = Callable[[Term, str, Project, datetime], Q]
_MAKERS: dict[str, _Maker] = {
    "outcome": outcome,
    "cause": cause,
    "labelled-by": labelled_by,
    "score": score,
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
