"""A small storm of kills and stops over each broker: every effect is done once.

It is the benchmark (`benchmarks/crash.py`) with few runs, and fewer accidents than it can bear.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reviewdesk.environment import CHECKOUT

PROGRAMS = {"pgmq": "", "redis": "redis-server", "amqp": "rabbitmq-server"}


def storm(broker: str) -> tuple[dict[str, Any], str]:
    """Run the benchmark; return its figures and all it printed."""
    command = [sys.executable, str(CHECKOUT / "benchmarks" / "crash.py"), f"--broker={broker}"]
    ours = ("DATABASE_URL", "BROKER_URL", "REVIEWDESK_", "PYTEST_", "DJANGO_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    done = subprocess.run(
        [*command, "--runs=10", "--every=0.4", "--minutes=2"],
        env={**kept, "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("{"), done.stdout
    figures: dict[str, Any] = json.loads(last)
    return figures, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("broker", PROGRAMS)
def test_every_effect_is_done_once_whatever_is_killed(broker: str) -> None:
    program = PROGRAMS[broker]
    if program and not (shutil.which(program) or Path("/usr/sbin", program).exists()):
        pytest.skip(f"There is no {program} (apt install {program}).")
    figures, text = storm(broker)
    assert figures["kills"] > 5, text
    assert figures["passed"], text
    assert figures["after_people"]["runs"]["finished"] == 10, text
    for row in figures["after_people"]["tallies"]:
        assert (row["num_missing"], row["num_doubled"]) == (0, 0), text
