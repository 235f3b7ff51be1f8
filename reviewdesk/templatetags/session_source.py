"""Template parts of a session's page: what the system it was imported from says of it."""

from dataclasses import dataclass
from typing import Any

from django import template

from reviewdesk.screens.sessions.values import Pairs, cut, pairs_of
from traces.models import Session

register = template.Library()

_OWN = (Session.Source.RUNTIME, Session.Source.DEMO)
_MOST_SCORES = 4
# Inspect's letters for a score (`inspect_ai/scorer/_metric.py`).
_LETTERS = {"C": "correct", "I": "incorrect", "P": "partly correct", "N": "no answer"}


@dataclass(frozen=True)
class Fact:
    """A verdict of the source, such as the reward of a benchmark."""

    title: str
    text: str


@register.simple_tag
def source_facts(session: Session) -> list[Fact]:
    """Return the verdicts that the source came to, where it has any; they are no labels."""
    said = session.metadata if isinstance(session.metadata, dict) else {}
    facts = []
    if isinstance(said.get("reward"), int | float):
        facts.append(Fact("Reward", f"{said['reward']:g}"))
    if isinstance(said.get("is_task_done"), bool):
        facts.append(Fact("Task", "done" if said["is_task_done"] else "not done"))
    if isinstance(said.get("has_attack_succeeded"), bool):
        facts.append(Fact("Attack", "succeeded" if said["has_attack_succeeded"] else "withstood"))
    scores = said.get("scores")
    for name, score in list(scores.items())[:_MOST_SCORES] if isinstance(scores, dict) else []:
        facts.append(Fact(cut(str(name), 30), _score(score)))
    return facts


@register.simple_tag
def source_pairs(session: Session) -> Pairs | None:
    """Return all that the source says, as names and values; None of our own runs."""
    if session.source in _OWN or not session.metadata:
        return None
    return pairs_of(session.metadata)


def _score(score: Any) -> str:
    value = score.get("value") if isinstance(score, dict) else score
    if isinstance(value, float):
        return f"{value:g}"
    return _LETTERS.get(str(value), cut(str(value), 30))
