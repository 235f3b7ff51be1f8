"""Gates on the desk: asked for, under way, decided, listed; and who may do what."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agents.gate.config import GateConfig
from agents.gate.run import cancel_gate, settle_gates
from agents.models import Agent, EvalResult, EvalRun, Gate
from reviewdesk.people.roles import Role
from reviewdesk.screens.golden.gate_chart import forest
from reviewdesk.screens.golden.gate_pages import cost_lines
from tests.factories import client_as, make_project, make_user, make_version, sign_in
from tests.gate import answer, begin_gate, decided, make_sound_test, many, one_test, repeats
from tests.shop import make_shop_agent, make_shop_version

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
RESTORE = {**HTMX, "HX-History-Restore-Request": "true"}


def url(name: str, agent: Agent, *args: Any) -> str:
    return reverse(f"golden:{name}", args=[agent.project.slug, *args])


def page(agent: Agent, address: str, role: str = Role.ENGINEER, **headers: str) -> str:
    response = client_as(role, agent.project).get(address, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def post(agent: Agent, address: str, role: str = Role.ENGINEER, **data: Any) -> HttpResponse:
    return client_as(role, agent.project).post(address, data)


def ended(now: Any, before: Any, num_tests: int = 6) -> tuple[Agent, Gate]:
    """Run a gate to its end on these answers."""
    agent, gate = begin_gate(num_tests=num_tests)
    for _ in range(5):
        answer(gate, now, before)
        settle_gates()
    gate.refresh_from_db()
    assert gate.status != Gate.Status.RUNNING
    return agent, gate


# one gate


def test_gate_is_a_page_a_fragment_and_a_page_again_on_history_restore() -> None:
    agent, gate = ended("ppp", "fff")
    for headers, is_page in (({}, True), (HTMX, False), (RESTORE, True)):
        text = page(agent, url("gate", agent, gate.pk), **headers)
        assert ("<html" in text) is is_page
        assert gate.sentence in text


def test_passed_gate_shows_interval_power_moved_tests_and_rules() -> None:
    agent, gate = ended("ppp", "fff")
    text = page(agent, url("gate", agent, gate.pk))
    assert "margin \N{MINUS SIGN}5" in text
    assert "could have seen a drop of" in text
    assert "6 better · 0 worse · 0 flaky · 0 same" in text
    assert "0/3 → 3/3" in text
    assert "the defaults" in text
    assert "every 2s" not in text


def test_flaky_test_that_moved_is_counted_once() -> None:
    agent, gate = ended(["ppf", "ppf", "ppf", "ppp"], ["pff", "pff", "ppf", "ppp"], num_tests=4)
    text = page(agent, url("gate", agent, gate.pk))
    assert "2 better · 0 worse · 1 flaky · 1 same" in text


def test_gate_that_breaks_a_critical_test_fails_and_names_it() -> None:
    agent, gate = begin_gate(num_tests=1)
    cancel_gate(gate=gate, by=make_user())
    make_sound_test(agent, 2, is_critical=True, title="Never refunds twice")
    response = post(agent, url("start_gate", agent), version=gate.candidate_id)
    gate = Gate.objects.exclude(pk=gate.pk).get()
    assert response["Location"] == url("gate", agent, gate.pk)
    for _ in range(4):
        answer(gate, ["ppp", "pppppf"], "ppp")
        settle_gates()
    gate.refresh_from_db()
    text = page(agent, url("gate", agent, gate.pk))
    assert "Never refunds twice" in text
    assert "Critical tests" in text


def test_running_gate_asks_again_and_says_that_nothing_is_decided() -> None:
    agent, gate = begin_gate(num_tests=2)
    first = EvalResult.objects.filter(eval_run=gate.candidate_run).first()
    assert first is not None
    first.status = EvalResult.Status.PASSED
    first.save(update_fields=["status"])
    text = page(agent, url("gate", agent, gate.pk))
    assert "every 2s" in text
    assert "1 of 6" in text
    assert "Nothing is decided before a look is complete" in text


def test_gate_for_a_person_says_so() -> None:
    agent, gate = ended(["ppp", "fff"], ["fff", "ppp"], num_tests=2)
    assert gate.status == Gate.Status.INCONCLUSIVE, gate.sentence
    assert "leaves this to a person" in page(agent, url("gate", agent, gate.pk))


def test_hard_finding_is_shown_escaped_with_how_often_it_was_seen() -> None:
    agent, gate = begin_gate(num_tests=2)
    gate.candidate_run.results.update(
        hard=[{"gate": "leak", "found": "<b>4111</b>", "span_id": ""}]
    )
    for _ in range(4):
        answer(gate, "ppp", "ppp")
        settle_gates()
    gate.refresh_from_db()
    text = page(agent, url("gate", agent, gate.pk))
    assert gate.status == Gate.Status.FAILED
    assert "&lt;b&gt;4111" in text
    assert "confirmed" in text


def test_void_gate_gives_the_reason() -> None:
    agent, gate = ended("eee", "eee", num_tests=2)
    assert gate.status == Gate.Status.VOID
    assert gate.sentence in page(agent, url("gate", agent, gate.pk))


def test_gate_page_asks_as_many_queries_for_many_tests_as_for_few() -> None:
    def num_queries(num_tests: int) -> int:
        agent, gate = ended("ppp", "fff", num_tests=num_tests)
        client = client_as(Role.ENGINEER, agent.project)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url("gate", agent, gate.pk)).status_code == 200
        return len(queries)

    assert num_queries(5) == num_queries(14) <= 25


# starting and cancelling


def test_form_says_what_a_gate_would_take() -> None:
    agent, _ = make_shop_agent()
    make_shop_version(agent)
    for number in (1, 2):
        make_sound_test(agent, number)
    text = page(agent, url("new_gate", agent))
    assert "runs 2 tests × 3 on both versions: 12 runs, time not known, cost not known." in text
    assert "2 runs, time not known" in text
    fragment = page(agent, url("new_gate", agent), **HTMX)
    assert "<html" not in fragment
    assert "gate-new-title" in fragment


def test_form_with_other_repeats_is_the_form_alone() -> None:
    agent, _ = make_shop_agent()
    make_sound_test(agent, 1)
    headers = {**HTMX, "HX-Target": "gate-form"}
    text = page(agent, f"{url('new_gate', agent)}?repeats=4", **headers)
    assert "gate-new-title" not in text
    assert "4 runs, time not known" in text
    assert "no other version" in text


def test_form_without_a_test_says_what_to_do() -> None:
    agent, _ = make_shop_agent()
    assert "promote a session first" in page(agent, url("new_gate", agent))


@pytest.mark.parametrize("values", [{}, {"version": "x"}, {"version": "0"}])
def test_invalid_start_is_refused_by_field(values: dict[str, str]) -> None:
    agent, _ = make_shop_agent()
    make_sound_test(agent, 1)
    response = post(agent, url("start_gate", agent), **values)
    assert response.status_code == 422
    assert b"Choose a version of this agent." in response.content
    assert not Gate.objects.exists()


def test_a_version_is_not_compared_with_itself() -> None:
    agent, version = make_shop_agent()
    make_sound_test(agent, 1)
    data = {"version": version.pk, "baseline": version.pk}
    response = post(agent, url("start_gate", agent), **data)
    assert response.status_code == 422
    assert b"is the same version" in response.content


def test_another_agents_version_is_no_choice() -> None:
    agent, _ = make_shop_agent()
    make_sound_test(agent, 1)
    response = post(agent, url("start_gate", agent), version=make_version().pk)
    assert response.status_code == 422


def test_start_that_is_refused_starts_nothing_and_says_why() -> None:
    agent, _ = make_shop_agent()
    candidate = make_shop_version(agent)
    response = post(agent, url("start_gate", agent), version=candidate.pk)
    assert response.status_code == 409
    assert b"no golden test" in response.content
    assert not EvalRun.objects.exists()


def test_gate_is_cancelled_once() -> None:
    agent, gate = begin_gate(num_tests=1)
    assert post(agent, url("cancel_gate", agent, gate.pk)).status_code == 303
    gate.refresh_from_db()
    assert gate.status == Gate.Status.CANCELLED
    again = post(agent, url("cancel_gate", agent, gate.pk))
    assert again.status_code == 409
    assert b"has ended already" in again.content


# the list


def test_list_shows_gates_newest_first_with_their_difference() -> None:
    agent, gate = ended("ppp", "fff")
    text = page(agent, url("gates", agent))
    assert gate.sentence in text
    assert "+100.0 (" in text
    assert "<html" not in page(agent, url("gates", agent), **HTMX)


def test_empty_list_says_what_a_gate_is() -> None:
    agent, _ = make_shop_agent()
    assert "No gate for shop yet" in page(agent, url("gates", agent))
    project = make_project()
    response = client_as(Role.VIEWER, project).get(reverse("golden:gates", args=[project.slug]))
    assert b"No agent yet" in response.content


def test_list_asks_as_many_queries_for_many_gates_as_for_few() -> None:
    def num_queries(num_gates: int) -> int:
        agent, gate = ended("ppp", "fff", num_tests=5)
        runs = [gate.candidate_run, gate.baseline_run]
        for _ in range(num_gates - 1):
            for run in runs:
                run.pk = None
                run.save()
            Gate.objects.create(
                agent=agent,
                candidate=gate.candidate,
                baseline=gate.baseline,
                candidate_run=runs[0],
                baseline_run=runs[1],
                config=gate.config,
                seed=1,
                status=gate.status,
                result=gate.result,
                requested_by=make_user(),
                finished_at=gate.finished_at,
            )
        client = client_as(Role.ENGINEER, agent.project)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url("gates", agent)).status_code == 200
        return len(queries)

    assert num_queries(1) == num_queries(6) <= 20


# who may


def test_stranger_and_member_of_another_project_find_no_gate() -> None:
    agent, gate = begin_gate(num_tests=1)
    for client in (sign_in(make_user()), client_as(Role.ADMIN, make_project())):
        assert client.get(url("gate", agent, gate.pk)).status_code == 404
    other, _ = make_shop_agent()
    own = client_as(Role.ADMIN, other.project)
    assert own.get(url("gate", other, gate.pk)).status_code == 404


def test_viewer_reads_gates_and_is_told_who_may_run_them() -> None:
    agent, gate = begin_gate(num_tests=1)
    text = page(agent, url("gate", agent, gate.pk), Role.VIEWER)
    assert "cancel-gate" not in text
    assert post(agent, url("cancel_gate", agent, gate.pk), Role.VIEWER).status_code == 403
    assert post(agent, url("start_gate", agent), Role.VIEWER).status_code == 403
    assert "takes the role" in page(agent, url("gates", agent), Role.VIEWER)


def test_wrong_methods_are_refused() -> None:
    agent, gate = begin_gate(num_tests=1)
    client = client_as(Role.ENGINEER, agent.project)
    assert client.get(url("start_gate", agent)).status_code == 405
    assert client.get(url("cancel_gate", agent, gate.pk)).status_code == 405
    assert client.post(url("gate", agent, gate.pk)).status_code == 405


# the picture and the costs


def test_picture_puts_zero_and_the_margin_where_the_axis_has_them() -> None:
    picture = forest(decided(*many(40, "ppp", "ppp")))
    assert picture is not None
    places = {int(text.replace("\N{MINUS SIGN}", "-")): x for x, text in picture.ticks}
    first, last = min(places), max(places)
    per_point = (places[last] - places[first]) / (last - first)
    assert picture.zero_x == places[0]
    assert picture.margin_x == pytest.approx(places[0] - 5 * per_point, abs=0.2)
    (bar,) = picture.bars
    assert bar.low_x < bar.x < bar.high_x
    assert bar.low_x >= 110
    assert bar.high_x <= 300


def test_picture_shows_the_worst_parts_and_how_many_are_left_out() -> None:
    tests = [
        test
        for number in range(10)
        for test in many(
            14, "ppp", "fff" if number == 3 else "ppp", f"s{number}", suite=f"s{number}"
        )
    ]
    picture = forest(decided(*tests))
    assert picture is not None
    assert [picture.bars[1].title, picture.bars[1].is_worse] == ["s3 14", True]
    assert picture.num_left_out == 2


def test_there_is_no_picture_where_nothing_was_compared() -> None:
    assert forest(decided(one_test("eee", "eee"))) is None


def test_costs_stand_beside_their_ceilings() -> None:
    values = {"latencies_ms": (1000.0,) * 3}
    test = replace(
        one_test("ppp", "ppp"),
        before=repeats("ppp", costs_usd=(0.01,) * 3, **values),
        now=repeats("ppp", costs_usd=(0.03,) * 3, **values),
    )
    run, passed, time = cost_lines(decided(test, config=GateConfig(max_latency_seconds=30)))
    assert run.change == pytest.approx(2.0)
    assert passed.now == pytest.approx(0.03)
    assert [text for _, text in run.limits] == ["+50 %"]
    assert [text for _, text in time.limits] == ["+100 %", "30 s"]
    assert time.change == 0
