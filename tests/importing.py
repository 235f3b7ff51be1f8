"""Running `import_sessions` in tests."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.factories import make_project
from traces.models import Project, Session


def run_import(path: Path, fmt: str, project: Project) -> tuple[dict[str, int], str, str]:
    """Return the last line's totals, and what else stood on standard output and error."""
    out, err = io.StringIO(), io.StringIO()
    call_command(
        "import_sessions", str(path), format=fmt, project=project.slug, stdout=out, stderr=err
    )
    *lines, last = out.getvalue().splitlines()
    return json.loads(last), "\n".join(lines), err.getvalue()


def fail_import(path: Path, fmt: str, project: Project) -> tuple[str, str]:
    """Return the error of an import that must fail, and what it named on standard error."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError) as error:
        call_command(
            "import_sessions", str(path), format=fmt, project=project.slug, stdout=out, stderr=err
        )
    return str(error.value), err.getvalue()


def import_lines(path: Path, fmt: str, *rows: Any) -> tuple[list[Session], str]:
    """Import rows as JSON Lines; return the sessions in the order of their titles, and errors."""
    project = make_project()
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    _, _, err = run_import(path, fmt, project)
    return list(Session.objects.filter(project=project).order_by("title")), err


def steps_of(session: Session) -> list[tuple[str, str, Any]]:
    """Return kind, name and output of the session's spans below the root, in their order."""
    spans = session.spans.exclude(kind="agent").order_by("start_ns")
    return [(span.kind, span.name, span.output) for span in spans]
