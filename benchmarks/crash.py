"""Benchmark 6: workers killed and stopped all the time; the broker emptied; the database killed.

Runs of six effects each, in our database and over HTTP, are advanced by three worker processes.
Every 100 ms one of them, at random, is killed with SIGKILL, or stopped with SIGSTOP until its lease
is over, and then goes on as if nothing had happened. Twice every message of the broker is thrown
away, once PostgreSQL is killed. It ends when every run has finished, waits for a person, or was
given up with an incident (a dead letter). The person looks at the till's ledger, retries the dead
letters, and the runs finish.

    python benchmarks/crash.py [--runs 300] [--broker pgmq|redis|amqp] [--every 0.1] [--minutes 20]
"""

import argparse
import contextlib
import importlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import django
import psutil
import psycopg
from crash_brokers import BROKERS, running_broker
from crash_workers import Workers, running_scheduler, running_workers
from desk import Home, machine, print_result, remove_home

from reviewdesk.embedded.home import place_of, prepare_home
from reviewdesk.embedded.lease import Lease
from reviewdesk.embedded.paths import database_home
from reviewdesk.embedded.ports import free_port
from reviewdesk.environment import CHECKOUT

_CALM_SECONDS = 300.0
_LOOK_SECONDS = 1.0
# What waits for a person can come once more, from a call that the storm had not reached.
_MOST_ROUNDS = 12
# How far all must be, by effects or by runs, for the broker to be emptied, the database killed.
_EMPTIED_AT = (0.25, 0.65)
_KILLED_AT = 0.45
_MOVING = "SELECT count(*) FROM agents_run WHERE status IN ('queued', 'running')"
_DONE = "SELECT count(*) FROM agents_step WHERE kind = 'tool' AND status = 'done'"


@dataclass
class Stage:
    """All that the runs need, in a home of its own.

    Attributes:
        shop: The module `crash_shop`, which needs Django's settings.
        facts: What was done to broker and database.
    """

    home: Home
    lease: Lease
    workers: Workers
    shop: Any
    facts: dict[str, Any] = field(default_factory=dict)

    def look(self) -> tuple[int, int] | None:
        """Return how many runs move and how many effects are in the journal; None: no database."""
        with contextlib.suppress(psycopg.OperationalError), self.home.connect() as connection:
            moving = connection.execute(_MOVING).fetchone()
            done = connection.execute(_DONE).fetchone()
            return (moving[0], done[0]) if moving and done else None
        return None


def main() -> None:
    """Print the table; end with 1 unless every effect was done once and every run has an end."""
    given = _arguments()
    with _stage(given) as stage:
        shop = stage.shop
        plans = shop.make_plans(given.runs, random.Random(given.seed))
        with shop.running_world(stage.home.path, plans) as world:
            world.start_runs()
            began = time.monotonic()
            _storm(stage, given)
            storm_seconds = round(time.monotonic() - began, 1)
            is_over = _calm(stage)
            before = world.summary()
            num_decided = num_retried = 0
            for _ in range(_MOST_ROUNDS):
                decided, retried = world.decide_as_the_ledger_says()
                num_decided, num_retried = num_decided + decided, num_retried + retried
                is_over = _calm(stage) and is_over
                if not decided and not retried:
                    break
            after = world.summary()
        with stage.home.connect() as connection:
            facts = machine(connection)
        counts = {name: stage.workers.counts[name] for name in ("kills", "stops", "deaths")}
    passed = is_over and after.is_good
    figures = {
        "storm_seconds": storm_seconds,
        **counts,
        **stage.facts,
        "num_decided": num_decided,
        "num_retried": num_retried,
    }
    _print_table(given, figures, before, after)
    print("PASS" if passed else "FAIL")
    print_result(
        "crash", facts, broker=given.broker, runs=given.runs, seed=given.seed,
        every_ms=round(1000 * given.every), **figures, before_people=asdict(before),
        after_people=asdict(after), passed=passed,
    )  # fmt: skip
    sys.exit(0 if passed else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--broker", choices=BROKERS, default="pgmq")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--every", type=float, default=0.1, help="seconds between accidents")
    parser.add_argument("--stops", type=float, default=0.1, help="share of stops among them")
    parser.add_argument("--minutes", type=float, default=20.0, help="most that the storm lasts")
    parser.add_argument("--seed", type=int, help="of the choices; the timing is never the same")
    given = parser.parse_args()
    if given.seed is None:
        given.seed = random.SystemRandom().randrange(10_000)
    return given


