"""Exporting sessions: what leaves, and that it comes back as it was."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db.models import QuerySet
from django.utils import timezone

from reviewdesk.people.roles import Role
from tests.factories import (
    make_label,
    make_project,
    make_session,
    make_span,
    make_user,
    model_span,
    sample_spans,
    tool_span,
)
from tests.importing import run_import
from tests.real_data import real_data
from traces.export import EXPORTS, export_csv, export_jsonl, export_otlp
from traces.models import Label, Project, Score, Session, Span

pytestmark = pytest.mark.django_db

# What differs between two projects, or says when a row was written.
_SESSION_OWN = ("id", "project", "said_vector")
_SPAN_OWN = ("session", "emitter_id")


def columns(row: Any, *left_out: str) -> dict[str, Any]:
    fields = row._meta.concrete_fields
    return {each.name: getattr(row, each.attname) for each in fields if each.name not in left_out}


def sessions_of(project: Project) -> list[dict[str, Any]]:
    found = project.sessions.order_by("external_id")
    return [columns(session, *_SESSION_OWN) for session in found]


def spans_of(project: Project, *left_out: str) -> dict[tuple[str, str, int], dict[str, Any]]:
    spans = Span.objects.filter(session__project=project).select_related("session")
    return {
        (span.session.external_id, span.span_id, span.start_ns): columns(
            span, *_SPAN_OWN, *left_out
        )
        for span in spans
    }


def write(path: Path, pieces: Iterator[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(pieces)
    return path


def assert_comes_back(project: Project, tmp_path: Path) -> None:
    """Export the project in both forms, import each into an empty one, and compare."""
    jsonl = write(tmp_path / "all.jsonl", export_jsonl(project.sessions.order_by("pk")))
    other = make_project()
    totals, _, err = run_import(jsonl, "reviewdesk", other)
    assert (totals["rejected"], err) == (0, "")
    assert sessions_of(other) == sessions_of(project)
    assert spans_of(other) == spans_of(project)
    otlp = write(tmp_path / "all.otlp.jsonl", export_otlp(project.sessions.order_by("pk")))
    third = make_project()
    totals, _, err = run_import(otlp, "otlp", third)
    assert (totals["rejected"], err) == (0, "")
    assert spans_of(third, "trace_id") == spans_of(project, "trace_id")
    assert [told(each) for each in sessions_of(third)] == [
        told(each) for each in sessions_of(project)
    ]


def told(session: dict[str, Any]) -> dict[str, Any]:
    """Return what spans alone can tell of a session: not its source, status and times of receipt."""
    left_out = ("source", "status", "status_reason", "ended_at", "received_at", "is_golden")
    return {name: value for name, value in session.items() if name not in left_out}


def test_sessions_come_back_as_they_were(tmp_path: Path) -> None:
    project = make_project()
    make_session(project)
    make_session(
        project,
        source=Session.Source.TAU2,
        status="failed",
        status_reason="ended by max_steps",
        metadata={"reward": 0.5, "nested": {"a": [1, None, 1.0, 10**30]}},
        spans=[*sample_spans(), tool_span(error="no such order", at=9), make_span("other", "x")],
    )
    assert_comes_back(project, tmp_path)


def test_odd_payloads_come_back_as_they_were(tmp_path: Path) -> None:
    message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
    spans = [
        *sample_spans(),
        model_span("Hi", at=20, input={"messages": [message], "new": 0, "tools": [{"n": 1.0}]}),
        model_span(None, at=21, output={"content": "a", "tool_calls": "none", "x": {"": None}}),
        tool_span(at=22, output={"result": None, "is_suggestion": True}),
        tool_span(at=23, input="text", output=[1, 2.0, "\u2028", "日本語", 2**70]),
        make_span("other", "é\n", at=24, attributes={"": 1, "gen_ai.agent.name": "z", "a": None}),
    ]
    project = make_project()
    make_session(project, spans=spans)
    assert_comes_back(project, tmp_path)
