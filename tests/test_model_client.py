"""One model call: what headers ask for, how long it may take, and what its answer must be."""

import math
import threading
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import ModelRefusedError, ModelUnavailableError
from agents.llm.client import complete
from agents.llm.routing import Endpoint
from agents.llm.waits import duration_seconds, wait_seconds
from tests.model_server import Reply, model_server

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def ask(base_url: str, timeout_seconds: float = 5.0):
    return complete(
        endpoint=Endpoint(base_url, "key"),
        model="test-model",
        messages=[{"role": "user", "content": "Hello"}],
        tools=[],
        parameters={},
        timeout_seconds=timeout_seconds,
    )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}, 30),
        (
            {
                "retry-after": "Sat, 21 Nov 2026 12:00:30 GMT",
                "date": "Sat, 21 Nov 2026 12:00:10 GMT",
            },
            20,
        ),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"x-ratelimit-reset-requests": "1s"}, 1),
        ({"x-ratelimit-reset-requests": "20ms", "x-ratelimit-reset-tokens": "6m0s"}, 360),
        (
            {
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1h",
                "x-ratelimit-reset-tokens": "3s",
            },
            3,
        ),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"}, 90),
        ({"retry-after": "2", "x-ratelimit-reset-tokens": "6m0s"}, 2),
    ],
)
def test_headers_say_how_long_to_wait(headers, seconds):
    assert wait_seconds(headers, now=NOW, is_rate_limit=True) == seconds


def test_limits_are_on_every_answer_and_say_nothing_of_other_failures():
    headers = {"x-ratelimit-reset-requests": "1h"}
    assert wait_seconds(headers, now=NOW, is_rate_limit=False) is None
    assert wait_seconds({"retry-after": "4"}, now=NOW, is_rate_limit=False) == 4


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("1d", 86_400),
        ("12", 12),
        ("", None),
        (None, None),
        ("1 s", None),
        ("s", None),
        ("1x", None),
        ("5s-3s", None),
    ],
)
def test_durations_are_read(text, seconds):
    assert duration_seconds(text) == (pytest.approx(seconds) if seconds is not None else None)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "retry-after",
                "retry-after-ms",
                "date",
                "x-ratelimit-reset-requests",
                "x-ratelimit-reset-tokens",
                "x-ratelimit-remaining-requests",
            ]
        ),
        st.text(max_size=120),
    )
)
def test_whatever_headers_say_the_wait_is_a_number_of_seconds_or_unknown(headers):
    seconds = wait_seconds(headers, now=NOW, is_rate_limit=True)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_a_written_duration_is_read_back(hours, minutes, seconds, milliseconds):
    text = f"{hours}h{minutes}m{seconds}s{milliseconds}ms"
    expected = hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    assert duration_seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_may_pass_may_be_tried_again(status):
    with model_server((status, "busy")) as server, pytest.raises(ModelUnavailableError) as caught:
        ask(server.base_url)
    assert str(caught.value) == f"The model 'test-model' answered with {status}: busy"
    assert caught.value.is_rate_limit is (status == 429)


def test_a_rate_limit_says_when_to_come_back():
    reply = Reply((429, "slow down"), headers={"retry-after-ms": "2500"})
    with model_server(reply) as server, pytest.raises(ModelUnavailableError) as caught:
        ask(server.base_url)
    assert caught.value.retry_after == 2.5


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_what_will_not_pass_is_refused(status):
    with model_server((status, "no")) as server, pytest.raises(ModelRefusedError, match="no"):
        ask(server.base_url)


def test_an_answer_that_takes_too_long_is_given_up():
    with (
        model_server(Reply("Late.", delay_seconds=0.6)) as server,
        pytest.raises(ModelUnavailableError, match=r"did not answer within 0\.2 s"),
    ):
        ask(server.base_url, timeout_seconds=0.2)


def test_an_answer_that_drips_is_given_up_in_time():
    with (
        model_server(Reply("Slow. " * 50, drip_seconds=0.1)) as server,
        pytest.raises(ModelUnavailableError, match=r"did not answer within 0\.4 s"),
    ):
        ask(server.base_url, timeout_seconds=0.4)


def test_a_connection_that_breaks_in_the_middle_may_be_tried_again():
    with (
        model_server(Reply("Hello.", is_cut=True)) as server,
        pytest.raises(ModelUnavailableError, match="cannot be reached"),
    ):
        ask(server.base_url)


def test_nobody_there_may_be_tried_again():
    with pytest.raises(ModelUnavailableError, match="cannot be reached"):
        ask("http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"7",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [null]}',
        b'{"choices": [{"message": "x"}]}',
        b'{"choices": [{"message": {"content": " "}}]}',
        b'{"choices": [{"message": {"tool_calls": [7, {"function": 3}]}}]}',
        b"\xff\xfe",
    ],
)
def test_an_answer_that_cannot_be_used_is_refused_in_words(body):
    with model_server(body) as server, pytest.raises(ModelRefusedError, match="test-model"):
        ask(server.base_url)


def test_an_empty_answer_says_what_it_used():
    with model_server("  ") as server, pytest.raises(ModelRefusedError) as caught:
        ask(server.base_url)
    assert caught.value.usage
    assert caught.value.usage.input_tokens == 100


def test_the_name_in_the_answer_is_kept_for_its_price():
    with model_server(Reply("Hello.", model="test-model-2026-01-01")) as server:
        answer = ask(server.base_url)
    assert (answer.content, answer.model) == ("Hello.", "test-model-2026-01-01")
    assert (answer.input_tokens, answer.output_tokens) == (100, 10)


def test_arguments_that_are_nested_without_end_are_no_call():
    deep: dict[str, object] = {}
    for _ in range(300):
        deep = {"a": deep}
    with model_server([("look", deep), ("look", {"a": 1})]) as server:
        calls = ask(server.base_url).tool_calls
    assert [call.arguments for call in calls] == [None, {"a": 1}]


@pytest.mark.slow
def test_many_calls_at_once_wait_for_no_connection():
    answers = []
    with model_server("Hello.", delay_seconds=0.5) as server:
        threads = [
            threading.Thread(target=lambda: answers.append(ask(server.base_url, 30)))
            for _ in range(100)
        ]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answers) == 100
    assert time.monotonic() - began < 15, "one after the other they would take 50 s"
