"""The Judges pages in a real browser: a disagreement at one key, labelled again; asking, live."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from agents.judges.worker import judge_all_here
from agents.models import JudgeVersion
from reviewdesk.people.roles import Role
from tests.factories import make_session, make_user
from tests.judging import make_case, make_judge_version
from tests.model_server import model_server
from traces.label_sets import ensure_label_set

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASS = json.dumps({"reason": "Step 3 says where it is.", "verdict": "pass"})


@pytest.fixture
def version() -> Iterator[JudgeVersion]:
    """Make a judge that flatters once and is too strict once."""
    with model_server(PASS) as server:
        made = make_judge_version(model_base_url=server.base_url)
        ensure_label_set(made.judge.project)
        make_case(made, "harmful", "pass", title="Where is my parcel?")
        make_case(made, "resolved", "fail", title="Cancel it, please.")
        yield made


@pytest.fixture
def page(browser: Browser, live_server: Any, version: JudgeVersion) -> Iterator[Page]:
    """Return a page that is signed in as a reviewer; an error of a script fails the test."""
    client = Client()
    client.force_login(make_user(Role.REVIEWER, version.judge.project, name="Rita Reviewer"))
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    page.wait_for_load_state("networkidle")
    context.close()
    assert errors == []


def home_of(version: JudgeVersion) -> str:
    return f"/p/{version.judge.project.slug}/golden/judges/{version.judge.slug}/"


def test_disagreement_is_opened_and_labelled_again_with_keys(
    page: Page, version: JudgeVersion
) -> None:
    page.goto(home_of(version))
    expect(page.locator(".judge-differ li")).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Where is my parcel?")
    page.go_back()
    expect(page.locator("#differ")).to_be_visible()
    page.keyboard.press("r")
    page.wait_for_url("**/sessions/**")
    expect(page.locator("h1")).to_have_text("Where is my parcel?")
    page.keyboard.press("1")
    page.keyboard.press("Control+Enter")
    expect(page.locator("h1")).to_have_text("Cancel it, please.")


def test_page_follows_the_judge_until_it_has_judged(page: Page, version: JudgeVersion) -> None:
    make_session(version.judge.project)
    page.goto(home_of(version))
    page.locator("input[value=random]").check()
    page.locator("#ask-button").click()
    expect(page.locator("#stop-button")).to_be_visible()
    judge_all_here()
    expect(page.locator("#stop-button")).to_have_count(0)
    expect(page.locator("#state")).to_contain_text("All is judged.")
    page.locator("#show-news").click()
    expect(page.locator("#show-news")).to_have_count(0)
