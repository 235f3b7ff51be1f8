"""Settings > Tools: the list, sources and imports, contracts, and trying what only reads."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agents.demo import scales
from agents.models import AgentTool, KillSwitch, Level, ToolDefinition, ToolSource
from agents.tools import connecting
from agents.tools.registry import contract_for
from reviewdesk.people.models import User
from reviewdesk.people.roles import Role
from tests.factories import client_as, make_agent, make_project, make_user, sign_in
from tests.test_tool_import import apply, connected, document
from tests.tool_server import ToolServer, tool_server
from traces.models import Project

pytestmark = pytest.mark.django_db


def url(name: str, project: Project, *args: str) -> str:
    return reverse(f"settings:{name}", args=[project.slug, *args])


def make_desk(role: str = Role.LEAD) -> tuple[Project, User, Client]:
    project = make_project()
    user = make_user(role, project)
    return project, user, sign_in(user)


def make_imported(content: dict[str, Any] | None = None) -> tuple[ToolSource, User, Client]:
    project, lead, client = make_desk()
    source = connected(project, lead, content)
    apply(source, lead)
    return source, lead, client


def read_page(client: Client, address: str, status: int = 200, **extra: Any) -> str:
    response = client.get(address, **extra)
    assert response.status_code == status
    return response.content.decode()


def test_list_shows_own_and_imported_tools_and_who_has_them() -> None:
    source, _, client = make_imported()
    agent = make_agent(project=source.project)
    AgentTool.objects.create(agent=agent, name="pay_keyed", level=Level.APPROVE, reason="needed")
    page = read_page(client, url("tools", source.project))
    assert "get_order_details" in page
    assert "pay_keyed" in page
    assert "The till" in page
    assert agent.name in page


def test_list_names_two_agents_and_counts_the_others() -> None:
    project, _, client = make_desk()
    for name in ("one", "two", "three", "four"):
        make_agent(project, slug=name, name=f"Desk {name}")
    page = read_page(client, url("tools", project))
    assert page.count("autonomous</span>") == 2
    assert "and 2 more" in page


def test_list_answers_a_fragment() -> None:
    project, _, client = make_desk()
    page = read_page(client, url("tools", project), headers={"HX-Request": "true"})
    assert page.lstrip().startswith('<div id="settings"')


@pytest.mark.parametrize("name", ["tools", "tool_source", "tool"])
def test_strangers_find_no_tools(name: str) -> None:
    source, _, _ = make_imported()
    args = {"tools": (), "tool_source": (source.slug,), "tool": ("pay_keyed",)}[name]
    stranger = client_as(Role.ADMIN, make_project())
    read_page(stranger, url(name, source.project, *args), 404)


def test_unknown_tools_sources_and_kinds_are_not_found() -> None:
    project, _, client = make_desk()
    for name, arg in (("tool", "nope"), ("tool_source", "nope"), ("add_tool_source", "ftp")):
        read_page(client, url(name, project, arg), 404)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("read_tool_source", ["the-till"]),
        ("import_tools", ["the-till"]),
        ("change_tool_source", ["the-till"]),
        ("turn_tool_source", ["the-till"]),
        ("change_contract", ["pay_keyed"]),
        ("try_tool", ["get_balance"]),
    ],
)
def test_actions_are_posts_of_those_who_may(name: str, args: list[str]) -> None:
    source, _, client = make_imported()
    address = url(name, source.project, *args)
    assert client.get(address).status_code == 405
    viewer = client_as(Role.SUPPORT, source.project)
    response = viewer.post(address)
    assert response.status_code == 403
    assert "connect tools" in response.content.decode()


def test_list_grows_without_more_queries() -> None:
    source, lead, client = make_imported()

    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            read_page(client, url("tools", source.project))
        return len(found)

    before = count()
    paths = {f"/p{n}": {"get": {"operationId": f"get_{n}"}} for n in range(20)}
    more = connected(source.project, lead, document(paths=paths))
    apply(more, lead)
    agent = make_agent(project=source.project)
    for number in range(20):
        AgentTool.objects.create(agent=agent, name=f"get_{number}", reason="needed")
    assert count() == before


def test_matrix_and_agent_page_grow_without_more_queries() -> None:
    source, lead, client = make_imported()
    agent = make_agent(project=source.project)
    pages = [
        reverse("autonomy:index", args=[source.project.slug]),
        reverse("autonomy:agent", args=[source.project.slug, agent.slug]),
    ]

    def give(name: str) -> None:
        AgentTool.objects.create(agent=agent, name=name, level=Level.SUGGEST, reason="needed")

    def count() -> list[int]:
        counts = []
        for page in pages:
            with CaptureQueriesContext(connection) as found:
                read_page(client, page)
            counts.append(len(found))
        return counts

    give("pay_keyed")
    before = count()
    paths = {f"/p{n}": {"get": {"operationId": f"get_{n}"}} for n in range(12)}
    apply(connected(source.project, lead, document(paths=paths)), lead)
    for number in range(12):
        give(f"get_{number}")
    assert count() == before


def test_document_is_read_shown_and_imported_as_confirmed() -> None:
    project, _, client = make_desk(Role.ENGINEER)
    upload = SimpleUploadedFile("till.json", json.dumps(document()).encode())
    response = client.post(
        url("add_tool_source", project, "openapi"),
        {"name": "The till", "file": upload, "allowed_hosts": "till.example", "reason": "orders"},
    )
    source = ToolSource.objects.get(project=project)
    assert response["Location"] == url("tool_source", project, source.slug)
    assert not ToolDefinition.objects.exists(), "nothing is imported before it was seen"
    page = read_page(client, response["Location"])
    assert "POST /keyed" in page
    form = client.get(response["Location"]).context["import_form"]
    data = {"digest": form.plan.digest, "reason": "looked at"}
    for number, tool in enumerate(form.plan.changes):
        data |= {f"effect-{number}": tool.effect, f"tier-{number}": tool.tier}
        if tool.name in {"get_balance", "pay_keyed"}:
            data[f"take-{number}"] = "on"
    client.post(url("import_tools", project, source.slug), data)
    names = set(ToolDefinition.objects.values_list("name", flat=True))
    assert names == {"get_balance", "pay_keyed"}
    assert not AgentTool.objects.exists()


def test_import_with_a_tier_that_contradicts_the_effect_is_refused() -> None:
    project, lead, client = make_desk()
    source = connected(project, lead)
    form = client.get(url("tool_source", project, source.slug)).context["import_form"]
    data = {"digest": form.plan.digest, "reason": "looked at"}
    for number, _ in enumerate(form.plan.changes):
        data |= {f"take-{number}": "on", f"effect-{number}": "unkeyed", f"tier-{number}": "read"}
    response = client.post(url("import_tools", project, source.slug), data)
    assert response.status_code == 409
    assert "what only reads has the tier" in response.content.decode()
    assert not ToolDefinition.objects.exists()


def test_import_without_a_reason_is_asked_for_one() -> None:
    project, lead, client = make_desk()
    source = connected(project, lead)
    digest = client.get(url("tool_source", project, source.slug)).context["plan"].digest
    response = client.post(url("import_tools", project, source.slug), {"digest": digest})
    assert response.status_code == 422
    assert "Say why" in response.content.decode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"name": "", "reason": "x y z"}, "This field is required"),
        ({"name": "T", "reason": "because", "allowed_hosts": "http://x"}, "is no host"),
        ({"name": "T", "reason": "because", "headers": "Authorization"}, "of the form name: value"),
        ({"name": "T", "reason": "because", "headers": "Host: KEY"}, "cannot be set as a header"),
        ({"name": "T", "reason": "because", "url": "http://x.example"}, "not on the source"),
        ({"name": "!!", "reason": "because"}, "neither letter nor digit"),
    ],
)
def test_sources_that_cannot_be_are_told_why(data: dict[str, str], words: str) -> None:
    project, _, client = make_desk()
    response = client.post(url("add_tool_source", project, "openapi"), data)
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not ToolSource.objects.exists()


def test_broken_document_leaves_the_source_with_its_error() -> None:
    project, _, client = make_desk()
    data = {"name": "T", "reason": "because", "text": "swagger: '2.0'"}
    response = client.post(url("add_tool_source", project, "openapi"), data)
    assert "convert it to OpenAPI" in read_page(client, response["Location"])


def test_document_is_fetched_under_the_rules_of_hosts(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        project, _, client = make_desk()
        data = {"name": "T", "reason": "because", "document_url": f"{till.base_url}/openapi.json"}
        add = url("add_tool_source", project, "openapi")
        client.post(add, data)
        assert "not on the source's list" in ToolSource.objects.get().last_error
        host = till.base_url.removeprefix("http://")
        client.post(add, {**data, "name": "U", "allowed_hosts": host})
        source = ToolSource.objects.get(name="U")
        assert (source.last_error, source.document["info"]["title"]) == ("", "Till")


def test_command_is_set_by_admins_alone() -> None:
    project, _, client = make_desk()
    add = url("add_tool_source", project, "mcp-stdio")
    assert "only an admin may set it" in read_page(client, add)
    data = {"name": "Warehouse", "command": "/bin/true", "reason": "returns"}
    response = client.post(add, data)
    assert response.status_code == 403
    assert "only an admin may set it; your role is lead" in response.content.decode()
    admin = client_as(Role.ADMIN, project)
    command = f"{sys.executable}\n{scales.__file__}"
    admin.post(add, {**data, "command": command})
    source = ToolSource.objects.get()
    assert [tool["name"] for tool in source.document["tools"]] == ["weigh_return", "hold_return"]
    change = url("change_tool_source", project, source.slug)
    data = {"place-command": "/bin/sh", "place-reason": "better"}
    assert client.post(change, data).status_code == 403


def test_contract_is_changed_as_a_new_version_with_its_differences() -> None:
    source, _, client = make_imported()
    form = client.get(url("tool", source.project, "pay_keyed")).context["contract_form"]
    data = {key: value for key, value in form.initial.items() if key in form.fields}
    data = {key: "" if value is None else value for key, value in data.items()}
    data |= {"number": "1", "rate_per_minute": "7", "reason": "they asked for it"}
    response = client.post(url("change_contract", source.project, "pay_keyed"), data)
    assert response.status_code == 303
    page = read_page(client, response["Location"])
    assert "<del>none</del> <ins>7</ins>" in page
    assert contract_for("pay_keyed", source.project_id).policy.rate_per_minute == 7
    again = client.post(url("change_contract", source.project, "pay_keyed"), data)
    assert again.status_code == 422
    assert "another version than 1 by now" in again.content.decode()


def test_contract_form_says_what_is_wrong() -> None:
    source, _, client = make_imported()
    data = {"number": "1", "fallback": "{", "max_attempts": "99", "undo_arguments": "x"}
    response = client.post(url("change_contract", source.project, "pay_keyed"), data)
    page = response.content.decode()
    assert response.status_code == 422
    for words in ("This is no JSON", "less than or equal to 10", "of the form name: value"):
        assert words in page


def test_contract_of_the_codes_own_tool_is_not_changed_here() -> None:
    project, _, client = make_desk()
    response = client.post(url("change_contract", project, "calculate"), {"number": "1"})
    assert response.status_code == 404


def imported_from(till: ToolServer) -> tuple[Project, Client]:
    source, lead, client = make_imported(till.document())
    connecting.change_source(
        source=source,
        url="",
        command=[],
        allowed_hosts=[till.base_url.removeprefix("http://")],
        headers={},
        environment={},
        reason="it runs here",
        by=lead,
    )
    return source.project, client


def test_read_tool_is_tried_and_writes_are_not(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        project, client = imported_from(till)
        response = client.post(url("try_tool", project, "get_balance"), {"arg-account": "A-7"})
        assert "num_effects" in response.content.decode()
        assert client.post(url("try_tool", project, "pay_unkeyed")).status_code == 404
        assert not till.effects()


def test_try_without_arguments_is_asked_for_them(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        project, client = imported_from(till)
        till.fail("/balance", status=500)
        response = client.post(url("try_tool", project, "get_balance"), {"arg-account": "A"})
        assert "500 Internal Server Error" in response.content.decode()
        assert len(till.requests()) == 1


def test_kill_switch_of_everything_stops_trying_too(tmp_path: Path) -> None:
    with tool_server(tmp_path / "till.db") as till:
        project, client = imported_from(till)
        KillSwitch.objects.create(
            scope="project",
            stops="all",
            project=project,
            reason="they were hacked",
            stopped_by=make_user(),
        )
        response = client.post(url("try_tool", project, "get_balance"), {"arg-account": "A-7"})
        assert response.status_code == 404
        assert not till.requests()


def test_source_is_turned_off_with_a_reason() -> None:
    source, _, client = make_imported()
    address = url("turn_tool_source", source.project, source.slug)
    assert client.post(address, {"is_on": "0", "turn-reason": ""}).status_code == 422
    client.post(address, {"is_on": "0", "turn-reason": "they were hacked"})
    page = read_page(client, url("tool", source.project, "pay_keyed"))
    assert "is turned off" in page


def test_words_of_a_stranger_are_escaped() -> None:
    hostile = "<script>alert(1)</script>"
    operation = {"operationId": "get_it", "summary": hostile, "description": hostile}
    _, _, client = make_imported(document(paths={"/x": {"get": operation}}))
    source = ToolSource.objects.get()
    for address in (
        url("tool", source.project, "get_it"),
        url("tool_source", source.project, source.slug),
    ):
        assert hostile not in read_page(client, address)


def test_secrets_are_shown_as_set_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    source, _, client = make_imported()
    source.headers = {"Authorization": "Bearer TILL_KEY"}
    source.save()
    address = url("tool_source", source.project, source.slug)
    assert "not usable" in read_page(client, address)
    variable = f"REVIEWDESK_SECRET_{source.project.slug.replace('-', '_').upper()}__TILL_KEY"
    monkeypatch.setenv(variable, "open-sesame-77")
    page = read_page(client, address)
    assert f"in {variable}" in page
    assert "open-sesame-77" not in page
