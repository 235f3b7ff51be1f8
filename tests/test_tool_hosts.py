"""Where tools may connect: many spellings of private addresses, names, redirects, rebinding."""

import time
from collections.abc import Sequence
from pathlib import Path

import httpx2
import pytest

from agents.errors import HostRefusedError, ToolUnavailableError
from agents.tools import http
from agents.tools.contract import ToolError
from agents.tools.hosts import HostRules, normal_host, split_entry
from agents.tools.http import Sender
from tests.tool_server import ToolServer, tool_server

NAMES = {
    "api.example": ["93.184.216.34"],
    "sly.example": ["127.0.0.1"],
    "both.example": ["93.184.216.34", "10.0.0.7"],
    "six.example": ["2606:2800:220:1:248:1893:25c8:1946"],
}


def resolve(host: str, port: int) -> Sequence[str]:
    """Resolve as a name server under somebody's control would; spellings as the C library does."""
    if host in NAMES:
        return NAMES[host]
    return {
        "2130706433": ["127.0.0.1"],
        "0177.0.0.1": ["127.0.0.1"],
        "0x7f.0.0.1": ["127.0.0.1"],
        "0x7f000001": ["127.0.0.1"],
        "127.1": ["127.0.0.1"],
        "localhost": ["127.0.0.1", "::1"],
    }[host]


ODD = {"2130706433", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "127.1"}


def rules(*allowed: str) -> HostRules:
    return HostRules(allowed, resolve=resolve)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.8.8",
        "2130706433",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "127.1",
        "0.0.0.0",  # noqa: S104 an address to refuse
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "192.0.0.192",
        "168.63.129.16",
        "[::127.0.0.1]",
        "[64:ff9b:1::7f00:1]",
        "[fec0::1]",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:93.184.216.34]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "sly.example",
        "sly.example.",
        "SLY.example",
        "both.example",
    ],
)
def test_address_that_is_not_public_is_refused_though_its_name_is_listed(host: str) -> None:
    name = normal_host(host)
    is_literal = ":" in name or (name.count(".") == 3 and name not in ODD)
    # A literal that is listed may be reached; here it stands for what a name leads to.
    allowed = rules("api.example") if is_literal else rules(name)
    with pytest.raises(HostRefusedError):
        allowed.addresses(host, 80)
    if is_literal:
        with pytest.raises(HostRefusedError):
            allowed.check_url(httpx2.URL(f"http://{host}/"))


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("api.example", 443, ("api.example",)),
        ("API.Example.", 443, ("api.example",)),
        ("api.example", 8443, ("api.example:8443",)),
        ("six.example", 443, ("six.example",)),
        ("127.0.0.1", 8000, ("127.0.0.1:8000",)),
        ("127.0.0.1", 8000, ("127.0.0.0/8",)),
        ("sly.example", 80, ("sly.example", "127.0.0.1")),
        ("both.example", 80, ("both.example", "10.0.0.0/24")),
        ("localhost", 80, ("localhost",)),
        ("::1", 80, ("[::1]:80",)),
    ],
)
def test_what_is_listed_is_reached(host: str, port: int, allowed: tuple[str, ...]) -> None:
    shown = f"[{host}]" if ":" in host else host
    rules(*allowed).check_url(httpx2.URL(f"http://{shown}:{port}/"))
    assert rules(*allowed).addresses(host, port)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://api.example/", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("gopher://api.example/", "only http and https"),
        ("http://api.example@evil.example/", "user name"),
        ("http://user:word@api.example/", "user name"),
        ("http://evil.example/", "not on the source's list"),
        ("http://api.example.evil.example/", "not on the source's list"),
        ("http://notapi.example/", "not on the source's list"),
        ("http://api.example:22/", "not on the source's list"),
    ],
)
def test_addresses_off_the_list_are_refused_before_any_name_is_asked(url: str, words: str) -> None:
    asked: list[str] = []

    def spy(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34"]

    with pytest.raises(HostRefusedError, match=words):
        HostRules(("api.example:80",), resolve=spy).check_url(httpx2.URL(url))
    assert not asked


@pytest.mark.parametrize("entry", ["https://x.example", "x.example/path", "", "a b", "x:99999"])
def test_entries_that_are_no_hosts_are_refused(entry: str) -> None:
    with pytest.raises(HostRefusedError, match="is no host"):
        split_entry(entry)


def get(till: ToolServer, allowed: HostRules, path: str = "/balance/a", url: str = "") -> object:
    request = {"method": "GET", "url": url or till.base_url, "path": path}
    sender = Sender("read", allowed, {"Authorization": "Bearer hush-hush"})
    return http.call(
        sender=sender, request=request, arguments={}, effect_key="k", timeout_seconds=5
    )


def test_name_that_changes_its_mind_is_connected_where_it_was_checked(tmp_path: Path) -> None:
    answers = iter([["127.0.0.1"], ["10.66.66.66"]])
    with tool_server(tmp_path / "till.db") as till:
        port = till.base_url.rpartition(":")[2]
        allowed = HostRules(
            (f"sly.example:{port}", f"127.0.0.1:{port}"), resolve=lambda *_: next(answers)
        )
        assert get(till, allowed, url=f"http://sly.example:{port}")
        assert till.requests()[0].headers["host"] == f"sly.example:{port}"


def test_redirect_to_a_private_address_is_refused(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        host = till.base_url.removeprefix("http://")
        till.answer_with("/balance", b"", status=302, location="http://169.254.169.254/latest/")
        with pytest.raises(HostRefusedError, match=r"169\.254\.169\.254:80 is not on"):
            get(till, HostRules((host,)))


def test_redirect_within_the_list_is_followed_without_the_secret(tmp_path: Path) -> None:
    with tool_server(tmp_path / "a.db") as till, tool_server(tmp_path / "b.db") as other:
        hosts = [each.base_url.removeprefix("http://") for each in (till, other)]
        till.answer_with("/balance", b"", status=307, location=f"{other.base_url}/balance/b")
        assert get(till, HostRules(tuple(hosts)))
        assert till.requests()[0].headers["authorization"] == "Bearer hush-hush"
        assert "authorization" not in other.requests()[0].headers


def test_fourth_redirect_is_not_followed(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        host = till.base_url.removeprefix("http://")
        till.answer_with("/balance", b"", status=302, location="/balance/b", times=9)
        with pytest.raises(ToolError, match="more than 3 times"):
            get(till, HostRules((host,)))
        assert len(till.requests()) == 4


def test_post_is_never_turned_into_a_get_by_a_redirect(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        till.answer_with("/unkeyed", b"", status=302, location="/balance/b")
        sender = Sender("pay", HostRules((till.base_url.removeprefix("http://"),)))
        request = {"method": "POST", "url": till.base_url, "path": "/unkeyed"}
        with pytest.raises(ToolError, match="would turn it into another request"):
            http.call(
                sender=sender, request=request, arguments={}, effect_key="k", timeout_seconds=5
            )


def test_proxies_of_the_environment_are_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with tool_server(tmp_path / "till.db") as till:
        assert get(till, HostRules((till.base_url.removeprefix("http://"),)))


def test_slow_name_server_keeps_to_the_time_limit() -> None:
    def slow(host: str, port: int) -> list[str]:
        time.sleep(0.5)
        return ["93.184.216.34"]

    with pytest.raises(ToolUnavailableError, match="resolved in time") as caught:
        HostRules(("api.example",), resolve=slow).addresses("api.example", 80, 0.05)
    assert not caught.value.is_sent
