"""Taking a person's words out of golden tests: whole tests, or all but their present content."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pgtrigger
from django.apps import apps
from django.db.models import F, QuerySet

from agents.golden.content import FIELDS
from agents.models import EvalResult, EvalRun, Gate, GoldenTest, GoldenTestVersion, Run
from traces.erasure import ERASED, blank_events
from traces.errors import ErasureError
from traces.retention import delete_sessions

_NO_JSON = f"'\"{ERASED}\"'::jsonb"
_NO_TITLE = f"'({ERASED})'"
_PARTS = ("input", "fixtures", "checks", "expectations", "customer", "rules")

# Blanks what the trail of approvals says of these sessions.
BlankApprovals = Callable[[Sequence[uuid.UUID]], int]


@dataclass(frozen=True)
class WordsLeft:
    """What a golden test made of a person's session says now, beside what was recorded.

    Attributes:
        num_said: The customer's messages, turns included.
        num_said_same: Of them, those that are word for word as in the first version.
        num_fixtures: Recorded results, and answers by rule.
        num_fixtures_same: Of them, those that are as in the first version.
    """

    test: GoldenTest
    num_said: int
    num_said_same: int
    num_fixtures: int
    num_fixtures_same: int

    @property
    def is_rewritten(self) -> bool:
        """Say whether somebody has rewritten what the customer says."""
        return self.num_said_same < self.num_said or not self.num_said


def tests_of(sessions: Sequence[uuid.UUID]) -> QuerySet[GoldenTest]:
    """Return the tests that were made of these sessions, archived ones too."""
    return GoldenTest.objects.filter(source_session__in=sessions).order_by("title", "pk")


def words_of(tests: Sequence[GoldenTest]) -> list[WordsLeft]:
    """Return what each test still says as it was recorded. One query."""
    firsts = {
        version.test_id: version.content
        for version in GoldenTestVersion.objects.filter(test__in=tests).order_by("-number")
    }
    return [_words(test, firsts.get(test.pk)) for test in tests]


def clear_old_versions(
    tests: Sequence[GoldenTest], *, blank_approvals: BlankApprovals
) -> dict[str, int]:
    """Take what a person said out of all but the tests' present content; return counts by name.

    The rows of old versions stay, with a mark in place of their content, and so do the lines of
    the trail. Runs of old versions are deleted with their sessions and results.

    Raises:
        ErasureError: What the customer says in a test was never rewritten, or an old version of
            it is being run.
    """
    for words in words_of(tests):
        if not words.is_rewritten:
            raise ErasureError(
                f"The golden test “{words.test.title}” still says every word of the customer: "
                "rewrite what they say, and what its fixtures tell of them, or delete the test."
            )
    old = EvalResult.objects.filter(test__in=tests).exclude(test_hash=F("test__content_hash"))
    runs = Run.objects.filter(eval_result__in=old)
    if runs.filter(status__in=Run.OPEN).exists():
        raise ErasureError(
            "An old version of these golden tests is being run. Cancel its eval run or let it end, "
            "then delete."
        )
    counts = {"golden_tests_kept": len(tests), "golden_test_runs": runs.count()}
    for test in tests:
        names = {test.slug: test.slug, **dict.fromkeys(_old_titles(test), ERASED)}
        _blank_proof(old.filter(test=test), names)
    sessions = list(runs.values_list("session_id", flat=True))
    blank_approvals(sessions)
    EvalResult.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()
    delete_sessions(sessions)
    with pgtrigger.ignore("agents.GoldenTestVersion:immutable"):
        versions = GoldenTestVersion.objects.filter(test__in=tests)
        counts["golden_test_versions"] = versions.exclude(number=F("test__number")).update(
            content=dict.fromkeys(FIELDS, ERASED)
        )
    for test in tests:
        _blank_old_events(test)
    return counts


def delete_tests(tests: Sequence[GoldenTest], *, blank_approvals: BlankApprovals) -> int:
    """Delete tests with their runs' sessions and results; return how many runs."""
    keys = [test.pk for test in tests]
    results = EvalResult.objects.filter(test__in=keys)
    runs = Run.objects.filter(eval_result__in=results)
    num_runs = runs.count()
    sessions = list(runs.values_list("session_id", flat=True))
    blank_approvals(sessions)
    _blank_proof(results, {name: ERASED for test in tests for name in (test.title, test.slug)})
    results.delete()
    delete_sessions(sessions)
    GoldenTest.objects.filter(pk__in=keys).delete()
    blank_events(
        "agents_goldentestevent",
        {
            "slug": "'erased'",
            "title": _NO_TITLE,
            **dict.fromkeys(_PARTS, _NO_JSON),
            "reason": "''",
            "quarantine_reason": "''",
        },
        "pgh_obj_id = ANY(%s)",
        [keys],
    )
    return num_runs


