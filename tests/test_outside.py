"""Calls outside, whatever their kind: dispatch, secrets, time limits, what was turned off."""

import json
import os
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from agents.errors import SecretError, ToolUnavailableError
from agents.models import Effect, Tier, ToolSource
from agents.tools import connecting, outside, registry
from agents.tools.contract import CallPolicy, ToolContract, ToolError
from agents.tools.functions import function_tool
from agents.tools.outside import OutsideCall
from agents.tools.registry import contract_for
from agents.tools.secrets import Secrets, read_secrets, state_of
from reviewdesk.people.roles import Role
from tests.factories import make_project, make_user
from tests.test_tool_import import apply, connected
from tests.tool_server import ToolServer, tool_server
from traces.models import Project

pytestmark = pytest.mark.django_db
ANYTHING: dict[str, Any] = {"type": "object", "properties": {}}


@pytest.fixture
def weather() -> Iterator[ToolContract]:
    """Lend the registry a function tool that tells what it was called with."""

    @function_tool(
        description="Say what the weather will be.",
        parameters=ANYTHING,
        effect=Effect.READ,
        tier=Tier.READ,
        policy=CallPolicy(secrets=("WEATHER_KEY",)),
    )
    def tell_weather(call: OutsideCall, *, mood: str = "", wait: float = 0) -> Any:
        time.sleep(wait)
        if mood == "refuse":
            raise ToolError(f"no weather for {call.secrets['WEATHER_KEY']}")
        if mood == "away":
            raise ToolUnavailableError("later", 5.0, is_sent=False)
        if mood == "broken":
            raise ZeroDivisionError
        if mood == "tells":
            raise KeyError(call.secrets["WEATHER_KEY"])
        if mood == "ends":
            sys.exit(1)
        if mood == "deep":
            return json.loads("[" * 900 + "]" * 900)
        if mood == "huge":
            return "x" * 1_000_001
        if mood == "odd":
            return {1, 2}
        return {"key": call.effect_key, "echo": [call.secrets["WEATHER_KEY"]], "nul": "a\0b"}

    yield contract_for("tell_weather")
    registry.forget("tell_weather")


def perform(contract: ToolContract, project: Project | None = None, **arguments: Any) -> Any:
    return outside.perform(
        contract=contract,
        arguments=arguments,
        effect_key="run:3",
        project_id=project.pk if project else 0,
        timeout_seconds=5,
    )


@pytest.fixture
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVIEWDESK_SECRET_WEATHER_KEY", "sunny-side-up")


@pytest.mark.usefixtures("_key")
def test_function_is_called_with_key_and_secret_which_never_comes_back(
    weather: ToolContract,
) -> None:
    assert perform(weather) == {
        "key": "run:3",
        "echo": ["[secret WEATHER_KEY]"],
        "nul": "a\N{REPLACEMENT CHARACTER}b",
    }


@pytest.mark.usefixtures("_key")
def test_errors_are_masked_and_keep_what_they_say(weather: ToolContract) -> None:
    with pytest.raises(ToolError, match=r"no weather for \[secret WEATHER_KEY\]"):
        perform(weather, mood="refuse")
    with pytest.raises(ToolUnavailableError) as away:
        perform(weather, mood="away")
    assert (away.value.retry_after, away.value.is_sent) == (5.0, False)
    with pytest.raises(ZeroDivisionError):
        perform(weather, mood="broken")


@pytest.mark.usefixtures("_key")
def test_defect_of_a_function_tells_no_secret_and_ends_no_process(weather: ToolContract) -> None:
    with pytest.raises(RuntimeError, match=r"KeyError: '\[secret WEATHER_KEY\]'") as caught:
        perform(weather, mood="tells")
    assert "sunny-side-up" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(RuntimeError, match="tried to end the process"):
        perform(weather, mood="ends")


@pytest.mark.usefixtures("_key")
@pytest.mark.parametrize(
    ("mood", "words"),
    [("deep", "over 100 levels"), ("huge", "longer than 1,000,000"), ("odd", "no JSON")],
)
def test_answer_that_no_journal_can_hold_is_refused_or_left_out(
    weather: ToolContract, mood: str, words: str
) -> None:
    with pytest.raises(ToolError, match=words):
        perform(weather, mood=mood)
    done = perform(replace(weather, effect=Effect.UNKEYED, tier=Tier.WRITE_REVERSIBLE), mood=mood)
    assert words in done["note"]


@pytest.mark.usefixtures("_key")
def test_function_that_hangs_is_left_alone(weather: ToolContract) -> None:
    with pytest.raises(ToolUnavailableError, match=r"did not answer within 0\.1 s") as caught:
        outside.perform(
            contract=weather,
            arguments={"wait": 0.6},
            effect_key="k",
            project_id=0,
            timeout_seconds=0.1,
        )
    assert caught.value.is_sent


def test_function_without_its_secret_is_not_called(weather: ToolContract) -> None:
    with pytest.raises(ToolError, match="REVIEWDESK_SECRET_WEATHER_KEY"):
        perform(weather)


def test_two_tools_of_one_name_are_refused(weather: ToolContract) -> None:
    with pytest.raises(ValueError, match="two tools called tell_weather"):
        registry.register(weather)


def variable(project: Project, name: str) -> str:
    return f"REVIEWDESK_SECRET_{project.slug.replace('-', '_').upper()}__{name}"


def imported(till: ToolServer, **headers: str) -> ToolSource:
    project = make_project()
    lead = make_user(Role.LEAD, project)
    source = connected(project, lead, till.document())
    connecting.change_source(
        source=source,
        url="",
        command=[],
        allowed_hosts=[till.base_url.removeprefix("http://")],
        headers=headers,
        environment={},
        reason="it runs here",
        by=lead,
    )
    apply(source, lead)
    return source


