"""Evidence and gates for tests of the gate."""

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from agents.gate.config import GateConfig
from agents.gate.decide import decide
from agents.gate.decision import Decision
from agents.gate.evidence import Evidence, Repeats, TestEvidence
from agents.gate.run import start_gate
from agents.golden.content import hash_of
from agents.models import Agent, EvalResult, EvalRun, Gate, GoldenTest
from tests.factories import make_user
from tests.golden import make_test
from tests.shop import make_shop_agent, make_shop_version

_STATUS = {"p": "passed", "f": "failed", "e": "infra_error", "u": "not_judged"}


def repeats(word: str, **overrides: Any) -> Repeats:
    """Make repeats: p passed, f failed, e infrastructure error, u not judged."""
    values: dict[str, Any] = {
        "num_passed": word.count("p"),
        "num_judged": word.count("p") + word.count("f"),
        "num_infra": word.count("e"),
        "num_not_judged": word.count("u"),
    }
    return Repeats(**{**values, **overrides})


def one_test(before: str, after: str, key: str = "t", **overrides: Any) -> TestEvidence:
    """Make a test's evidence from two such words; overrides are its fields."""
    values: dict[str, Any] = {
        "key": key,
        "title": key,
        "before": repeats(before),
        "now": repeats(after),
    }
    return TestEvidence(**{**values, **overrides})


def many(num: int, before: str, now: str, name: str = "t", **overrides: Any) -> list[TestEvidence]:
    """Make so many tests that all went the same way."""
    return [one_test(before, now, f"{name}-{n:03d}", **overrides) for n in range(num)]


def evidence(*tests: TestEvidence, looks: tuple[int, ...] = (3,), **overrides: Any) -> Evidence:
    return Evidence("v1", "v2", tests, looks=looks, seed=7, **overrides)


def decided(*tests: TestEvidence, config: GateConfig | None = None, **overrides: Any) -> Decision:
    """Decide on these tests by the defaults, or by `config`."""
    return decide(evidence(*tests, **overrides), config or GateConfig())


def begin_gate(
    num_tests: int = 2, by: AbstractBaseUser | None = None, **overrides: Any
) -> tuple[Agent, Gate]:
    """Start a gate of a second version over so many tests of a tiny shop."""
    agent, _ = make_shop_agent()
    candidate = make_shop_version(agent)
    for number in range(1, num_tests + 1):
        make_sound_test(agent, number)
    return agent, start_gate(candidate=candidate, by=by or make_user(), seed=7, **overrides)


def make_sound_test(agent: Agent, number: int, **overrides: Any) -> GoldenTest:
    """Make a test whose hash is that of its content, as an edit would leave it."""
    turns = {"messages": [{"role": "user", "content": f"Cancel order {number}"}], "turns": []}
    values: dict[str, Any] = {"input": turns, **overrides}
    test = make_test(agent, **values)
    test.content_hash = hash_of(
        {name: getattr(test, name) for name in ("input", "fixtures", "checks")}
    )
    test.save(update_fields=["content_hash"])
    return test


def answer(gate: Gate, now: str | list[str], before: str | list[str]) -> None:
    """Judge what a gate waits for, without running it.

    A word has a letter per repeat and begins anew where it ends; a list has a word per test in
    the order of their slugs, one word is for all.
    """
    gate.refresh_from_db()
    _answer(gate.candidate_run, now)
    _answer(gate.baseline_run, before)


def _answer(eval_run: EvalRun, words: str | list[str]) -> None:
    slugs = sorted(set(eval_run.results.values_list("test__slug", flat=True)))
    by_test = (
        dict.fromkeys(slugs, words)
        if isinstance(words, str)
        else dict(zip(slugs, words, strict=True))
    )
    pending = eval_run.results.filter(status=EvalResult.Status.PENDING).select_related("test")
    for result in pending:
        word = str(by_test[result.test.slug])
        letter = word[(result.repeat - 1) % len(word)]
        result.status = _STATUS[letter]
        if letter not in "eu":
            passed = letter == "p"
            result.checks = [
                {"kind": "tool_called", "title": "calls", "passed": passed, "found": ""}
            ]
        result.save(update_fields=["status", "checks"])
