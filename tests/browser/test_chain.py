"""The whole chain in a real browser, on a desk that is started as a newcomer starts it."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.processes import Desk, manage, remove_home, running_desk

PASSWORD = "reviewdesk-demo"
NEEDLESS = "If a customer is unhappy, or you do not know what to do, hand them over to a colleague."
BETTER = (
    "Hand a customer over only if the request is beyond your tools; that somebody is upset or asks "
    "for a person is no reason by itself. Refund returned items to the original payment method or "
    "to the customer's gift card, whichever the customer wants."
)
SignIn = Callable[[str], Page]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("chain") / "home"
    try:
        with running_desk(home, seconds=600, REVIEWDESK_DEMO="1") as desk:
            yield desk
    finally:
        remove_home(home)


@pytest.fixture
def sign_in(browser: Browser, desk: Desk) -> Iterator[SignIn]:
    contexts = []

    def sign_in(name: str) -> Page:
        base_url = f"http://127.0.0.1:{desk.port}"
        context = browser.new_context(base_url=base_url, viewport={"width": 1440, "height": 900})
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.goto("/sign-in/")
        page.get_by_label("E-mail").fill(f"{name}@demo.example")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/overview/")
        return page

    yield sign_in
    for context in contexts:
        context.close()


def test_failed_session_becomes_a_live_fix(sign_in: SignIn) -> None:
    reviewer = sign_in("ada")
    start_run(reviewer, "ridiculous")
    expect(reviewer.get_by_text("ended: handed over")).to_be_visible(timeout=30_000)
    label_needless_handover(reviewer)
    promote(reviewer)

    engineer = sign_in("jonas")
    write_better_version(engineer)
    run_golden_tests(engineer)
    engineer.get_by_label("Why should it go live?").fill("Cross customers are helped at once.")
    engineer.get_by_role("button", name="Request approval").click()
    engineer.wait_for_url("**/releases/*/")
    expect(engineer.get_by_text("may not: author of v7")).to_be_visible()
    expect(engineer.get_by_role("button", name="Approve v7")).to_be_disabled()

    lead = sign_in("samuel")
    lead.goto(engineer.url)
    lead.keyboard.press("a")
    lead.get_by_role("button", name="Make v7 live").click()
    expect(lead.get_by_text("v7 is live.")).to_be_visible()

    start_run(lead, "ridiculous")
    expect(lead.get_by_text("ended", exact=True)).to_be_visible(timeout=30_000)
    talk = lead.locator("#talk")
    expect(talk).to_contain_text("modify_pending_order_address")
    expect(talk).not_to_contain_text("transfer_to_human_agents")


def start_run(page: Page, words: str) -> None:
    """Start a run with the demo's first customer who says `words`, and follow it."""
    page.goto("/p/shop/sessions/start/")
    page.get_by_role("link").filter(has_text=words).first.click()
    expect(page.get_by_label("The customer’s first message")).to_have_value(re.compile(words))
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/sessions/*-*/")


def label_needless_handover(page: Page) -> None:
    """Label the session on the page with the keyboard alone."""
    session = page.url
    expect(page.locator(".desk-question.active")).to_contain_text("Outcome")
    for key in "321":
        page.keyboard.press(key)
    page.keyboard.press("0")
    page.keyboard.type("H1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Draft saved")).to_be_visible()
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != session)
    page.goto(session)
    expect(page.get_by_text("Handed over without need").first).to_be_visible()


def promote(page: Page) -> None:
    page.keyboard.press("g")
    expect(page.get_by_text("Promoted: ")).to_be_visible()
    page.keyboard.press("g")
    page.wait_for_url("**/golden/*/edit/")
    page.get_by_label("Why must this not come back?").fill("It costs the customer a day.")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: "/edit/" not in url)
    expect(page.get_by_text("9 tests", exact=True)).to_be_visible()


def write_better_version(page: Page) -> None:
    page.goto("/p/shop/releases/shop-support/new/")
    prompt = page.get_by_label("System prompt")
    text = prompt.input_value()
    assert NEEDLESS in text
    prompt.fill(text.replace(NEEDLESS, BETTER))
    expect(page.locator("#preview")).to_contain_text("is no reason by itself")
    page.get_by_label("What this version is for").fill("Cross customers are helped.")
    page.get_by_role("button", name="Write the version").click()
    page.wait_for_url("**/v7/")


def run_golden_tests(page: Page) -> None:
    version = page.url
    page.get_by_role("button", name="Run 9 golden tests").click()
    page.wait_for_url("**/golden/runs/**")
    expect(page.get_by_text("v7 passed all 9 tests.")).to_be_visible(timeout=60_000)
    page.goto(version)


def test_parked_call_is_approved_and_a_killed_worker_repeats_nothing(
    sign_in: SignIn, desk: Desk
) -> None:
    support = sign_in("jo")
    support.goto("/p/shop/autonomy/")
    cell = support.locator("#cell-shop-support-modify_user_address")
    expect(cell).to_contain_text("approve")
    start_run(support, "change my default address")
    expect(support.get_by_text("waiting for approval").first).to_be_visible(timeout=30_000)
    session = support.url

    support.get_by_role("link", name="Decide it").click()
    support.get_by_role("button", name="Approve:").click()
    held = support.get_by_text("modify_user_address is approved; it leaves in 5 s")
    expect(held).to_be_visible()
    expect(held).to_have_count(0, timeout=10_000)  # The run goes on from here.
    for worker in desk.children("django worker"):
        worker.kill()
    support.goto(session)
    expect(support.get_by_text("ended", exact=True)).to_be_visible(timeout=60_000)
    assert "worker was ended by SIGKILL" in desk.text
    effects = effects_of(desk, session.rstrip("/").rsplit("/", 1)[1])
    assert len(effects) == len(set(effects)) > 0


def effects_of(desk: Desk, run: str) -> list[str]:
    """Return the idempotency key of each effect in the shop's ledger."""
    code = (
        "import json; from agents.models import ShopWrite;"
        f"rows = ShopWrite.objects.filter(run='{run}');"
        "print(json.dumps(list(rows.values_list('effect_key', flat=True))))"
    )
    result = manage(desk.home, "shell", "--no-imports", "-c", code)
    effects: list[str] = json.loads(result.stdout.strip().splitlines()[-1])
    return effects
