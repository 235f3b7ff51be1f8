"""Running recorded sessions again with the real runtime, tools and worker."""

import gzip
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.text import slugify

from agents.config import Limits, VersionConfig
from agents.demo.replay_compare import (
    CallDifference,
    OutcomeCheck,
    Response,
    State,
    check_outcome,
    compare_call,
    recorded_calls,
)
from agents.demo.replay_worker import worker_running
from agents.demo.tools import FOR_AGENTS
from agents.llm.simulator.recorded import RecordedBrain, Recording, read_recordings
from agents.llm.simulator.server import ModelServer
from agents.models import Agent, AgentTool, Level, Run, ShopRecord, Step, Tier, Version
from agents.releases.propose import create_version
from agents.runtime.start import start_run
from agents.runtime.sweeper import sweep
from agents.tools.autonomy import database_now, lift_ceiling
from traces.models import Project

PROJECT = "recorded-retail"
_REASON = "Recorded sessions are repeated as they were: nobody decides single calls."
_LIMITS = Limits(max_steps=400, max_tokens=10_000_000, max_cost_usd=100.0, max_seconds=3600)
_POLL_SECONDS = 0.2

Records = dict[str, dict[str, dict[str, Any]]]
Progress = Callable[[int, int], None]


class ReplayError(Exception):
    """The data cannot be replayed; the text says what is missing."""


@dataclass(frozen=True)
class ReplayReport:
    """What a replay found.

    Attributes:
        num_calls: Recorded tool calls.
        differences: Calls that do not agree, in the order of the recordings.
        outcomes: One per session.
    """

    num_calls: int
    differences: tuple[CallDifference, ...]
    outcomes: tuple[OutcomeCheck, ...]

    @property
    def agreement(self) -> float:
        """Return the share of calls that agree, 0-1 (1 where there was none)."""
        return 1 - len(self.differences) / self.num_calls if self.num_calls else 1.0

    @property
    def last_line(self) -> str:
        """Return the result in one line."""
        explained = sum(outcome.is_explained for outcome in self.outcomes)
        return (
            f"agreement {self.agreement:.3f} of {self.num_calls} tool calls, "
            f"outcomes {explained} of {len(self.outcomes)} explained"
        )


def replay_recorded(
    *,
    data: Path,
    by: AbstractBaseUser,
    limit: int | None = None,
    timeout_seconds: float = 900,
    progress: Progress | None = None,
) -> ReplayReport:
    """Run the recorded retail sessions again and compare them with the recordings.

    Args:
        data: Folder with `retail/` (shop, policy) and `tau2/` (recordings).
        by: Who lifts the ceilings of the agents.
        limit: At most so many sessions, taken from the files in turn.
        timeout_seconds: After which runs that have not ended are an error.
        progress: Told how many of how many runs have ended.

    Raises:
        ReplayError: A file is missing, or runs did not end in time.
    """
    records, policy = read_shop(data)
    recordings = _in_turn(read_all(data))[:limit]
    project, _ = Project.objects.get_or_create(
        slug=PROJECT, defaults={"name": "Recorded retail sessions"}
    )
    load_records(PROJECT, records)
    server = ModelServer(RecordedBrain(recordings)).start()
    try:
        with worker_running():
            runs = _start_runs(project, recordings, policy, server.base_url, by)
            _wait(list(runs.values()), timeout_seconds, progress)
    finally:
        server.stop()
    return _report(recordings, runs, records)


def read_shop(data: Path) -> tuple[Records, str]:
    """Return the shop's records by kind and key, and its policy."""
    content = json.loads(_read(_find(data / "retail", "db.json")))
    records = {kind: content[f"{kind}s"] for kind in ("user", "order", "product")}
    return records, _read(_find(data / "retail", "policy.md"))


def read_all(data: Path) -> list[tuple[Recording, ...]]:
    """Return the recorded sessions, file by file."""
    paths = sorted((data / "tau2").glob("*retail*.json*"))
    if not paths:
        raise ReplayError(f"There are no recordings *retail*.json in {data / 'tau2'}.")
    return [read_recordings(path) for path in paths]


def load_records(dataset: str, records: Records) -> None:
    """Write the shop's records, unless they are there."""
    wanted = sum(len(by_key) for by_key in records.values())
    if ShopRecord.objects.filter(dataset=dataset).count() == wanted:
        return
    ShopRecord.objects.filter(dataset=dataset).delete()
    ShopRecord.objects.bulk_create(
        (
            ShopRecord(dataset=dataset, kind=kind, key=key, data=record)
            for kind, by_key in records.items()
            for key, record in by_key.items()
        ),
        batch_size=500,
    )


