"""What pages weigh and how soon they stand, in Chromium, against a filled home.

    python benchmarks/browser.py --home /var/tmp/reviewdesk-bench

Transferred: bytes on the wire of one cold visit (headers too), nothing cached. First paint: the
first contentful paint after the navigation began. Ready: when the page is loaded, has painted, and
its last task of 50 ms or longer has ended: from then on it answers. Memory: proportional set size
(PSS), sampled every 50 ms, of the page's own renderer process and of the whole browser.
"""

import argparse
import shutil
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import psutil
from desk import Desk, machine, print_result, running_desk
from django.urls import resolve
from playwright.sync_api import Browser, Error, Page, sync_playwright

SLUG = "benchmark"
KILOBYTE, MEGABYTE = 1000, 1_000_000
MAX_BYTES, MAX_BYTES_PLAIN = 300 * KILOBYTE, 150 * KILOBYTE
MAX_PAINT_MS, MAX_READY_MS, MAX_MEMORY_MB = 500, 1000, 300
_REPEATS = 5
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_LONG_TASKS = """
    window.lastTask = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((each) => {
        window.lastTask = Math.max(window.lastTask, each.startTime + each.duration);
    })).observe({type: "longtask", buffered: true});
"""
_TIMES = """() => {
    const load = performance.getEntriesByType("navigation")[0].loadEventEnd;
    const paint = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0;
    return {paint, ready: Math.max(load, paint, window.lastTask)};
}"""
_LINKS = "nodes => nodes.map(node => node.href)"


@dataclass(frozen=True)
class Visit:
    """One cold visit: bytes on the wire, and milliseconds since the navigation began."""

    path: str
    transferred: int
    paint: float
    ready: float
    has_chart: bool


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, required=True, help="filled by spans.py")
    home = parser.parse_args().home.absolute()
    with running_desk(home) as desk:
        desk.use_django()
        cookies = desk.sign_in(desk.make_project(SLUG))
        with sync_playwright() as playwright:
            path = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
            visits = _all_pages(desk, browser, cookies)
            large = _large_pages(desk, browser, cookies)
            browser.close()
        with desk.connect() as connection:
            facts = machine(connection)
    print_result(
        "browser",
        facts,
        most_bytes=max(visit.transferred for visit in visits),
        most_bytes_without_chart=max(v.transferred for v in visits if not v.has_chart),
        slowest_paint_ms=max(visit.paint for visit in visits),
        pages=len(visits),
        large=large,
    )


def _all_pages(desk: Desk, browser: Browser, cookies: dict[str, str]) -> list[Visit]:
    """Visit every kind of page that can be reached by links, each cold."""
    print(f"{'page':60} {'kB':>7} {'paint ms':>9} {'ready ms':>9}")
    visits = []
    for path in _kinds_of_pages(desk, browser, cookies):
        runs = [_visit(desk, browser, cookies, path) for _ in range(_REPEATS)]
        paint, ready = (
            statistics.median(getattr(run, name) for run in runs) for name in ("paint", "ready")
        )
        visit = Visit(path, runs[0].transferred, paint, ready, runs[0].has_chart)
        visits.append(visit)
        limit = MAX_BYTES if visit.has_chart else MAX_BYTES_PLAIN
        marks = (" over" if visit.transferred > limit else "") + (
            " slow" if visit.paint > MAX_PAINT_MS else ""
        )
        print(
            f"{path[:60]:60} {visit.transferred / KILOBYTE:7.0f} {paint:9.0f} {ready:9.0f}{marks}",
            flush=True,
        )
    return visits


def _kinds_of_pages(desk: Desk, browser: Browser, cookies: dict[str, str]) -> list[str]:
    """Return one address of each view that links lead to, from the overview on."""
    found: dict[str, str] = {}
    waiting = [f"/p/{SLUG}/overview/"]
    with _page(desk, browser, cookies) as page:
        while waiting:
            path = waiting.pop(0)
            name = resolve(urlsplit(path).path).view_name
            if name in found:
                continue
            try:
                answer = page.goto(desk.url + path)
            except Error:  # a download is no page
                answer = None
            if answer is None or "html" not in answer.headers.get("content-type", ""):
                continue
            found[name] = path
            links = page.eval_on_selector_all("a[href]", _LINKS)
            waiting += [_path(link) for link in links if link.startswith(desk.url + "/p/")]
    return list(found.values())