def test_imported_tool_is_called_with_its_secret_in_the_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tool_server(tmp_path / "till.db") as till:
        till.password = "Bearer open-sesame-77"
        source = imported(till, Authorization="Bearer TILL_KEY")
        monkeypatch.setenv(variable(source.project, "TILL_KEY"), "open-sesame-77")
        contract = contract_for("pay_keyed", source.project_id)
        result = perform(contract, source.project, run="r", number=1, amount=3)
        assert result["key"] == "run:3"
        till.answer_with("/keyed", b'{"you sent": "open-sesame-77"}', status=400)
        with pytest.raises(ToolError, match=r"\[secret TILL_KEY\]"):
            perform(contract, source.project, run="r", number=1, amount=3)


def test_source_that_is_off_is_not_called(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        source = imported(till)
        contract = contract_for("get_balance", source.project_id)
        connecting.turn_source(source=source, is_on=False, reason="stop it", by=make_user())
        # Read before it was turned off, too.
        for each in (contract, contract_for("get_balance", source.project_id)):
            with pytest.raises(ToolError, match="turned off"):
                perform(each, source.project, account="a")
        assert not till.requests()


def test_tool_of_another_project_is_not_called(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        source = imported(till)
        contract = contract_for("get_balance", source.project_id)
        with pytest.raises(ToolError, match="is gone"):
            perform(contract, make_project(), account="a")


def test_tool_of_our_database_is_no_call_outside() -> None:
    with pytest.raises(TypeError):
        perform(contract_for("calculate"), make_project())


@pytest.mark.parametrize("mode", [0o644, 0o606, 0o660])
def test_secret_in_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "FILE_KEY"
    file.write_text("a-long-secret\n")
    file.chmod(mode)
    with override_settings(SECRETS_FOLDER=tmp_path):
        assert "chmod 600" in state_of("FILE_KEY", project=None).problem


def test_secret_is_read_from_a_closed_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "FILE_KEY"
    file.write_text("from-a-file\n")
    os.chmod(file, 0o600)
    with override_settings(SECRETS_FOLDER=tmp_path):
        assert read_secrets(["FILE_KEY"], project=None).values == {"FILE_KEY": "from-a-file"}
        monkeypatch.setenv("REVIEWDESK_SECRET_FILE_KEY", "from-the-shell")
        assert read_secrets(["FILE_KEY"], project=None).values == {"FILE_KEY": "from-the-shell"}


@pytest.mark.parametrize("name", ["../passwd", "a/b", "", "1X", "x y", "a" * 65, "A__B"])
def test_names_that_could_lead_elsewhere_are_no_secrets(name: str) -> None:
    with pytest.raises(SecretError):
        read_secrets([name], project="shop")


def test_secret_of_another_project_is_not_sent_by_naming_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tool_server(tmp_path / "till.db") as till:
        source = imported(till, Authorization="Bearer TILL_KEY")
        monkeypatch.setenv(variable(make_project(), "TILL_KEY"), "open-sesame-77")
        monkeypatch.setenv("REVIEWDESK_SECRET_TILL_KEY", "key-of-the-desk")
        contract = contract_for("pay_keyed", source.project_id)
        with pytest.raises(ToolError, match=rf"{source.project.slug} has no secret TILL_KEY"):
            perform(contract, source.project, run="r", number=1, amount=3)
        assert not till.requests()


def test_project_takes_its_own_secret_before_the_one_that_the_desk_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEWDESK_SECRET_PAGER", "key-of-the-desk")
    with override_settings(SECRETS_FOLDER=tmp_path, SHARED_SECRETS=frozenset({"PAGER"})):
        assert read_secrets(["PAGER"], project="a_b").values == {"PAGER": "key-of-the-desk"}
        (tmp_path / "a_b").mkdir()
        (tmp_path / "a_b" / "PAGER").touch(mode=0o600)
        (tmp_path / "a_b" / "PAGER").write_text("key-of-a-b")
        assert read_secrets(["PAGER"], project="a_b").values == {"PAGER": "key-of-a-b"}


@pytest.mark.parametrize("project", ["a_b", "A-B", "a"])
def test_no_slug_reads_the_variable_of_another(
    project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEWDESK_SECRET_A_B__KEY", "key-of-a-b")
    assert read_secrets(["KEY"], project="a-b").values == {"KEY": "key-of-a-b"}
    for name in ("KEY", "B__KEY", "_KEY"):
        with pytest.raises(SecretError):
            read_secrets([name], project=project)


@pytest.mark.parametrize("value", ["short", "two\nlines here", "tab\there-here"])
def test_values_that_cannot_be_masked_or_sent_are_refused(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEWDESK_SECRET_ODD", value)
    with pytest.raises(SecretError):
        read_secrets(["ODD"], project=None)


def test_every_form_of_a_secret_is_masked() -> None:
    secrets = Secrets({"KEY": 'a b"c/d+é-42'})
    for form in (
        'a b"c/d+é-42',
        "a%20b%22c%2Fd%2B%C3%A9-42",
        "a+b%22c%2Fd%2B%C3%A9-42",
        'a b\\"c/d+\\u00e9-42',
        "YSBiImMvZCvDqS00Mg==",
    ):
        assert secrets.mask({form: [f"<{form}>"]}) == {"[secret KEY]": ["<[secret KEY]>"]}
    assert "a b" not in repr(secrets)
