"""Starting and following runs: `POST /api/v1/runs` and `GET /api/v1/runs/{id}`."""

import uuid
from typing import Any

from django.http import JsonResponse
from django.urls import reverse

from agents.config import content_hash
from agents.errors import RunError
from agents.models import Agent, Run, Step, ToolApproval, Version
from agents.runtime.start import start_run
from reviewdesk.api.endpoint import ApiError, ApiRequest, check_names, json_object
from traces.models import ApiKey

MAX_KEY = 200
_NAMES = {"agent", "message", "messages", "turns", "version", "customer"}


def create_run(request: ApiRequest) -> JsonResponse:
    """Start a run: 201, or 200 with the run that the same key and body started before."""
    body = json_object(request)
    check_names(body, _NAMES, "member")
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > MAX_KEY or "\x00" in key:
        raise ApiError(400, "bad_value", f"Idempotency-Key may have {MAX_KEY} characters.")
    agent = _agent(request, body)
    version = _version(agent, body)
    asked = content_hash(body)
    run, is_new = _started(request.api_key, agent, version, body, key=key, asked=asked)
    response = JsonResponse(run_json(request, run), status=201 if is_new else 200)
    response["Location"] = reverse("api:run", args=[run.pk])
    return response


def get_run(request: ApiRequest, pk: uuid.UUID) -> JsonResponse:
    """Answer how a run stands and what the agent said last."""
    found = Run.objects.select_related("agent", "version", "session")
    run = found.filter(project=request.api_key.project, pk=pk).first()
    if run is None:
        raise ApiError(404, "not_found", f"This project has no run {pk}.")
    return JsonResponse(run_json(request, run))


def run_json(request: ApiRequest, run: Run) -> dict[str, Any]:
    """Return a run as the API shows it. Two queries."""
    page = reverse("sessions:detail", args=[request.api_key.project.slug, run.session_id])
    answer = (
        Step.objects.filter(run=run, kind=Step.Kind.MODEL, status=Step.Status.DONE)
        .exclude(response__content=None)
        .order_by("-index")
        .values_list("response__content", flat=True)
        .first()
    )
    waiting = ToolApproval.objects.filter(
        run=run, kind=ToolApproval.Kind.APPROVAL, status=ToolApproval.Status.WAITING
    ).order_by("pk")
    return {
        "id": str(run.pk),
        "session_id": str(run.session_id),
        "agent": run.agent.slug,
        "version": run.version.number,
        "kind": _kind(run),
        "status": run.status,
        "error": run.error,
        "answer": answer,
        "waiting_for": [
            {
                "tool": approval.tool,
                "arguments": approval.arguments,
                "why": approval.why,
                "since": approval.created_at.isoformat(),
                "expires_at": approval.expires_at.isoformat() if approval.expires_at else None,
            }
            for approval in waiting
        ],
        "created_at": run.created_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "url": request.build_absolute_uri(page),
    }


def _kind(run: Run) -> str:
    """Return what a run is for; that its call is planted is told once somebody has decided it."""
    is_hidden = run.kind == Run.Kind.CANARY and run.status in Run.OPEN
    return str(Run.Kind.LIVE if is_hidden else run.kind)


def _started(
    api_key: ApiKey,
    agent: Agent,
    version: Version | None,
    body: dict[str, Any],
    *,
    key: str,
    asked: str,
) -> tuple[Run, bool]:
    """Start the run or find the one that the key started; say whether it is new."""
    if known := _known_run(api_key, key, asked):
        return known, False
    request_id = uuid.uuid4().hex
    try:
        run = start_run(
            agent=agent,
            version=version,
            run_input=_input(body),
            customer=_text(body, "customer"),
            api_key=api_key,
            idempotency_key=key,
            metadata={"api": {"request_id": request_id, "request_hash": asked}},
        )
    except RunError as error:
        # A request with the same key may have come in between.
        if known := _known_run(api_key, key, asked):
            return known, False
        raise ApiError(400, "bad_run", str(error)) from error
    is_new = run.session.metadata.get("api", {}).get("request_id") == request_id
    if not is_new:
        run = _known_run(api_key, key, asked) or run
    return run, is_new


def _known_run(api_key: ApiKey, key: str, asked: str) -> Run | None:
    """Return the run that this key started in the project.

    Raises:
        ApiError: It was started by another body (409).
    """
    if not key:
        return None
    found = Run.objects.select_related("agent", "version", "session")
    run = found.filter(project=api_key.project, idempotency_key=key).first()
    if run and run.session.metadata.get("api", {}).get("request_hash") != asked:
        raise ApiError(
            409,
            "key_reused",
            f"The Idempotency-Key {key!r} started run {run.pk} with another body; use a new key.",
        )
    return run


def _agent(request: ApiRequest, body: dict[str, Any]) -> Agent:
    slug = _text(body, "agent")
    agents = Agent.objects.filter(project=request.api_key.project).select_related(
        "project", "live_version"
    )
    agent = agents.filter(slug=slug).first()
    if agent is None:
        known = ", ".join(agents.order_by("slug").values_list("slug", flat=True)) or "none yet"
        raise ApiError(404, "not_found", f"This project has no agent {slug!r}; it has {known}.")
    return agent


def _version(agent: Agent, body: dict[str, Any]) -> Version | None:
    number = body.get("version")
    if number is None:
        return None
    if not isinstance(number, int) or isinstance(number, bool):
        raise ApiError(400, "bad_value", f"version is {number!r}; it must be a version's number.")
    version = agent.versions.filter(number=number).first() if 0 < number < 2**31 else None
    if version is None:
        raise ApiError(404, "not_found", f"The agent {agent.slug!r} has no version {number}.")
    return version


def _input(body: dict[str, Any]) -> dict[str, Any]:
    if ("message" in body) == ("messages" in body):
        raise ApiError(
            400, "bad_value", "Send either 'message', a text, or 'messages', a conversation so far."
        )
    if "message" in body:
        messages = [{"role": "user", "content": _text(body, "message")}]
    else:
        messages = body["messages"]
    return {"messages": messages, "turns": body.get("turns", [])}


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or "\x00" in value:
        raise ApiError(400, "bad_value", f"{name} must be a text.")
    return value