def _start_runs(
    project: Project,
    recordings: Sequence[Recording],
    policy: str,
    base_url: str,
    by: AbstractBaseUser,
) -> dict[str, Run]:
    versions = {
        model: _version_for(project, model, policy, base_url, by)
        for model in sorted({recording.model for recording in recordings})
    }
    runs = {}
    for recording in recordings:
        version = versions[recording.model]
        runs[recording.id] = start_run(
            agent=version.agent,
            version=version,
            run_input=recording.run_input,
            kind=Run.Kind.REPLAY,
            metadata={"recording": recording.id, "task": str(recording.task["id"])},
        )
    return runs


def _version_for(
    project: Project, model: str, policy: str, base_url: str, by: AbstractBaseUser
) -> Version:
    """Return the version that repeats `model`, of an agent that may do everything alone."""
    agent, _ = Agent.objects.update_or_create(
        project=project,
        slug=slugify(f"retail-{model}".replace(":", "-").replace(".", "-"))[:60],
        defaults={
            "name": f"Retail with {model}"[:120],
            "dataset": PROJECT,
            "model_base_url": base_url,
        },
    )
    for contract in FOR_AGENTS:
        AgentTool.objects.get_or_create(
            agent=agent,
            name=contract.name,
            defaults={"level": Level.AUTONOMOUS, "reason": _REASON, "changed_by_id": by.pk},
        )
    expires_at = database_now() + timedelta(days=1)
    for tier in (Tier.WRITE_IRREVERSIBLE, Tier.MONEY):
        lift_ceiling(
            agent=agent,
            tier=tier,
            level=Level.AUTONOMOUS,
            reason=_REASON,
            expires_at=expires_at,
            by=by,
        )
    names = tuple(contract.name for contract in FOR_AGENTS)
    config = VersionConfig(system_prompt=policy, model=model, tools=names, limits=_LIMITS)
    return create_version(agent=agent, config=config, note="As it was recorded.", author=None)


def _wait(runs: list[Run], timeout_seconds: float, progress: Progress | None) -> None:
    deadline = time.monotonic() + timeout_seconds
    keys = [run.pk for run in runs]
    while True:
        num_open = Run.objects.filter(pk__in=keys, status__in=Run.OPEN).count()
        if progress:
            progress(len(keys) - num_open, len(keys))
        if not num_open:
            return
        if time.monotonic() > deadline:
            raise ReplayError(
                f"{num_open} of {len(keys)} runs have not ended after {timeout_seconds:.0f} s; "
                "look at the worker's messages."
            )
        sweep()
        time.sleep(_POLL_SECONDS)


def _report(
    recordings: Sequence[Recording], runs: dict[str, Run], records: Records
) -> ReplayReport:
    num_calls = 0
    differences: list[CallDifference] = []
    outcomes: list[OutcomeCheck] = []
    for recording in recordings:
        run = runs[recording.id]
        answers = _answers(run)
        own: list[CallDifference] = []
        for call, recorded in recorded_calls(recording):
            num_calls += 1
            here = answers.get(call["id"])
            if difference := compare_call(recording, call, recorded, here, records):
                own.append(difference)
        differences += own
        outcomes.append(check_outcome(recording, _state(run), records, own))
    return ReplayReport(num_calls, tuple(differences), tuple(outcomes))


def _answers(run: Run) -> dict[str, Response]:
    steps = run.steps.filter(kind=Step.Kind.TOOL).exclude(response=None)
    return {
        step.call_id: Response(
            (step.response or {}).get("result"), (step.response or {}).get("error")
        )
        for step in steps
    }


def _state(run: Run) -> State:
    """Return the records that the run wrote, as it left them."""
    writes = run.shop_writes.order_by("id").values_list("kind", "key", "data")
    return {(kind, key): data for kind, key, data in writes}


def _in_turn(files: Iterable[tuple[Recording, ...]]) -> list[Recording]:
    """Return the recordings of all files, one of each in turn, so that a part has all models."""
    left = [list(recordings) for recordings in files]
    mixed = []
    while any(left):
        mixed += [recordings.pop(0) for recordings in left if recordings]
    return mixed


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            return path
    raise ReplayError(f"There is no {name} (or {name}.gz) in {folder}.")


def _read(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
