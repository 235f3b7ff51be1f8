"""The runtime's own time per step: runs of 5 model and 5 tool steps, 1 to 100 in flight.

    python benchmarks/speed.py            # ours in one worker process, LangGraph, the Agents SDK
    python benchmarks/speed.py --only=ours --in-flight 1 100

All three do the same steps against one model server that answers after 200 ms on this machine, and
all three are measured there, from outside: between the moment at which an answer left and the
moment at which the same run's next request came, the framework finished the model step, did the
tool steps and began the next model step. That time over the number of steps in between is the own
time per step; it holds the client library, HTTP on both sides, the database, and all waiting for a
core. The work per step is told beside it: what the process and PostgreSQL's processes had of the
cores, over the steps. Ours and LangGraph write every step to the same PostgreSQL (default
durability) before they go on; the Agents SDK keeps nothing and is there as a bound.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
from desk import Desk, machine, print_result, running_desk, spread

from reviewdesk.environment import CHECKOUT

HERE = Path(__file__).resolve().parent
RIVALS = CHECKOUT / ".venv/rivals"
NAMES = ("ours", "langgraph", "agents-sdk")
AIM_MS = 15
NUM_STEPS = 10
PACKAGES = ("langgraph", "langgraph-checkpoint-postgres", "openai-agents", "psycopg[binary,pool]")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 5, 10, 20, 50, 100])
    parser.add_argument("--only", choices=NAMES, action="append")
    options = parser.parse_args()
    names = options.only or NAMES
    results: dict[str, Any] = {}
    with running_desk() as desk, _model() as url:
        facts = machine(desk.connect())
        desk.use_django()
        if "ours" in names:
            _ours(desk, url, 2, 2)  # imports, connections and plans
        for name in names:
            for at_once in options.in_flight:
                do = _ours if name == "ours" else partial(_rival, name)
                figures = do(desk, url, max(10, 2 * at_once), at_once)
                results[f"{name} {at_once}"] = figures
                _print_line(name, at_once, figures)
            _print_held(name, options.in_flight, results)
    print_result("speed", facts, **results)


def _print_line(name: str, at_once: int, figures: dict[str, Any]) -> None:
    own, cpu = figures["own_ms"], figures["cpu_ms"]
    print(
        f"{name:10} {at_once:4} in flight  own time per step p50 {own['p50']:7.1f} ms"
        f"  p95 {own['p95']:7.1f} ms (n={own['n']})  work per step {cpu['process']:5.1f} ms"
        f" + PostgreSQL {cpu['postgresql']:4.1f} ms  {figures['steps_per_second']:5.0f} steps/s"
        f"  {figures['rss_mb']:4.0f} MB",
        flush=True,
    )


def _print_held(name: str, in_flight: list[int], results: dict[str, Any]) -> None:
    held = [n for n in in_flight if results[f"{name} {n}"]["own_ms"]["p95"] < AIM_MS]
    most = f"{max(held)} in flight" if held else "none of these"
    print(f"{name:10} holds p95 < {AIM_MS} ms with {most}", flush=True)


@contextmanager
def _model() -> Iterator[str]:
    command = [sys.executable, str(HERE / "slow_model.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = process.stdout.readline().strip()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def _ours(desk: Desk, url: str, num_runs: int, at_once: int) -> dict[str, Any]:
    """Do the runs in the desk's workers, with so many in flight: one that ends is followed."""
    from agents.models import Run

    agent = _agent(desk, url)
    workers = [each for each in desk.children("django") if "worker" in each.cmdline()]
    _empty(url)
    ids: list[Any] = []
    is_open = Run.objects.filter(agent=agent, finished_at=None)
    work = _Work(desk, lambda: sum(map(_seconds_of, workers)))
    with _peak(workers) as peak:
        while True:
            num_open = is_open.count()
            if missing := min(at_once - num_open, num_runs - len(ids)):
                ids += _start(agent, range(len(ids), len(ids) + missing))
            elif not num_open:
                break
            time.sleep(0.05)
    figures = work.figures(url, num_runs, peak[0])
    failed = Run.objects.filter(pk__in=ids).exclude(status="completed").count()
    assert not failed, f"{failed} runs did not complete"
    return figures


def _seconds_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


