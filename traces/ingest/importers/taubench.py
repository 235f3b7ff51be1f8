"""Results of the first tau-bench: a JSON list of runs, each a talk of an agent with a customer.

Form: sierra-research/tau-bench, `tau_bench/types.py` (`EnvRunResult`); the agent, its model and the
domain stand only in the file's name (`tau_bench/run.py`), and there are no times.
"""

import re
from collections.abc import Iterator
from typing import Any

from traces.ingest.credentials import without_credentials
from traces.ingest.importers.chat import add_message, said
from traces.ingest.importers.fields import json_or_text, list_at, object_at, text_at
from traces.ingest.importers.json_file import Found, Row, documents_of, records_of
from traces.ingest.importers.source import Source
from traces.ingest.importers.steps import NO_TIMES, Steps, digest_of
from traces.models import Session
from traces.records import SessionRecord

_FILE_NAME = re.compile(r"(?P<agent>[a-z]+(?:-[a-z]+)?)-(?P<model>.+)-\d+\.\d+_range_")
_HANDOVER_TOOL = "transfer_to_human_agents"


def read_taubench(source: Source) -> Iterator[Found]:
    """Yield each run as a session, or as the reason why it is left out.

    Raises:
        BadImportError: The file is no JSON, or breaks off.
    """
    named = _FILE_NAME.match(source.path.name)
    agent = named["agent"] if named else ""
    model = named["model"] if named else ""
    return records_of(
        documents_of(source), lambda row: _record_of(row, agent, model, source.changed_ns)
    )


def _record_of(row: Row, agent: str, model: str, first_ns: int) -> SessionRecord:
    run = object_at(row.value, "the run")
    info = object_at(run.get("info") or {}, "info")
    steps = Steps(first_ns=first_ns, model=model)
    for index, value in enumerate(list_at(run, "traj", "the run")):
        where = f"message {index}"
        message = object_at(value, where)
        if message.get("role") == "tool":
            _add_result(steps, message)
        else:
            add_message(steps, message, where)
    error = text_at(info, "error")
    is_handed_over = any(call["name"] == _HANDOVER_TOOL for call in steps.calls.values())
    task = object_at(info.get("task") or {}, "info.task")
    return SessionRecord(
        source=Session.Source.TAUBENCH,
        external_id=digest_of(run),
        status=_status(error, is_handed_over),
        status_reason=error or ("transferred to a person" if is_handed_over else ""),
        agent_name="tau-bench" + (f" {agent}" if agent else ""),
        version_name=model,
        customer=text_at(task, "user_id"),
        spans=steps.with_root("agent", error=error),
        metadata=_metadata(run, info),
    )


def _add_result(steps: Steps, message: dict[str, Any]) -> None:
    """Append a result; the environment answers a call that fails with a text that says so."""
    text = said(message.get("content"))
    is_error = text.startswith("Error")
    steps.add_result(
        text_at(message, "tool_call_id"),
        json_or_text(text),
        name=text_at(message, "name"),
        error=text if is_error else "",
    )


def _status(error: str, is_handed_over: bool) -> Session.Status:
    if error:
        return Session.Status.FAILED
    return Session.Status.HANDED_OVER if is_handed_over else Session.Status.COMPLETED


def _metadata(run: dict[str, Any], info: dict[str, Any]) -> dict[str, Any]:
    kept = {
        **{name: run.get(name) for name in ("task_id", "trial", "reward")},
        **{name: value for name, value in info.items() if name != "traceback"},
        "times": NO_TIMES,
    }
    cleaned: dict[str, Any] = without_credentials(kept)
    return cleaned
