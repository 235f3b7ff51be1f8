"""Logs of Inspect, the evaluation framework of the UK AI Security Institute: `.json` and `.eval`.

Form: UKGovernmentBEIS/inspect_ai, `src/inspect_ai/log/_log.py` (`EvalLog`, `EvalSample`) and
`log/_recorders/eval.py`: a `.eval` file is a zip archive with the header and a file per sample. A
sample is a session: its messages are what was said, its events tell when, and what it used.
"""

import json
import zipfile
from collections.abc import Iterator
from typing import Any

from traces.errors import BadImportError, BadRecordError
from traces.ingest.credentials import without_credentials
from traces.ingest.importers.fields import list_at, object_at, text_at
from traces.ingest.importers.inspect_messages import Sample, add_sample
from traces.ingest.importers.json_file import BadRow, Found, Row, records_of, rows_of
from traces.ingest.importers.source import Source
from traces.ingest.importers.steps import NO_TIMES, NO_ZONE, ONLY_START, Steps, digest_of
from traces.models import Session
from traces.records import SessionRecord

# What one sample may have inflated, so that no small archive fills the memory.
MAX_SAMPLE = 512 << 20
MAX_HEADER = 64 << 20
_HEADERS = ("header.json", "_journal/start.json", "start.json")


def read_inspect(source: Source) -> Iterator[Found]:
    """Yield each sample as a session, or as the reason why it is left out.

    Raises:
        BadImportError: The file is no log, or breaks off.
    """
    rows = _archived(source) if source.is_zip else rows_of(source, "samples")
    return records_of(rows, lambda row: _record_of(row, source.changed_ns))


def _archived(source: Source) -> Iterator[Row | BadRow]:
    try:
        with zipfile.ZipFile(source.path) as archive:
            header = _header(archive)
            names = [name for name in archive.namelist() if name.startswith("samples/")]
            for index, name in enumerate(names, start=1):
                try:
                    value = json.loads(_inflated(archive, name, MAX_SAMPLE))
                except (BadRecordError, ValueError, RecursionError, zipfile.BadZipFile) as error:
                    yield BadRow(index, f"it cannot be read: {error}", name)
                else:
                    yield Row(index, index / len(names), value, header, name)
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise BadImportError(f"the archive cannot be read: {error}") from error


def _header(archive: zipfile.ZipFile) -> dict[str, Any]:
    name = next((name for name in _HEADERS if name in archive.namelist()), None)
    if name is None:
        raise BadImportError("the archive holds no header.json, so it is no log of Inspect")
    try:
        return object_at(json.loads(_inflated(archive, name, MAX_HEADER)), name)
    except (BadRecordError, ValueError, RecursionError) as error:
        raise BadImportError(f"{name} cannot be read: {error}") from error


def _inflated(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Return a member's bytes; what it says of its own size is not believed."""
    with archive.open(name) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise BadRecordError(f"it has over {most:,} bytes")
    return data


def _record_of(row: Row, changed_ns: int) -> SessionRecord:
    value = object_at(row.value, "the sample")
    task = object_at(row.header.get("eval") or {}, "eval")
    model = text_at(task, "model")
    steps = Steps(first_ns=0, model=model)
    created_ns = steps.ns_of(task.get("created"), "eval.created")
    sample = Sample(value, steps)
    steps.first_ns = sample.first_ns or created_ns or changed_ns
    add_sample(sample)
    error, status = _error_of(value), Session.Status.COMPLETED
    reason = error or _limit_of(value)
    if reason:
        status = Session.Status.FAILED
    if not steps.spans and not reason:
        raise BadRecordError("it has no messages")
    name = text_at(task, "task")
    times = NO_ZONE if steps.has_naive_times else ""
    if not sample.first_ns:
        times = ONLY_START if created_ns else NO_TIMES
    return SessionRecord(
        source=Session.Source.INSPECT,
        external_id=_external_id(value, task),
        status=status,
        status_reason=reason,
        agent_name=name,
        version_name=model,
        spans=steps.with_root(name, error=error, end_ns=sample.last_ns),
        metadata=_metadata(value, task, times),
    )


def _external_id(sample: dict[str, Any], task: dict[str, Any]) -> str:
    if text_at(sample, "uuid"):
        return text_at(sample, "uuid")
    run = text_at(task, "eval_id") or text_at(task, "run_id")
    if not run:
        return digest_of(sample)
    return f"{run} {sample.get('id')} {sample.get('epoch')}"[:200]


def _error_of(sample: dict[str, Any]) -> str:
    error = sample.get("error")
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""


def _limit_of(sample: dict[str, Any]) -> str:
    limit = sample.get("limit")
    if not isinstance(limit, dict):
        return ""
    return f"ended by the {limit.get('type')} limit ({limit.get('limit')})"


def _metadata(sample: dict[str, Any], task: dict[str, Any], times: str) -> dict[str, Any]:
    named = ("task", "task_version", "task_id", "run_id", "created", "solver", "dataset")
    kept = {
        "sample": sample.get("id"),
        "epoch": sample.get("epoch"),
        "target": sample.get("target"),
        "choices": sample.get("choices"),
        "scores": sample.get("scores"),
        "metadata": sample.get("metadata"),
        "model_usage": sample.get("model_usage"),
        "total_time": sample.get("total_time"),
        "working_time": sample.get("working_time"),
        "eval": {name: task[name] for name in named if task.get(name) is not None},
        "tags": list_at(task, "tags", "eval"),
        "times": times,
    }
    cleaned: dict[str, Any] = without_credentials(
        {name: value for name, value in kept.items() if value not in (None, "", [], {})}
    )
    return cleaned
