"""Promoting failures in a real browser, with the keyboard alone."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from agents.models import Agent, GoldenTest
from reviewdesk.people.models import User
from reviewdesk.people.roles import Role
from tests.factories import make_session, make_user
from tests.golden import hasty_spans, make_test
from tests.shop import make_shop_agent
from traces.models import Label, Session

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# Harmful, critical, the agent's fault, a skipped check.
LABEL = "5311"


@pytest.fixture
def agent() -> Agent:
    agent, _ = make_shop_agent()
    return agent


@pytest.fixture
def user(agent: Agent) -> User:
    return make_user(Role.REVIEWER, agent.project)


@pytest.fixture
def page(browser: Browser, live_server: LiveServer, user: User) -> Iterator[Page]:
    """Return a page that is signed in; an error of a script fails the test."""
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    context.set_default_timeout(15_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.wait_for_timeout(400)
    page.wait_for_load_state("networkidle")
    context.close()
    assert errors == []


def failed(agent: Agent, num: int = 1) -> list[Session]:
    """Make sessions in which the agent did not ask, the newest first."""
    return [make_session(agent.project, hasty_spans(), agent_name=agent.slug) for _ in range(num)][
        ::-1
    ]


def open_session(page: Page, session: Session) -> None:
    page.goto(f"/p/{session.project.slug}/sessions/{session.pk}/")
    expect(page.locator(".desk-question.active")).to_contain_text("Outcome")


def label_it(page: Page) -> None:
    for key in LABEL:
        page.keyboard.press(key)
    expect(page.locator("[name=primary_cause]:checked")).to_have_value("T5")


def test_failures_are_promoted_one_after_the_other_with_the_keyboard(
    page: Page, agent: Agent
) -> None:
    sessions = failed(agent, 2)
    open_session(page, sessions[0])
    for done in (1, 2):
        label_it(page)
        with page.expect_navigation():
            page.keyboard.press("Shift+G")
        expect(page.get_by_text("Promoted: ")).to_be_visible()
        assert GoldenTest.objects.filter(archived_at=None).count() == done
    assert Label.objects.exclude(completed_at=None).count() == 2
    expect(page.get_by_text("Nothing in this list is left")).to_be_visible()
    with page.expect_navigation():
        page.keyboard.press("u")
    expect(page.get_by_text("is no golden test any more")).to_be_visible()
    assert GoldenTest.objects.filter(archived_at=None).count() == 1
    assert Label.objects.exclude(completed_at=None).count() == 1


def test_promoted_session_stays_open_and_the_key_then_edits(page: Page, agent: Agent) -> None:
    (session,) = failed(agent)
    open_session(page, session)
    label_it(page)
    page.keyboard.press("g")
    expect(page.get_by_text("Promoted: ")).to_be_visible()
    expect(page.get_by_role("link", name="Edit the test")).to_be_visible()
    test = GoldenTest.objects.get()
    assert test.source_label is not None
    assert test.source_label.answers["primary_cause"] == "T5"
    with page.expect_navigation():
        page.keyboard.press("g")
    expect(page.get_by_role("heading", name="Edit a golden test")).to_be_visible()
    assert page.url.endswith(f"/golden/{test.pk}/edit/")


def test_answer_given_after_a_promotion_is_what_undo_takes_back(page: Page, agent: Agent) -> None:
    first, _ = failed(agent, 2)
    open_session(page, first)
    label_it(page)
    with page.expect_navigation():
        page.keyboard.press("Shift+G")
    page.keyboard.press("2")
    expect(page.locator("[name=outcome]:checked")).to_have_count(1)
    page.keyboard.press("u")
    expect(page.locator("[name=outcome]:checked")).to_have_count(0)
    assert GoldenTest.objects.filter(archived_at=None).count() == 1


def test_what_is_not_judged_yet_leads_to_the_form(page: Page, agent: Agent) -> None:
    (session,) = failed(agent)
    open_session(page, session)
    with page.expect_navigation():
        page.keyboard.press("g")
    expect(page.get_by_text("Nothing says yet what went wrong")).to_be_visible()
    expect(page.get_by_role("heading", name="Promote to a golden test")).to_be_visible()
    assert not GoldenTest.objects.exists()


def test_only_the_chosen_customers_fields_are_shown_and_saved(page: Page, agent: Agent) -> None:
    test = make_test(agent)
    page.goto(f"/p/{agent.project.slug}/golden/{test.pk}/edit/")
    expect(page.locator("[name=turn]").first).to_be_visible()
    expect(page.locator("[name=goal]")).to_be_hidden()
    page.get_by_label("is played by a model that has a goal").check()
    expect(page.locator("[name=turn]").first).to_be_hidden()
    page.get_by_role("textbox", name="Goal").fill("You want order #T1 cancelled.")
    page.get_by_role("textbox", name="Model").fill("shop-demo-customer")
    page.get_by_role("button", name="Add expectation").click()
    page.get_by_label("Text of expectation 1").fill("It must ask first.")
    with page.expect_navigation():
        page.keyboard.press("Control+Enter")
    test.refresh_from_db()
    assert (test.customer["kind"], test.customer["max_turns"]) == ("simulated", 8)
    assert test.expectations == [{"kind": "must", "text": "It must ask first."}]
