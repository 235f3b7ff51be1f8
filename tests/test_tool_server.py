"""The till of the tests keeps what it says of its endpoints."""

import socket
import struct
import time
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.model_server import model_server
from tests.tool_server import tool_server

PAYMENT = {"run": "r", "number": 1, "amount": 5.0}


def test_ledger_survives_the_till_and_a_key_is_done_once(tmp_path: Path) -> None:
    headers = {"Idempotency-Key": "k"}
    receipts = []
    for _ in range(2):
        with tool_server(tmp_path / "till.db") as till:
            answer = httpx.post(f"{till.base_url}/keyed", json=PAYMENT, headers=headers)
            receipts.append(answer.json())
            found = httpx.get(f"{till.base_url}/lookup/k").json()
    assert receipts[0] == receipts[1] == found
    assert [effect.body for effect in till.effects()] == [PAYMENT]


def test_unkeyed_is_done_anew_each_time(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        for _ in range(2):
            httpx.post(f"{till.base_url}/unkeyed", json=PAYMENT)
    assert len(till.effects("unkeyed")) == 2


def test_answer_may_be_lost_after_or_before_the_effect(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        till.lose_answers("/unkeyed")
        till.lose_answers("/unkeyed", is_done_first=False)
        for _ in range(2):
            with pytest.raises(httpx.RemoteProtocolError):
                httpx.post(f"{till.base_url}/unkeyed", json=PAYMENT)
    assert len(till.effects()) == 1
    assert [request.status for request in till.requests()] == [0, 0]


def test_fails_as_often_as_told(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        till.fail("/idempotent", times=2, retry_after=1)
        url = f"{till.base_url}/idempotent/lamp"
        answers = [httpx.put(url, json=PAYMENT) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["retry-after"] == "1"
    assert [effect.key for effect in till.effects()] == ["lamp"]


@pytest.mark.parametrize("is_reset", [False, True])
def test_client_that_dies_in_the_middle_prints_nothing(
    tmp_path: Path, is_reset: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with tool_server(tmp_path / "till.db") as till, model_server("Hello.") as model:
        for url in (till.base_url, model.base_url):
            client = socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0))
            if is_reset:
                # Closed with a reset, as by a kernel whose process was killed.
                linger = struct.pack("ii", 1, 0)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.sendall(b"POST /v1/keyed HTTP/1.1\r\ncontent-length: 900\r\n\r\n{")
            time.sleep(0.05)
            client.close()
        time.sleep(0.1)
        assert (model.requests, till.requests()) == ([], [])
    assert capsys.readouterr().err == ""
