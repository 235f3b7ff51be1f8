"""Autonomy and the kill switch in a real browser: keys, dialog, banner, reason afterwards, undo."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from agents.models import AgentTool, KillSwitch, Level, UndoableCall
from agents.tools import stops
from agents.tools.autonomy import NO_REASON
from reviewdesk.people.roles import Role
from tests.authority import make_run, make_step
from tests.factories import make_agent, make_user
from tests.shop import make_shop_agent

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CANCEL = "cancel_pending_order"
LOOK = "get_order_details"
PAYMENT = "modify_pending_order_payment"


@pytest.fixture
def tool():
    """Make a shop with two agents; return the first one's tool that can be undone."""
    agent, _ = make_shop_agent(**{PAYMENT: Level.APPROVE})
    make_agent(agent.project, slug="zeta", name="zeta", tools={LOOK: Level.APPROVE})
    return agent.tools.select_related("agent__project").get(name=PAYMENT)


@pytest.fixture
def page(browser, live_server, tool):
    """Return a page that is signed in as a lead; an error of a script fails the test."""
    client = Client()
    client.force_login(make_user(Role.LEAD, tool.agent.project, name="Lea Lead"))
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


def home_of(tool):
    return f"/p/{tool.agent.project.slug}/autonomy/"


def url_of(tool):
    return f"{home_of(tool)}agents/{tool.agent.slug}/tools/{tool.name}/"


def test_keys_move_over_rows_and_columns_and_enter_opens_the_panel(page, tool):
    page.goto(home_of(tool))
    page.keyboard.press("j")
    page.keyboard.press("ArrowRight")
    focused = page.locator(":focus")
    assert focused.get_attribute("id").startswith("cell-zeta-")
    first = focused.get_attribute("id")
    page.keyboard.press("j")
    expect(page.locator(":focus")).not_to_have_id(first)
    assert page.locator(":focus").get_attribute("id").startswith("cell-zeta-")
    page.keyboard.press("ArrowLeft")
    assert page.locator(":focus").get_attribute("id").startswith("cell-shop-")
    name = page.locator(":focus").get_attribute("id").removeprefix("cell-shop-")
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2").first).to_have_text(name)
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_contain_text("Latest changes")


def test_l_lowers_at_once_and_the_reason_is_typed_afterwards(page, tool):
    page.goto(url_of(tool))
    page.keyboard.press("l")
    expect(page.get_by_label("Why it was lowered")).to_be_focused()
    row = AgentTool.objects.get(pk=tool.pk)
    assert (row.level, row.reason) == (Level.SUGGEST, NO_REASON)
    cell = page.locator(f"#cell-shop-{tool.name}")
    expect(cell).to_contain_text("suggest")
    page.keyboard.type("l is typed, K too.")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Why it was lowered")).to_have_count(0)
    row.refresh_from_db()
    assert (row.level, row.reason) == (Level.SUGGEST, "l is typed, K too.")


def test_escape_leaves_the_reason_which_stays_asked_for(page, tool):
    page.goto(url_of(tool))
    page.keyboard.press("l")
    field = page.get_by_label("Why it was lowered")
    expect(field).to_be_focused()
    # A swap that has not settled gives the focus once more.
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
    page.wait_for_timeout(200)
    page.keyboard.press("Escape")
    expect(field).not_to_be_focused()
    expect(field).to_be_visible()
    page.reload()
    expect(field).to_be_visible()
    expect(field).not_to_be_focused()


def test_shift_k_stops_the_tool_of_the_panel_and_the_banner_lifts_it(page, tool):
    page.goto(url_of(tool))
    page.keyboard.press("Shift+K")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("radio", name="One tool")).to_be_checked()
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Control+Enter")
    assert not KillSwitch.objects.exists()
    page.keyboard.type("Refunds reach the wrong card.")
    page.keyboard.press("Control+Enter")
    banner = page.locator(".desk-stops")
    expect(banner).to_contain_text(f"Every call of {tool.name} is stopped for shop.")
    expect(banner).to_contain_text("Lea Lead")
    expect(page.locator(f"#cell-shop-{tool.name}")).to_contain_text("stopped")
    banner.get_by_role("link", name="Lift the stop").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("The rule is out.")
    page.keyboard.press("Control+Enter")
    expect(banner).to_have_count(0)
    assert KillSwitch.objects.get().lift_reason == "The rule is out."


