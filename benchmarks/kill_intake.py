"""Benchmark 2: `kill -9` of the web server and of PostgreSQL at full load, again and again.

Four connections send requests of 100 spans and, as an SDK does, send again what was not taken. In
turns one of the web server's processes (or all of them) and the database's first process are
killed. Afterwards every span that was acknowledged must be there, and none twice.

    python benchmarks/kill_intake.py [--kills 10] [--pause 3]
"""

import argparse
import os
import signal
import sys
import time
from collections import Counter
from threading import Event

from desk import Desk, machine, print_result, running_desk
from sending import SESSIONS, SPANS, Sender, make_bodies, send_together

_CONNECTIONS = 4
_PATIENCE_SECONDS = 60
_TARGETS = ("a web process", "PostgreSQL", "the web server")


def main() -> None:
    """Print the counts; end with 1 where a span is lost or there twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--pause", type=float, default=3.0, help="seconds of load between them")
    given = parser.parse_args()
    with running_desk() as desk:
        desk.use_django()
        key = desk.make_key(desk.make_project())
        senders = [Sender(desk.port, key, make_bodies(n)) for n in range(_CONNECTIONS)]
        is_over = Event()
        threads = send_together(senders, is_over.is_set)
        for number in range(given.kills):
            time.sleep(given.pause)
            _kill(desk, _TARGETS[number % len(_TARGETS)])
            _wait_until_taken(senders)
        time.sleep(given.pause)
        is_over.set()
        for thread in threads:
            thread.join()
        lost, twice, stored = _check(desk, senders)
        with desk.connect() as connection:
            facts = machine(connection)
    acknowledged = sum(len(sender.acknowledged) for sender in senders) * SPANS
    answers = sum((sender.answers for sender in senders), Counter[int]())
    print(f"{given.kills} kills; answers {dict(answers)}")
    print(f"{acknowledged:,} spans acknowledged, {stored:,} stored, {lost} lost, {twice} twice")
    print_result(
        "kill_intake",
        facts,
        kills=given.kills,
        acknowledged=acknowledged,
        stored=stored,
        lost=lost,
        twice=twice,
        answers={str(status): num for status, num in answers.items()},
    )
    sys.exit(1 if lost or twice else 0)


def _kill(desk: Desk, target: str) -> None:
    if target == "PostgreSQL":
        victims = [desk.postmaster()]
    else:
        servers = desk.children("gunicorn")
        first = min(servers, key=lambda process: process.create_time())
        victims = servers
        if target == "a web process":
            victims = [each for each in servers if each != first][:1]
    for victim in victims:
        os.kill(victim.pid, signal.SIGKILL)
    print(f"killed {target} ({', '.join(str(victim.pid) for victim in victims)})", flush=True)


def _wait_until_taken(senders: list[Sender]) -> None:
    """Wait until every connection has had an answer of 200 again."""
    before = [len(sender.acknowledged) for sender in senders]
    began = time.monotonic()
    while any(len(sender.acknowledged) <= num for sender, num in zip(senders, before, strict=True)):
        if time.monotonic() > began + _PATIENCE_SECONDS:
            sys.exit(f"Nothing is taken {_PATIENCE_SECONDS} s after the kill.")
        time.sleep(0.05)
    print(f"taken again after {time.monotonic() - began:.1f} s", flush=True)


def _check(desk: Desk, senders: list[Sender]) -> tuple[int, int, int]:
    """Return how many acknowledged spans are lost, how many are there twice, and how many are."""
    counts: Counter[bytes] = Counter()
    with desk.connect() as connection:
        rows = connection.execute(
            "SELECT trace_id, count(*), count(DISTINCT (span_id, start_ns)) "
            "FROM traces_span GROUP BY trace_id"
        ).fetchall()
    twice = 0
    for trace_id, num, num_different in rows:
        counts[trace_id.bytes] = num_different
        twice += num - num_different
    lost = 0
    for sender in senders:
        for request_id in sender.acknowledged:
            for number in range(SESSIONS):
                lost += SPANS // SESSIONS - counts[request_id + number.to_bytes(8)]
    return lost, twice, sum(counts.values())


if __name__ == "__main__":
    main()
