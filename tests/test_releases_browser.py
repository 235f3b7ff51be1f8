"""What only a browser shows: keys, dialogs and charts under the content security policy."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from agents.models import Agent
from reviewdesk.people.roles import Role
from tests.factories import make_agent, make_label, make_project, make_session, make_user, sign_in
from tests.test_releases import make_waiting

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def page(browser: Browser, live_server):
    """A page whose console has nothing to complain about."""
    complaints = []
    context = browser.new_context(base_url=live_server.url)
    page = context.new_page()
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


def sign_page_in(page: Page, user, live_server) -> None:
    """Sign in without the form."""
    cookie = next(iter(sign_in(user).cookies.values()))
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])


def test_lead_approves_with_a_and_enter_and_rolls_back_with_b(page, live_server):
    project = make_project(slug="shop")
    release = make_waiting(make_agent(project))
    sign_page_in(page, make_user(Role.LEAD, project), live_server)
    page.goto(f"/p/shop/releases/{release.pk}/")
    page.keyboard.press("a")
    expect(page.get_by_role("dialog", name="Approve v2")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".desk-verdict")).to_have_text("v2 is live.")
    page.keyboard.press("b")
    expect(page.get_by_role("dialog", name="Roll back to v1")).to_be_visible()
    page.keyboard.type("Refunds failed.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".desk-verdict")).to_have_text("v1 is live.")
    assert Agent.objects.get().live_version.number == 1


def test_editor_shows_the_difference_while_typing(page, live_server):
    agent = make_agent(make_project(slug="shop"), slug="desk")
    sign_page_in(page, make_user(Role.ENGINEER, agent.project), live_server)
    page.goto("/p/shop/releases/desk/new/")
    page.get_by_label("System prompt").fill("Help the client. (1)")
    expect(page.locator("#preview del")).to_have_text("customer")
    expect(page.locator("#preview ins")).to_have_text("client")
    page.get_by_label("Temperature").fill("9")
    expect(page.locator("#preview .desk-error")).to_contain_text("from 0 to 2")


def test_charts_are_drawn_under_the_policy_and_follow_the_theme(page, live_server):
    project = make_project(slug="shop")
    reviewer = make_user(Role.REVIEWER, project, theme="light")
    for number in range(30):
        session = make_session(project, started_at=timezone.now() - timedelta(days=number % 14))
        make_label(session, author=reviewer, outcome="resolved" if number % 4 else "harmful")
    sign_page_in(page, reviewer, live_server)
    page.goto("/p/shop/overview/")
    expect(page.locator(".desk-chart svg").first).to_be_visible()
    assert not page.evaluate("'Plotly' in window")
    for figure in page.locator("[data-open-figure]").all()[::-1]:
        figure.click()
    expect(page.locator(".desk-chart .main-svg").first).to_be_visible()
    expect(page.locator(".desk-chart .point path")).not_to_have_count(0)
    label = page.locator(".desk-chart .xtick text").first
    light = label.evaluate("element => getComputedStyle(element).fill")
    page.evaluate("document.documentElement.dataset.bsTheme = 'dark'")
    expect(label).not_to_have_css("fill", light)


def test_new_key_is_copied(page, live_server):
    project = make_project(slug="shop")
    sign_page_in(page, make_user(Role.ADMIN, project), live_server)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/p/shop/settings/keys/")
    page.get_by_label("Name").fill("Helpdesk bridge")
    page.get_by_role("button", name="Make the key").click()
    key = page.get_by_label("Key of Helpdesk bridge").input_value()
    page.get_by_role("button", name="Copy key").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == key
