"""The page about checks is the checks themselves."""

from pathlib import Path
from typing import Any

from django.core.management import call_command

from agents.golden.check_docs import checks_page
from agents.golden.checks import KINDS

PAGE = Path(__file__).parent.parent / "docs" / "checks.md"


def test_page_tells_what_the_registry_holds() -> None:
    assert PAGE.read_text() == checks_page(), "python manage.py checks_page > docs/checks.md"


def test_command_prints_the_page(capsys: Any) -> None:
    call_command("checks_page")
    assert capsys.readouterr().out == checks_page()


def test_every_kind_and_field_stands_in_it() -> None:
    page = checks_page()
    for kind in KINDS.values():
        assert f"### `{kind.name}`: {kind.label}" in page
        assert all(f"| `{field.name}` |" in page for field in kind.fields)
