"""MCP servers over stdio and HTTP: good ones, and those that die, hang, babble or change."""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agents.errors import ToolSourceError, ToolUnavailableError
from agents.models import Effect, Tier, ToolSource
from agents.tools import mcp, mcp_tools
from agents.tools.contract import ToolError
from agents.tools.hosts import HostRules
from agents.tools.secrets import Secrets
from agents.tools.sources import Endpoint
from tests.mcp_server import mcp_server

SCRIPT = str(Path(__file__).parent / "mcp_server.py")
SECRETS = Secrets({"SCALES": "sesame-open-42"})


def stdio(mode: str = "good", **overrides: Any) -> Endpoint:
    values: dict[str, Any] = {
        "name": "Scales",
        "kind": ToolSource.Kind.MCP_STDIO,
        "url": "",
        "command": (sys.executable, SCRIPT, mode),
        "rules": HostRules(()),
        "headers": {},
        "environment": {"SCALES_KEY": "SCALES"},
    }
    return Endpoint(**{**values, **overrides})


def over_http(url: str, allowed: str = "127.0.0.1") -> Endpoint:
    return stdio(
        kind=ToolSource.Kind.MCP_HTTP,
        url=url,
        command=(),
        rules=HostRules((allowed,)),
        headers={"Authorization": "Bearer SCALES"},
        environment={},
    )


def weigh(endpoint: Endpoint, parcel: str = "P-1", seconds: float = 10) -> Any:
    return mcp.call(
        endpoint=endpoint,
        secrets=SECRETS,
        request={"tool": "weigh", "key": {"in": "argument", "name": "idempotency_key"}},
        arguments={"parcel": parcel},
        effect_key="run:3",
        timeout_seconds=seconds,
    )


def tools_of(endpoint: Endpoint, seconds: float = 10) -> Any:
    return mcp.list_tools(endpoint=endpoint, secrets=SECRETS, timeout_seconds=seconds)


def test_tools_are_listed_and_guessed_with_care() -> None:
    weighing, looking = mcp_tools.drafts_of(
        mcp_tools.to_document(tools_of(stdio())), slug="scales"
    ).tools
    assert (weighing.name, weighing.effect, weighing.tier) == (
        "weigh",
        Effect.KEYED,
        Tier.WRITE_IRREVERSIBLE,
    )
    assert list(weighing.parameters["properties"]) == ["parcel"], "the key is the desk's to fill in"
    assert weighing.request["key"]["name"] == "idempotency_key"
    assert (looking.name, looking.effect, looking.tier) == (
        "look_at",
        Effect.READ,
        Tier.READ_SENSITIVE,
    )
    assert "check that" in looking.notes[0]


def test_call_carries_key_and_secret(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    endpoint = stdio(command=("/usr/bin/env", f"MCP_LEDGER={ledger}", sys.executable, SCRIPT))
    assert weigh(endpoint) == {"grams": 420}
    (line,) = ledger.read_text().splitlines()
    assert json.loads(line) == {
        "arguments": {"parcel": "P-1", "idempotency_key": "run:3"},
        "secret": "sesame-open-42",
    }


def test_thread_may_have_a_running_event_loop() -> None:
    async def caller() -> Any:
        return weigh(stdio())

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: asyncio.run(caller())).result() == {"grams": 420}


def test_server_sees_nothing_of_the_desks_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_PASSWORD", "do-not-tell")
    with pytest.raises(ToolUnavailableError) as caught:
        weigh(stdio(command=("/bin/sh", "-c", "echo [$DESK_PASSWORD] >&2")))
    assert "[]" in str(caught.value)


def test_servers_refusal_is_for_the_model() -> None:
    with pytest.raises(ToolError, match="there is no such parcel"):
        weigh(stdio(), parcel="none")


@pytest.mark.parametrize(
    ("mode", "words", "is_sent"),
    [
        ("dies", "Scales ended the session. It said: out of memory", True),
        ("silent", "Scales ended the session. It said: I have no licence", False),
        pytest.param("garbage", "could not be read as MCP", False, marks=pytest.mark.slow),
        pytest.param("hangs", "did not answer within 1.5 s", False, marks=pytest.mark.slow),
    ],
)
def test_bad_server_is_told_clearly(mode: str, words: str, is_sent: bool) -> None:
    with pytest.raises(ToolUnavailableError) as caught:
        weigh(stdio(mode), seconds=1.5 if mode in {"hangs", "garbage"} else 10)
    assert words in str(caught.value)
    assert caught.value.is_sent is is_sent


def test_tool_that_the_server_has_no_more_asks_for_an_import() -> None:
    with pytest.raises(ToolError, match="Scales no longer has a tool called weigh"):
        weigh(stdio("changed"))


def test_list_without_end_is_refused() -> None:
    with pytest.raises(ToolSourceError, match="never ends its list"):
        tools_of(stdio("many"))


def test_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ToolSourceError, match="/no/such/program cannot be started"):
        tools_of(stdio(command=("/no/such/program",)))


def test_the_same_over_http() -> None:
    with mcp_server("Bearer sesame-open-42") as url:
        assert [tool.name for tool in tools_of(over_http(url))] == ["weigh", "look at"]
        assert weigh(over_http(url)) == {"grams": 420}
        with pytest.raises(ToolError, match="there is no such parcel"):
            weigh(over_http(url), parcel="none")


def test_server_over_http_that_wants_another_secret_is_told() -> None:
    with mcp_server("Bearer another") as url, pytest.raises(ToolSourceError) as caught:
        tools_of(over_http(url))
    assert "sesame" not in str(caught.value)


def test_http_keeps_to_the_sources_hosts() -> None:
    with mcp_server() as url, pytest.raises(ToolSourceError, match="not on the source's list"):
        tools_of(over_http(url, allowed="mcp.example.com"))


def test_nobody_at_home_over_http() -> None:
    with pytest.raises(ToolSourceError, match="cannot be reached"):
        tools_of(over_http("http://127.0.0.1:9/mcp"))
