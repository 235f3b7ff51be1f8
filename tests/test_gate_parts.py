"""What a gate cuts its tests by beside suite, tags and severity."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.gate.parts import PARTS, parts_of
from agents.gate.recorded import evidence_of
from agents.gate.results import evidence_from, read_results
from agents.models import Agent, Intent
from agents.tools.autonomy import database_now
from tests.gate import answer, begin_gate
from tests.golden import make_test
from tests.shop import make_shop_agent

pytestmark = pytest.mark.django_db


def saying(*texts: str) -> dict[str, Any]:
    first, *rest = texts
    return {"messages": [{"role": "user", "content": first}], "turns": rest}


def make_intent(agent: Agent, name: str, *words: str) -> Intent:
    return Intent.objects.create(
        agent=agent, name=name, terms=dict.fromkeys(words, 1.0), num_sessions=9, num_sampled=20,
        counted_at=database_now(),
    )  # fmt: skip


def test_test_is_of_the_intent_and_language_of_what_its_customer_says() -> None:
    agent, _ = make_shop_agent()
    make_intent(agent, "cancel an order", "cancel", "order")
    make_intent(agent, "Rechnung", "rechnung", "kopie")
    tests = [
        make_test(agent, input=saying("Cancel my order", "Yes, please do that now for me.")),
        make_test(agent, input=saying("Ich brauche bitte eine Kopie der Rechnung")),
        make_test(agent, input=saying("?")),
    ]
    assert parts_of(agent, tests) == {
        "test-1": {"intent": "cancel an order", "language": "English"},
        "test-2": {"intent": "Rechnung", "language": "German"},
        "test-3": {},
    }


def test_attack_is_of_no_intent() -> None:
    agent, _ = make_shop_agent()
    make_intent(agent, "cancel an order", "cancel", "order")
    attack = make_test(agent, suite="adversarial", input=saying("Cancel my order"))
    assert "intent" not in parts_of(agent, [attack])["test-1"]


def test_parts_take_as_many_queries_for_many_tests_as_for_few() -> None:
    agent, _ = make_shop_agent()
    tests = [make_test(agent) for _ in range(6)]
    for chosen in (tests[:1], tests):
        with CaptureQueriesContext(connection) as queries:
            parts_of(agent, chosen)
        assert len(queries) == 1


def test_gate_keeps_the_parts_as_they_were_when_it_began() -> None:
    agent, gate = begin_gate(2)
    gate.candidate_run.refresh_from_db()
    assert set(gate.candidate_run.options[PARTS]) == {"test-1", "test-2"}
    gate.candidate_run.options[PARTS]["test-1"] = {"intent": "a wish", "language": "English"}
    gate.candidate_run.save(update_fields=["options"])
    make_intent(agent, "another", "cancel", "order")
    answer(gate, "ppp", "ppp")
    first = evidence_of(gate).tests[0]
    assert (first.intent, first.language, first.severity) == ("a wish", "English", "major")


def test_rows_made_elsewhere_may_name_their_parts(tmp_path: Any) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(
        '{"test": "a", "passed": true, "severity": "critical", "intent": "refund", '
        '"language": "German"}\n'
    )
    rows = read_results(file)
    [test] = evidence_from(baseline=("a", rows), candidate=("b", rows)).tests
    assert (test.severity, test.intent, test.language) == ("critical", "refund", "German")
