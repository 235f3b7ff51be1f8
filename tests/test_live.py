"""A session whose spans come over /v1/traces is followed on its page while it runs."""

import json
import re
import threading
import time
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from reviewdesk.embedded.refreshing import refresh_until
from reviewdesk.people.roles import Role
from tests.factories import client_as, make_project, make_user
from tests.processes import wait_until
from tests.test_otlp_decode import START, attribute, json_span
from tests.test_otlp_http import Sender
from traces.models import Session
from traces.refresh import drain

ROOT = "00000000000000aa"
REV = re.compile(r'data-live-rev="([^"]*)"')


def send(sender: Sender, number: int, words: str) -> None:
    """Send the next model call of a conversation whose root has not ended."""
    said = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": words}]}])
    attributes = [
        attribute("gen_ai.operation.name", stringValue="chat"),
        attribute("gen_ai.output.messages", stringValue=said),
    ]
    times = {
        "startTimeUnixNano": str(START + number * 10),
        "endTimeUnixNano": str(START + number * 10 + 5),
    }
    _post(sender, spanId=f"{number:016x}", parentSpanId=ROOT, attributes=attributes, **times)


def _post(sender: Sender, **span: Any) -> None:
    assert sender.post_json(json_span(**span)).status_code == 200


@pytest.mark.django_db
def test_each_span_is_in_the_next_answer_and_the_root_ends_it() -> None:
    sender = Sender()
    send(sender, 1, "I look.")
    drain()
    client = client_as(Role.VIEWER, sender.project)
    session = Session.objects.get(project=sender.project)
    url = f"/p/{sender.project.slug}/sessions/{session.pk}/"
    page = client.get(url).content.decode()
    assert f'data-live="{url}live/"' in page
    for number, words in [(2, "I look again."), (3, "It is on its way.")]:
        rev = REV.findall(page)[0]
        assert client.get(f"{url}live/?rev={rev}").status_code == 204
        send(sender, number, words)
        drain()
        page = client.get(f"{url}live/?rev={rev}").content.decode()
        assert words in page
        assert "data-live-more" in page
    _post(sender, spanId=ROOT, name="agent")
    drain()
    answer = client.get(f"{url}live/?rev={REV.findall(page)[0]}").content.decode()
    assert "data-live-more" not in answer


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_page_shows_spans_within_seconds_of_their_arrival(browser: Any, live_server: Any) -> None:
    project = make_project(slug="shop")
    sender = Sender(project)
    stop = threading.Event()
    refresher = threading.Thread(target=refresh_until, args=(stop,))
    refresher.start()
    context = browser.new_context(base_url=live_server.url)
    try:
        send(sender, 1, "I look.")
        wait_until(lambda: Session.objects.filter(project=project, num_spans=1).exists(), 10)
        client = Client()
        client.force_login(make_user(Role.VIEWER, project))
        cookie = client.cookies[settings.SESSION_COOKIE_NAME]
        context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
        page = context.new_page()
        page.goto(f"/p/shop/sessions/{Session.objects.get(project=project).pk}/")
        for number, words in [(2, "I look again."), (3, "It is on its way.")]:
            began = time.monotonic()
            send(sender, number, words)
            page.get_by_text(words).first.wait_for(timeout=8_000)
            # The page asks every 2 s, the refresher every half second.
            assert time.monotonic() - began < 4
        _post(sender, spanId=ROOT, name="agent", endTimeUnixNano=str(START + 100))
        page.locator("[data-live]").wait_for(state="detached", timeout=8_000)
    finally:
        context.close()
        stop.set()
        refresher.join(10)
