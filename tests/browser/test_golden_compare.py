"""Two eval runs side by side in a real browser: filters, keys, and both sessions of a test."""

import re
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from agents.models import Agent, EvalRun
from reviewdesk.people.roles import Role
from tests.factories import make_live, make_run, make_user
from tests.golden import make_eval_run, make_test
from tests.shop import make_shop_agent, make_shop_version

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WIDE, PHONE = (1440, 900), (390, 844)


@pytest.fixture
def runs() -> tuple[EvalRun, EvalRun]:
    """Make two eval runs: 1 broken, 2 worse, 3 better, 4 flaky, 5 the same, 6 not compared."""
    agent, live = make_shop_agent()
    make_live(live)
    newer = make_shop_version(agent, system_prompt="Ask first.")
    tests = [make_test(agent, suite="edge" if number < 3 else "common") for number in range(6)]
    before = make_eval_run(live, tests, "ppp ppp fff ppf ppp eee")
    now = make_eval_run(newer, tests, "fff ppf ppp pfp ppp ppp")
    for result in (*before.results.all(), *now.results.all()):
        result.run = make_run(agent)
        result.save(update_fields=["run"])
    return before, now


@pytest.fixture(params=[WIDE, PHONE], ids=["1440", "390"])
def page(
    browser: Browser, live_server, runs: tuple[EvalRun, EvalRun], request: pytest.FixtureRequest
) -> Iterator[Page]:
    """Return the comparison, signed in as a viewer; an error of a script fails the test."""
    width, height = request.param
    client = Client()
    client.force_login(make_user(Role.VIEWER, agent_of(runs).project))
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    viewport = {"width": width, "height": height}
    context = browser.new_context(base_url=live_server.url, viewport=viewport)
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.goto(f"/p/{agent_of(runs).project.slug}/golden/compare/{runs[0].pk}/{runs[1].pk}/")
    yield page
    page.wait_for_load_state("networkidle")
    context.close()
    assert errors == []


def agent_of(runs: tuple[EvalRun, EvalRun]) -> Agent:
    return runs[0].agent


def shown(page: Page) -> list[str]:
    """Return the tests in the table, by their names."""
    names = page.locator("tr[data-row] td:first-child a").all_inner_texts()
    return [name.strip() for name in names]


def choose(page: Page, tab: str) -> None:
    page.locator("ul.desk-tabs").get_by_role("link", name=re.compile(f"^{tab}")).click()
    expect(page.locator(".desk-tabs [aria-current=true]")).to_contain_text(tab)


def test_page_says_what_it_shows_and_fits_its_width(page: Page) -> None:
    expect(page.locator(".desk-verdict")).to_contain_text("points (95 %:")
    assert shown(page) == ["Test 1", "Test 2", "Test 3", "Test 4"]
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_tabs_show_what_is_better_worse_and_flaky(page: Page) -> None:
    for tab, tests in (
        ("Broken", ["Test 1"]),
        ("Worse", ["Test 2"]),
        ("Better", ["Test 3"]),
        ("Flaky", ["Test 4"]),
        ("Same", ["Test 5"]),
        ("Not compared", ["Test 6"]),
    ):
        choose(page, tab)
        assert shown(page) == tests
    page.go_back()
    expect(page.locator(".desk-tabs [aria-current=true]")).to_contain_text("Same")


def test_a_part_cuts_the_tests_and_its_button_takes_the_cut_away(page: Page) -> None:
    parts = page.get_by_role("region", name="By suite and tag")
    parts.get_by_role("link", name="common").click()
    expect(page.locator("tr[data-row]")).to_have_count(1)
    assert shown(page) == ["Test 4"]
    page.get_by_role("region", name="Tests").get_by_role("link", name="common").click()
    expect(page.locator("tr[data-row]")).to_have_count(4)


def test_keys_walk_the_tests_and_open_both_sessions(page: Page) -> None:
    for _ in range(3):
        page.keyboard.press("j")
    expect(page.locator("tr.cursor")).to_contain_text("Test 3")
    page.keyboard.press("k")
    expect(page.locator("tr.cursor")).to_contain_text("Test 2")
    link = page.locator("tr.cursor").get_by_role("link", name="Side by side")
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/sessions/*/beside/*/**")


def test_v_opens_the_sessions_of_the_test_under_the_cursor_and_back_returns(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("j")
    row = page.locator("tr.cursor")
    expect(row).to_contain_text("Test 2")
    address = row.get_by_role("link", name="Side by side").get_attribute("href")
    assert address is not None
    page.keyboard.press("v")
    page.wait_for_url(f"**{address}")
    page.go_back()
    expect(page.locator("tr[data-row]")).to_have_count(4)


def test_help_names_the_keys_of_the_comparison(page: Page) -> None:
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("next, previous test")
    expect(dialog).to_contain_text("Both sessions side by side")
    page.keyboard.press("Escape")


def test_sides_can_be_swapped(page: Page, runs: tuple[EvalRun, EvalRun]) -> None:
    page.get_by_role("link", name="Swap sides").click()
    page.wait_for_url(f"**/compare/{runs[1].pk}/{runs[0].pk}/")
    choose(page, "Broken")
    assert shown(page) == ["Test 3"]