@contextlib.contextmanager
def _stage(given: argparse.Namespace) -> Iterator[Stage]:
    """Have database, broker, scheduler and a nursery of workers, in a temporary home."""
    path = Path(tempfile.mkdtemp(prefix="reviewdesk-crash-"))
    home = Home(path, free_port())
    with contextlib.ExitStack() as stack:
        stack.callback(remove_home, path)
        url = stack.enter_context(running_broker(given.broker, path))
        variables = home.variables | ({"BROKER_URL": url} if url else {})
        prepare_home(home.environment)
        lease = stack.enter_context(Lease(place_of(home.environment)))
        home.manage("migrate", "--verbosity=0")
        os.environ.update(variables, DJANGO_SETTINGS_MODULE="reviewdesk.settings")
        sys.path.insert(0, str(CHECKOUT))
        django.setup()
        stack.enter_context(running_scheduler(variables, path / "scheduler.log"))
        workers = stack.enter_context(
            running_workers(given.workers, variables, path / "workers.log", given.seed)
        )
        yield Stage(home, lease, workers, importlib.import_module("crash_shop"))


def _storm(stage: Stage, given: argparse.Namespace) -> None:
    """Kill and stop workers until every run has finished or is parked, or time is over."""
    num_effects = given.runs * stage.shop.NUM_EFFECTS
    deadline = time.monotonic() + 60 * given.minutes
    emptied, is_killed, look_at = list(_EMPTIED_AT), False, 0.0
    while time.monotonic() < deadline:
        stage.workers.fill()
        if time.monotonic() >= look_at:
            look_at = time.monotonic() + _LOOK_SECONDS
            if found := stage.look():
                moving, done = found
                _say(f"{done} of {num_effects} effects, {moving} runs move", stage)
                if not moving:
                    break
                share = max(done / num_effects, 1 - moving / given.runs)
                if emptied and share >= emptied[0]:
                    emptied.pop(0)
                    num = stage.shop.empty_broker()
                    stage.facts["emptied"] = stage.facts.get("emptied", 0) + 1
                    _say(f"the broker was emptied of {num} messages", stage)
                if not is_killed and share >= _KILLED_AT:
                    is_killed = True
                    stage.facts["database_killed"] = 1
                    _kill_database(stage)
        time.sleep(given.every)
        stage.workers.strike(given.stops)
    stage.facts["is_time_over"] = time.monotonic() >= deadline


def _kill_database(stage: Stage) -> None:
    file = database_home(stage.home.environment) / "data" / "postmaster.pid"
    psutil.Process(int(file.read_text().split()[0])).kill()
    began = time.monotonic()
    while stage.lease.is_kept:
        time.sleep(0.05)
    stage.lease.ensure_running()
    _say(f"PostgreSQL was killed, and runs again after {time.monotonic() - began:.1f} s", stage)


def _calm(stage: Stage) -> bool:
    """Let all workers work in peace until no run moves; say whether that was so in time."""
    deadline = time.monotonic() + _CALM_SECONDS
    stage.workers.go_on(all_of_them=True)
    while time.monotonic() < deadline:
        stage.workers.fill()
        found = stage.look()
        if found and not found[0]:
            # Whoever was overtaken may still be in a call.
            time.sleep(stage.shop.TIME_LIMIT_SECONDS)
            return True
        time.sleep(0.2)
    return False


def _say(text: str, stage: Stage) -> None:
    counts = stage.workers.counts
    print(f"{counts['kills']:>5} kills {counts['stops']:>3} stops: {text}", flush=True)


def _print_table(
    given: argparse.Namespace, figures: dict[str, Any], before: Any, after: Any
) -> None:
    print(f"\n{given.runs} runs over {given.broker}, seed {given.seed}: {figures}")
    print(f"recoveries: {after.num_recoveries}, at most {after.most_recoveries} of one run")
    print(f"\n{'runs':<28}{'after the storm':>16}{'after people':>16}")
    for name in before.runs:
        print(f"{name:<28}{before.runs[name]:>16}{after.runs[name]:>16}")
    print(f"\nby people: {figures['num_decided']} calls looked up in the ledger,", end=" ")
    print(f"{figures['num_retried']} dead letters retried\n")
    print(f"{'effects':<28}{'wanted':>10}{'once':>10}{'missing':>10}{'doubled':>10}")
    for row in after.tallies:
        print(
            f"{row.kind:<28}{row.num_wanted:>10}{row.num_once:>10}"
            f"{row.num_missing:>10}{row.num_doubled:>10}"
        )


if __name__ == "__main__":
    main()
