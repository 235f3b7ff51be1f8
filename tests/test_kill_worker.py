"""A worker killed with SIGKILL at any moment loses nothing and repeats no effect."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection

from agents.models import Run, ShopWrite, Step
from agents.runtime.start import start_run
from agents.runtime.sweeper import sweep
from tests.model_server import model_server
from tests.shop import LOOK, lift_for, make_shop_agent
from traces.models import Span

INPUT = {"messages": [{"role": "user", "content": "Move #T1, often"}], "turns": []}
NUM_RUNS = 12
NUM_MOVES = 6
ADDRESS = {"order_id": "#T1", "address2": "", "city": "B", "state": "B", "country": "C", "zip": "1"}


def move(number: int) -> tuple[str, dict[str, Any]]:
    """Return a call that writes every time it is made: an effect done twice shows twice."""
    return "modify_pending_order_address", {**ADDRESS, "address1": f"Road {number}"}


class Replies(list[Any]):
    """Answers by the number of tool results in the request, whoever asks."""

    def reply_to(self, request: dict[str, Any]) -> Any:
        return self[min(sum(m["role"] == "tool" for m in request["messages"]), len(self) - 1)]


@contextmanager
def a_worker() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "manage.py", "worker"], env=worker_environment())
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def worker_environment() -> dict[str, str]:
    """Return an environment in which a process uses this test's database."""
    parameters = connection.get_connection_params()
    query = urlencode({"host": parameters["host"]})
    url = f"postgresql://{parameters['user']}@/{parameters['dbname']}?{query}"
    return {**os.environ, "DATABASE_URL": url}


def wait_for_end(runs: list[Run], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    pending = Run.objects.filter(pk__in=[run.pk for run in runs], status__in=Run.OPEN)
    while pending.exists() and time.monotonic() < deadline:
        sweep()
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_kill_at_any_moment_loses_nothing_and_repeats_no_effect() -> None:
    replies = Replies([[LOOK], *([move(number)] for number in range(NUM_MOVES)), "Moved."])
    with model_server(*replies, delay_seconds=0.05, by_request=replies.reply_to) as server:
        agent, version = make_shop_agent(server.base_url, modify_pending_order_address="autonomous")
        lift_for(agent)
        runs = [start_run(agent=agent, version=version, run_input=INPUT) for _ in range(NUM_RUNS)]
        for _ in range(4):
            with a_worker() as worker:
                done = Step.objects.count()
                deadline = time.monotonic() + 30
                while Step.objects.count() < done + 15 and time.monotonic() < deadline:
                    sweep()
                    time.sleep(random.uniform(0.01, 0.1))
                os.kill(worker.pid, signal.SIGKILL)
        with a_worker():
            wait_for_end(runs, 90)
    statuses = Counter(Run.objects.values_list("status", flat=True))
    assert statuses == {"completed": NUM_RUNS}
    for run in runs:
        writes = ShopWrite.objects.filter(run=run).order_by("id")
        roads = [write.data["address"]["address1"] for write in writes]
        assert roads == [f"Road {number}" for number in range(NUM_MOVES)]
        steps = list(run.steps.order_by("index").values_list("index", flat=True))
        assert steps == list(range(2 * (NUM_MOVES + 1) + 1))
        assert Span.objects.filter(session=run.session).count() == len(steps) + 2
    assert Run.objects.filter(num_recoveries__gt=0).exists(), "no run was ever lost"
