"""Approvals in a real browser: keys, focus, polling, swaps."""

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import expect

from agents.models import Level, ToolApproval
from agents.runtime.approvals import approve_call
from reviewdesk.people.roles import Role
from tests.factories import make_user
from tests.shop import make_shop_version
from tests.test_approvals_screen import ADDRESS, RETURN, list_url, park, project_of, url_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def approval():
    return park()


@pytest.fixture
def page(browser, live_server, approval):
    """Return a page that is signed in as a lead; an error of a script fails the test."""
    client = Client()
    client.force_login(make_user(Role.LEAD, project_of(approval)))
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
    assert [error for error in errors if "422" not in error] == []


def park_address(approval):
    """Let another call of the same agent wait, one that can be undone."""
    agent = approval.run.agent
    agent.tools.create(name=ADDRESS[0], level=Level.APPROVE, reason="For the test.")
    return park(ADDRESS, agent=agent, version=make_shop_version(agent))


def approve(page):
    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Yes, approve")).to_be_focused()
    page.keyboard.press("Enter")


def test_escape_leaves_the_edit_and_the_rejection_undecided(page, approval):
    page.goto(list_url(approval))
    for key, label in (("m", "Order id"), ("r", "Why it is rejected")):
        page.keyboard.press(key)
        expect(page.get_by_label(label)).to_be_focused()
        page.keyboard.type("a r m")
        page.keyboard.press("Escape")
        expect(page.get_by_label(label)).to_have_count(0)
        expect(page.get_by_role("link", name="Edit")).to_be_visible()
    assert ToolApproval.objects.get(pk=approval.pk).status == "waiting"


def test_held_decision_is_taken_back_with_u(page, approval):
    call = park_address(approval)
    page.goto(url_of(call))
    page.keyboard.press("a")
    expect(page.get_by_text("it leaves in 5 s")).to_be_visible()
    expect(page.locator(f"#waiting-{approval.pk}")).to_be_focused()
    page.keyboard.press("u")
    expect(page.get_by_text("Taken back: modify_pending_order_address waits again")).to_be_visible()
    expect(page).to_have_url(url_of(call))
    expect(page.locator(f"#toast-{call.pk}")).to_have_count(0)
    assert ToolApproval.objects.get(pk=call.pk).status == "waiting"


def test_take_back_is_offered_for_five_seconds_only(page, approval):
    call = park_address(approval)
    page.goto(url_of(call))
    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Take back")).to_be_visible()
    expect(page.get_by_role("button", name="Take back")).to_have_count(0, timeout=8_000)
    page.keyboard.press("u")
    assert ToolApproval.objects.get(pk=call.pk).status == "approved"


def test_r_rejects_t_answers_and_each_asks_for_words(page, approval):
    following = park(agent=approval.run.agent)
    page.goto(list_url(approval))
    page.keyboard.press("r")
    page.get_by_label("Why it is rejected").fill("Ask which order first.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("cancel_pending_order is rejected")).to_be_visible()
    expect(page).to_have_url(url_of(following))
    page.keyboard.press("t")
    expect(page.get_by_label("Your answer to the agent")).to_be_focused()
    page.keyboard.type("Ask for the reason.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("the agent reads your answer")).to_be_visible()
    found = {each.pk: each.status for each in ToolApproval.objects.all()}
    assert found == {approval.pk: "rejected", following.pk: "responded"}


def test_x_escalates_with_a_note(page, approval):
    page.goto(list_url(approval))
    page.keyboard.press("x")
    expect(page.get_by_label("What the leads have to know")).to_be_focused()
    page.keyboard.type("Is this the second refund?")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("waits for a lead now; they are told.")).to_be_visible()
    assert ToolApproval.objects.get(pk=approval.pk).escalated_at is not None


def test_an_edit_is_previewed_and_enter_approves_it(page, approval):
    page.goto(list_url(approval))
    page.keyboard.press("m")
    page.get_by_label("Reason").select_option("ordered by mistake")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Approve it with your changes?")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Reason")).to_have_value("ordered by mistake")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("button", name="Yes, approve")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("is approved with your changes")).to_be_visible()
    assert ToolApproval.objects.get(pk=approval.pk).status == "edited"


