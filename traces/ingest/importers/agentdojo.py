"""Runs of AgentDojo: an agent at work on a user's task while its tools' results try to misuse it.

Form: ethz-spylab/agentdojo, `src/agentdojo/logging.py` (`TraceLogger`): one JSON file a run, or
those of many runs as JSON Lines. Of the times, the files have the duration, and newer ones the end.
"""

import re
from collections.abc import Iterator
from typing import Any

from traces.errors import BadRecordError
from traces.ingest.credentials import without_credentials
from traces.ingest.importers.chat import add_message, said
from traces.ingest.importers.fields import decimal_of, json_or_text, list_at, object_at, text_at
from traces.ingest.importers.json_file import Found, Row, documents_of, records_of
from traces.ingest.importers.source import Source
from traces.ingest.importers.steps import NO_TIMES, ONLY_START, Steps, digest_of
from traces.models import Session
from traces.records import SessionRecord

# Defences are named at the end of a pipeline's name (agentdojo's `agent_pipeline.py`).
_DEFENCE = re.compile(
    r"(?P<model>.+)-(?P<defence>tool_filter|transformers_pi_detector|repeat_user_prompt"
    r"|spotlighting_with_delimiting)"
)
_NO_LETTER = re.compile(r"\W+")
_TELLING = 40


def read_agentdojo(source: Source) -> Iterator[Found]:
    """Yield each run as a session, or as the reason why it is left out.

    Raises:
        BadImportError: The file is no JSON, or breaks off.
    """
    return records_of(documents_of(source), lambda row: _record_of(row, source.changed_ns))


def _record_of(row: Row, changed_ns: int) -> SessionRecord:
    run = object_at(row.value, "the run")
    if "suite_name" not in run or "user_task_id" not in run:
        raise BadRecordError("it has no suite_name or user_task_id, so it is no run of AgentDojo")
    pipeline = text_at(run, "pipeline_name")
    named = _DEFENCE.fullmatch(pipeline)
    steps = Steps(first_ns=0, model=named["model"] if named else pipeline)
    duration_ns = int(decimal_of(run.get("duration") or 0, "duration") * 1_000_000_000)
    end_ns = steps.ns_of(run.get("evaluation_timestamp"), "evaluation_timestamp")
    steps.first_ns = end_ns - max(duration_ns, 0) if end_ns else changed_ns
    injections = object_at(run.get("injections") or {}, "injections")
    for index, value in enumerate(list_at(run, "messages", "the run")):
        message = object_at(value, f"message {index}")
        if message.get("role") == "tool":
            _add_result(steps, message, injections)
        else:
            add_message(steps, message, f"message {index}")
    if not steps.spans:
        raise BadRecordError("it has no messages")
    error = said(run.get("error"))
    return SessionRecord(
        source=Session.Source.AGENTDOJO,
        external_id=_external_id(run, pipeline),
        status=Session.Status.FAILED if error else Session.Status.COMPLETED,
        status_reason=error,
        agent_name=text_at(run, "suite_name"),
        version_name=pipeline,
        spans=steps.with_root(
            text_at(run, "suite_name"), error=error, end_ns=steps.first_ns + duration_ns
        ),
        metadata=_metadata(run, named["defence"] if named else None, has_end=bool(end_ns)),
    )


def _add_result(steps: Steps, message: dict[str, Any], injections: dict[str, Any]) -> None:
    text = said(message.get("content"))
    error = text_at(message, "error")
    planted = [name for name, words in injections.items() if _holds(text, words)]
    steps.add_result(
        text_at(message, "tool_call_id"),
        json_or_text(text),
        error=error,
        attributes={"injections": planted} if planted else {},
    )


def _holds(text: str, words: Any) -> bool:
    """Say whether a result holds an injection; YAML breaks its lines and escapes some of it."""
    start = _letters(words)[:_TELLING] if isinstance(words, str) else ""
    return bool(start) and start in _letters(text)


def _letters(text: str) -> str:
    return _NO_LETTER.sub("", text.replace("\\n", ""))


def _external_id(run: dict[str, Any], pipeline: str) -> str:
    names = ("suite_name", "user_task_id", "attack_type", "injection_task_id")
    path = "/".join([pipeline, *(str(run.get(name) or "none") for name in names)])
    return f"{path[:160]} {digest_of(run)[:12]}"


def _metadata(run: dict[str, Any], defence: str | None, *, has_end: bool) -> dict[str, Any]:
    attack, security = run.get("attack_type"), run.get("security")
    kept = {
        "suite": run.get("suite_name"),
        "user_task": run.get("user_task_id"),
        "injection_task": run.get("injection_task_id"),
        "attack": attack,
        "defence": defence,
        "utility": run.get("utility"),
        "security": security,
        "is_task_done": run.get("utility"),
        "has_attack_succeeded": security if attack else None,
        "injections": run.get("injections") or {},
        "duration": run.get("duration"),
        "benchmark_version": run.get("benchmark_version"),
        "times": ONLY_START if has_end else NO_TIMES,
    }
    cleaned: dict[str, Any] = without_credentials(kept)
    return cleaned
