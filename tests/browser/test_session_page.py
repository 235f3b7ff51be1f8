"""The session's page in a real browser: errors, search, folding, links, timeline, payloads."""

import pytest
from django.conf import settings
from django.test import Client

from reviewdesk.people.roles import Role
from reviewdesk.screens.sessions import reading
from tests.factories import (
    NOON_NS,
    SECOND,
    customer_span,
    make_project,
    make_session,
    make_user,
    model_span,
    tool_span,
)
from traces.models import Session
from traces.recorder import record_spans

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project():
    return make_project(slug="shop")


@pytest.fixture
def page(browser, live_server, project):
    """Return a page that is signed in; an error of a script or the policy fails the test."""
    client = Client()
    client.force_login(make_user(Role.VIEWER, project))
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context = browser.new_context(
        base_url=live_server.url,
        viewport={"width": 1440, "height": 900},
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: errors.append(message.text) if "Content Security" in message.text else None,
    )
    yield page
    page.wait_for_timeout(300)
    page.wait_for_load_state("networkidle")
    context.close()
    assert errors == []


def talk():
    return [
        customer_span("Where is my lamp?"),
        tool_span("find_order", {"id": "#A1"}, error="no such order", at=1),
        model_span("I look again.", at=2),
        tool_span("find_order", {"id": "#A2"}, result={"status": "sent"}, at=3),
        tool_span("track", {"id": "#A2"}, error="carrier away", at=4),
        model_span("Your lamp is on its way.", at=5),
    ]


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def current(page):
    return page.locator("#steps [data-row]:has([aria-current])").get_attribute("data-span")


def open_session(page, session, query=""):
    page.goto(f"/p/shop/sessions/{session.pk}/{query}")


def test_e_goes_from_error_to_error(page, project):
    spans = talk()
    open_session(page, make_session(project, spans))
    seen = []
    for key in ("e", "e", "e", "Shift+E"):
        press(page, key)
        seen.append(current(page))
    one, two = spans[1].span_id, spans[4].span_id
    assert seen == [one, two, one, two]
    assert page.locator(".desk-chip.is-current code").inner_text() == "track"


def test_e_goes_on_in_another_window(page, project, monkeypatch):
    monkeypatch.setattr(reading, "WINDOW", 10)
    spans = [tool_span(f"t{n}", error="x" if n in (1, 40) else "", at=n) for n in range(60)]
    open_session(page, make_session(project, spans))
    press(page, "e")
    with page.expect_navigation():
        press(page, "e")
    assert current(page) == spans[40].span_id
    assert page.locator(".desk-chip.is-current").evaluate("chip => chip.open")
    with page.expect_navigation():
        press(page, "e")
    assert current(page) == spans[1].span_id


def test_head_leads_to_the_first_error(page, project):
    spans = talk()
    open_session(page, make_session(project, spans))
    page.get_by_role("link", name="2 errors").click()
    page.wait_for_url(f"**#span-{spans[1].span_id}")
    assert current(page) == spans[1].span_id
    assert page.get_by_text("First error of this session").is_visible()


def test_search_inside_goes_from_place_to_place(page, project):
    spans = talk()
    open_session(page, make_session(project, spans))
    press(page, "/")
    page.keyboard.type("lamp")
    with page.expect_navigation():
        press(page, "Enter")
    assert page.get_by_text("1 of 2 steps").is_visible()
    assert page.locator("#talk mark").count() == 2
    assert current(page) == spans[0].span_id
    press(page, "/")
    with page.expect_navigation():
        press(page, "Enter")
    assert page.get_by_text("2 of 2 steps").is_visible()
    assert current(page) == spans[5].span_id
    page.go_back()
    page.get_by_text("1 of 2 steps").wait_for()
    with page.expect_navigation():
        press(page, "Escape")
    assert page.locator("mark").count() == 0


def test_brackets_fold_and_unfold_all_calls(page, project):
    open_session(page, make_session(project, talk()))
    press(page, "]")
    assert page.locator(".desk-chip[open]").count() == 3
    press(page, "[")
    assert page.locator(".desk-chip[open]").count() == 0


def test_y_copies_the_link_to_this_step(page, project):
    spans = talk()
    session = make_session(project, spans)
    open_session(page, session)
    press(page, "e", "y")
    page.get_by_text("The link to this step is copied.").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.endswith(f"/{session.pk}/?span={spans[1].span_id}#span-{spans[1].span_id}")
    page.goto("/p/shop/sessions/")
    page.goto(link)
    assert current(page) == spans[1].span_id


