"""The till of the tests keeps what it says of its endpoints."""

from pathlib import Path

import httpx2 as httpx
import pytest

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
