"""Settings > Notifications: mail choices, webhooks, and what left the desk."""

import pytest
from django.db.models.functions import Now

from agents.models import MailSubscription, Message, Webhook
from agents.outbox.send import claim_message, send_next
from reviewdesk.people.roles import Role
from tests.factories import client_as, make_project, make_user, sign_in
from tests.receivers import running_hook
from tests.test_outbox import PAYLOAD, make_webhook, tell_of_a_call

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}
FORM = {"name": "Pager", "url": "https://hooks.example.com/T1/secret-part"}


def notifications_of(project, action=""):
    return f"/p/{project.slug}/settings/notifications/{action}"


def at(webhook, action=""):
    return notifications_of(webhook.project, f"webhooks/{webhook.pk}/{action}")


def text_of(answer):
    return answer.content.decode()


def make_messages(webhook, num=3, **values):
    rows = [
        Message(
            project=webhook.project,
            kind="webhook",
            webhook=webhook,
            event="run_dead",
            payload=PAYLOAD,
            key=f"{webhook.pk}:{number}:{sorted(values)}",
            **values,
        )
        for number in range(num)
    ]
    return Message.objects.bulk_create(rows)


@pytest.mark.parametrize("path", ["", "webhooks/new/", "webhooks/{pk}/"])
def test_pages_answer_whole_as_fragment_and_at_history_restore(path):
    webhook = make_webhook()
    client = client_as(Role.ADMIN, webhook.project)
    url = notifications_of(webhook.project, path.format(pk=webhook.pk))
    whole, fragment = client.get(url), client.get(url, headers=FRAGMENT)
    restored = client.get(url, headers={**FRAGMENT, "HX-History-Restore-Request": "true"})
    assert [b"<html" in each.content for each in (whole, fragment, restored)] == [True, False, True]


def test_empty_page_says_what_would_stand_here():
    project = make_project()
    page = text_of(client_as(Role.VIEWER, project).get(notifications_of(project)))
    assert "No webhook yet" in page
    assert "Nothing has left the desk yet" in page
    assert "Webhooks are managed by admins" in page


def test_page_says_that_no_mail_server_is_set(settings):
    project = make_project()
    client = client_as(Role.LEAD, project)
    settings.EMAIL_HOST = ""
    assert "nothing is mailed" in text_of(client.get(notifications_of(project)))
    settings.EMAIL_HOST = "mail.example.com"
    assert "nothing is mailed" not in text_of(client.get(notifications_of(project)))


def test_person_chooses_what_to_be_mailed_about():
    project = make_project()
    support = make_user(Role.SUPPORT, project)
    client = sign_in(support)
    names = ["run_dead", "approval_waiting"]
    client.post(notifications_of(project, "choose-mail/"), {"event_names": names})
    assert MailSubscription.objects.get(user=support).event_names == [
        "approval_waiting",
        "run_dead",
    ]
    page = text_of(client.get(notifications_of(project)))
    assert page.count(" checked") == 2
    client.post(notifications_of(project, "choose-mail/"), {})
    assert MailSubscription.objects.get(user=support).event_names == []


def test_viewer_is_not_offered_mail_about_decisions():
    project = make_project()
    client = client_as(Role.VIEWER, project)
    assert 'value="approval_waiting"' not in text_of(client.get(notifications_of(project)))
    url = notifications_of(project, "choose-mail/")
    assert client.post(url, {"event_names": ["approval_waiting"]}).status_code == 422
    assert client.get(url).status_code == 405


def test_admin_adds_a_webhook():
    project = make_project()
    admin = make_user(Role.ADMIN, project)
    data = {**FORM, "secret_name": "PAGER", "event_names": ["run_dead"], "private_hosts": ""}
    answer = sign_in(admin).post(notifications_of(project, "webhooks/make/"), data)
    webhook = Webhook.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, at(webhook))
    assert (webhook.event_names, webhook.secret_name, webhook.created_by) == (
        ["run_dead"],
        "PAGER",
        admin,
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": ""}, "This field is required"),
        ({"url": "http://hooks.example.com/"}, "use https"),
        ({"url": "https://127.0.0.1/"}, "is not a public address"),
        ({"url": "nonsense"}, "use https"),
        ({"private_hosts": "https://10.1.2.3"}, "is no host"),
        ({"private_hosts": "10.1.2.3\n" * 21}, "21 addresses; 20 at most"),
        ({"secret_name": "not a name"}, "cannot be a secret&#x27;s name"),
        ({"event_names": ["dinner"]}, "dinner is not one of the available choices"),
    ],
)
def test_form_says_what_is_wrong(values, words):
    project = make_project()
    client = client_as(Role.ADMIN, project)
    answer = client.post(notifications_of(project, "webhooks/make/"), {**FORM, **values})
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert not Webhook.objects.exists()


def test_name_that_is_taken_is_told():
    webhook = make_webhook()
    client = client_as(Role.ADMIN, webhook.project)
    answer = client.post(notifications_of(webhook.project, "webhooks/make/"), FORM)
    assert (answer.status_code, "is there already" in text_of(answer)) == (422, True)


def test_webhook_is_changed_and_turned_off():
    webhook = make_webhook()
    client = client_as(Role.ADMIN, webhook.project)
    client.post(at(webhook, "change/"), {**FORM, "name": "Chat", "private_hosts": "10.1.2.3"})
    client.post(at(webhook, "turn/"), {"is_on": "0"})
    webhook.refresh_from_db()
    assert (webhook.name, webhook.private_hosts, webhook.is_on) == ("Chat", ["10.1.2.3"], False)
    assert client.post(at(webhook, "change/"), {"name": ""}).status_code == 422
    assert "is off already" in text_of(client.post(at(webhook, "turn/"), {}, follow=True))
    assert "turn it on to try it out" in text_of(client.post(at(webhook, "test/"), follow=True))


