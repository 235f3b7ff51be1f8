"""Starting, continuing and cancelling runs."""

import time
import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction

from agents.config import canonical_json
from agents.errors import RunError
from agents.models import Agent, Run, Version
from agents.runtime.ending import end_run
from agents.runtime.hints import hint_on_commit
from agents.runtime.record import opening_spans
from agents.tools.autonomy import database_now
from traces.clean import clean_json, clean_text
from traces.models import ApiKey, Session
from traces.recorder import open_session, record_spans, set_status

MAX_INPUT_CHARACTERS = 200_000
_ROLES = ("user", "assistant")


def start_run(
    *,
    agent: Agent,
    version: Version | None = None,
    run_input: dict[str, Any],
    customer: str = "",
    title: str = "",
    started_by: AbstractBaseUser | None = None,
    api_key: ApiKey | None = None,
    idempotency_key: str = "",
    kind: Run.Kind = Run.Kind.LIVE,
    fixtures: Sequence[dict[str, Any]] = (),
    metadata: dict[str, Any] | None = None,
) -> Run:
    """Queue a run of `version` (the live one by default) and open its session.

    Args:
        agent: Whose run it is.
        version: None is the live version.
        run_input: `{"messages": [{"role", "content"}], "turns": [str]}`; see `Run`.
        customer: Whom the session is with, as people search for it.
        title: First words; taken from the customer's first message where empty.
        started_by: The person, if one did.
        api_key: The key of the program, if one did.
        idempotency_key: The same key of a project gives the run that it started before.
        kind: What the run is for.
        fixtures: Recorded tool results, for golden tests.
        metadata: Kept with the session.

    Raises:
        RunError: There is no version to run, the input has not this form, or the idempotency key
            was used with other input.
    """
    chosen = version or agent.live_version
    if chosen is None or chosen.agent_id != agent.pk:
        raise RunError(f"{agent} has no live version: approve one, or name the version to run.")
    checked = check_input(run_input)
    with transaction.atomic():
        if idempotency_key:
            _lock_key(agent.project_id, idempotency_key)
            if known := Run.objects.filter(
                project_id=agent.project_id, idempotency_key=idempotency_key
            ).first():
                return _same_run(known, agent, checked, idempotency_key)
        start_ns = time.time_ns()
        session = open_session(
            project=agent.project,
            agent_name=agent.slug,
            version_name=str(chosen),
            start_ns=start_ns,
            customer=customer,
            title=title,
            is_golden=kind == Run.Kind.GOLDEN,
            metadata=metadata,
        )
        record_spans(
            session=session,
            spans=opening_spans(agent.slug, session.pk, checked["messages"], start_ns),
        )
        run = Run.objects.create(
            id=session.pk,
            project_id=agent.project_id,
            agent=agent,
            version=chosen,
            session=session,
            kind=kind,
            input=checked,
            fixtures=list(fixtures),
            started_by_id=started_by.pk if started_by else None,
            api_key=api_key,
            idempotency_key=idempotency_key,
            next_at=database_now(),
        )
        hint_on_commit()
    return run


def continue_run(*, run: Run, content: str, by: AbstractBaseUser | None = None) -> Run:
    """Let the customer say one more thing to a finished run, and run on.

    Raises:
        RunError: The run is not finished, failed, or is no live run; or there is no text.
    """
    if not content.strip():
        raise RunError("Write what the customer says next; the message is empty.")
    with transaction.atomic():
        row = Run.objects.select_for_update(of=("self",)).select_related("session").get(pk=run.pk)
        if row.status != Run.Status.COMPLETED or row.kind != Run.Kind.LIVE:
            raise RunError(
                "Only a completed live run can be continued; this one is "
                f"{row.get_status_display()}."
            )
        turns = [*row.input.get("turns", []), clean_text(content)]
        row.input = check_input({**row.input, "turns": turns})
        row.status, row.finished_at, row.next_at = Run.Status.QUEUED, None, database_now()
        row.save(update_fields=["input", "status", "finished_at", "next_at"])
        set_status(session=row.session, status=Session.Status.RUNNING)
        hint_on_commit()
    return row


def request_cancel(*, run: Run, by: AbstractBaseUser) -> Run:
    """End a run: at once where no worker holds it, else before its next step.

    A call outside that is in progress comes to its end first and is recorded; one whose outcome
    is unknown stays so, and people are asked what became of it.

    Raises:
        RunError: The run has ended already.
    """
    with transaction.atomic():
        row = (
            Run.objects.select_for_update(of=("self",))
            .select_related("agent", "session", "project")
            .get(pk=run.pk)
        )
        if row.status not in Run.OPEN:
            raise RunError(f"This run has ended already: it is {row.get_status_display()}.")
        row.cancel_requested_at = database_now()
        row.error = f"cancelled by {by}"
        row.save(update_fields=["cancel_requested_at", "error"])
        if row.status != Run.Status.RUNNING:
            end_run(row, Run.Status.CANCELLED, error=row.error)
    return row


def check_input(run_input: dict[str, Any]) -> dict[str, Any]:
    """Return a run's input in its stored form.

    Raises:
        RunError: It has not the form that `Run` describes, or is too long.
    """
    messages, turns = run_input.get("messages"), run_input.get("turns", [])
    if not isinstance(messages, list) or not messages:
        raise RunError("A run needs at least one message; 'messages' must be a list with one.")
    for number, message in enumerate(messages, 1):
        if (
            not isinstance(message, dict)
            or message.get("role") not in _ROLES
            or not isinstance(message.get("content"), str)
            or not message["content"].strip()
        ):
            raise RunError(
                f"Message {number} must have a 'role' of user or assistant and a text 'content'."
            )
    if messages[-1]["role"] != "user":
        raise RunError("The last message must be the customer's (role 'user').")
    if not isinstance(turns, list) or not all(isinstance(t, str) and t.strip() for t in turns):
        raise RunError("'turns' must be a list of texts, none of them empty.")
    checked = {
        "messages": [{"role": m["role"], "content": clean_text(m["content"])} for m in messages],
        "turns": clean_json(turns),
    }
    size = len(canonical_json(checked))
    if size > MAX_INPUT_CHARACTERS:
        raise RunError(
            f"The messages have {size:,} characters; a run takes {MAX_INPUT_CHARACTERS:,} at most."
        )
    return checked


def _same_run(known: Run, agent: Agent, checked: dict[str, Any], key: str) -> Run:
    if known.agent_id != agent.pk or known.input["messages"] != checked["messages"]:
        raise RunError(
            f"The idempotency key {key!r} was used for another run; use a new key for new input."
        )
    return known


def _lock_key(project_id: int, key: str) -> None:
    number = uuid.uuid5(uuid.NAMESPACE_URL, f"{project_id}:{key}").int >> 65
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
