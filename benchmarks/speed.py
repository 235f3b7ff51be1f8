"""The runtime's own time per step: 200 runs of 5 model and 5 tool steps, 100 in flight.

    python benchmarks/speed.py            # ours in one worker process, LangGraph, the Agents SDK

All three do the same steps against one model server that answers after 200 ms on this machine, and
all three are measured there, from outside: between the moment at which an answer left and the
moment at which the same run's next request came, the framework finished the model step, did the
tool steps and began the next model step. That time over the number of steps in between is the own
time per step; it holds the client library, HTTP on both sides, the database, and all waiting for a
core. Ours and LangGraph write every step to the same PostgreSQL (default durability) before they
go on; the Agents SDK keeps nothing and is there as a bound. A fourth line, one run at a time, tells
the cost of a step without that wait.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
from desk import Desk, machine, print_result, running_desk, spread

from reviewdesk.environment import CHECKOUT

HERE = Path(__file__).resolve().parent
RIVALS = CHECKOUT / ".venv/rivals"
PACKAGES = ("langgraph", "langgraph-checkpoint-postgres", "openai-agents", "psycopg[binary,pool]")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--only", choices=["ours", "langgraph", "agents-sdk"])
    options = parser.parse_args()
    results: dict[str, Any] = {}
    with running_desk() as desk, _model() as url:
        facts = machine(desk.connect())
        desk.use_django()
        if options.only in {None, "ours"}:
            _ours(desk, url, 1, 1)  # imports, connections and plans
            results["one at a time"] = _ours(desk, url, 20, 1)
            results["reviewdesk"] = _ours(desk, url, options.runs, options.at_once)
        for name in ("langgraph", "agents-sdk"):
            if options.only in {None, name}:
                results[name] = _rival(name, desk, url, options.runs, options.at_once)
    for name, each in results.items():
        own = each["own_ms"]
        print(
            f"{name:14} own time per step p50 {own['p50']:7.1f} ms  p95 {own['p95']:7.1f} ms"
            f"  (n={own['n']})  {each['seconds']:6.1f} s for {each['runs']} runs"
            f"  {each['steps_per_second']:5.0f} steps/s  {each['rss_mb']:4.0f} MB"
        )
    print_result("speed", facts, **results)


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
    """Do the runs in the desk's worker, with so many in flight: one that ends is followed."""
    from agents.models import Run

    agent = _agent(desk, url)
    (worker,) = (each for each in desk.children("django") if "worker" in each.cmdline())
    _empty(url)
    ids: list[Any] = []
    began = time.monotonic()
    with _peak(worker) as peak:
        while True:
            num_open = Run.objects.filter(pk__in=ids, finished_at=None).count()
            if missing := min(at_once - num_open, num_runs - len(ids)):
                ids += _start(agent, range(len(ids), len(ids) + missing))
            elif not num_open:
                break
            time.sleep(0.02)
    seconds = time.monotonic() - began
    failed = Run.objects.filter(pk__in=ids).exclude(status="completed").count()
    assert not failed, f"{failed} runs did not complete"
    return _figures(url, num_runs, seconds, peak[0])


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
    done = subprocess.run(
        [
            str(RIVALS / "bin/python"), str(HERE / "rival_runs.py"), name, f"--url={url}",
            f"--database={conninfo}", f"--runs={num_runs}", f"--at-once={at_once}",
        ],
        check=True, stdout=subprocess.PIPE, text=True, cwd="/", env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    said = json.loads(done.stdout.splitlines()[-1])
    return _figures(url, num_runs, said["seconds"], said["rss_mb"])


def _install_rivals() -> None:
    if not (RIVALS / "bin/python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(RIVALS)], check=True)
        pip = [str(RIVALS / "bin/python"), "-m", "pip", "install", "--quiet", *PACKAGES]
        subprocess.run(pip, check=True)


def _figures(url: str, num_runs: int, seconds: float, rss_mb: float) -> dict[str, Any]:
    own = _own_times(json.loads(_asked(url, "GET")))
    figures = spread(own)
    return {
        "runs": num_runs,
        "seconds": round(seconds, 2),
        "steps_per_second": round(10 * num_runs / seconds),
        "own_ms": {"n": figures.n, "p50": figures.p50, "p95": figures.p95, "most": figures.most},
        "rss_mb": round(rss_mb),
    }


def _own_times(log: list[tuple[str, int, float, float]]) -> list[float]:
    """Return seconds per step between an answer and the next request of its run."""
    runs: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
    for run, num_results, came, left in log:
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
def _peak(process: psutil.Process) -> Iterator[list[float]]:
    """Give a list whose one number is the most memory (MB) that the process had meanwhile."""
    peak, is_over = [0.0], threading.Event()

    def look() -> None:
        while not is_over.wait(0.05):
            peak[0] = max(peak[0], process.memory_info().rss / 2**20)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    yield peak
    is_over.set()
    thread.join()


if __name__ == "__main__":
    main()
