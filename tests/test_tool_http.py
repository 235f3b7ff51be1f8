"""HTTP tools: requests made from arguments, and answers judged."""

from pathlib import Path
from typing import Any

import pytest

from agents.errors import ToolUnavailableError
from agents.tools import http
from agents.tools.contract import ToolError
from agents.tools.hosts import HostRules
from agents.tools.http import Sender
from agents.tools.http_answers import MAX_ANSWER
from tests.tool_server import ToolServer, tool_server

PAY = {
    "method": "POST",
    "path": "/keyed",
    "places": {"amount": {"in": "body", "name": "amount"}},
    "key": {"in": "header", "name": "Idempotency-Key"},
    "lookup": "/lookup/{key}",
}


def sender(till: ToolServer) -> Sender:
    return Sender("pay", HostRules((till.base_url.removeprefix("http://"),)))


def call(till: ToolServer, request: dict[str, Any], seconds: float = 5, **arguments: Any) -> Any:
    return http.call(
        sender=sender(till),
        request={"url": till.base_url, **request},
        arguments=arguments,
        effect_key="run:3",
        timeout_seconds=seconds,
    )


def test_key_is_the_same_at_every_attempt_and_the_effect_is_one(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        first, second = call(till, PAY, amount=3), call(till, PAY, amount=3)
        assert first == second == {"receipt": 1, "key": "run:3", "amount": 3}
        assert len(till.effects()) == 1


def test_lookup_tells_what_became_of_a_key(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        ask = {"sender": sender(till), "request": {"url": till.base_url, **PAY}}
        before = http.look_up(**ask, effect_key="run:3", timeout_seconds=5)
        call(till, PAY, amount=3)
        after = http.look_up(**ask, effect_key="run:3", timeout_seconds=5)
        assert (before, after) == (None, {"result": {"receipt": 1, "key": "run:3", "amount": 3}})


@pytest.mark.parametrize(
    ("fault", "retry_after", "is_sent"),
    [
        ({"status": 500}, None, True),
        ({"status": 503, "retry_after": 3}, 3.0, True),
        ({"status": 408}, None, True),
        ({"status": 429, "retry_after": 120}, 120.0, False),
        ({"status": 409, "retry_after": 1}, 1.0, True),
    ],
)
def test_answers_that_may_be_repeated(
    tmp_path: Path, fault: dict[str, Any], retry_after: float | None, is_sent: bool
) -> None:
    with tool_server(tmp_path / "till.db") as till:
        till.fail("/keyed", **fault)
        with pytest.raises(ToolUnavailableError) as caught:
            call(till, PAY, amount=3)
        assert (caught.value.retry_after, caught.value.is_sent) == (retry_after, is_sent)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422])
def test_refusals_are_final_and_in_the_tools_words(tmp_path: Path, status: int) -> None:
    with tool_server(tmp_path / "till.db") as till:
        till.fail("/keyed", status=status)
        with pytest.raises(ToolError, match=f"pay answered {status} .*: the till is closed"):
            call(till, PAY, amount=3)


def test_words_of_a_refusal_are_cut(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        till.answer_with("/keyed", b'{"detail": "' + b"no " * 9000 + b'"}', status=400)
        with pytest.raises(ToolError) as caught:
            call(till, PAY, amount=3)
        assert len(str(caught.value)) < 600


def test_lost_answer_may_have_been_done_and_a_closed_port_has_not(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        till.lose_answers("/keyed")
        with pytest.raises(ToolUnavailableError) as lost:
            call(till, PAY, amount=3)
        assert lost.value.is_sent
    with pytest.raises(ToolUnavailableError) as closed:
        call(till, PAY, amount=3)
    assert not closed.value.is_sent


def test_time_limit_covers_connecting_and_reading(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db", delay_seconds=1.0) as till:
        with pytest.raises(ToolUnavailableError, match="within its time limit") as caught:
            call(till, PAY, seconds=0.2, amount=3)
        assert caught.value.is_sent


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (b"", None),
        (b'"ok"', "ok"),
        (b"plain words", "plain words"),
        (b"[1, 2]", [1, 2]),
    ],
)
def test_results_are_json_or_text(tmp_path: Path, answer: bytes, result: Any) -> None:
    with tool_server(tmp_path / "till.db") as till:
        till.answer_with("/keyed", answer)
        assert call(till, PAY, amount=3) == result


@pytest.mark.parametrize("answer", [b"\xff\xfe\x00\x01", b"x" * (MAX_ANSWER + 1)])
def test_write_that_was_done_stays_done_though_its_answer_is_useless(
    tmp_path: Path, answer: bytes
) -> None:
    with tool_server(tmp_path / "till.db") as till:
        till.answer_with("/keyed", answer)
        assert "pay did it, but its answer is" in call(till, PAY, amount=3)["note"]
        till.answer_with("/balance", answer)
        with pytest.raises(ToolError, match="its answer is"):
            call(till, {"method": "GET", "path": "/balance/a"})


def test_arguments_stay_in_their_places(tmp_path: Path) -> None:
    request = {
        "method": "GET",
        "path": "/balance/{account}",
        "places": {
            "account": {"in": "path", "name": "account"},
            "tag": {"in": "query", "name": "tag"},
            "joined": {"in": "query", "name": "joined", "join": ","},
            "trace": {"in": "header", "name": "X-Trace"},
        },
    }
    with tool_server(tmp_path / "till.db") as till:
        call(
            till,
            request,
            account="a/../b?x=1#y",
            tag=["1", "&z=2"],
            joined=["p", "q"],
            trace="t-1",
            unknown="left out",
        )
        (seen,) = till.requests()
        assert seen.path == ("/balance/a%2F..%2Fb%3Fx=1%23y?tag=1&tag=%26z%3D2&joined=p%2Cq")
        assert seen.headers["x-trace"] == "t-1"


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_paths_are_not_walked_up(tmp_path: Path, value: str) -> None:
    request = {
        "method": "GET",
        "path": "/balance/{account}",
        "places": {"account": {"in": "path", "name": "account"}},
    }
    with tool_server(tmp_path / "till.db") as till:
        with pytest.raises(ToolError, match="cannot be part of the address"):
            call(till, request, account=value)
        assert not till.requests()


def test_headers_take_no_second_line(tmp_path: Path) -> None:
    request = {
        "method": "GET",
        "path": "/balance/a",
        "places": {"trace": {"in": "header", "name": "X-Trace"}},
    }
    with tool_server(tmp_path / "till.db") as till:
        with pytest.raises(ToolError, match="only printable ASCII"):
            call(till, request, trace="t\r\nX-Admin: yes")
        assert not till.requests()
