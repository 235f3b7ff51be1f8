"""How long a review takes that turns failures into golden tests, with the keyboard alone.

    python benchmarks/promote.py [--failures 30] [--key-ms 120] [--home HOME]

In Chromium, on the demo's failures: a reviewer opens the list of failed sessions that they have not
judged, answers the four questions, marks the first wrong step, writes what was wrong, and presses
⇧G, which completes the label, promotes the session and opens the next one. What to answer is taken
from the label of somebody else, which the page hides; reading and thinking take no time here. Keys
are `--key-ms` apart, as when somebody types fast. No mouse, no address typed in between.

A home is one whose desk is not running; without one the demo is loaded into a temporary one first.
"""

import argparse
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from desk import Desk, machine, print_result, running_desk
from django.apps import apps
from playwright.sync_api import Page, expect, sync_playwright

MAX_SECONDS = 600
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
_FAILURES = "/p/shop/sessions/?q=outcome%3Anot-resolved%2Charmful%2Cwrongly-refused%2Cpartly"
_QUESTIONS = ("outcome", "severity", "fault_owner", "primary_cause")


@dataclass
class Typist:
    """Presses keys at a pace, and counts them."""

    page: Page
    key_ms: int
    num_keys: int = 0

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(self.key_ms)
        self.num_keys += len(keys)

    def write(self, text: str) -> None:
        """Write a text into the field that has the focus."""
        self.page.keyboard.type(text, delay=self.key_ms)
        self.num_keys += len(text)


@dataclass
class Review:
    """What was measured: per session, in seconds.

    Attributes:
        promoted: From the open page to the next one, of sessions that one key promoted.
        waits: Of these, from the key to the next page ready for the next key.
        left: Why others were not promoted with one key.
    """

    promoted: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--failures", type=int, default=30)
    parser.add_argument("--key-ms", type=int, default=120)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    home = options.home.absolute() if options.home else None
    with running_desk(home, REVIEWDESK_DEMO="1") as desk:
        desk.use_django()
        facts = machine(desk.connect())
        began = time.monotonic()
        review, num_keys = _review(desk, options.failures, options.key_ms)
        total = time.monotonic() - began
    num = len(review.promoted)
    print(f"{num} failures promoted in {total:.0f} s, {total / num:.1f} s and ", end="")
    print(f"{num_keys / num:.0f} keys each; {len(review.left)} needed the form.")
    print(f"From ⇧G to the next page: median {statistics.median(review.waits):.2f} s, ", end="")
    print(f"slowest {max(review.waits):.2f} s.")
    print_result(
        "promote",
        facts,
        failures=num,
        total_s=round(total, 1),
        seconds_per_promotion=round(total / num, 2),
        keys_per_promotion=round(num_keys / num, 1),
        wait_ms=round(1000 * statistics.median(review.waits)),
        needed_the_form=len(review.left),
        is_within=total <= MAX_SECONDS,
    )


def _review(desk: Desk, num: int, key_ms: int) -> tuple[Review, int]:
    project = desk.make_project("shop")
    cookies = desk.sign_in(project, f"reviewer-{time.time_ns()}@example.com")
    review, labels = Review(), _labels(project)
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        context = browser.new_context(base_url=desk.url, viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": n, "value": v, "url": desk.url} for n, v in cookies.items()])
        typist = Typist(context.new_page(), key_ms)
        typist.page.goto(_FAILURES)
        typist.press("j", "Enter")
        while len(review.promoted) < num and len(review.left) < num:
            _promote(typist, review, labels)
        browser.close()
    return review, typist.num_keys


def _promote(typist: Typist, review: Review, labels: dict[str, Any]) -> None:
    """Judge and promote the session on the page, and wait for the next one."""
    page = typist.page
    began = time.monotonic()
    expect(page.locator("#label")).to_be_visible(timeout=30_000)
    session = urlsplit(page.url).path.rstrip("/").rsplit("/", 1)[1]
    is_judged = not page.locator("form[data-label]").count()
    is_test = page.get_by_role("link", name="Edit the test").count()
    if is_judged or is_test or session not in labels:
        with page.expect_navigation():
            typist.press("n")
        return
    expect(page.locator(".desk-question.active")).to_be_visible()
    label = labels[session]
    for question in _QUESTIONS:
        if answer := label.answers.get(question):
            typist.press(*_keys_of(page, question, answer))
    if steps := _place_of(page, label.first_wrong_span_id):
        typist.press(*["j"] * steps, "w")
    typist.press("c")
    typist.write(label.comment or "It must not be so.")
    typist.press("Escape")
    pressed = time.monotonic()
    typist.press("Shift+G")
    page.wait_for_url(lambda url: session not in urlsplit(url).path or "/golden/" in url)
    if "/golden/promote/" in page.url:
        review.left.append(page.locator("#toasts").inner_text())
        page.goto(_FAILURES)
        typist.press("j", "Enter")
        page.wait_for_url("**/sessions/*-*-*/**")
        return
    expect(page.locator("#label")).to_be_visible(timeout=30_000)
    review.waits.append(time.monotonic() - pressed)
    review.promoted.append(time.monotonic() - began)


def _labels(project: Any) -> dict[str, Any]:
    """Return the demo's labels by session, as they were before the review."""
    labels = apps.get_model("traces.Label").objects.filter(session__project=project)
    return {str(label.session_id): label for label in labels.exclude(completed_at=None)}


def _keys_of(page: Page, question: str, answer: str) -> Sequence[str]:
    radio = page.locator(f"input[name='{question}'][value='{answer}'][data-digit]").first
    digit = radio.get_attribute("data-digit") if radio.count() else ""
    return [digit] if digit else ["0", *answer, "Enter"]


def _place_of(page: Page, span_id: str) -> int:
    """Return how often `j` has to be pressed until the step is the current one."""
    spans = page.locator("#steps [data-row]").evaluate_all("rows => rows.map(r => r.dataset.span)")
    return spans.index(span_id) + 1 if span_id in spans else 0


if __name__ == "__main__":
    main()
