"""`manage.py import_tools`."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from agents.models import AgentTool, ToolDefinition, ToolSource
from reviewdesk.people.roles import Role
from tests.factories import make_project, make_user
from tests.mcp_server import mcp_server
from tests.test_tool_import import document
from traces.models import Project

pytestmark = pytest.mark.django_db


def run(project: Project, *args: str) -> str:
    out = StringIO()
    call_command("import_tools", "--project", project.slug, *args, stdout=out)
    return out.getvalue()


def make_desk() -> Project:
    project = make_project()
    make_user(Role.ADMIN, project)
    return project


def write(path: Path, content: Any) -> str:
    file = path / "till.json"
    file.write_text(json.dumps(content))
    return str(file)


def test_import_is_shown_first_and_done_when_asked_for(tmp_path: Path) -> None:
    project, file = make_desk(), write(tmp_path, document())
    said = run(project, "--openapi", file, "--host", "till.example")
    assert "+ pay_keyed: done once per key, tier money" in said
    assert "Nothing was imported" in said
    assert not ToolDefinition.objects.exists()
    assert "4 changed" in run(project, "--openapi", file, "--apply")
    assert "Nothing differs" in run(project, "--openapi", file, "--apply")
    assert ToolSource.objects.get().allowed_hosts == ["till.example"]
    assert not AgentTool.objects.exists()


def test_server_is_read_at_its_url() -> None:
    project = make_desk()
    with mcp_server() as url:
        run(project, "--mcp-url", url, "--name", "Scales", "--apply")
    names = ToolDefinition.objects.order_by("name").values_list("name", flat=True)
    assert list(names) == ["look_at", "weigh"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--openapi", "/no/such/file"], "cannot be read"),
        (["--mcp-url", "http://127.0.0.1:9/mcp"], "cannot be reached"),
        (["--openapi", "x", "--as", "nobody@example.com"], "nobody with the e-mail"),
    ],
)
def test_what_goes_wrong_is_said(args: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        run(make_desk(), *args)


def test_unknown_project_lists_those_there_are() -> None:
    project = make_desk()
    with pytest.raises(CommandError, match=project.slug):
        call_command("import_tools", "--project", "nope", "--openapi", "x")