def test_a_approves_and_the_next_call_gets_the_focus(page, approval):
    following = park(agent=approval.run.agent)
    page.goto(list_url(approval))
    approve(page)
    expect(page.get_by_text("cancel_pending_order is approved; the run goes on.")).to_be_visible()
    expect(page.locator(f"#waiting-{approval.pk}")).to_have_count(0)
    expect(page.locator(f"#waiting-{following.pk}")).to_be_focused()
    expect(page).to_have_url(url_of(following))
    expect(page.locator("nav [data-waiting=approvals] .desk-count").last).to_contain_text("1")
    approve(page)
    expect(page.get_by_role("heading", name="No call waits for you")).to_be_visible()


def test_money_takes_a_and_enter(page, approval):
    name, arguments = RETURN
    ToolApproval.objects.update(tool=name, arguments=arguments)
    page.goto(list_url(approval))
    page.keyboard.press("a")
    expect(page.get_by_text("Money moves at once")).to_be_visible()
    assert ToolApproval.objects.get(pk=approval.pk).status == "waiting"
    expect(page.get_by_role("button", name="Yes, approve")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("is approved; the run goes on.")).to_be_visible()


def test_typed_text_outlives_the_poll_and_somebody_faster_is_named(page, approval):
    page.goto(list_url(approval))
    page.keyboard.press("r")
    box = page.get_by_label("Why it is rejected")
    expect(box).to_be_focused()
    page.keyboard.type("Ask which order first")
    later = park(agent=approval.run.agent)
    expect(page.locator(f"#waiting-{later.pk}")).to_be_visible(timeout=8_000)
    expect(box).to_have_value("Ask which order first")
    expect(box).to_be_focused()
    approve_call(approval=approval, by=make_user(name="Jo Fast"))
    expect(page.get_by_text("Jo Fast was faster")).to_be_visible(timeout=8_000)
    expect(box).to_have_value("Ask which order first")


def test_m_edits_and_a_refused_edit_keeps_what_was_typed(page, approval):
    ToolApproval.objects.update(arguments={"order_id": "#T1", "reason": 7})
    page.goto(list_url(approval))
    page.keyboard.press("m")
    expect(page.get_by_label("Order id")).to_be_focused()
    box = page.get_by_label("Reason")
    box.fill("7 of them")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("is no JSON")).to_be_visible()
    expect(box).to_be_focused()
    expect(box).to_have_value("7 of them")


def test_j_opens_the_next_call_and_the_keys_act_on_it(page, approval):
    following = park_address(approval)
    page.goto(list_url(approval))
    page.keyboard.press("j")
    expect(page).to_have_url(url_of(following))
    expect(page.locator(f"#waiting-{following.pk}")).to_have_attribute("aria-current", "true")
    page.keyboard.press("k")
    expect(page).to_have_url(url_of(approval))
    page.keyboard.press("j")
    expect(page).to_have_url(url_of(following))
    page.keyboard.press("a")
    expect(page.get_by_text("it leaves in 5 s")).to_be_visible()
    found = {each.pk: each.status for each in ToolApproval.objects.all()}
    assert found == {approval.pk: "waiting", following.pk: "approved"}


def test_key_pressed_before_the_next_call_has_come_decides_nothing(page, approval):
    following = park_address(approval)
    page.goto(list_url(approval))
    held = []
    page.route(f"**{url_of(following)}", lambda route: held.append(route))
    with page.expect_request(f"**{url_of(following)}"):
        page.keyboard.press("j")
    page.keyboard.press("a")
    page.wait_for_timeout(200)
    held[0].continue_()
    expect(page).to_have_url(url_of(following))
    expect(page.get_by_role("button", name="Yes, approve")).to_have_count(0)
    assert not ToolApproval.objects.exclude(status="waiting").exists()


def test_moving_the_cursor_keeps_what_is_being_typed(page, approval):
    following = park(agent=approval.run.agent)
    page.goto(list_url(approval))
    page.keyboard.press("r")
    page.get_by_label("Why it is rejected").fill("Ask which order first")
    page.locator(f"#waiting-{approval.pk}").focus()
    page.keyboard.press("j")
    expect(page.locator(f"#waiting-{following.pk}")).to_be_focused()
    expect(page.get_by_label("Why it is rejected")).to_have_value("Ask which order first")
    page.keyboard.press("Enter")
    expect(page).to_have_url(url_of(following))
    page.go_back()
    expect(page.locator(f"#waiting-{approval.pk}")).to_have_attribute("aria-current", "true")
