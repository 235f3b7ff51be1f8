"""Conditions on what was said about a session: people's labels, evaluators' scores."""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from traces.label_sets import FAILED_OUTCOMES
from traces.models import Label, Project, Score
from traces.search.language import Term
from traces.search.matching import ENDED, LOOKUPS, like, regex_of
from traces.search.values import score_of


def labelled(**conditions: Any) -> Q:
    """Return whether somebody has completed a label that meets these conditions."""
    done = Label.objects.filter(session=OuterRef("pk"), **conditions).exclude(completed_at=None)
    return Q(Exists(done))


def outcome(term: Term, value: str, project: Project, now: datetime) -> Q:
    """Return what `outcome:` asks for."""
    match value:
        case "none":
            return ~labelled() & Q(status__in=ENDED)
        case "any":
            return labelled()
        case "failed":
            return labelled(outcome__in=FAILED_OUTCOMES)
        case "disagree":
            return Q(pk__in=_disagreeing().values("session"))
    if "*" in value:
        return labelled(outcome__regex=f"^{regex_of(value.replace('-', '_'), '.*')}$")
    return labelled(outcome__in={value, value.replace("-", "_")})


def _disagreeing() -> QuerySet[Label]:
    """Return labels beside which a later one names another outcome.

    Two labels of a session are joined by hash; grouping all labels by session takes twice as long.
    """
    later = Label.objects.filter(session=OuterRef("session"), pk__gt=OuterRef("pk"))
    later = later.exclude(completed_at=None).exclude(outcome=OuterRef("outcome"))
    return Label.objects.filter(Exists(later)).exclude(completed_at=None)


def cause(term: Term, value: str, project: Project, now: datetime) -> Q:
    """Return what `cause:` asks for."""
    if "*" in value:
        return labelled(cause__regex=f"^{regex_of(value, '.*')}$")
    return labelled(cause=value)


def labelled_by(term: Term, value: str, project: Project, now: datetime) -> Q:
    """Return what `labelled-by:` asks for."""
    pattern = regex_of(value, ".*")
    who = Q(author__email__iregex=f"^{pattern}(@|$)") | Q(author__name__iregex=rf"\m{pattern}\M")
    done = Label.objects.filter(who, session=OuterRef("pk")).exclude(completed_at=None)
    return Q(Exists(done))


def score(term: Term, value: str, project: Project, now: datetime) -> Q:
    """Return what `score:` asks for."""
    # By the index score_name: the scores of a name are few beside all sessions.
    sought = score_of(value)
    meant = like("name", sought.name)
    if sought.op == "=":
        alike = Q(label__iexact=sought.label)
        meant &= alike if sought.number is None else alike | Q(value=sought.number)
    elif sought.op:
        meant &= Q(**{f"value__{LOOKUPS[sought.op]}": sought.number})
    return Q(Exists(Score.objects.filter(meant, project=project, session=OuterRef("pk"))))
