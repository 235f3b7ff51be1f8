"""Which sessions are asked for: the filter of the address, checked, and as a query."""

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.contrib.postgres.search import SearchQuery
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from traces.label_sets import FAILED_OUTCOMES
from traces.labels import disagreed, labelled_as, unlabelled
from traces.models import Session

AGES = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
AGE_CHOICES = (
    ("", "Any time"),
    ("day", "Last 24 hours"),
    ("week", "Last 7 days"),
    ("month", "Last 30 days"),
)
OUTCOME_CHOICES = (
    ("", "Any"),
    ("none", "Not labelled"),
    ("failed", "Failed"),
    ("disagree", "Reviewers disagree"),
    ("resolved", "Resolved"),
    ("partly", "Partly"),
    ("not_resolved", "Not resolved"),
    ("wrongly_refused", "Wrongly refused"),
    ("harmful", "Harmful"),
)
MAX_WORDS = 12
_WORD = re.compile(r"[^\s'&|!():*<>\\]+")
ENDED = (
    Session.Status.COMPLETED,
    Session.Status.HANDED_OVER,
    Session.Status.FAILED,
    Session.Status.CANCELLED,
)


class FilterForm(forms.Form):
    """The filter as it stands in the address. Every field may be left out."""

    q = forms.CharField(required=False, max_length=200, label="Words, customer or id")
    outcome = forms.ChoiceField(required=False, choices=OUTCOME_CHOICES)
    cause = forms.CharField(required=False, max_length=8, label="Cause")
    status = forms.ChoiceField(required=False, choices=[("", "Any"), *Session.Status.choices])
    agent = forms.CharField(required=False, max_length=120)
    version = forms.CharField(required=False, max_length=60)
    tool = forms.CharField(required=False, max_length=120, label="Tool called")
    has_errors = forms.BooleanField(required=False, label="With a failed step")
    age = forms.ChoiceField(required=False, choices=AGE_CHOICES, label="Started")
    since = forms.DateField(required=False, label="From (UTC)")
    until = forms.DateField(required=False, label="To (UTC), that day included")
    golden = forms.BooleanField(required=False, label="Golden tests' runs too")


@dataclass(frozen=True)
class Token:
    """A finished term of the filter, and the address without it."""

    name: str
    text: str
    without: str


@dataclass(frozen=True)
class SessionFilter:
    """The filter of the address.

    Attributes:
        values: What was given and is valid, by field.
        problems: A sentence per value that cannot be used; that value is left out.
    """

    values: dict[str, Any]
    problems: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Return the searched words."""
        return str(self.values.get("q", ""))

    @property
    def query(self) -> str:
        """Return the filter as a query string, without the question mark."""
        return _encode(self.values)

    @property
    def is_set(self) -> bool:
        """Say whether anything is filtered."""
        return bool(self.values)

    def tokens(self) -> list[Token]:
        """Return what is filtered beside the words, each with the address without it."""
        return [
            Token(name=name, text=_text(value), without=_encode(_without(self.values, name)))
            for name, value in self.values.items()
            if name not in ("q", "age")
        ]

    def apply(self, sessions: QuerySet[Session]) -> QuerySet[Session]:
        """Return the sessions that are asked for, in no order."""
        values = self.values
        if not values.get("golden"):
            sessions = sessions.filter(is_golden=False)
        if words := self.words:
            sessions = sessions.filter(_found(words))
        for field in ("status", "agent", "version"):
            if field in values:
                name = field if field == "status" else f"{field}_name"
                sessions = sessions.filter(**{name: values[field]})
        if "tool" in values:
            sessions = sessions.filter(tools__contains=[values["tool"]])
        if values.get("has_errors"):
            sessions = sessions.filter(num_errors__gt=0)
        sessions = _in_time(sessions, values)
        if "cause" in values:
            sessions = labelled_as(sessions, cause=values["cause"])
        return _with_outcome(sessions, values.get("outcome", ""))


def read_filter(data: QueryDict) -> SessionFilter:
    """Return the filter of an address; what cannot be used is named and left out."""
    form = FilterForm(data)
    form.is_valid()
    values = {name: value for name, value in form.cleaned_data.items() if value}
    if "cause" in values:
        values["cause"] = values["cause"].upper()
    problems = tuple(
        f"{form.fields[name].label or name.capitalize()}: {data[name]!r} cannot be used, "
        "so it is left out."
        for name in form.errors
    )
    return SessionFilter(values, problems)


def search_query(words: str) -> SearchQuery | None:
    """Return a query for texts in which every word begins a word; None where there is none."""
    terms = [f"'{word}':*" for word in _WORD.findall(words)[:MAX_WORDS]]
    return SearchQuery(" & ".join(terms), search_type="raw", config="simple") if terms else None


def _found(words: str) -> Q:
    query = search_query(words)
    found = Q(said_vector=query) if query else Q(pk__in=[])
    try:
        return found | Q(pk=uuid.UUID(words.strip()))
    except ValueError:
        return found


def _with_outcome(sessions: QuerySet[Session], outcome: str) -> QuerySet[Session]:
    match outcome:
        case "":
            return sessions
        case "none":
            return unlabelled(sessions).filter(status__in=ENDED)
        case "disagree":
            return disagreed(sessions)
        case "failed":
            return labelled_as(sessions, outcome__in=FAILED_OUTCOMES)
        case _:
            return labelled_as(sessions, outcome=outcome)


def _in_time(sessions: QuerySet[Session], values: dict[str, Any]) -> QuerySet[Session]:
    if age := values.get("age"):
        sessions = sessions.filter(started_at__gte=timezone.now() - AGES[age])
    if since := values.get("since"):
        sessions = sessions.filter(started_at__gte=_midnight(since))
    # Nothing starts after the calendar's last day, which has no day after it either.
    if (until := values.get("until")) and until < date.max:
        sessions = sessions.filter(started_at__lt=_midnight(until + timedelta(days=1)))
    return sessions


def _midnight(day: Any) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=timezone.get_default_timezone())


def _without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def _encode(values: dict[str, Any]) -> str:
    data = QueryDict(mutable=True)
    for name, value in _pairs(values.items()):
        data[name] = value
    return data.urlencode()


def _pairs(items: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, str]]:
    return ((name, "1" if value is True else str(value)) for name, value in items)


def _text(value: Any) -> str:
    return "yes" if value is True else str(value)
