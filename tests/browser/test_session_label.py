"""The session's page in a real browser: keys, drafts, live follow, dialogs, inert traces."""

import pytest
from django.conf import settings
from django.test import Client

from reviewdesk.people.roles import Role
from tests.factories import (
    NOON_NS,
    SECOND,
    customer_span,
    make_agent,
    make_label,
    make_project,
    make_session,
    make_user,
    model_span,
    tool_span,
)
from traces.models import Label, Session
from traces.recorder import record_spans, set_status

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project():
    return make_project(slug="shop")


@pytest.fixture
def user(project):
    return make_user(Role.REVIEWER, project)


@pytest.fixture
def page(browser, live_server, user):
    """Return a page that is signed in; an error of a script fails the test."""
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1440, "height": 900})
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.wait_for_timeout(400)
    page.wait_for_load_state("networkidle")
    context.close()
    assert errors == []


def talk():
    call = {"id": "c1", "name": "return_items", "arguments": {"order_id": "#A1"}}
    return [
        customer_span("Please return the lamp to my gift card.", at=0),
        model_span(None, at=1, calls=[call]),
        tool_span("return_items", {"order_id": "#A1"}, result={"status": "requested"}, at=2),
        model_span("Done, refunded to your Visa.", at=3),
    ]


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def wait_for_draft(page, **answers):
    """Wait until the draft with these answers is stored and the page says so."""
    for _ in range(50):
        label = Label.objects.first()
        if label and all(label.answers.get(key) == answer for key, answer in answers.items()):
            break
        page.wait_for_timeout(100)
    page.get_by_text("Draft saved").wait_for()
    assert {key: label.answers.get(key) for key in answers} == answers


def test_a_session_is_labelled_with_one_key_per_answer(page, project):
    spans = talk()
    session = make_session(project, spans)
    following = make_session(project, [customer_span("Next one", at=-60)])
    page.goto(f"/p/shop/sessions/{session.pk}/")
    press(page, "3", "2", "1", "1", "Shift+Digit2")
    # The customer, the silent model call, then the tool call under the root.
    press(page, "j", "j", "j", "j", "w")
    assert page.locator(".desk-chip.desk-wrong code").inner_text() == "return_items"
    press(page, "c")
    page.keyboard.type("It did not ask.")
    with page.expect_navigation():
        press(page, "Control+Enter")
    label = Label.objects.get()
    assert label.answers == {
        "outcome": "not_resolved",
        "severity": "major",
        "fault_owner": "agent",
        "primary_cause": "T5",
        "secondary_causes": ["T2"],
    }
    assert label.first_wrong_span_id == spans[2].span_id
    assert label.comment == "It did not ask."
    assert label.completed_at is not None
    assert str(following.pk) in page.url
    with page.expect_navigation():
        press(page, "u")
    label.refresh_from_db()
    assert label.completed_at is None
    assert str(session.pk) in page.url


def test_drafts_are_saved_as_answers_are_given_and_undone(page, project):
    session = make_session(project, talk())
    page.goto(f"/p/shop/sessions/{session.pk}/")
    press(page, "4")
    wait_for_draft(page, outcome="wrongly_refused")
    press(page, "ArrowUp", "1")
    assert page.locator("[data-question=severity]").is_hidden()
    press(page, "u")
    assert page.locator("[name=outcome][value=wrongly_refused]").is_checked()
    page.reload()
    assert page.locator("[name=outcome]:checked").count() == 1


@pytest.mark.parametrize("way", ["g", "link", "address"])
def test_comment_is_saved_when_the_page_is_left_at_once(page, project, way):
    make_agent(project, slug="support")
    session = make_session(project, talk())
    page.goto(f"/p/shop/sessions/{session.pk}/")
    press(page, "c")
    page.keyboard.type("It did not ask.")
    press(page, "Escape")
    if way == "address":
        page.goto("/p/shop/sessions/")
        page.wait_for_timeout(300)
    else:
        with page.expect_navigation():
            press(page, "g") if way == "g" else page.locator("a.crumb").first.click()
    assert Label.objects.get().comment == "It did not ask."


def test_page_stays_once_when_the_comment_cannot_be_saved(page, project):
    session = make_session(project, talk())
    page.goto(f"/p/shop/sessions/{session.pk}/")
    page.route("**/draft/", lambda route: route.abort())
    press(page, "c")
    page.keyboard.type("Lost?")
    page.locator("a.crumb").first.click()
    page.get_by_text("Try again to leave without it.").wait_for()
    assert page.locator("#label-comment").input_value() == "Lost?"
    page.locator("a.crumb").first.click()
    page.wait_for_url("**/sessions/")


def test_comment_is_continued_at_its_end(page, project, user):
    session = make_session(project, talk())
    make_label(session, user, comment="It did not ask.", is_completed=False)
    page.goto(f"/p/shop/sessions/{session.pk}/")
    press(page, "c")
    page.keyboard.type(" Twice.")
    assert page.locator("#label-comment").input_value() == "It did not ask. Twice."


def test_any_cause_is_found_by_typing(page, project):
    session = make_session(project, talk())
    page.goto(f"/p/shop/sessions/{session.pk}/")
    press(page, "3", "1", "1", "0")
    page.keyboard.type("injec")
    press(page, "Enter")
    assert page.locator("[data-beyond]").inner_text() == "S1 Injection"
    wait_for_draft(page, primary_cause="S1")


