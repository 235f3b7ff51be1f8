"""The outbox: what is told is written with what it tells, once per recipient."""

import pytest
from django.db import transaction

from agents.models import MailSubscription, Message, Webhook
from agents.outbox import tell
from reviewdesk.people.roles import Role
from tests.factories import add_member, make_project, make_user

pytestmark = pytest.mark.django_db
PAYLOAD = {"title": "A refund waits.", "url": "/p/shop/approvals/", "approval": 17}


def make_webhook(project=None, **overrides):
    project = project or make_project()
    values = {"name": "Pager", "url": "https://hooks.example.com/desk"}
    return Webhook.objects.create(project=project, **{**values, **overrides})


def subscribe(user, project, *events):
    return MailSubscription.objects.create(user=user, project=project, event_names=list(events))


def tell_of_a_call(project, key="approval:17:waiting", event="approval_waiting"):
    tell(project=project, event=event, payload=PAYLOAD, key=key)


def test_event_is_told_to_each_webhook_that_wants_it_and_is_on():
    project = make_project()
    wants_all = make_webhook(project, name="all")
    wants_this = make_webhook(project, name="this", event_names=["approval_waiting"])
    make_webhook(project, name="other", event_names=["run_dead"])
    make_webhook(project, name="off", is_on=False)
    make_webhook(name="of another project")
    tell_of_a_call(project)
    told = Message.objects.order_by("pk")
    assert [row.webhook for row in told] == [wants_all, wants_this]
    assert all(row.payload == PAYLOAD and row.next_at for row in told)


def test_mail_goes_to_subscribers_who_are_members_and_may_act():
    project = make_project()
    people = {role: make_user(role, project) for role in (Role.SUPPORT, Role.VIEWER, Role.LEAD)}
    for user in (*people.values(), make_user(Role.ADMIN)):
        subscribe(user, project, "approval_waiting")
    subscribe(make_user(Role.LEAD, project), project, "run_dead")
    closed = make_user(Role.LEAD, project, is_active=False)
    subscribe(closed, project, "approval_waiting")
    tell_of_a_call(project)
    told = set(Message.objects.values_list("address", flat=True))
    assert told == {people[Role.SUPPORT].email, people[Role.LEAD].email}


def test_same_key_tells_nothing_twice():
    project = make_project()
    make_webhook(project)
    tell_of_a_call(project)
    tell_of_a_call(project)
    assert Message.objects.count() == 1


def test_person_of_two_projects_is_mailed_of_each():
    user, projects = make_user(), [make_project(), make_project()]
    for project in projects:
        add_member(user=user, project=project, role=Role.LEAD)
        subscribe(user, project, "stop_on")
        tell_of_a_call(project, key="stop:1", event="stop_on")
    assert Message.objects.count() == 2


def test_what_is_rolled_back_was_never_told():
    project = make_project()
    make_webhook(project)
    with transaction.atomic():
        tell_of_a_call(project)
        transaction.set_rollback(True)
    assert not Message.objects.exists()


def test_very_long_key_still_tells_once():
    project = make_project()
    make_webhook(project)
    tell_of_a_call(project, key="x" * 300)
    tell_of_a_call(project, key="x" * 300)
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("approval_wating", PAYLOAD),
        ("run_dead", {"title": "", "url": "/p/shop/"}),
        ("run_dead", {"title": "A run was given up.", "url": "https://elsewhere.example/"}),
    ],
)
def test_unknown_event_or_payload_without_title_and_path_is_a_defect(event, payload):
    with pytest.raises(ValueError, match=r"There is no event|needs a title"):
        tell(project=make_project(), event=event, payload=payload, key="k")


def test_telling_asks_as_often_for_many_recipients_as_for_one(django_assert_num_queries):
    project = make_project()
    for number in range(5):
        make_webhook(project, name=f"hook {number}")
        subscribe(make_user(Role.LEAD, project), project, "approval_waiting")
    with django_assert_num_queries(3):
        tell_of_a_call(project)
    assert Message.objects.count() == 10
