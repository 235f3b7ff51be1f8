"""Results of tau2-bench: one JSON file of simulations, each a talk of an agent with a customer.

Form: sierra-research/tau2-bench, `src/tau2/data_model/simulation.py` and `message.py`.
"""

from collections.abc import Iterator
from typing import Any

from traces.errors import BadRecordError
from traces.ingest.credentials import without_credentials
from traces.ingest.importers.fields import object_at, text_at
from traces.ingest.importers.json_file import Found, Row, records_of, rows_of
from traces.ingest.importers.source import Source
from traces.ingest.importers.steps import NO_ZONE, ROOT_ID
from traces.ingest.importers.tau2_messages import Talk, add_message
from traces.models import Session, Span
from traces.records import SessionRecord, SpanRecord

_GOOD_ENDINGS = {"user_stop", "agent_stop"}
_LIMITS = {"max_steps": "max_steps", "too_many_errors": "max_errors"}


def read_tau2(source: Source) -> Iterator[Found]:
    """Yield each simulation as a session, or as the reason why it is left out.

    Raises:
        BadImportError: The file is no results file, or breaks off.
    """
    return records_of(rows_of(source, "simulations"), _record_of)


def _record_of(row: Row) -> SessionRecord:
    simulation = object_at(row.value, "the simulation")
    info = object_at(row.header.get("info") or {}, "info")
    agent = object_at(info.get("agent_info") or {}, "info.agent_info")
    if not text_at(simulation, "id"):
        raise BadRecordError("it has no id")
    talk = _talk_of(simulation, model=text_at(agent, "llm"))
    status, reason = _status_of(simulation, info, talk)
    name = _agent_name(info, agent)
    task_id = simulation.get("task_id")
    return SessionRecord(
        source=Session.Source.TAU2,
        external_id=text_at(simulation, "id"),
        status=status,
        status_reason=reason,
        agent_name=name,
        version_name=talk.model,
        spans=(_root(talk, simulation, name, status, _ticket(row, task_id)), *talk.spans),
        metadata=_metadata(simulation, info, agent, talk),
    )


def _talk_of(simulation: dict[str, Any], model: str) -> Talk:
    messages = simulation.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRecordError("it has no messages")
    first = object_at(messages[0], "message 0").get("timestamp")
    talk = Talk(model=model)
    starts = [talk.ns_of(simulation.get("start_time"), "start_time"), talk.ns_of(first, "the time")]
    known = [start_ns for start_ns in starts if start_ns is not None]
    if not known:
        raise BadRecordError("it has neither start_time nor time stamps")
    talk.first_ns = talk.now_ns = min(known)
    for index, message in enumerate(messages):
        add_message(talk, message, f"message {index}")
    if not talk.spans:
        raise BadRecordError("its messages say nothing")
    return talk


def _root(
    talk: Talk, simulation: dict[str, Any], name: str, status: Session.Status, ticket: str
) -> SpanRecord:
    """Return the agent's span, from the beginning to the end."""
    end_ns = max(talk.ns_of(simulation.get("end_time"), "end_time") or 0, talk.now_ns)
    return SpanRecord(
        span_id=ROOT_ID,
        kind=Span.Kind.AGENT,
        name=name or "agent",
        start_ns=talk.first_ns,
        duration_ns=end_ns - talk.first_ns,
        status=Span.Status.ERROR if status == Session.Status.FAILED else Span.Status.OK,
        input={"content": ticket} if ticket else None,
    )


def _status_of(
    simulation: dict[str, Any], info: dict[str, Any], talk: Talk
) -> tuple[Session.Status, str]:
    ending = text_at(simulation, "termination_reason")
    if ending not in _GOOD_ENDINGS:
        limit = info.get(_LIMITS.get(ending, ""))
        detail = f" (limit {limit})" if isinstance(limit, int) else ""
        return Session.Status.FAILED, f"ended by {ending or 'an unknown cause'}{detail}"
    if talk.is_handed_over:
        return Session.Status.HANDED_OVER, "transferred to a person"
    return Session.Status.COMPLETED, ""


def _agent_name(info: dict[str, Any], agent: dict[str, Any]) -> str:
    """Return the domain, with the implementation where it is not tau2's own talking agent."""
    environment = object_at(info.get("environment_info") or {}, "info.environment_info")
    implementation = text_at(agent, "implementation")
    extra = "" if implementation == "llm_agent" else implementation
    return " ".join(filter(None, [text_at(environment, "domain_name"), extra]))


def _metadata(
    simulation: dict[str, Any], info: dict[str, Any], agent: dict[str, Any], talk: Talk
) -> dict[str, Any]:
    reward_info = simulation.get("reward_info")
    named = ("task_id", "trial", "seed", "termination_reason")
    kept = {
        **{name: simulation.get(name) for name in named},
        "reward": reward_info.get("reward") if isinstance(reward_info, dict) else None,
        "reward_info": reward_info,
        "agent": {name: agent.get(name) for name in ("implementation", "llm", "llm_args")},
        "git_commit": info.get("git_commit"),
        **({"times": NO_ZONE} if talk.has_naive_times else {}),
    }
    cleaned: dict[str, Any] = without_credentials(kept)
    return cleaned


def _ticket(row: Row, task_id: Any) -> str:
    """Return what an agent without a customer was told to do."""
    tasks = row.header.get("tasks")
    for task in tasks if isinstance(tasks, list) else []:
        if isinstance(task, dict) and task.get("id") == task_id:
            return text_at(task, "ticket")
    return ""