class _Work:
    """How long it took from here on, and what was had of the cores."""

    def __init__(self, desk: Desk, seconds_of_process: Callable[[], float]) -> None:
        self._postmaster = desk.postmaster()
        self._seconds_of_process = seconds_of_process
        self._began = (time.monotonic(), seconds_of_process(), self._seconds_of_database())

    def figures(
        self, url: str, num_runs: int, rss_mb: float, seconds: float | None = None
    ) -> dict[str, Any]:
        """Return the figures of the runs; `seconds` where they took less than this process saw."""
        wall, process, database = self._began
        seconds = seconds or time.monotonic() - wall
        steps = NUM_STEPS * num_runs
        own = spread(_own_times(json.loads(_asked(url, "GET"))))
        return {
            "runs": num_runs,
            "seconds": round(seconds, 2),
            "steps_per_second": round(steps / seconds),
            "own_ms": {"n": own.n, "p50": own.p50, "p95": own.p95, "most": own.most},
            "cpu_ms": {
                "process": round(1000 * (self._seconds_of_process() - process) / steps, 2),
                "postgresql": round(1000 * (self._seconds_of_database() - database) / steps, 2),
            },
            "rss_mb": round(rss_mb),
        }

    def _seconds_of_database(self) -> float:
        """Return what all of PostgreSQL's processes had, those too that have ended."""
        ended = self._postmaster.cpu_times()
        seconds = float(ended.children_user + ended.children_system)
        for process in self._postmaster.children():
            with suppress(psutil.NoSuchProcess):
                seconds += _seconds_of(process)
        return seconds


def _start(agent: Any, numbers: range) -> list[Any]:
    from django.db import transaction

    from agents.runtime.start import start_run

    version = agent.versions.get()
    with transaction.atomic():
        return [
            start_run(
                agent=agent,
                version=version,
                run_input={"messages": [{"role": "user", "content": f"run {number}"}]},
            ).pk
            for number in numbers
        ]


def _agent(desk: Desk, url: str) -> Any:
    from agents.config import VersionConfig
    from agents.models import Agent, AgentTool, Version

    project = desk.make_project("speed")
    agent, is_new = Agent.objects.get_or_create(
        project=project, slug="reckoner", defaults={"name": "Reckoner", "model_base_url": url}
    )
    if is_new:
        config = VersionConfig(
            system_prompt="You reckon. Use the tool for every sum.",
            model="slow",
            tools=("calculate",),
        )
        Version.objects.create(
            agent=agent, number=1, config=config.to_json(), content_hash=config.content_hash
        )
        AgentTool.objects.create(
            agent=agent, name="calculate", level="autonomous", reason="benchmark"
        )
    return agent


def _rival(name: str, desk: Desk, url: str, num_runs: int, at_once: int) -> dict[str, Any]:
    _install_rivals()
    with desk.connect() as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS rival")
        conninfo = f"{connection.info.dsn} options='-c search_path=rival'"
    _empty(url)
    said: dict[str, float] = {"cpu_seconds": 0.0}
    work = _Work(desk, lambda: said["cpu_seconds"])
    done = subprocess.run(
        [
            str(RIVALS / "bin/python"), str(HERE / "rival_runs.py"), name, f"--url={url}",
            f"--database={conninfo}", f"--runs={num_runs}", f"--at-once={at_once}",
        ],
        check=True, stdout=subprocess.PIPE, text=True, cwd="/", env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    said |= json.loads(done.stdout.splitlines()[-1])
    return work.figures(url, num_runs, said["rss_mb"], said["seconds"])


def _install_rivals() -> None:
    if not (RIVALS / "bin/python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(RIVALS)], check=True)
        pip = [str(RIVALS / "bin/python"), "-m", "pip", "install", "--quiet", *PACKAGES]
        subprocess.run(pip, check=True)


def _own_times(log: list[tuple[str, int, float, float]]) -> list[float]:
    """Return seconds per step between an answer and the next request of its run."""
    runs: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
    for run, num_results, came, left in log:
        if run != "run -1":
            runs[run].append((num_results, came, left))
    own = []
    for calls in runs.values():
        calls.sort()
        for (before, _, left), (after, came, _) in pairwise(calls):
            own.append((came - left) / (1 + after - before))
    return own


def _empty(url: str) -> None:
    _asked(url, "DELETE")


def _asked(url: str, method: str) -> bytes:
    request = urllib.request.Request(f"{url}/log", method=method)  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        body: bytes = answer.read()
    return body


@contextmanager
def _peak(processes: Sequence[psutil.Process]) -> Iterator[list[float]]:
    """Give a list whose one number is the most memory (MB) that the largest had meanwhile."""
    peak, is_over = [0.0], threading.Event()

    def look() -> None:
        while not is_over.wait(0.05):
            peak[0] = max(peak[0], *(each.memory_info().rss / 2**20 for each in processes))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    yield peak
    is_over.set()
    thread.join()


if __name__ == "__main__":
    main()
