"""Benchmark 6: resident memory of the web server's processes under mixed load, and its slope.

People's pages (list, search, a session, overview) and programs' requests of 100 spans, over as
many requests as an hour of ordinary use. Memory is each process's resident set; what its copies
share counts in each. Prints megabytes at the start, in the middle and at the end of the load, and
the slope over its second half, when caches are full.

    python benchmarks/web_memory.py [--requests 20000]
"""

import argparse
import http.client
import statistics
import threading
import time
from dataclasses import dataclass, field

import psutil
from desk import Desk, machine, print_result, running_desk
from sending import Sender, make_bodies

_READERS = 4
# Of a hundred requests, those that programs send.
_SENT_SHARE = 20
_MEGABYTE = 2**20


@dataclass
class Load:
    """How many requests are wanted, and what became of them."""

    wanted: int
    num_done: int = 0
    failures: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_over(self) -> bool:
        """Say whether as many requests as wanted are done."""
        return self.num_done >= self.wanted

    def count(self, failure: str = "") -> None:
        """Note one request."""
        with self._lock:
            self.num_done += 1
            if failure:
                self.failures.append(failure)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    given = parser.parse_args()
    with running_desk() as desk:
        desk.use_django()
        project = desk.make_project()
        key, cookie = desk.make_key(project), desk.sign_in(project)
        samples = _measure(desk, key, cookie, Load(given.requests))
        with desk.connect() as connection:
            facts = machine(connection)
    start, middle, end = samples[0][1], samples[len(samples) // 2][1], samples[-1][1]
    slope = _slope(samples[len(samples) // 2 :])
    largest = max(size for _, size in samples)
    print(f"largest web process: start {start:.0f} MB, middle {middle:.0f} MB, end {end:.0f} MB")
    print(f"most {largest:.0f} MB; slope of the second half {slope:+.2f} MB per 1,000 requests")
    print_result(
        "web_memory",
        facts,
        requests=given.requests,
        start_mb=round(start, 1),
        middle_mb=round(middle, 1),
        end_mb=round(end, 1),
        most_mb=round(largest, 1),
        slope_mb_per_thousand=round(slope, 3),
    )


def _measure(desk: Desk, key: str, cookie: dict[str, str], load: Load) -> list[tuple[int, float]]:
    """Run the load; return how many requests were done and MB of the largest process, each 1 s."""
    sender = Sender(desk.port, key, make_bodies())
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookie.items())}
    threads = [threading.Thread(target=_send, args=(sender, load))]
    threads += [
        threading.Thread(target=_read, args=(desk, headers, load, number))
        for number in range(_READERS)
    ]
    samples = [(0, _largest_mb(desk))]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(1)
        samples.append((load.num_done, _largest_mb(desk)))
    if load.failures:
        print(f"{len(load.failures)} requests failed, such as {load.failures[0]}")
    return samples


def _send(sender: Sender, load: Load) -> None:
    """Send so that programs' requests are their share of all."""
    num_sent = 0

    def is_over() -> bool:
        nonlocal num_sent
        while not load.is_over() and num_sent * 100 > load.num_done * _SENT_SHARE:
            time.sleep(0.005)
        num_sent += 1
        load.count()
        return load.is_over()

    sender.send_until(is_over)


def _read(desk: Desk, headers: dict[str, str], load: Load, number: int) -> None:
    """Open one page after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=60)
    turn = number
    links: list[str] = []
    while not load.is_over():
        turn += 1
        path = _path(turn, links)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            load.count(f"{path}: {error!r}")
            continue
        load.count("" if answer.status == 200 else f"{path}: {answer.status}")
        if path.endswith("/sessions/"):
            links = _sessions_in(body.decode())


def _path(turn: int, links: list[str]) -> str:
    base = "/p/benchmark"
    if links and turn % 2:
        return links[turn % len(links)]
    return (
        f"{base}/sessions/",
        f"{base}/sessions/?q=parcel",
        f"{base}/sessions/?q=status%3Acompleted",
        f"{base}/overview/",
    )[turn // 2 % 4]


def _sessions_in(page: str) -> list[str]:
    found = {part.split('"')[0] for part in page.split('href="/p/benchmark/sessions/')[1:]}
    return [f"/p/benchmark/sessions/{each}" for each in sorted(found) if len(each.strip("/")) == 36]


def _largest_mb(desk: Desk) -> float:
    sizes = []
    for process in desk.children("gunicorn"):
        try:
            sizes.append(process.memory_info().rss / _MEGABYTE)
        except psutil.Error:
            continue
    return max(sizes)


def _slope(samples: list[tuple[int, float]]) -> float:
    """Return MB per 1,000 requests by least squares."""
    if len({num for num, _ in samples}) < 2:
        return 0.0
    slope, _ = statistics.linear_regression(*zip(*samples, strict=True))
    return slope * 1000


if __name__ == "__main__":
    main()