def test_shift_k_works_on_other_pages_and_choosing_a_tool_chooses_its_scope(page, tool):
    page.goto(f"/p/{tool.agent.project.slug}/overview/")
    page.keyboard.press("Shift+K")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("radio", name="The project")).to_be_checked()
    dialog.get_by_label("Tool", exact=True).select_option(CANCEL)
    expect(dialog.get_by_role("radio", name="One tool")).to_be_checked()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert not KillSwitch.objects.exists()


def test_an_empty_reason_is_refused_in_the_dialog(page, tool):
    page.goto(home_of(tool))
    page.keyboard.press("Shift+K")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("   ")
    dialog.get_by_role("button", name="Stop now").click()
    expect(dialog.get_by_text("Say why")).to_be_visible()
    expect(dialog.get_by_label("Reason")).to_be_focused()
    assert not KillSwitch.objects.exists()


def test_a_call_is_undone_from_the_panel_or_the_desk_says_why_not(page, tool):
    run = make_run(tool)
    call = UndoableCall.objects.create(
        run=run,
        step=make_step(run, tool, 0),
        agent_tool=tool,
        undo_tool="restore_records",
        until=timezone.now() + timedelta(minutes=30),
    )
    page.goto(url_of(tool))
    page.locator("#undoable summary").click()
    page.get_by_label("Why it is undone").fill("The customer asked for it.")
    page.get_by_role("button", name="Undo the call").click()
    # There is nothing to restore for a call that was never really made.
    expect(page.locator("#panel [role=alert]").first).to_be_visible()
    expect(page.get_by_label("Why it is undone")).to_have_value("The customer asked for it.")
    call.refresh_from_db()
    assert call.status == UndoableCall.Status.OPEN


def test_a_narrow_page_scrolls_the_matrix_in_its_own_box(page, tool):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(home_of(tool))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator(".desk-scrollx").first
    assert box.evaluate("element => element.scrollWidth > element.clientWidth")


def test_no_column_of_an_agents_page_is_cut_on_a_phone(page, tool):
    make_run(tool)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{home_of(tool)}agents/{tool.agent.slug}/")
    expect(page.get_by_role("heading", name="Runs of 30 days")).to_be_visible()
    cut = "all => all.filter(box => box.scrollWidth > box.clientWidth + 1).length"
    assert page.locator(".desk-scrollx").evaluate_all(cut) == 0


def test_open_page_shows_a_stop_and_its_end_without_a_load(page, tool):
    page.goto(home_of(tool))
    page.locator("a[href]").first.focus()
    switch = stops.stop(
        scope=KillSwitch.Scope.PROJECT,
        stops=KillSwitch.Stops.WRITES,
        project=tool.agent.project,
        agent=None,
        tool="",
        reason="Wrong refunds.",
        by=make_user(),
    )
    expect(page.get_by_text("Every write is stopped in").first).to_be_visible(timeout=8_000)
    stops.lift(switch=switch, reason="All is well.", by=make_user())
    expect(page.locator(".desk-stops")).to_have_count(0, timeout=8_000)
    assert page.evaluate("document.activeElement.tagName") == "A"


def test_expired_sign_in_does_not_take_the_page_away(page, tool):
    page.goto(home_of(tool))
    page.context.clear_cookies()
    with page.expect_response("**/stops/banner/**", timeout=8_000) as told:
        pass
    assert told.value.status == 204
    page.wait_for_timeout(200)
    assert page.url.endswith(home_of(tool))
