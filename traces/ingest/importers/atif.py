"""Trajectories in ATIF, the Agent Trajectory Interchange Format of Harbor and Terminal-Bench.

Form: laude-institute/harbor, `docs/rfcs/0001-trajectory-format.md`, versions 1.0 to 1.7. A step of
the agent is a model call, the tool calls that it makes and what they gave back.
"""

from collections.abc import Iterator
from typing import Any

from traces.errors import BadRecordError
from traces.ingest.credentials import without_credentials
from traces.ingest.importers.chat import said
from traces.ingest.importers.fields import count_at, json_or_text, list_at, object_at, text_at
from traces.ingest.importers.json_file import Found, Row, documents_of, records_of
from traces.ingest.importers.source import Source
from traces.ingest.importers.steps import NO_TIMES, NO_ZONE, Steps, digest_of, priced
from traces.models import Session, Span
from traces.records import SessionRecord


def read_atif(source: Source) -> Iterator[Found]:
    """Yield each trajectory as a session, or as the reason why it is left out.

    Raises:
        BadImportError: The file is no JSON, or breaks off.
    """
    return records_of(documents_of(source), lambda row: _records_of(row, source.changed_ns))


def _records_of(row: Row, changed_ns: int) -> list[SessionRecord]:
    """Return a trajectory, and those of its subagents that it embeds."""
    trajectory = object_at(row.value, "the trajectory")
    records = [_record_of(trajectory, changed_ns, parent="")]
    for value in list_at(trajectory, "subagent_trajectories", "the trajectory"):
        inner = object_at(value, "a subagent's trajectory")
        records.append(_record_of(inner, changed_ns, parent=records[0].external_id))
    return records


def _record_of(trajectory: dict[str, Any], changed_ns: int, *, parent: str) -> SessionRecord:
    version = trajectory.get("schema_version")
    if not (isinstance(version, str) and version.startswith("ATIF-v1")):
        raise BadRecordError(f"its schema_version is {version!r:.40}; ATIF-v1.0 to v1.7 are read")
    agent = object_at(trajectory.get("agent") or {}, "agent")
    values = list_at(trajectory, "steps", "the trajectory")
    rows = [object_at(value, f"step {index}") for index, value in enumerate(values)]
    steps = Steps(first_ns=0, model=text_at(agent, "model_name"))
    steps.tools = list_at(agent, "tool_definitions", "agent")
    times = [steps.ns_of(row.get("timestamp"), "timestamp") for row in rows]
    known = [time for time in times if time is not None]
    steps.first_ns = min(known, default=changed_ns)
    for row, time in zip(rows, times, strict=True):
        _add_step(steps, row, time)
    if not steps.spans:
        raise BadRecordError("it has no steps")
    return SessionRecord(
        source=Session.Source.ATIF,
        external_id=_external_id(trajectory),
        status=Session.Status.COMPLETED,
        agent_name=text_at(agent, "name"),
        version_name=text_at(agent, "version"),
        spans=steps.with_root(text_at(agent, "name")),
        metadata=_metadata(trajectory, agent, steps, parent, has_times=bool(known)),
    )


def _add_step(steps: Steps, row: dict[str, Any], time: int | None) -> None:
    where = f"step {row.get('step_id')!r:.20}"
    who, words = text_at(row, "source"), said(row.get("message"))
    if who == "agent":
        _add_answer(steps, row, words, time, where)
    elif who == "user":
        steps.add_customer(words, start_ns=time, end_ns=time)
    elif who == "system":
        _add_told(steps, row, words, time)
    else:
        raise BadRecordError(f"{where} has the unknown source {who!r:.40}")
    results = object_at(row.get("observation") or {}, f"the observation of {where}")
    for value in list_at(results, "results", f"the observation of {where}"):
        _add_observed(steps, object_at(value, f"a result of {where}"), time)


def _add_answer(
    steps: Steps, row: dict[str, Any], words: str, time: int | None, where: str
) -> None:
    calls = []
    for value in list_at(row, "tool_calls", where):
        call = object_at(value, f"a tool call of {where}")
        name = text_at(call, "function_name")
        if not name:
            raise BadRecordError(f"a tool call of {where} has no function_name")
        arguments = call.get("arguments") or {}
        calls.append({"id": text_at(call, "tool_call_id"), "name": name, "arguments": arguments})
    output: dict[str, Any] = {"content": words or None, "tool_calls": calls}
    if reasoning := said(row.get("reasoning_content")):
        output["reasoning"] = reasoning
    metrics = object_at(row.get("metrics") or {}, f"the metrics of {where}")
    steps.add_model(
        output,
        model=text_at(row, "model_name"),
        end_ns=time,
        input_tokens=count_at(metrics, "prompt_tokens", where),
        output_tokens=count_at(metrics, "completion_tokens", where),
        cached_tokens=count_at(metrics, "cached_tokens", where),
        attributes=_rest(row, metrics),
        **priced(metrics.get("cost_usd"), f"the cost of {where}"),
    )


def _add_told(steps: Steps, row: dict[str, Any], words: str, time: int | None) -> None:
    """Keep a system's words for the next model call; what it did or saw is a step of its own."""
    if not row.get("observation"):
        steps.told.append({"role": "system", "content": words})
    elif words:
        steps.add(Span.Kind.OTHER, "system", start_ns=time, end_ns=time, output={"content": words})


def _add_observed(steps: Steps, result: dict[str, Any], time: int | None) -> None:
    """Append what a call gave back, or what the agent saw without one."""
    content = said(result.get("content"))
    reference = result.get("subagent_trajectory_ref")
    attributes = {"subagent_trajectory_ref": reference} if reference else {}
    call_id = text_at(result, "source_call_id")
    if call_id:
        value = json_or_text(content)
        steps.add_result(call_id, value, end_ns=time, attributes=attributes)
    else:
        steps.add(
            Span.Kind.OTHER,
            "observation",
            end_ns=time,
            output={"content": content},
            attributes=attributes,
        )


def _rest(row: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Any]:
    kept = {
        "reasoning_effort": row.get("reasoning_effort"),
        "is_copied_context": row.get("is_copied_context"),
        "extra": row.get("extra"),
        "metrics": metrics.get("extra"),
    }
    cleaned: dict[str, Any] = without_credentials(
        {name: value for name, value in kept.items() if value is not None}
    )
    return cleaned


def _external_id(trajectory: dict[str, Any]) -> str:
    ids = [text_at(trajectory, "session_id"), text_at(trajectory, "trajectory_id")]
    return " ".join(filter(None, dict.fromkeys(ids))) or digest_of(trajectory)


def _metadata(
    trajectory: dict[str, Any], agent: dict[str, Any], steps: Steps, parent: str, *, has_times: bool
) -> dict[str, Any]:
    times = NO_ZONE if steps.has_naive_times else ("" if has_times else NO_TIMES)
    kept = {
        "parent": parent or None,
        "schema_version": trajectory.get("schema_version"),
        "notes": trajectory.get("notes"),
        "final_metrics": trajectory.get("final_metrics"),
        "continued_trajectory_ref": trajectory.get("continued_trajectory_ref"),
        "agent": agent.get("extra"),
        "extra": trajectory.get("extra"),
        "times": times or None,
    }
    cleaned: dict[str, Any] = without_credentials(
        {name: value for name, value in kept.items() if value is not None}
    )
    return cleaned
