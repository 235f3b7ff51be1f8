"""Settings > Schedules and > Notifications in a real browser: what is typed, swapped, confirmed."""

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import expect

from agents.models import Message, Schedule, Webhook
from agents.outbox.send import send_next
from reviewdesk.people.roles import Role
from tests.factories import make_agent, make_user
from tests.receivers import running_hook
from tests.test_notifications import notifications_of
from tests.test_schedules_screen import schedules_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def agent():
    return make_agent()


@pytest.fixture
def page(browser, live_server, agent):
    """Return a page that is signed in as an admin; an error of a script fails the test."""
    client = Client()
    client.force_login(make_user(Role.ADMIN, agent.project))
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


def fill_schedule(page, agent, cron):
    page.keyboard.press("n")
    page.get_by_label("Name").fill("Morning round")
    page.get_by_label("Agent", exact=True).select_option(label=str(agent))
    page.get_by_label("Cron expression", exact=True).fill(cron)
    page.get_by_label("What the agent is told").fill("Summarise the open orders.")


def test_schedule_shows_its_times_while_it_is_typed_and_is_made(page, agent):
    page.goto(schedules_of(agent.project))
    fill_schedule(page, agent, "0 7 * * 1-5")
    expect(page.get_by_text("At 07:00 on Monday through Friday")).to_be_visible()
    expect(page.locator("#times li")).to_have_count(5)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Morning round is on; it is due at")).to_be_visible()
    expect(page.locator("tr", has_text="Morning round")).to_be_visible()


def test_wrong_times_are_told_at_once_and_again_beside_their_field(page, agent):
    page.goto(schedules_of(agent.project))
    fill_schedule(page, agent, "0 25 * * *")
    expect(page.locator("#times .desk-error")).to_be_visible()
    page.keyboard.press("Control+Enter")
    box = page.get_by_label("Cron expression", exact=True)
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(box).to_have_value("0 25 * * *")
    expect(page.get_by_label("Name")).to_have_value("Morning round")
    assert not Schedule.objects.exists()


def test_schedule_is_turned_off_and_on_and_archived_after_a_question(page, agent):
    page.goto(schedules_of(agent.project))
    fill_schedule(page, agent, "0 7 * * *")
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Turn off Morning round").click()
    expect(page.get_by_text("what it misses is not made up for")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_text("Morning round is on.")).to_be_visible()
    page.get_by_role("link", name="Morning round").click()
    expect(page.get_by_role("button", name="Archive Morning round")).to_be_hidden()
    page.get_by_text("Archive it…").click()
    page.get_by_role("button", name="Archive Morning round").click()
    expect(page.get_by_text("Nothing starts by the clock yet")).to_be_visible()


def add_webhook(page, agent, url, private_hosts="127.0.0.1"):
    page.goto(notifications_of(agent.project))
    page.get_by_role("link", name="Add a webhook").click()
    page.get_by_label("Name").fill("Pager")
    page.get_by_label("Address", exact=True).fill(url)
    page.get_by_label("Addresses of your own network").fill(private_hosts)
    page.keyboard.press("Control+Enter")


def test_test_message_is_followed_until_it_is_received(page, agent):
    with running_hook() as hook:
        add_webhook(page, agent, hook.url)
        page.get_by_role("button", name="Send a test message").click()
        deliveries = page.locator("#deliveries")
        expect(deliveries.get_by_text("waiting")).to_be_visible()
        send_next()
        expect(deliveries.locator(".desk-pill", has_text="sent")).to_be_visible(timeout=8_000)
    assert hook.bodies[0]["event"] == "test"
    expect(page.locator("#deliveries[hx-trigger]")).to_have_count(0)


def test_message_that_was_given_up_is_sent_again(page, agent):
    with running_hook(answers=[410]) as hook:
        add_webhook(page, agent, hook.url)
        page.get_by_role("button", name="Send a test message").click()
        send_next()
        expect(page.get_by_text("given up")).to_be_visible(timeout=8_000)
        page.get_by_role("button", name="Send again").click()
        expect(page.get_by_text("It is sent again, under the same key.")).to_be_visible()
        send_next()
    assert Message.objects.get().sent_at is not None


def test_refused_address_keeps_what_was_typed_and_names_the_way_out(page, agent):
    add_webhook(page, agent, "http://hooks.example.com/T1", private_hosts="")
    expect(page.get_by_text("use https")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("Pager")
    expect(page.get_by_label("Address", exact=True)).to_have_value("http://hooks.example.com/T1")
    assert not Webhook.objects.exists()


def test_mail_is_chosen_by_event_and_stays_chosen(page, agent):
    page.goto(notifications_of(agent.project))
    box = page.get_by_role("region", name="Mail to you").get_by_role("checkbox").first
    box.check()
    page.get_by_role("region", name="Mail to you").get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved: it holds for what happens from now on.")).to_be_visible()
    expect(box).to_be_checked()