def _path(link: str) -> str:
    parts = urlsplit(link)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _visit(desk: Desk, browser: Browser, cookies: dict[str, str], path: str) -> Visit:
    with _page(desk, browser, cookies) as page:
        network = page.context.new_cdp_session(page)
        sizes: list[int] = []
        network.on(
            "Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"])
        )
        network.send("Network.enable")
        network.send("Network.setCacheDisabled", {"cacheDisabled": True})
        page.goto(urljoin(desk.url, path), wait_until="load")
        page.wait_for_timeout(300)
        times = page.evaluate(_TIMES)
        has_chart = page.query_selector("[data-figure], .desk-chart") is not None
        return Visit(path, int(sum(sizes)), times["paint"], times["ready"], has_chart)


@contextmanager
def _page(desk: Desk, browser: Browser, cookies: dict[str, str]) -> Iterator[Page]:
    """Give a page of a new, empty profile that is signed in."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": n, "value": v, "url": desk.url} for n, v in cookies.items()])
    page = context.new_page()
    page.add_init_script(_LONG_TASKS)
    yield page
    context.close()


def _large_pages(desk: Desk, browser: Browser, cookies: dict[str, str]) -> dict[str, Any]:
    """Open the long sessions and the large payload; return times and memory."""
    print(f"\n{'opened':36} {'ready ms':>9} {'page MB':>8} {'browser MB':>11}")
    figures = {}
    for title, path in _large_paths(desk):
        runs = [_visit(desk, browser, cookies, path) for _ in range(_REPEATS)]
        ready = statistics.median(run.ready for run in runs)
        own, whole = _memory_of(desk, browser, cookies, path)
        figures[title] = {"ready_ms": ready, "page_mb": own, "browser_mb": whole}
        is_over = own > MAX_MEMORY_MB or (title.startswith("10,000") and ready > MAX_READY_MS)
        print(f"{title:36} {ready:9.0f} {own:8.0f} {whole:11.0f}{' over' if is_over else ''}")
    return figures


def _large_paths(desk: Desk) -> Iterator[tuple[str, str]]:
    with desk.connect() as connection:
        for title, external_id in (
            ("10,000 spans", "ten-thousand-spans"),
            ("50,000 spans", "fifty-thousand-spans"),
            ("session with 5 MB in a span", "five-megabytes"),
        ):
            query = "SELECT id FROM traces_session WHERE external_id = %s"
            row = connection.execute(query, [external_id]).fetchone()
            if row is None:
                raise SystemExit(f"{desk.path} has no session {external_id}: fill it anew.")
            yield title, f"/p/{SLUG}/sessions/{row[0]}/"
        query = (
            "SELECT span_id FROM traces_span WHERE session_id = %s "
            "ORDER BY pg_column_size(output) DESC NULLS LAST LIMIT 1"
        )
        (span_id,) = connection.execute(query, [row[0]]).fetchone() or ("",)
        yield "the span of 5 MB", f"/p/{SLUG}/sessions/{row[0]}/spans/{span_id}/"


def _memory_of(
    desk: Desk, browser: Browser, cookies: dict[str, str], path: str
) -> tuple[float, float]:
    """Return the highest PSS in MB of the renderers, and of the whole browser, during a visit.

    The page's folded parts are opened too, and it is read to its end.
    """
    sampler = _Sampler(browser)
    with _page(desk, browser, cookies) as page, sampler:
        page.goto(urljoin(desk.url, path), wait_until="load")
        for summary in page.query_selector_all("details:not([open]) > summary")[:40]:
            if summary.is_visible():
                summary.click()
        page.wait_for_timeout(1500)
        page.mouse.wheel(0, 100_000)
        page.wait_for_timeout(500)
    return sampler.own / MEGABYTE, sampler.whole / MEGABYTE


class _Sampler:
    """Samples a browser's memory in a thread: the highest of its renderers, and of all of it."""

    def __init__(self, browser: Browser) -> None:
        session = browser.new_browser_cdp_session()
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        self._root = psutil.Process(next(p["id"] for p in processes if p["type"] == "browser"))
        self.own = self.whole = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *problem: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(0.05):
            own, whole = 0, 0
            for process in (self._root, *self._root.children(recursive=True)):
                try:
                    pss = process.memory_full_info().pss
                    is_renderer = "--type=renderer" in process.cmdline()
                except psutil.Error:
                    continue
                whole += pss
                own = max(own, pss) if is_renderer else own
            self.own, self.whole = max(self.own, own), max(self.whole, whole)


if __name__ == "__main__":
    main()
