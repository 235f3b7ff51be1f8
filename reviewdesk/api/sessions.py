"""Reading sessions: `GET /api/v1/sessions` and `/api/v1/sessions/{id}`."""

import base64
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import JsonResponse
from django.urls import reverse
from django.utils import timezone

from reviewdesk.api.endpoint import ApiError, ApiRequest, check_names, error_response
from reviewdesk.screens.sessions.sorting import SORTS, in_order
from reviewdesk.span_json import span_json
from traces import search
from traces.ingest.moving import moved_to
from traces.models import Session, Span
from traces.planted import metadata_told

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
_FILTERS = {"status", "agent", "version", "customer", "q", "since", "until", "golden"}
_NAMES = _FILTERS | {"limit", "next"}


def list_sessions(request: ApiRequest) -> JsonResponse:
    """Answer sessions, newest first, one page."""
    check_names(request.GET, _NAMES, "parameter")
    limit = _limit(request.GET.get("limit", str(DEFAULT_LIMIT)))
    asked = _asked(request)
    found = _filtered(request, asked)
    if cursor := request.GET.get("next"):
        found = found.filter(_after(cursor))
    newest = in_order(found, SORTS["newest"], words=asked.words)
    page = list(newest.defer("said", "said_vector")[: limit + 1])
    more = len(page) > limit
    return JsonResponse(
        {
            "sessions": [session_json(request, session) for session in page[:limit]],
            "next": _cursor(page[limit - 1]) if more else None,
        }
    )


def get_session(request: ApiRequest, pk: uuid.UUID) -> JsonResponse:
    """Answer a session with its spans and their inputs and outputs."""
    project = request.api_key.project
    session = Session.objects.defer("said", "said_vector").filter(project=project, pk=pk).first()
    if session is None and (new_id := moved_to(pk, project)):
        return _moved(new_id)
    if session is None:
        raise ApiError(404, "not_found", f"This project has no session {pk}.")
    # The bound lets PostgreSQL leave out earlier weeks' partitions. There is none above: `last_ns`
    # is a total, and spans that have just come are not in it yet.
    spans = Span.objects.filter(session=session, start_ns__gte=session.first_ns).order_by(
        "start_ns", "parent_id", "span_id"
    )
    return JsonResponse(
        {
            **session_json(request, session),
            "metadata": metadata_told(session),
            "spans": [span_json(span) for span in spans],
        }
    )


def _moved(session_id: uuid.UUID) -> JsonResponse:
    words = f"The spans of this session are in session {session_id} now."
    answer = error_response(ApiError(307, "moved", words))
    answer["Location"] = reverse("api:session", args=[session_id])
    return answer


def session_json(request: ApiRequest, session: Session) -> dict[str, Any]:
    """Return what a list says of a session; unknown totals are null."""
    page = reverse("sessions:detail", args=[request.api_key.project.slug, session.pk])
    return {
        "id": str(session.pk),
        "source": session.source,
        "external_id": session.external_id,
        "status": session.status,
        "status_reason": session.status_reason,
        "agent": session.agent_name,
        "version": session.version_name,
        "customer": session.customer,
        "title": session.title,
        "started_at": session.started_at.isoformat(),
        "ended_at": session.ended_at.isoformat() if session.ended_at else None,
        "first_ns": session.first_ns,
        "last_ns": session.last_ns,
        "working_ns": session.working_ns,
        "num_steps": session.num_steps,
        "num_spans": session.num_spans,
        "num_errors": session.num_errors,
        "input_tokens": session.input_tokens,
        "output_tokens": session.output_tokens,
        "cost_usd": _number(session.cost_usd),
        "tools": session.tools,
        "url": request.build_absolute_uri(page),
    }


def _asked(request: ApiRequest) -> search.Query:
    """Return what is asked for in the language of the session list."""
    golden = request.GET.get("golden", "0")
    if golden not in {"0", "1"}:
        raise ApiError(400, "bad_value", "golden must be 1 (golden tests' runs too) or 0.")
    asked = search.parse(_text(request.GET.get("q", ""), "q"))
    if asked.problems:
        raise ApiError(400, "bad_value", f"q: {asked.problems[0]}")
    too = search.parse("golden:too").terms if golden == "1" else ()
    return replace(asked, terms=(*asked.terms, *too))


def _filtered(request: ApiRequest, asked: search.Query) -> QuerySet[Session]:
    project, given = request.api_key.project, request.GET
    found = search.apply(asked, project.sessions.all(), project, timezone.now())
    if statuses := given.getlist("status"):
        known = {str(status) for status in Session.Status}
        check_names(statuses, known, "status")
        found = found.filter(status__in=statuses)
    exact = {"agent": "agent_name", "version": "version_name", "customer": "customer"}
    for name, column in exact.items():
        if name in given:
            found = found.filter(**{column: _text(given[name], name)})
    if "since" in given:
        found = found.filter(started_at__gte=_time(given["since"], "since"))
    if "until" in given:
        found = found.filter(started_at__lt=_time(given["until"], "until"))
    return found


def _limit(value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= MAX_LIMIT:
        raise ApiError(400, "bad_value", f"limit is {value!r}; it must be from 1 to {MAX_LIMIT}.")
    return int(value)


def _text(value: str, name: str) -> str:
    if "\x00" in value:
        raise ApiError(400, "bad_value", f"{name} holds a NUL character.")
    return value


def _time(value: str, name: str) -> datetime:
    try:
        return _utc(value)
    except (ValueError, OverflowError):
        raise ApiError(
            400,
            "bad_value",
            f"{name} is {value!r}; it must be an ISO 8601 time such as 2026-03-02T10:00:00Z.",
        ) from None


def _utc(text: str) -> datetime:
    """Return an ISO 8601 time in UTC, where the years from 1 to 9999 are all that can be asked."""
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _cursor(session: Session) -> str:
    place = json.dumps([session.started_at.isoformat(), session.pk.hex])
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _after(cursor: str) -> Q:
    """Return the sessions after a cursor; the first term lets the index find the place."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        started_at, pk = json.loads(text)
        started_at, pk = _utc(started_at), uuid.UUID(pk)
    except (ValueError, OverflowError, TypeError, AttributeError, RecursionError):
        raise ApiError(
            400, "bad_value", "next is no cursor; send the 'next' of the page before."
        ) from None
    return Q(started_at__lte=started_at) & (Q(started_at__lt=started_at) | Q(pk__lt=pk))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