def _words(test: GoldenTest, first: dict[str, Any] | None) -> WordsLeft:
    said, fixtures = _said(test.input), [*test.fixtures, *test.rules]
    # A test without a version was never changed since it was made.
    before = {"input": test.input, "fixtures": fixtures, "rules": []} if first is None else first
    said_before = _said(before["input"])
    recorded = [*before["fixtures"], *before.get("rules", [])]
    return WordsLeft(
        test=test,
        num_said=len(said),
        num_said_same=sum(each in said_before for each in said),
        num_fixtures=len(fixtures),
        num_fixtures_same=sum(each in recorded for each in fixtures),
    )


def _said(run_input: Any) -> list[str]:
    """Return what the customer says; nothing of a content that was erased before."""
    if not isinstance(run_input, dict):
        return []
    messages = run_input.get("messages", [])
    said = [each.get("content") or "" for each in messages if each.get("role") == "user"]
    return [*said, *run_input.get("turns", [])]


def _old_titles(test: GoldenTest) -> set[str]:
    events = apps.get_model("agents", "GoldenTestEvent")._default_manager.filter(pgh_obj=test.pk)
    return {*events.exclude(title=test.title).values_list("title", flat=True)}


def _blank_old_events(test: GoldenTest) -> None:
    """Leave in a test's lines of the trail what it still says, and who did what and when."""
    blank_events(
        "agents_goldentestevent",
        dict.fromkeys(_PARTS, _NO_JSON),
        "pgh_obj_id = %s AND content_hash <> %s",
        [test.pk, test.content_hash],
    )
    for name, blank in (("title", _NO_TITLE), ("reason", "''"), ("quarantine_reason", "''")):
        blank_events(
            "agents_goldentestevent",
            {name: blank},
            f"pgh_obj_id = %s AND {name} <> %s",
            [test.pk, getattr(test, name)],
        )


def _blank_proof(results: QuerySet[EvalResult], names: Mapping[str, str]) -> None:
    """Take names of tests, and what was found in these runs of them, out of runs and gates."""
    eval_runs = EvalRun.objects.filter(results__in=results).distinct()
    for gate in Gate.objects.filter(candidate_run__in=eval_runs):
        gate.result, gate.sentence = _without(gate.result, names), _without(gate.sentence, names)
        gate.save(update_fields=["result", "sentence"])
    for eval_run in eval_runs:
        eval_run.options = _without(eval_run.options, names)
        eval_run.ended_because = _without(eval_run.ended_because, names)
        eval_run.save(update_fields=["options", "ended_because"])


def _without(value: Any, names: Mapping[str, str]) -> Any:
    """Return a value without names that stand alone or in quotes, and what is said of them."""
    if isinstance(value, dict):
        kept = {names.get(name, name): _without(item, names) for name, item in value.items()}
        return {**kept, "found": ""} if value.get("key") in names and "found" in value else kept
    if isinstance(value, list):
        return [_without(item, names) for item in value]
    if isinstance(value, str) and any(f"“{name}”" in value for name in names):
        return ERASED
    return names.get(value, value) if isinstance(value, str) else value
