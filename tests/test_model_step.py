"""Attempts of a model call: what follows one that failed, and what each leaves behind."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.config import Limits, VersionConfig
from agents.models import Run, Spend
from agents.runtime.loop import advance
from agents.runtime.model_attempts import (
    MAX_ATTEMPTS,
    FailedAttempt,
    Kind,
    next_attempt,
)
from agents.runtime.start import start_run
from agents.tools.autonomy import database_now
from reviewdesk.people.roles import Role
from tests.factories import client_as
from tests.model_server import Reply, model_server
from tests.shop import LOOK, make_shop_agent, make_shop_version
from traces.models import ModelPrice, Span

ALONE = VersionConfig(system_prompt="Be kind.", model="first")
PAIR = replace(ALONE, fallback_model="second")
NOW = 1_000.0


def failed(
    model: str = "first", kind: Kind = Kind.UNAVAILABLE, wait: float = 0.0, at: float = NOW
) -> FailedAttempt:
    return FailedAttempt(model, kind, f"{model} failed", wait, at)


def after(config: VersionConfig, *attempts: FailedAttempt, now: float = NOW) -> Any:
    found = next_attempt(config, attempts, now=now, jitter=lambda most: most)
    return found and (found.model, found.wait_seconds)


def test_a_model_alone_is_asked_again_after_a_backoff_that_grows():
    assert after(ALONE, failed()) == ("first", 1)
    assert after(ALONE, *[failed()] * 4) == ("first", 8)
    assert after(ALONE, *[failed()] * MAX_ATTEMPTS) is None


def test_the_fallback_is_asked_at_once_and_then_both_in_turn():
    attempts = [failed("first")]
    asked = []
    while found := after(PAIR, *attempts):
        asked.append(found)
        attempts.append(failed(found[0]))
    assert asked == [("second", 0), ("first", 1), ("second", 1), ("first", 2), ("second", 2)]


def test_a_short_rate_limit_is_waited_for_and_a_second_one_falls_back():
    limited = failed(kind=Kind.RATE_LIMIT, wait=5)
    assert after(PAIR, limited) == ("first", 6), "five seconds, and a second to spread the runs"
    assert after(PAIR, limited, limited) == ("second", 0)


def test_a_long_rate_limit_falls_back_at_once():
    assert after(PAIR, failed(kind=Kind.RATE_LIMIT, wait=300)) == ("second", 0)


def test_a_model_that_is_limited_for_long_is_not_asked_in_turn():
    limited = failed(kind=Kind.RATE_LIMIT, wait=300)
    assert after(PAIR, limited, failed("second")) == ("second", 1)


def test_a_wait_is_counted_from_when_it_was_asked_for():
    limited = failed(kind=Kind.RATE_LIMIT, wait=10)
    assert after(ALONE, limited, now=NOW + 4) == ("first", 7)


def test_a_refusal_is_not_repeated_but_falls_back_once():
    refused = failed(kind=Kind.REFUSED)
    assert after(ALONE, refused) is None
    assert after(PAIR, refused) == ("second", 0)
    assert after(PAIR, refused, failed("second")) == ("second", 1)
    assert after(PAIR, refused, failed("second", Kind.REFUSED)) is None


def test_an_endpoint_that_wants_over_an_hour_is_taken_for_away():
    assert after(ALONE, failed(kind=Kind.RATE_LIMIT, wait=4_000)) is None
    assert after(ALONE, failed(wait=1e300)) is None


ATTEMPT = st.tuples(
    st.sampled_from(["first", "second"]),
    st.sampled_from(Kind),
    st.integers(0, 10**6),
    st.integers(0, 100),
)


@given(st.lists(ATTEMPT, min_size=1, max_size=7), st.sampled_from([0.0, 0.5, 1.0]))
def test_no_endpoint_is_asked_before_the_time_it_named(drawn, share):
    attempts = [failed(model, kind, wait, NOW - ago) for model, kind, wait, ago in drawn]
    found = next_attempt(PAIR, attempts, now=NOW, jitter=lambda most: most * share)
    if found:
        own = [each for each in attempts if each.model == found.model]
        assert all(NOW + found.wait_seconds >= each.failed_at + each.asked_wait for each in own)
        assert not any(each.kind is Kind.REFUSED for each in own)
        assert found.wait_seconds <= 3_601


def start(base_url: str, **config: Any) -> Run:
    agent, _ = make_shop_agent(base_url)
    version = make_shop_version(agent, **config)
    run_input = {"messages": [{"role": "user", "content": "Where is #T1?"}]}
    return start_run(agent=agent, version=version, run_input=run_input)


def model_spans(run: Run) -> list[Span]:
    return list(Span.objects.filter(session=run.session, kind="model").order_by("start_ns"))


def make_due(run: Run) -> None:
    Run.objects.filter(pk=run.pk, status="queued").update(next_at=run.created_at)


@pytest.mark.django_db
def test_a_failed_call_falls_back_at_once_and_the_next_step_begins_with_the_first_model():
    with model_server((503, "busy"), [LOOK], "Pending.") as server:
        run = start(server.base_url, fallback_model="spare-model")
        advance(run.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.COMPLETED
    asked = [request["model"] for request in server.requests]
    assert asked == ["test-model", "spare-model", "test-model"]
    first, second, third = model_spans(run)
    assert (first.status, first.attributes["will_retry"]) == ("error", True)
    assert first.attributes["next_model"] == "spare-model"
    assert (second.model, second.attributes["fallback"]) == ("spare-model", "model")
    assert (second.attributes["attempt"], "503" in second.attributes["because"]) == (2, True)
    assert "attempt" not in third.attributes


@pytest.mark.django_db
def test_each_attempt_has_its_own_latency():
    replies = [Reply((503, "busy"), delay_seconds=0.3), "Hello."]
    with model_server(*replies) as server:
        run = start(server.base_url, fallback_model="spare-model")
        advance(run.pk)
    first, second = model_spans(run)
    assert first.duration_ns >= 3e8
    assert second.duration_ns < 3e8
    assert second.start_ns >= first.start_ns + first.duration_ns
    run.session.refresh_from_db()
    assert run.session.working_ns >= 3e8, "time spent on an attempt that failed is worked too"


@pytest.mark.django_db
def test_a_timeout_falls_back():
    with model_server(Reply("Late.", delay_seconds=1.3), "Hello.") as server:
        run = start(
            server.base_url,
            fallback_model="spare-model",
            limits=Limits(model_timeout_seconds=1),
        )
        advance(run.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.COMPLETED
    assert "did not answer within 1 s" in model_spans(run)[0].status_message


@pytest.mark.django_db
def test_a_rate_limit_is_waited_for_without_a_worker_and_never_shortened():
    limited = Reply((429, "slow down"), headers={"retry-after": "15"})
    with model_server(limited, "Hello.") as server:
        run = start(server.base_url, fallback_model="spare-model")
        before = database_now()
        advance(run.pk)
        run.refresh_from_db()
        assert (run.status, run.claimed_by) == (Run.Status.QUEUED, "")
        assert run.next_at
        assert run.next_at >= before + timedelta(seconds=15)
        assert not advance(run.pk), "not before its time"
        make_due(run)
        advance(run.pk)
    assert [request["model"] for request in server.requests] == ["test-model", "test-model"]
    run.refresh_from_db()
    assert (run.status, run.num_retries) == (Run.Status.COMPLETED, 0)


@pytest.mark.django_db
def test_a_refusal_falls_back_once():
    with model_server((400, "too long"), (400, "too long")) as server:
        run = start(server.base_url, fallback_model="spare-model")
        advance(run.pk)
    run.refresh_from_db()
    assert (run.status, run.failure) == (Run.Status.FAILED, Run.Failure.MODEL)
    assert [request["model"] for request in server.requests] == ["test-model", "spare-model"]
    assert [span.attributes["will_retry"] for span in model_spans(run)] == [True, False]


@pytest.mark.django_db
def test_both_models_away_ends_the_run_after_six_attempts():
    with model_server((500, "down")) as server:
        run = start(server.base_url, fallback_model="spare-model")
        for _ in range(8):
            make_due(run)
            advance(run.pk)
    run.refresh_from_db()
    assert (run.status, len(server.requests)) == (Run.Status.FAILED, MAX_ATTEMPTS)
    assert [request["model"] for request in server.requests] == ["test-model", "spare-model"] * 3


@pytest.mark.django_db
def test_a_fallbacks_answer_costs_what_its_own_model_costs():
    with model_server((503, "busy"), "Hello.") as server:
        run = start(server.base_url, fallback_model="spare-model")
        for model, price in (("test-model", 1000), ("spare-model", 1)):
            ModelPrice.objects.create(
                project=run.project,
                pattern=model,
                starts_on=database_now().date(),
                input_usd=price,
                output_usd=price,
            )
        advance(run.pk)
    assert run.steps.get().cost_usd == Decimal("0.00011")
    assert Spend.objects.get().cost_usd == Decimal("0.00011")


@pytest.mark.django_db
def test_an_answer_that_cannot_be_used_counts_what_it_used():
    with model_server(" ", "Hello.") as server:
        run = start(server.base_url, fallback_model="spare-model")
        advance(run.pk)
    first, _ = model_spans(run)
    assert (first.status, first.input_tokens) == ("error", 100)
    spend = Spend.objects.get()
    assert (spend.tokens, spend.steps, spend.runs, spend.num_unpriced) == (220, 1, 1, 2)


@pytest.mark.django_db
def test_cancelling_between_two_attempts_asks_no_other_model():
    with model_server((503, "busy")) as server:
        run = start(server.base_url)
        advance(run.pk)
        Run.objects.filter(pk=run.pk).update(cancel_requested_at=database_now())
        make_due(run)
        advance(run.pk)
    run.refresh_from_db()
    assert (run.status, len(server.requests)) == (Run.Status.CANCELLED, 1)
    assert all(span.status != "running" for span in model_spans(run))


@pytest.mark.django_db
def test_session_page_says_what_was_asked_after_an_attempt_that_failed():
    with model_server((503, "busy"), "Hello.") as server:
        run = start(server.base_url, fallback_model="spare-model")
        advance(run.pk)
    client = client_as(Role.VIEWER, run.project)
    page = client.get(f"/p/{run.project.slug}/sessions/{run.session_id}/").content.decode()
    assert "answered with 503: busy. Then spare-model was asked, at once." in page
