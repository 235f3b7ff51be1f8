"""Queueing and stopping many runs at once: as `start_run` and `request_cancel`, in few queries."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction

from agents.models import Agent, Run, Version
from agents.runtime.ending import end_run
from agents.runtime.hints import hint_on_commit
from agents.runtime.record import opening_spans, root_span_id
from agents.tools.autonomy import database_now
from traces.models import Session
from traces.recorder import new_span_id
from traces.recording_many import NewSession, close_unstarted, open_sessions
from traces.records import SpanRecord


@dataclass(frozen=True)
class Opening:
    """How runs begin that begin alike: the customer's part, and what answers their calls.

    Attributes:
        run_input: In its stored form; see `agents.runtime.start.check_input`.
        play: See `Run.play`.
    """

    title: str
    run_input: dict[str, Any]
    fixtures: list[dict[str, Any]] = field(default_factory=list)
    play: dict[str, Any] | None = None


@dataclass(frozen=True)
class NewRun:
    """A run to be queued; runs that begin alike share the `opening` object."""

    version: Version
    opening: Opening
    metadata: dict[str, Any] = field(default_factory=dict)


def start_runs(
    *, agent: Agent, runs: Sequence[NewRun], kind: Run.Kind, started_by: int | None
) -> list[Run]:
    """Queue runs in their order, which is the order in which they will begin.

    One transaction and one hint, about ten queries however many runs there are. Locks nothing.

    Args:
        agent: Whose runs they are, with its project.
        runs: At least one.
        kind: What they are for.
        started_by: Id of the person, if one did.
    """
    with transaction.atomic():
        sessions = open_sessions(
            project=agent.project,
            sessions=_new_sessions(agent, runs),
            is_golden=kind == Run.Kind.GOLDEN,
        )
        now = database_now()
        started = Run.objects.bulk_create(
            Run(
                id=session.pk,
                project_id=agent.project_id,
                agent=agent,
                version=new.version,
                session=session,
                kind=kind,
                input=new.opening.run_input,
                fixtures=new.opening.fixtures,
                play=new.opening.play,
                started_by_id=started_by,
                next_at=now - timedelta(microseconds=len(runs) - place),
            )
            for place, (new, session) in enumerate(zip(runs, sessions, strict=True))
        )
        hint_on_commit()
    return started


def stop_runs(*, run_ids: Sequence[uuid.UUID], because: str) -> int:
    """End those of the runs that are open; return how many. Locks them in the order of their ids.

    At once where no worker holds the run, else before its next step (see `request_cancel`).
    """
    with transaction.atomic():
        rows = list(
            Run.objects.select_for_update(of=("self",))
            .filter(pk__in=run_ids, status__in=Run.OPEN)
            .select_related("session")
            .defer("input", "fixtures", "session__said", "session__said_vector")
            .order_by("pk")
        )
        unstarted = [row for row in rows if _is_unstarted(row)]
        _stop_unstarted([row.pk for row in unstarted], because)
        for row in rows:
            if not _is_unstarted(row):
                _stop(row, because)
    return len(rows)


def _new_sessions(agent: Agent, runs: Sequence[NewRun]) -> list[NewSession]:
    start_ns = time.time_ns()
    alike: dict[int, tuple[SpanRecord, ...]] = {}
    sessions = []
    for place, new in enumerate(runs):
        session_id = uuid.uuid4()
        key = id(new.opening)
        if key not in alike:
            messages = new.opening.run_input["messages"]
            alike[key] = tuple(opening_spans(agent.slug, session_id, messages, start_ns))
        root = root_span_id(session_id)
        # A microsecond apart, so that sessions and runs have the same order.
        first_ns = start_ns + place * 1000
        others = [(new_span_id(), root, first_ns + at) for at in range(1, len(alike[key]))]
        sessions.append(
            NewSession(
                session_id=session_id,
                agent_name=agent.slug,
                version_name=str(new.version),
                title=new.opening.title,
                spans=alike[key],
                places=((root, "", first_ns), *others),
                metadata=new.metadata,
            )
        )
    return sessions


def _is_unstarted(run: Run) -> bool:
    return run.status == Run.Status.QUEUED and not run.claim_token


def _stop_unstarted(run_ids: Sequence[uuid.UUID], because: str) -> None:
    if not run_ids:
        return
    now = database_now()
    Run.objects.filter(pk__in=run_ids).update(
        status=Run.Status.CANCELLED,
        error=because,
        cancel_requested_at=now,
        finished_at=now,
        next_at=None,
    )
    close_unstarted(
        sessions=run_ids,
        status=Session.Status.CANCELLED,
        reason=because,
        end_ns=time.time_ns(),
    )


def _stop(run: Run, because: str) -> None:
    run.cancel_requested_at, run.error = database_now(), because
    run.save(update_fields=["cancel_requested_at", "error"])
    if run.status != Run.Status.RUNNING:
        end_run(run, Run.Status.CANCELLED, error=because)
