"""The session list in a real browser: filter by keyboard, tokens, selection, the back button."""

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import expect

from reviewdesk.people.roles import Role
from tests.factories import customer_span, make_project, make_session, make_user, tool_span
from traces.models import Label, QueueItem

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project():
    project = make_project(slug="shop")
    for text, tool in (("One lamp", "refund"), ("Two lamps", "refund"), ("A kettle", "lookup")):
        make_session(project, [customer_span(text), tool_span(tool, at=1)])
    return project


@pytest.fixture
def page(browser, live_server, project):
    """Return the list, signed in; an error of a script fails the test."""
    client = Client()
    client.force_login(make_user(Role.REVIEWER, project))
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto("/p/shop/sessions/")
    yield page
    page.wait_for_load_state("networkidle")
    context.close()
    assert errors == []


def rows(page):
    return page.locator("[data-row]")


def option(page, text):
    return page.get_by_role("option").filter(has_text=text)


def test_term_is_completed_by_keyboard_and_becomes_a_token(page):
    page.keyboard.press("/")
    page.keyboard.type("too")
    expect(option(page, "tool:")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    while page.get_by_role("combobox").input_value() == "too":
        if "tool:" in (page.locator("[role=option][aria-selected=true]").text_content() or ""):
            page.keyboard.press("Tab")
            break
        page.keyboard.press("ArrowDown")
    expect(option(page, "tool:refund").first).to_be_visible()
    page.keyboard.type("re")
    expect(option(page, "tool:refund").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.locator(".desk-token")).to_have_text(["tool:refund×"])
    expect(rows(page)).to_have_count(2)
    assert "q=tool%3Arefund" in page.url


def test_finished_term_is_taken_at_the_space_and_words_search_as_typed(page):
    page.keyboard.press("/")
    page.keyboard.type("tool:refund ")
    expect(rows(page)).to_have_count(2)
    page.keyboard.type("two")
    expect(rows(page)).to_have_count(1)
    expect(page.locator("mark").first).to_have_text("Two")


def test_token_is_removed_and_taken_back_for_editing(page):
    page.goto("/p/shop/sessions/?q=tool:refund+errors>0")
    expect(page.locator(".desk-token")).to_have_count(2)
    expect(rows(page)).to_have_count(0)
    page.get_by_role("button", name="Remove errors>0").click()
    expect(rows(page)).to_have_count(2)
    page.keyboard.press("Backspace")
    expect(page.locator(".session-q")).to_have_value("tool:refund")
    expect(page.locator(".desk-token")).to_have_count(0)


def test_escape_closes_what_may_come_next_and_keeps_the_text(page):
    page.keyboard.press("/")
    page.keyboard.type("outcome:")
    expect(page.get_by_role("listbox")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(page.locator(".session-q")).to_have_value("outcome:")


def test_back_button_brings_the_filter_before(page):
    page.keyboard.press("/")
    page.keyboard.type("tool:refund ")
    expect(rows(page)).to_have_count(2)
    page.keyboard.type("kettle")
    expect(rows(page)).to_have_count(0)
    page.go_back()
    expect(rows(page)).to_have_count(2)
    expect(page.locator(".desk-token")).to_have_count(1)


def test_rows_are_selected_by_space_and_labelled(page):
    expect(page.locator(".desk-bulk")).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("Space")
    page.keyboard.press("j")
    page.keyboard.press("Space")
    expect(page.locator(".desk-bulk")).to_contain_text("2 selected")
    page.locator(".desk-bulk").get_by_role("button", name="Label").click()
    page.get_by_label("Outcome").select_option("resolved")
    page.get_by_role("button", name="Label 2 sessions").click()
    expect(page.locator("[data-toast]")).to_contain_text("Labelled 2 sessions.")
    assert Label.objects.count() == 2
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-toast]")).to_contain_text("Took back 2 labels.")
    assert not Label.objects.exists()


def test_all_that_match_are_put_into_a_new_queue(page):
    page.goto("/p/shop/sessions/?q=tool:refund")
    page.get_by_label("Select all on this page").check()
    expect(page.locator(".desk-bulk")).to_contain_text("2 selected")
    page.get_by_label("Select all 2 that match").check()
    page.get_by_role("button", name="Add to queue").click()
    page.get_by_label("New queue").fill("Weekly")
    page.get_by_role("button", name="Add 2 sessions").click()
    expect(page.locator("[data-toast]")).to_contain_text("Added 2 sessions to the queue Weekly.")
    assert QueueItem.objects.count() == 2


def test_view_is_saved_and_becomes_a_tab(page):
    page.goto("/p/shop/sessions/?q=kettle")
    page.get_by_role("button", name="Save view").click()
    page.locator("#session-save").get_by_label("Name").fill("Kettles")
    page.locator("#session-save").get_by_role("button", name="Save view").click()
    expect(page.locator(".desk-tabs [aria-current]")).to_have_text("Kettles1")


def test_help_lists_the_filters_with_the_keys(page):
    page.keyboard.press("?")
    expect(page.locator("#desk-help")).to_contain_text("cost>0.10")
    expect(page.locator("#desk-help")).to_contain_text("select the session")


def test_list_works_without_javascript(browser, live_server, project):
    client = Client()
    client.force_login(make_user(Role.REVIEWER, project))
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    page = context.new_page()
    page.goto("/p/shop/sessions/")
    page.locator(".session-q").fill("tool:refund")
    page.locator(".session-q").press("Enter")
    expect(rows(page)).to_have_count(2)
    expect(page.locator(".session-q")).to_have_value("tool:refund")
    context.close()
