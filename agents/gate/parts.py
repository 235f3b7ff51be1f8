"""What a gate cuts its tests by beside suite, tags and severity: the customer's wish and language.

Noted when the gate begins: intents are grouped anew every day, and a part must not change its tests
between two looks.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from agents.golden.coverage import first_words, intent_of
from agents.golden.languages import LANGUAGES, language_of
from agents.models import Agent, EvalRun, GoldenTest, Intent

PARTS = "parts"
"""Key in the options of a gate's candidate run: `{slug: {intent, language}}`, what is known."""


def note_parts(*, eval_run: EvalRun, tests: Iterable[GoldenTest]) -> None:
    """Keep of which intent and language each test is, in a transaction. One query, and one more."""
    eval_run.options = {**eval_run.options, PARTS: parts_of(eval_run.agent, tests)}
    eval_run.save(update_fields=["options"])


def parts_of(agent: Agent, tests: Iterable[GoldenTest]) -> dict[str, dict[str, str]]:
    """Return intent and language of each test by its slug; what cannot be told is left out.

    An attack is of no intent: it borrows a customer's words. One query.
    """
    intents = list(Intent.objects.filter(agent=agent).order_by("pk"))
    return {test.slug: _parts(test, intents) for test in tests}


def _parts(test: GoldenTest, intents: list[Intent]) -> dict[str, str]:
    found = {}
    is_attack = test.suite == GoldenTest.Suite.ADVERSARIAL
    if not is_attack and (intent := intent_of(first_words(test.input), intents)):
        found["intent"] = intent.name
    if language := language_of(_said(test.input)):
        found["language"] = LANGUAGES[language]
    return found


def _said(run_input: Mapping[str, Any]) -> str:
    """Return all that the customer says in a test."""
    given = [each["content"] for each in run_input["messages"] if each["role"] == "user"]
    return " ".join([*given, *run_input.get("turns", ())])
