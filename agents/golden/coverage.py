"""Which of the things that customers come for have a golden test."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agents.golden.alike import likeness, words_in
from agents.models import Agent, EvalRun, GoldenTest, Intent

# A test whose first words are less like every intent is of none.
LEAST_LIKENESS = 0.3


@dataclass(frozen=True)
class Covered:
    """An intent and how many tests are of it."""

    intent: Intent
    num_tests: int


@dataclass(frozen=True)
class Coverage:
    """An agent's intents, those with most sessions first.

    Attributes:
        intents: All of them.
        num_other: Tests that are of none.
    """

    intents: tuple[Covered, ...]
    num_other: int

    @property
    def num_covered(self) -> int:
        """Return how many intents have a test."""
        return sum(each.num_tests > 0 for each in self.intents)

    @property
    def missing(self) -> tuple[Intent, ...]:
        """Return the intents without a test."""
        return tuple(each.intent for each in self.intents if not each.num_tests)


def coverage_of(agent: Agent) -> Coverage:
    """Return which intents an agent's tests cover, archived ones left out. Two queries at most.

    An attack borrows a customer's words and says nothing about serving them: it covers none.
    """
    return _coverage(agent, GoldenTest.objects.filter(agent=agent, archived_at=None))


def coverage_of_run(eval_run: EvalRun) -> Coverage:
    """Return which of the agent's intents the tests of an eval run cover. Two queries at most.

    A test that was edited since counts as it is now.
    """
    tests = GoldenTest.objects.filter(results__eval_run=eval_run).distinct()
    return _coverage(eval_run.agent, tests)


def intent_of(text: str, intents: Iterable[Intent]) -> Intent | None:
    """Return the intent that a customer's first words are nearest to; None: they are of none."""
    among = list(intents)
    return _nearest(text, among, _known(among))


def _coverage(agent: Agent, tests: Any) -> Coverage:
    intents = list(Intent.objects.filter(agent=agent).order_by("-num_sessions", "name"))
    if not intents:
        return Coverage((), 0)
    known = _known(intents)
    counts = dict.fromkeys((intent.pk for intent in intents), 0)
    num_other = 0
    serving = tests.exclude(suite=GoldenTest.Suite.ADVERSARIAL)
    for _, run_input in serving.values_list("pk", "input"):
        nearest = _nearest(first_words(run_input), intents, known)
        if nearest is None:
            num_other += 1
        else:
            counts[nearest.pk] += 1
    return Coverage(tuple(Covered(each, counts[each.pk]) for each in intents), num_other)


def _nearest(text: str, intents: list[Intent], known: Mapping[str, float]) -> Intent | None:
    words = words_in(text)
    best = max(
        ((likeness(words, each.terms, known), -number) for number, each in enumerate(intents)),
        default=(0.0, 0),
    )
    return intents[-best[1]] if best[0] >= LEAST_LIKENESS else None


def _known(intents: Iterable[Intent]) -> dict[str, float]:
    return {word: 1.0 for each in intents for word in each.terms}


def first_words(run_input: Mapping[str, Any]) -> str:
    """Return what a test's customer says first, as long as a session's title is."""
    said = (each["content"] for each in run_input["messages"] if each["role"] == "user")
    return str(next(said, ""))[:300]