def test_help_lists_the_keys_of_the_screen(page, project):
    open_session(page, make_session(project, talk()))
    press(page, "?")
    words = page.locator("#desk-help").inner_text()
    for line in ("Next failed step", "Fold all calls", "Find in this session", "Timeline", "link"):
        assert line in words


def test_timeline_takes_the_steps_place_and_back_brings_them_back(page, project):
    spans = talk()
    open_session(page, make_session(project, spans))
    press(page, "e", "h")
    page.locator(".session-timeline").wait_for()
    assert "view=timeline" in page.url
    assert current(page) == spans[1].span_id
    press(page, "j")
    assert current(page) == spans[2].span_id
    talk_box, time_box = (page.locator(f"#{part}").bounding_box() for part in ("talk", "steps"))
    assert time_box["y"] >= talk_box["y"] + talk_box["height"] - 1
    assert page.evaluate("document.documentElement.scrollWidth") == 1440
    page.go_back()
    page.locator(".session-views [aria-current]").wait_for()


def test_timeline_fits_a_phone(page, project):
    page.set_viewport_size({"width": 390, "height": 844})
    open_session(page, make_session(project, talk()), "?view=timeline")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator(".session-timeline .time").first.is_visible()


def test_a_payload_is_loaded_in_place_when_its_call_is_opened(page, project):
    large = {f"key{n}": f"{n * 7919 % 10007:x}{n}" for n in range(3000)}
    session = make_session(project, [tool_span("export", {"all": "yes"}, result=large)])
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    open_session(page, session)
    assert not any("part=payload" in url for url in asked)
    page.locator(".desk-chip summary").click()
    page.locator(".desk-chip .desk-kv dd").first.wait_for()
    assert sum("part=payload" in url for url in asked) == 1
    assert page.url.endswith(f"{session.pk}/")


def test_a_large_value_is_swapped_part_by_part(page, project):
    rows = [f"row {n} {n * 7919 % 10007}" for n in range(20_000)]
    span = tool_span("export", result=rows)
    open_session(page, make_session(project, [span]), f"spans/{span.span_id}/")
    before = page.locator("#part-output pre").inner_text()
    page.locator("#part-output").get_by_text("Load the next part").click()
    page.get_by_text("100,001 to 200,000").wait_for()
    after = page.locator("#part-output pre").inner_text()
    assert len(before) == len(after) == 100_000
    assert before != after


def test_a_step_is_copied_as_curl_and_json(page, project):
    messages = [{"role": "user", "content": "it's"}]
    span = model_span("Hi", input={"messages": messages, "new": 0})
    open_session(page, make_session(project, [span]), f"spans/{span.span_id}/")
    page.get_by_role("link", name="Copy as curl").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith('curl "${OPENAI_BASE_URL')
    page.get_by_role("link", name="Copy as JSON").click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.startsWith('{'))")


def test_differences_are_walked_and_equal_steps_unfold(page, project):
    sessions = [
        make_session(project, [customer_span("Hi"), model_span(words, at=1), model_span("x", at=2)])
        for words in ("Sent on Monday", "Sent on Tuesday")
    ]
    page.goto(f"/p/shop/sessions/{sessions[0].pk}/beside/{sessions[1].pk}/")
    press(page, "j")
    assert page.locator(".compare-row.cursor").inner_text().count("Sent on") == 2
    assert page.locator(".compare-equal details[open]").count() == 0
    press(page, "]")
    assert page.locator(".compare-equal details[open]").count() == 2
    press(page, "[")
    assert page.locator(".compare-equal details[open]").count() == 0
    page.get_by_role("link", name="Swap sides").click()
    page.wait_for_url(f"**/{sessions[1].pk}/beside/{sessions[0].pk}/")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_timeline_follows_a_running_session(page, project):
    session = make_session(project, talk(), status=Session.Status.RUNNING)
    open_session(page, session, "?view=timeline")
    lines = page.locator(".session-timeline [data-row]").count()
    late = model_span("One more thing.", at=60, start_ns=NOON_NS + 60 * SECOND)
    record_spans(session=session, spans=[late], has_totals_now=True)
    page.get_by_text("One more thing.").wait_for(timeout=8000)
    assert page.locator(".session-timeline [data-row]").count() == lines + 1
    assert page.locator(".session-grid rect").count() > 0
