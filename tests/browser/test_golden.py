"""The golden screen in a real browser: keys over tests, any two runs, a gate begun and read."""

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import expect

from agents.gate.run import settle_gates
from agents.golden.runner import settle_finished
from agents.models import Gate
from reviewdesk.people.roles import Role
from tests.factories import make_live, make_run, make_user
from tests.gate import answer, make_sound_test
from tests.golden import make_eval_run
from tests.shop import make_shop_agent, make_shop_version

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def desk():
    """Make an agent whose second version breaks the first of three tests and mends the last."""
    agent, live = make_shop_agent()
    make_live(live)
    newer = make_shop_version(agent, system_prompt="Ask first.")
    agent.refresh_from_db()
    tests = [make_sound_test(agent, number, suite="edge") for number in (1, 2, 3)]
    before = make_eval_run(live, tests, "ppp ppp fff")
    now = make_eval_run(newer, tests, "fff ppp ppp")
    for result in (*before.results.all(), *now.results.all()):
        result.run = make_run(agent)
        result.save(update_fields=["run"])
    return agent


@pytest.fixture
def page(browser, live_server, desk):
    """Return a page that is signed in as an engineer; an error of a script fails the test."""
    client = Client()
    client.force_login(make_user(Role.ENGINEER, desk.project, name="Eva Engineer"))
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    page.wait_for_load_state("networkidle")
    context.close()
    assert [error for error in errors if "422" not in error and "409" not in error] == []


def home_of(desk):
    return f"/p/{desk.project.slug}/golden/"


def test_keys_move_open_a_test_and_lead_side_by_side(page, desk):
    page.goto(home_of(desk))
    expect(page.locator("#panel h2").first).to_have_text("Test 1")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2").first).to_have_text("Test 3")
    expect(page.locator("tr[aria-selected=true]")).to_contain_text("Test 3")
    assert "/golden/" in page.url
    page.keyboard.press("k")
    expect(page.locator("tr.cursor")).to_contain_text("Test")
    page.keyboard.press("v")
    page.wait_for_url("**/beside/**")


def test_two_chosen_runs_are_compared_in_place_and_back_returns(page, desk):
    page.goto(home_of(desk))
    expect(page.locator("#results")).to_contain_text("broken")
    page.get_by_label("To", exact=True).select_option("v1")
    expect(page.locator(".left thead")).to_contain_text("v1 to v1")
    page.get_by_label("From", exact=True).select_option("v2")
    expect(page.locator(".left thead")).to_contain_text("v2 to v1")
    expect(page.locator(".left tbody tr").first).to_contain_text("broken")
    expect(page.locator(".left tbody tr").first).to_contain_text("Test 3")
    page.get_by_role("link", name="Better").click()
    expect(page.locator(".left tbody tr")).to_have_count(1)
    expect(page.locator(".left thead")).to_contain_text("v2 to v1")
    page.go_back()
    expect(page.locator(".left tbody tr")).to_have_count(3)


def test_rail_shows_a_suite_without_leaving_the_page(page, desk):
    page.goto(home_of(desk))
    rail = page.get_by_role("navigation", name="Suites")
    rail.get_by_role("link", name="Adversarial").click()
    expect(page.locator("#results")).to_contain_text("This suite is empty.")
    rail.get_by_role("link", name="Edge").click()
    expect(page.locator(".left tbody tr")).to_have_count(3)
    expect(rail.locator("[aria-current=true]")).to_contain_text("Edge")


def test_what_is_wrong_with_a_form_comes_into_sight(page, desk):
    test = desk.golden_tests.first()
    page.goto(f"{home_of(desk)}{test.pk}/edit/")
    page.locator("[name='customer'][value='simulated']").check()
    page.get_by_role("button", name="Save the test").click()
    expect(page.get_by_role("alert")).to_contain_text("goal")
    expect(page.get_by_role("alert")).to_be_in_viewport()


def test_n_asks_and_the_gate_is_begun_followed_and_read(page, desk):
    page.goto(home_of(desk))
    page.keyboard.press("n")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("runs 3 tests × 3 on both versions: 18 runs")
    dialog.get_by_label("Repeats of each test").select_option("4")
    expect(dialog).to_contain_text("12 runs")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/golden/gates/*/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Gate")
    expect(page.locator("#gate")).to_contain_text("Nothing is decided before a look is complete")
    gate = Gate.objects.get()
    for _ in range(4):
        answer(gate, ["fff", "fff", "fff"], ["ppp", "ppp", "ppp"])
        settle_finished()
        settle_gates()
    gate.refresh_from_db()
    verdict = page.locator(".desk-verdict").first
    expect(verdict).to_have_text(gate.sentence, timeout=10_000)
    expect(page.get_by_role("img", name="Difference")).to_be_visible()
    page.keyboard.press("v")
    page.wait_for_url("**a=*b=*")
    expect(page.locator(".left tbody tr").first).to_contain_text("broken")


def test_rules_are_decided_by_keys_with_the_reason_kept_on_refusal(page, desk):
    page.goto(f"{home_of(desk)}rules/")
    page.get_by_label("Margin, points").fill("0")
    page.get_by_label("Why").fill("Stricter.")
    page.get_by_role("button", name="Propose").click()
    expect(page.locator(".desk-error")).to_contain_text("must be a number from 0.5 to 50")
    expect(page.get_by_label("Why")).to_have_value("Stricter.")
    page.get_by_label("Margin, points").fill("3")
    page.get_by_role("button", name="Propose").click()
    expect(page.locator("#policy")).to_contain_text("Rules 1 wait for approval")
    expect(page.locator("ins")).to_have_text("3")
