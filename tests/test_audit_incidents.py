"""The audit trail of incidents, schedules and webhooks."""

import pytest

from agents import incidents
from agents.models import Incident, Level
from agents.outbox.webhooks import Receiver, change_webhook, make_webhook, turn_webhook
from agents.schedules import change_schedule, make_schedule, turn_schedule
from reviewdesk.people.roles import Role
from tests.factories import make_agent, make_project, make_user
from tests.test_audit import told
from tests.test_incidents import open_one
from tests.test_schedules import cron, every, plan_of

pytestmark = pytest.mark.django_db


def test_incident_is_told_from_opening_to_reopening():
    project, lead = make_project(), make_user(Role.LEAD, name="Samuel")
    incident = open_one(project, title="Paid twice", ceiling=Level.APPROVE, by=lead)
    incidents.assign_incident(incident=incident, owner=lead, by=lead)
    incidents.change_hold(incident=incident, ceiling=Level.OFF, reason="Worse.", by=lead)
    incidents.change_severity(
        incident=incident, severity=Incident.Severity.CRITICAL, reason="Worse.", by=lead
    )
    incidents.mitigate_incident(incident=incident, note="Tool is off.", by=lead)
    incidents.close_incident(incident=incident, note="Key was reused.", by=lead)
    incidents.reopen_incident(incident=incident, reason="It is back.", by=lead)
    lines = told(project, kinds=["incidents"])[::-1]
    assert [(did, before, after) for did, _, before, after, _, _ in lines] == [
        ("incident opened", "", "major, at approve at most"),
        ("owner", "nobody", "Samuel"),
        ("held back by an incident", "at approve at most", "at off at most"),
        ("severity", "major", "critical"),
        ("incident", "open", "mitigated"),
        ("incident", "mitigated", "closed"),
        ("incident", "closed", "open"),
    ]
    assert {line[1] for line in lines} == {"incident 1: Paid twice"}
    assert {line[5] for line in lines} == {"Samuel"}
    assert lines[5][4] == "Key was reused."


def test_schedule_is_told_without_the_times_it_was_due():
    agent, engineer = make_agent(name="Shop support"), make_user(Role.ENGINEER, name="Jonas")
    schedule = make_schedule(plan=plan_of(agent, times=every(3600)), by=engineer)
    changed = plan_of(agent, times=cron("0 7 * * *", "Europe/Berlin"))
    change_schedule(schedule=schedule, plan=changed, by=engineer)
    turn_schedule(schedule=schedule, is_on=False, by=engineer)
    subject = "Morning round of Shop support"
    assert told(agent.project, kinds=["schedules"])[::-1] == [
        ("schedule made", subject, "", "every 3,600 s", "", "Jonas"),
        (
            "times of a schedule",
            subject,
            "every 3,600 s",
            "0 7 * * * Europe/Berlin",
            "",
            "Jonas",
        ),
        ("schedule turned off", subject, "", "", "", "Jonas"),
    ]


def test_webhook_is_told_without_the_secret_part_of_its_address():
    project, admin = make_project(), make_user(Role.ADMIN, name="Helena")
    receiver = Receiver(name="Pager", url="https://hooks.example.com/T1/secret-part")
    webhook = make_webhook(project=project, receiver=receiver, by=admin)
    other = Receiver(name="Pager", url="https://pager.example.com/T2/secret-part")
    change_webhook(webhook=webhook, receiver=other, by=admin)
    fewer = Receiver(name="Pager", url=other.url, event_names=("run_dead",))
    change_webhook(webhook=webhook, receiver=fewer, by=admin)
    turn_webhook(webhook=webhook, is_on=False, by=admin)
    lines = told(project, kinds=["webhooks"])[::-1]
    assert [line[0] for line in lines] == [
        "webhook made",
        "address of a webhook",
        "told of",
        "webhook turned off",
    ]
    assert lines[1][2:4] == ("hooks.example.com", "pager.example.com")
    assert lines[2][2:4] == ("everything", "a run was given up")
    assert "secret-part" not in str(lines)
