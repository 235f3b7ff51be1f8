"""What is due is sent at least once, signed, tried again with patience, and given up visibly."""

import hashlib
import hmac
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from agents.errors import OutboxError
from agents.models import Message
from agents.outbox.send import (
    MAX_ATTEMPTS,
    WAITS,
    claim_message,
    drop_old_messages,
    send_next,
    wait_after,
)
from agents.outbox.webhook import sign
from agents.outbox.webhooks import (
    Receiver,
    change_webhook,
    make_webhook,
    send_again,
    send_test,
    turn_webhook,
)
from reviewdesk.embedded.sending import send_until
from reviewdesk.people.models import Membership
from reviewdesk.people.roles import Role
from tests.factories import make_project, make_user
from tests.receivers import running_hook, running_mailbox
from tests.test_outbox import subscribe, tell_of_a_call

pytestmark = pytest.mark.django_db
SECRET = "a-secret-of-the-pager"


def hook_of(hook, project=None, **overrides):
    values = {"name": "Pager", "url": hook.url, "private_hosts": ("127.0.0.1",)}
    return make_webhook(
        project=project or make_project(),
        receiver=Receiver(**{**values, **overrides}),
        by=make_user(),
    )


def told(hook, **overrides):
    """Make a webhook and tell it of something; return the message."""
    webhook = hook_of(hook, **overrides)
    tell_of_a_call(webhook.project)
    return Message.objects.get(webhook=webhook)


def make_due(**values):
    Message.objects.filter(next_at__isnull=False).update(next_at=Now(), **values)


def mailed(settings, mailbox, **overrides):
    """Let a lead be mailed of something by way of `mailbox`; return the message."""
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mailbox.port
    settings.DEFAULT_FROM_EMAIL = "desk@example.com"
    project = make_project(name="Outdoor shop", **overrides)
    subscribe(make_user(Role.LEAD, project, email="lena@example.com"), project, "approval_waiting")
    tell_of_a_call(project)
    return Message.objects.get(address="lena@example.com")


def test_webhook_is_posted_as_json_with_key_and_event(settings):
    settings.DESK_URL = "https://desk.example.com"
    with running_hook() as hook:
        message = told(hook)
        assert send_next() is True
        assert send_next() is False
    path, headers, _ = hook.requests[0]
    message.refresh_from_db()
    assert (path, headers["Idempotency-Key"]) == ("/desk", message.key)
    assert headers["Reviewdesk-Event"] == hook.bodies[0]["event"] == "approval_waiting"
    assert hook.bodies[0]["data"]["url"] == "https://desk.example.com/p/shop/approvals/"
    assert (message.next_at, message.error, message.num_attempts) == (None, "", 1)
    assert message.sent_at is not None