def test_address_is_shown_to_admins_alone():
    webhook = make_webhook(url=FORM["url"])
    lead = text_of(client_as(Role.LEAD, webhook.project).get(notifications_of(webhook.project)))
    assert "hooks.example.com" in lead
    assert "secret-part" not in lead
    assert client_as(Role.LEAD, webhook.project).get(at(webhook)).status_code == 403
    assert "secret-part" in text_of(client_as(Role.ADMIN, webhook.project).get(at(webhook)))


def test_page_of_a_webhook_says_that_its_secret_is_missing(monkeypatch):
    webhook = make_webhook(secret_name="NOWHERE")
    client = client_as(Role.ADMIN, webhook.project)
    slug = webhook.project.slug.replace("-", "_").upper()
    assert f"REVIEWDESK_SECRET_{slug}__NOWHERE" in text_of(client.get(at(webhook)))
    monkeypatch.setenv(f"REVIEWDESK_SECRET_{slug}__NOWHERE", "a-secret-of-the-pager")
    page = text_of(client.get(at(webhook)))
    assert "Until then nothing is sent" not in page
    assert "a-secret-of-the-pager" not in page


def test_test_message_is_sent_and_its_delivery_shown():
    with running_hook(answers=[500]) as hook:
        webhook = make_webhook(url=hook.url, private_hosts=["127.0.0.1"])
        client = client_as(Role.ADMIN, webhook.project)
        page = text_of(client.post(at(webhook, "test/"), follow=True))
        assert "waiting" in page
        assert "part=deliveries" in page
        send_next()
        fragment = text_of(client.get(at(webhook) + "?part=deliveries", headers=FRAGMENT))
        assert "The receiver answered 500 Internal Server Error." in fragment
        assert "tried again" in fragment
        assert "every 2s" not in fragment
        Message.objects.update(next_at=Now())
        send_next()
    assert "sent</span>" in text_of(client.get(at(webhook)))
    assert hook.bodies[1]["event"] == "test"


def test_message_that_is_being_sent_is_looked_at_again():
    webhook = make_webhook()
    tell_of_a_call(webhook.project)
    claim_message()
    page = text_of(client_as(Role.ADMIN, webhook.project).get(at(webhook)))
    assert "being sent" in page
    assert "every 2s" in page


def test_given_up_message_is_sent_again():
    with running_hook(answers=[410]) as hook:
        webhook = make_webhook(url=hook.url, private_hosts=["127.0.0.1"])
        tell_of_a_call(webhook.project)
        send_next()
        message = Message.objects.get()
        client = client_as(Role.ADMIN, webhook.project)
        url = notifications_of(webhook.project, f"messages/{message.pk}/send/")
        assert client.post(url).status_code == 303
        assert "waits to be sent already" in text_of(client.post(url, follow=True))
        send_next()
    assert len(hook.requests) == 2


def test_log_is_filtered_by_state():
    webhook = make_webhook()
    make_messages(webhook, num=1, next_at=Now(), error="Waits.")
    make_messages(webhook, num=2, sent_at=Now())
    make_messages(webhook, num=3, gave_up_at=Now(), error="Given up.")
    client = client_as(Role.LEAD, webhook.project)
    for state, num in [("", 6), ("waiting", 1), ("sent", 2), ("given_up", 3), ("nonsense", 6)]:
        page = text_of(client.get(notifications_of(webhook.project) + f"?state={state}"))
        assert page.count(PAYLOAD["title"]) == num
    Message.objects.all().delete()
    page = text_of(client.get(notifications_of(webhook.project) + "?state=given_up"))
    assert "No message is given up" in page


def test_log_has_pages_and_asks_as_often_for_many_as_for_few(django_assert_max_num_queries):
    project = make_project()
    for number in range(5):
        make_messages(make_webhook(project, name=f"hook {number}"), num=8, sent_at=Now())
    client = client_as(Role.ADMIN, project)
    with django_assert_max_num_queries(14):
        first = text_of(client.get(notifications_of(project)))
    second = text_of(client.get(notifications_of(project) + "?page=2"))
    assert (first.count(PAYLOAD["title"]), second.count(PAYLOAD["title"])) == (30, 10)
    assert "page=2" in first


@pytest.mark.parametrize("action", ["change/", "turn/", "test/"])
def test_lead_manages_no_webhook_and_a_get_is_refused(action):
    webhook = make_webhook()
    client = client_as(Role.LEAD, webhook.project)
    assert client.post(at(webhook, action), FORM).status_code == 403
    assert client.get(at(webhook, action)).status_code == 405
    assert client.get(notifications_of(webhook.project, "webhooks/new/")).status_code == 403
    assert client.post(notifications_of(webhook.project, "webhooks/make/"), FORM).status_code == 403


def test_webhook_and_message_of_another_project_are_not_found():
    webhook = make_webhook()
    message = make_messages(webhook, num=1, sent_at=Now())[0]
    project = make_project()
    client = client_as(Role.ADMIN, project)
    for action in ("change/", "turn/", "test/"):
        url = notifications_of(project, f"webhooks/{webhook.pk}/{action}")
        assert client.post(url, FORM).status_code == 404
    assert client.get(notifications_of(project, f"webhooks/{webhook.pk}/")).status_code == 404
    url = notifications_of(project, f"messages/{message.pk}/send/")
    assert client.post(url).status_code == 404