def test_missing_answer_is_shown_in_place(page, project):
    session = make_session(project, talk())
    page.goto(f"/p/shop/sessions/{session.pk}/")
    press(page, "5", "Control+Enter")
    page.get_by_text("Severity has no answer yet.").wait_for()
    assert page.locator("[name=outcome][value=harmful]").is_checked()
    press(page, "3")
    assert page.locator("[name=severity][value=critical]").is_checked()


def test_single_keys_can_be_turned_off(page, project, user):
    user.has_single_keys = False
    user.save()
    page.goto(f"/p/shop/sessions/{make_session(project, talk()).pk}/")
    press(page, "3", "o", "s")
    assert page.locator("[name=outcome]:checked").count() == 0


def test_keys_move_open_and_help(page, project):
    make_session(project, talk())
    make_session(project, [customer_span("Another", at=-60)])
    page.goto("/p/shop/sessions/")
    press(page, "j", "j", "Enter")
    page.wait_for_url("**/sessions/*-*/")
    assert page.locator("h1").inner_text() == "Another"
    press(page, "?")
    assert "Complete and next" in page.locator("#desk-help").inner_text()
    press(page, "Escape", "o", "s")
    page.wait_for_url("**/sessions/")
    press(page, "/")
    page.keyboard.type("lamp")
    page.wait_for_url("**q=lamp**")
    page.get_by_text("1 match").wait_for()
    assert page.locator("[data-row]").count() == 1
    assert page.evaluate("document.activeElement.id") == "session-q"


def test_running_session_is_followed_without_losing_the_place(page, project):
    session = make_session(project, talk(), status=Session.Status.RUNNING)
    page.goto(f"/p/shop/sessions/{session.pk}/")
    page.locator(".desk-chip summary").click()
    page.locator(".desk-chip summary").focus()
    late = model_span("One more thing.", at=9, start_ns=NOON_NS + 9 * SECOND)
    record_spans(session=session, spans=[late], has_totals_now=True)
    page.get_by_text("One more thing.").wait_for(timeout=8000)
    assert page.locator(".desk-chip").evaluate("chip => chip.open")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert page.locator("form[data-label]").count() == 0
    set_status(session=session, status=Session.Status.COMPLETED, end_ns=late.end_ns)
    page.locator("form[data-label]").wait_for(timeout=8000)
    press(page, "1")
    assert page.locator("[name=outcome][value=resolved]").is_checked()


def test_a_step_opens_in_a_dialog_and_its_link_leads_back_to_it(page, project):
    spans = talk()
    session = make_session(project, spans)
    page.goto(f"/p/shop/sessions/{session.pk}/")
    page.locator(f"#step-{spans[1].span_id} a").click()
    page.locator("#span-dialog[open]").wait_for()
    assert '"order_id": "#A1"' in page.locator(".session-json").first.inner_text()
    press(page, "Escape")
    page.goto(f"/p/shop/sessions/{session.pk}/?span={spans[2].span_id}#span-{spans[2].span_id}")
    assert page.locator(".desk-chip").evaluate("chip => chip.open")
    assert page.locator(".desk-chip.is-current").count() == 1


def test_nothing_of_a_trace_runs_or_is_fetched(page, project, live_server):
    evil = (
        "<script>document.title='owned'</script><img src=https://evil.example/x onerror=alert(1)>"
    )
    spans = [customer_span(evil), tool_span(evil[:80], {"x": evil}, result={"y": evil}, at=1)]
    session = make_session(project, spans, customer=evil)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for path in (f"/p/shop/sessions/{session.pk}/", "/p/shop/sessions/?q=script"):
        page.goto(path)
        assert "owned" not in page.title().split("·")[1]
    assert all(url.startswith(live_server.url) for url in asked)


@pytest.mark.parametrize("width", [1440, 390])
def test_long_names_stay_on_the_page_and_in_their_box(page, project, width):
    make_agent(project, slug="support")
    spans = [customer_span("Hello"), tool_span("a_long_tool_name_" * 7, {"a": 1}, at=1)]
    long = {"customer": "c" * 190, "agent_name": "n" * 119, "version_name": "m" * 60}
    session = make_session(project, spans, **long)
    page.set_viewport_size({"width": width, "height": 844})
    for path in (f"sessions/{session.pk}", f"golden/promote/{session.pk}"):
        page.goto(f"/p/shop/{path}/")
        chip = page.locator(".desk-chip").first
        assert page.evaluate("document.documentElement.scrollWidth") == width, path
        assert chip.evaluate("chip => chip.scrollWidth <= chip.clientWidth"), path
        chip.locator("summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") == width, path


def test_all_causes_have_a_heading_and_a_field_in_view(page, project):
    session = make_session(project, talk())
    page.goto(f"/p/shop/sessions/{session.pk}/")
    press(page, "3", "1", "1", "0")
    dialog = page.get_by_role("dialog", name="All 25 causes")
    field, around = dialog.locator("[data-find-cause]").bounding_box(), dialog.bounding_box()
    assert field["x"] - around["x"] >= 16
    assert field["height"] >= 30
    assert dialog.locator(":focus").get_attribute("aria-label") == "Find a cause"
