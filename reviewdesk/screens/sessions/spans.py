"""One span of a session: its facts and raw contents, in parts, as a file and as a command."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from reviewdesk.people.access import DeskRequest, may, session_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.pages import render_fragment, render_page, wants_fragment
from reviewdesk.screens.sessions.chips import step_of
from reviewdesk.screens.sessions.curl import curl_of_model_call, curl_of_session
from reviewdesk.screens.sessions.reading import run_of, spans_of
from reviewdesk.screens.sessions.standing import can_be_retried
from reviewdesk.screens.sessions.values import pairs_of, pretty, visible
from reviewdesk.span_json import span_json
from traces.clean import clean_text
from traces.models import Emitter, Session, Span
from traces.records import from_ns

# Characters of JSON that are shown at a time: a browser lays them out in a few milliseconds.
PART_LENGTH = 100_000


@dataclass(frozen=True)
class Part:
    """A piece of one of a span's values as JSON.

    Attributes:
        key: "input", "proposed", "output", "attributes" or "opentelemetry".
        start: Where the piece begins in the whole text.
        length: Of the whole text.
    """

    key: str
    title: str
    text: str
    start: int
    length: int

    @property
    def end(self) -> int:
        """Return where the piece ends."""
        return self.start + len(self.text)

    @property
    def previous(self) -> int | None:
        """Return where the piece before begins."""
        return max(self.start - PART_LENGTH, 0) if self.start else None

    @property
    def next(self) -> int | None:
        """Return where the next piece begins."""
        return self.end if self.end < self.length else None


@require_safe
def span(request: DeskRequest, slug: str, pk: uuid.UUID, span_id: str) -> HttpResponse:
    """Show one span: input, output, attributes, tokens and cost; as a page, or for a dialog."""
    session, found = _span_for(request, slug, pk, span_id)
    context = _context(request, session, found)
    partial = "payload" if request.GET.get("part") == "payload" else "span"
    return render_page(request, "sessions/span.html", context, partial=partial)


@require_safe
def part(request: DeskRequest, slug: str, pk: uuid.UUID, span_id: str, key: str) -> HttpResponse:
    """Show the piece of a value that begins at `from`; as a page or in place of another piece."""
    session, found = _span_for(request, slug, pk, span_id)
    start = request.GET.get("from", "0")
    begin = int(start) if start.isdecimal() and len(start) < 10 else 0
    shown = [_part(name, *value, begin) for name, value in _values(found) if name == key]
    if not shown:
        raise Http404(f"Step {span_id} has no {key}.")
    context = {**_context(request, session, found), "parts": shown, "part": shown[0]}
    if wants_fragment(request):
        return render_fragment(request, "sessions/span.html", context, partial="part")
    return render_page(request, "sessions/span.html", context, partial="span")


@require_safe
def as_json(request: DeskRequest, slug: str, pk: uuid.UUID, span_id: str) -> HttpResponse:
    """Answer the whole span as a JSON file."""
    _, found = _span_for(request, slug, pk, span_id)
    document = _document(found, has_masked=may(request, Permission.SEE_MASKED))
    text = json.dumps(document, ensure_ascii=False, indent=2)
    name = f"span-{found.span_id}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="application/json", headers=headers)


@require_safe
def as_curl(request: DeskRequest, slug: str, pk: uuid.UUID, span_id: str) -> HttpResponse:
    """Answer a model call as a `curl` command."""
    _, found = _span_for(request, slug, pk, span_id)
    command = curl_of_model_call(found)
    if not command:
        raise Http404(f"Step {span_id} is no model call whose messages are known.")
    return HttpResponse(command, content_type="text/plain; charset=utf-8")


@require_safe
def session_curl(request: DeskRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Answer the `curl` command that reads this session from the API."""
    session = session_for(request, slug, pk)
    url = request.build_absolute_uri(reverse("api:session", args=[session.pk]))
    return HttpResponse(curl_of_session(url) + "\n", content_type="text/plain; charset=utf-8")


def _span_for(request: HttpRequest, slug: str, pk: uuid.UUID, span_id: str) -> tuple[Session, Span]:
    session = session_for(request, slug, pk)
    found = spans_of(session).filter(span_id=clean_text(span_id)).first()
    if found is None:
        raise Http404(f"This session has no step {span_id}.")
    return session, found


def _masked(request: HttpRequest, span: Span) -> list[tuple[str, int]]:
    """Return how much was masked, by kind, to those who may see it."""
    counts = (span.masked or {}) if may(request, Permission.SEE_MASKED) else {}
    return sorted(counts.items())


def _context(request: HttpRequest, session: Session, span: Span) -> dict[str, Any]:
    asked = pairs_of(_inner(span.input, "arguments")) if span.input else None
    executed = (span.attributes or {}).get("executed_arguments")
    return {
        "project": session.project,
        "session": session,
        "span": span,
        "started_at": from_ns(span.start_ns),
        "parts": [_part(key, *value, 0) for key, value in _values(span)],
        "arguments": asked if executed is None else pairs_of(executed),
        "proposed": None if executed is None else asked,
        "result": pairs_of(_inner(span.output, "result")) if span.output else None,
        "masked": _masked(request, span),
        "has_curl": bool(curl_of_model_call(span)),
        "retry_step": _retry_step(request, session, span),
    }


def _retry_step(request: HttpRequest, session: Session, span: Span) -> int | None:
    """Return the step from which the person may start a new run, or None."""
    step = step_of(span.attributes or {})
    if step is None or not may(request, Permission.START_RUNS):
        return None
    return step if can_be_retried(run_of(session)) else None


def _values(span: Span) -> list[tuple[str, tuple[str, Any]]]:
    """Return the span's contents by key, with titles; a changed call's as made and proposed."""
    attributes = dict(span.attributes or {})
    executed = attributes.pop("executed_arguments", None)
    values = [
        ("input", ("Input", span.input)),
        ("output", ("Output", span.output)),
        ("attributes", ("Attributes", attributes)),
        ("opentelemetry", ("OpenTelemetry", _telemetry(span))),
    ]
    if executed is not None:
        values[:1] = [
            ("input", ("Executed arguments", executed)),
            ("proposed", ("Proposed", span.input)),
        ]
    return [(key, value) for key, value in values if value[1] not in (None, {}, "")]


def _telemetry(span: Span) -> dict[str, Any]:
    """Return what OpenTelemetry says of the span; of one that was sent, with who sent it."""
    emitter = None
    if span.emitter_id is not None:
        emitter = Emitter.objects.filter(pk=span.emitter_id).first()
    said = {
        "trace_id": span.trace_id.hex if span.trace_id else None,
        **(span.otel or {}),
        "scope": emitter.scope if emitter else None,
        "resource": emitter.resource if emitter else None,
    }
    return {name: value for name, value in said.items() if value not in (None, {}, "")}


def _part(key: str, title: str, value: Any, start: int) -> Part:
    text = visible(pretty(value))
    start = min(start, max(len(text) - 1, 0))
    return Part(key, title, text[start : start + PART_LENGTH], start, len(text))


def _document(span: Span, *, has_masked: bool) -> dict[str, Any]:
    masked = {"masked": span.masked} if has_masked else {}
    return {**span_json(span), **masked, "opentelemetry": _telemetry(span)}


def _inner(value: Any, name: str) -> Any:
    """Return the arguments or the result inside a tool span's payload, or the payload."""
    inner = value[name] if isinstance(value, dict) and name in value else value
    return inner if isinstance(inner, dict | list) else {"": inner}