def test_signature_is_that_of_time_and_body_under_the_named_secret(monkeypatch):
    with running_hook() as hook:
        slug = told(hook, secret_name="PAGER").project.slug
        monkeypatch.setenv(f"REVIEWDESK_SECRET_{slug.replace('-', '_').upper()}__PAGER", SECRET)
        send_next()
    _, headers, body = hook.requests[0]
    given = dict(part.split("=") for part in headers["Reviewdesk-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), f"{given['t']}.".encode() + body, hashlib.sha256)
    assert hmac.compare_digest(given["v1"], expected.hexdigest())
    assert abs(int(given["t"]) - time.time()) < 60


def test_signature_worked_by_hand():
    # printf '1763751600.{}' | openssl dgst -sha256 -hmac key
    assert sign(b"{}", "key", 1763751600) == (
        "t=1763751600,v1=cc2e3814f8a3bf280311e3837270249ed2e9b731d85ff2cdbc19c915cfc5f2d7"
    )


def test_secret_that_is_not_set_sends_nothing_and_says_which():
    with running_hook() as hook:
        message = told(hook, secret_name="NOWHERE")
        send_next()
    message.refresh_from_db()
    assert not hook.requests
    assert f"The project {message.project.slug} has no secret NOWHERE" in message.error
    assert message.next_at is not None


def test_failed_attempt_is_tried_again_later_under_the_same_key():
    with running_hook(answers=[500]) as hook:
        message = told(hook)
        send_next()
        assert send_next() is False
        message.refresh_from_db()
        assert message.error == "The receiver answered 500 Internal Server Error."
        assert 20 < (message.next_at - timezone.now()).total_seconds() < 40
        make_due()
        send_next()
    keys = {headers["Idempotency-Key"] for _, headers, _ in hook.requests}
    assert (len(hook.requests), keys) == (2, {message.key})


def test_last_attempt_gives_up_and_says_why():
    with running_hook(answers=[503] * MAX_ATTEMPTS) as hook:
        message = told(hook)
        for _ in range(MAX_ATTEMPTS):
            make_due()
            send_next()
        make_due()
        assert send_next() is False
    message.refresh_from_db()
    assert (message.num_attempts, message.next_at) == (MAX_ATTEMPTS, None)
    assert message.gave_up_at is not None
    assert "503" in message.error


def test_attempts_take_about_a_day_and_none_comes_at_once():
    assert timedelta(hours=20) < sum(WAITS, timedelta()) < timedelta(hours=26)
    waits = {wait_after(1) for _ in range(20)}
    assert len(waits) > 1
    assert all(timedelta(seconds=24) <= wait <= timedelta(seconds=36) for wait in waits)
    assert wait_after(1, retry_after=90) == timedelta(seconds=90)
    assert wait_after(MAX_ATTEMPTS) is None


def test_receiver_that_asks_for_time_gets_it():
    with running_hook(answers=[(429, {"Retry-After": "900"})]) as hook:
        message = told(hook)
        send_next()
    message.refresh_from_db()
    assert 890 < (message.next_at - timezone.now()).total_seconds() < 910


def test_receiver_that_is_gone_is_not_asked_again():
    with running_hook(answers=[410]) as hook:
        message = told(hook)
        send_next()
    message.refresh_from_db()
    assert message.next_at is None
    assert message.error == "The receiver answered 410 Gone: it wants no more."


def test_redirect_is_not_followed():
    with running_hook() as other, running_hook(answers=[(302, {"Location": other.url})]) as hook:
        message = told(hook)
        send_next()
    message.refresh_from_db()
    assert not other.requests
    assert "redirects are not followed" in message.error


def test_receiver_that_is_away_is_told_and_tried_again():
    with running_hook() as hook:
        message = told(hook)
    send_next()
    message.refresh_from_db()
    assert message.error.startswith("The connection failed")
    assert message.next_at is not None


def test_slow_receiver_ends_at_the_time_limit(monkeypatch):
    monkeypatch.setattr("agents.outbox.webhook.TIMEOUT_SECONDS", 0.3)
    with running_hook(is_held=True) as hook:
        message = told(hook)
        send_next()
        message.refresh_from_db()
    assert message.error.startswith("No answer within")


@pytest.mark.parametrize(
    ("url", "listed", "words"),
    [
        ("https://127.0.0.1/hook", (), "127.0.0.1 is not a public address"),
        ("https://169.254.169.254/latest", (), "169.254.169.254 is not a public address"),
        ("https://[::1]/hook", (), "::1 is not a public address"),
        ("https://localhost:8000/", (), "localhost is not a public address"),
        ("http://hooks.example.com/", (), "use https"),
        ("ftp://hooks.example.com/", (), "use https"),
        ("https://ada:pw@hooks.example.com/", (), "user name"),
        ("https://10.1.2.3/", ("10.2.0.0/16",), "10.1.2.3 is not a public address"),
        ("https://hooks.example.com/", ("https://x",), "is no host"),
    ],
)
def test_address_that_may_not_be_reached_is_refused_when_it_is_given(url, listed, words):
    with pytest.raises(OutboxError, match=words):
        Receiver(name="Pager", url=url, private_hosts=listed)


def test_name_that_leads_into_the_own_network_is_given_up():
    with running_hook() as hook:
        message = told(hook)
        # A name that resolves without a server: the machine's own, in another spelling.
        url = f"https://localhost.:{hook.port}/desk"
        message.webhook.url, message.webhook.private_hosts = url, []
        message.webhook.save()
        send_next()
    message.refresh_from_db()
    assert (message.next_at, hook.requests) == (None, [])
    assert "not a public address" in message.error


def test_webhook_that_is_off_gets_nothing_of_what_waits():
    with running_hook() as hook:
        message = told(hook)
        turn_webhook(webhook=message.webhook, is_on=False, by=make_user())
        send_next()
    message.refresh_from_db()
    assert (hook.requests, message.error) == ([], "The webhook is off.")


def test_crash_between_claim_and_send_sends_it_after_the_lease():
    with running_hook() as hook:
        message = told(hook)
        assert claim_message(lease_seconds=0.2) == message
        assert send_next() is False
        time.sleep(0.25)
        assert send_next() is True
    message.refresh_from_db()
    assert (len(hook.requests), message.num_attempts) == (1, 2)
    assert message.sent_at is not None


def test_sender_that_was_overtaken_changes_nothing(monkeypatch):
    with running_hook() as hook:
        message = told(hook)
        late = claim_message(lease_seconds=0.01)
        time.sleep(0.05)
        send_next()
        message.refresh_from_db()
        monkeypatch.setattr("agents.outbox.send.claim_message", lambda: late)
        hook.answers.append(500)
        send_next()
    sent_at = message.sent_at
    message.refresh_from_db()
    assert (message.sent_at, message.next_at, message.error) == (sent_at, None, "")


def test_fresh_messages_are_sent_before_those_that_failed():
    with running_hook(answers=[500]) as hook:
        project = make_project()
        hook_of(hook, project)
        tell_of_a_call(project, key="first")
        send_next()
        make_due()
        tell_of_a_call(project, key="second")
        send_next()
    assert hook.requests[1][1]["Idempotency-Key"].startswith("second")


def test_slow_receiver_takes_no_second_sender():
    with running_hook() as slow, running_hook() as quick:
        project = make_project()
        webhook = hook_of(slow, project)
        for number in range(3):
            tell_of_a_call(project, key=f"call:{number}")
        hook_of(quick, project, name="Other")
        tell_of_a_call(project, key="call:0")
        assert claim_message().webhook == webhook
        assert claim_message().webhook.name == "Other"
        assert claim_message() is None


def test_message_sent_again_keeps_its_key_and_starts_over():
    with running_hook(answers=[410]) as hook:
        message = told(hook)
        with pytest.raises(OutboxError, match="waits to be sent already"):
            send_again(message=message)
        send_next()
        send_again(message=message)
        send_next()
    message.refresh_from_db()
    assert (message.num_attempts, message.gave_up_at) == (1, None)
    assert len({headers["Idempotency-Key"] for _, headers, _ in hook.requests}) == 1


def test_test_message_says_that_nothing_happened():
    with running_hook() as hook:
        webhook = hook_of(hook, event_names=("run_dead",))
        send_test(webhook=webhook, by=make_user())
        send_next()
        turn_webhook(webhook=webhook, is_on=False, by=make_user())
        webhook.refresh_from_db()
        with pytest.raises(OutboxError, match="is off"):
            send_test(webhook=webhook, by=make_user())
    assert hook.bodies[0]["data"]["title"] == "A test message: nothing has happened."


def test_webhook_changes_stand_in_the_audit_trail():
    admin = make_user()
    with running_hook() as hook:
        webhook = hook_of(hook)
    changed = Receiver(name="Pager 2", url="https://hooks.example.com/")
    change_webhook(webhook=webhook, receiver=changed, by=admin)
    turn_webhook(webhook=webhook, is_on=False, by=admin)
    events = type(webhook).pgh_event_model.objects.filter(pgh_obj=webhook).order_by("pgh_id")
    assert [(event.name, event.is_on) for event in events] == [
        ("Pager", True),
        ("Pager 2", True),
        ("Pager 2", False),
    ]
    assert events[2].pgh_context.metadata["user"] == admin.pk


def test_webhook_name_is_taken_once():
    project = make_project()
    with running_hook() as hook:
        hook_of(hook, project)
        with pytest.raises(OutboxError, match="called Pager is there already"):
            hook_of(hook, project)


def test_mail_is_plain_text_with_a_link(settings):
    settings.DESK_URL = "https://desk.example.com"
    with running_mailbox() as mailbox:
        message = mailed(settings, mailbox)
        send_next()
    sender, recipient, mail = mailbox.mails[0]
    message.refresh_from_db()
    assert (sender, recipient) == ("<desk@example.com>", "<lena@example.com>")
    assert mail["Subject"] == "[Outdoor shop] a call waits for approval"
    assert mail.get_content_type() == "text/plain"
    text = mail.get_content().replace("\r\n", "\n")
    assert "A refund waits.\n\nhttps://desk.example.com/p/shop/approvals/" in text
    assert message.sent_at is not None


def test_mail_refused_for_now_is_tried_again_and_for_good_is_given_up(settings):
    with running_mailbox(refusals=["450 Later", "550 No such person"]) as mailbox:
        message = mailed(settings, mailbox)
        send_next()
        message.refresh_from_db()
        assert message.error == "The mail server answered 450: Later"
        assert message.next_at is not None
        make_due()
        send_next()
    message.refresh_from_db()
    assert (message.next_at, message.error) == (
        None,
        "The mail server answered 550: No such person",
    )


def test_mail_server_that_is_away_is_tried_again(settings):
    with running_mailbox() as mailbox:
        message = mailed(settings, mailbox)
    send_next()
    message.refresh_from_db()
    assert message.error.startswith("The mail server failed")
    assert message.next_at is not None


def test_without_a_mail_server_the_row_says_so_and_is_not_tried_again(settings):
    with running_mailbox() as mailbox:
        message = mailed(settings, mailbox)
        settings.EMAIL_HOST = ""
        send_next()
    message.refresh_from_db()
    assert (message.next_at, message.error) == (None, "No mail server is set: MAIL_URL.")
    assert not mailbox.mails


def test_who_has_left_meanwhile_is_not_mailed(settings):
    with running_mailbox() as mailbox:
        message = mailed(settings, mailbox)
        Membership.objects.filter(project=message.project).delete()
        send_next()
    message.refresh_from_db()
    assert not mailbox.mails
    assert "has left the project" in message.error


def test_line_break_in_a_project_name_adds_no_header(settings):
    with running_mailbox() as mailbox:
        message = mailed(settings, mailbox)
        type(message.project).objects.update(name="Shop\r\nBcc: eve@example.com")
        send_next()
    message.refresh_from_db()
    assert not mailbox.mails
    assert message.error.startswith("It cannot be written as a mail")


def test_old_messages_are_forgotten_and_those_that_wait_are_kept():
    with running_hook() as hook:
        project = make_project()
        hook_of(hook, project)
        for number in range(3):
            tell_of_a_call(project, key=f"call:{number}")
        rows = list(Message.objects.order_by("pk"))
        old = timezone.now() - timedelta(days=31)
        Message.objects.filter(pk__in=[rows[0].pk, rows[1].pk]).update(created_at=old)
        Message.objects.filter(pk__in=[rows[0].pk, rows[2].pk]).update(next_at=None)
    assert drop_old_messages() == 1
    assert not Message.objects.filter(pk=rows[0].pk).exists()


@pytest.mark.django_db(transaction=True)
def test_several_senders_send_each_message_once():
    with running_hook() as hook:
        project = make_project()
        for number in range(4):
            hook_of(hook, project, name=f"Pager {number}")
        for number in range(10):
            tell_of_a_call(project, key=f"call:{number}")
        stop = threading.Event()
        threads = [threading.Thread(target=run_sender, args=(stop,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 30
        while Message.objects.filter(sent_at=None).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()
    assert len(hook.requests) == 40
    assert len({headers["Idempotency-Key"] for _, headers, _ in hook.requests}) == 40


def run_sender(stop):
    send_until(stop)
    connection.close()
