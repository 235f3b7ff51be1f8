"""How long pages take at the server, against a filled home: 50 requests each, p50, p95, maximum.

    python benchmarks/pages.py --home /var/tmp/reviewdesk-bench [--only words]

The web server is gunicorn as `manage.py up` starts it, worker and scheduler beside it. A time is
from sending the request to the answer's last byte over a kept connection on loopback, so that it
holds everything that the server does (sign-in, queries, template, gzip). Parameters vary from
request to request; the first request of each row, with what it asks for not yet in any cache, is
in the figures and also by itself. Queries: of one request, counted by Django in this process.
"""

import argparse
import http.client
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from asked import PAGES, Asked, Facts, read_facts
from desk import Desk, Spread, machine, print_result, running_desk, spread
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

SLUG = "benchmark"
LIMIT_MS, LIMIT_LONG_MS = 100, 300
_REQUESTS = 50
_PATIENCE_S = 15.0
_OK = 200


@dataclass(frozen=True)
class Row:
    """What was measured of one kind of page; `queries` are at most that many."""

    title: str
    limit_ms: int
    first_ms: float
    times: Spread
    queries: int

    @property
    def is_over(self) -> bool:
        """Say whether its 95th percentile is over its limit."""
        return self.times.p95 > self.limit_ms

    def __str__(self) -> str:
        times = self.times
        mark = f"  over {self.limit_ms}" if self.is_over else ""
        return (
            f"{self.title:44} {times.n:4} {self.first_ms:8.1f} {times.p50:8.1f} {times.p95:8.1f} "
            f"{times.most:8.1f} {self.queries:4}{mark}"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, required=True, help="filled by spans.py")
    parser.add_argument("--only", default="", help="rows whose title has this")
    arguments = parser.parse_args()
    with running_desk(arguments.home.absolute()) as desk:
        desk.use_django()
        cookies = desk.sign_in(desk.make_project(SLUG))
        with desk.connect() as own:
            facts, where = read_facts(own), machine(own)
        chosen = [page for page in PAGES if arguments.only in page.title]
        print(f"{'page':44} {'n':>4} {'first':>8} {'p50':>8} {'p95':>8} {'max ms':>8} {'SQL':>4}")
        rows = list(_measure(desk, cookies, facts, chosen))
    print_result(
        "pages",
        where,
        pages=len(rows),
        over=[row.title for row in rows if row.is_over],
        slowest_p95_ms=max(row.times.p95 for row in rows),
        rows={row.title: [row.times.p50, row.times.p95, row.times.most] for row in rows},
    )


def _measure(
    desk: Desk, cookies: dict[str, str], facts: Facts, pages: Sequence[Asked]
) -> Iterable[Row]:
    for page in pages:
        paths = [f"/p/{SLUG}/{path}" for path in islice(cycle(page.paths(facts)), _REQUESTS)]
        times = _times(desk, cookies, paths)
        queries = max(_num_queries(cookies, path) for path in (paths[0], paths[-1]))
        row = Row(page.title, page.limit_ms, round(1000 * times[0], 1), spread(times), queries)
        print(row, flush=True)
        yield row


def _times(desk: Desk, cookies: dict[str, str], paths: Sequence[str]) -> list[float]:
    """Return the seconds of each request; fewer requests where they take very long."""
    client = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=120)
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    headers = {"Cookie": cookie, "Accept-Encoding": "gzip"}
    times: list[float] = []
    for path in paths:
        began = time.perf_counter()
        client.request("GET", path, headers=headers)
        answer = client.getresponse()
        answer.read()
        times.append(time.perf_counter() - began)
        if answer.status != _OK:
            raise SystemExit(f"{path} answered {answer.status}, not {_OK}.")
        if sum(times) > _PATIENCE_S:
            break
    client.close()
    return times


def _num_queries(cookies: dict[str, str], path: str) -> int:
    client = Client(headers={"host": "127.0.0.1"})
    for name, value in cookies.items():
        client.cookies[name] = value
    with CaptureQueriesContext(connection) as queries:
        client.get(path)
    return len(queries)


if __name__ == "__main__":
    main()
