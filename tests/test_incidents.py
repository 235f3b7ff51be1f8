"""Incidents: opened once per cause, numbered without gaps, closed with who and why."""

import threading

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from agents import incidents
from agents.errors import IncidentError
from agents.models import Incident, KillSwitch, Level, Message, Webhook
from agents.tools.standing import hold_authority
from reviewdesk.people.roles import Role
from tests.factories import make_agent, make_project, make_session, make_user

pytestmark = pytest.mark.django_db
EVENTS = Incident.pgh_event_model.objects


def open_one(project=None, **overrides):
    values = {
        "title": "Refunds are paid twice",
        "severity": Incident.Severity.MAJOR,
        "source": Incident.Source.PERSON,
    }
    return incidents.open_incident(project=project or make_project(), **{**values, **overrides})


def log_of(incident):
    return list(incident.notes.order_by("pk").values_list("text", flat=True))


def test_incidents_are_numbered_within_their_project():
    project = make_project()
    numbers = [open_one(project).number for _ in range(3)]
    assert numbers == [1, 2, 3]
    assert open_one().number == 1


def test_same_cause_opens_one_incident():
    project = make_project()
    cause = {"source": Incident.Source.BREAKER, "source_key": "refund_payment:7"}
    assert open_one(project, **cause) == open_one(project, **cause)
    assert open_one(project, **{**cause, "source_key": "refund_payment:8"}).number == 2


def test_opening_says_what_it_holds_back_and_records_who():
    lead = make_user(Role.LEAD)
    agent = make_agent(name="Shop support")
    incident = open_one(
        agent.project, agent=agent, tool="refund_payment", ceiling=Level.SUGGEST, by=lead
    )
    assert log_of(incident) == [
        "Opened as major. While it is open, refund_payment of Shop support may go no higher than "
        "suggest."
    ]
    event = EVENTS.get(pgh_obj=incident)
    assert event.pgh_context.metadata["user"] == lead.pk


def test_opening_is_told_without_what_people_wrote():
    project = make_project()
    Webhook.objects.create(project=project, name="Pager", url="https://hooks.example.com/")
    incident = open_one(project, title="Mira Okafor was paid twice")
    payload = Message.objects.get().payload
    assert payload["title"] == "Incident 1 was opened (major): all tools of all agents."
    assert payload["url"] == f"/p/{project.slug}/incidents/{incident.number}/"
    assert "Mira" not in str(payload)


def test_mitigating_keeps_it_and_closing_ends_it():
    lead = make_user(Role.LEAD)
    incident = incidents.mitigate_incident(incident=open_one(), note="Tool lowered.", by=lead)
    assert (incident.status, incident.mitigated_at is None) == ("mitigated", False)
    incident = incidents.close_incident(incident=incident, note="Key was reused.", by=lead)
    assert (incident.status, incident.closed_by, incident.closing_note) == (
        "closed",
        lead,
        "Key was reused.",
    )
    assert log_of(incident)[1:] == ["Mitigated: Tool lowered.", "Closed: Key was reused."]


def test_reopened_incident_holds_back_again():
    lead = make_user(Role.LEAD)
    incident = open_one(ceiling=Level.APPROVE)
    incidents.close_incident(incident=incident, note="All is well.", by=lead)
    incident = incidents.reopen_incident(incident=incident, reason="It is back.", by=lead)
    assert (incident.status, incident.closed_at, incident.closing_note) == ("open", None, "")
    assert "no higher than approve" in log_of(incident)[-1]


def test_each_change_tells_who_and_why_in_the_audit_trail():
    lead = make_user(Role.LEAD)
    incident = open_one(ceiling=Level.APPROVE)
    incidents.change_hold(incident=incident, ceiling="", reason="Wrong tool.", by=lead)
    incidents.close_incident(incident=incident, note="Key was reused.", by=lead)
    told = EVENTS.filter(pgh_obj=incident).order_by("pgh_id")[1:]
    assert [(event.ceiling, event.status) for event in told] == [("", "open"), ("", "closed")]
    assert [event.pgh_context.metadata["reason"] for event in told] == [
        "Wrong tool.",
        "Key was reused.",
    ]
    assert {event.pgh_context.metadata["user"] for event in told} == {lead.pk}


def test_what_cannot_be_done_says_why():
    lead = make_user(Role.LEAD)
    incident = open_one()
    with pytest.raises(IncidentError, match="open already"):
        incidents.reopen_incident(incident=incident, reason="Again.", by=lead)
    with pytest.raises(IncidentError, match="closing needs a note"):
        incidents.close_incident(incident=incident, note=" ", by=lead)
    incidents.close_incident(incident=incident, note="All is well.", by=lead)
    with pytest.raises(IncidentError, match="closed already"):
        incidents.close_incident(incident=incident, note="All is well.", by=lead)
    with pytest.raises(IncidentError, match="is closed already"):
        incidents.mitigate_incident(incident=incident, note="All is well.", by=lead)
    with pytest.raises(IncidentError, match="open it again first"):
        incidents.change_hold(incident=incident, ceiling="off", reason="Again.", by=lead)


def test_agent_of_another_project_cannot_be_named():
    with pytest.raises(IncidentError, match="of its project"):
        open_one(agent=make_agent())
    with pytest.raises(IncidentError, match="of its project"):
        open_one(session=make_session())


def test_database_refuses_a_closed_incident_without_who_and_why():
    incident = open_one()
    with pytest.raises(IntegrityError, match="incident_closed_has_who_when_why"):
        Incident.objects.filter(pk=incident.pk).update(status="closed")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "approve", False),
        ("approve", "", True),
        ("suggest", "approve", True),
        ("approve", "off", False),
        ("off", "off", False),
    ],
)
def test_loosening_is_told_from_tightening(before, after, expected):
    assert incidents.is_loosened(before, after) is expected


def test_similar_are_those_of_the_same_tool():
    agent = make_agent()
    about = {"agent": agent, "tool": "refund_payment"}
    first, second = (open_one(agent.project, **about) for _ in range(2))
    open_one(agent.project, agent=agent, tool="send_mail")
    assert incidents.similar_to(second) == [first]
    assert incidents.similar_to(open_one(agent.project)) == []


def test_stops_over_an_incident_are_those_that_cover_its_tool():
    agent, lead = make_agent(), make_user(Role.LEAD)
    incident = open_one(agent.project, agent=agent, tool="refund_payment")
    values = {"project": agent.project, "reason": "Stop it.", "stopped_by": lead}
    tool = KillSwitch.objects.create(scope="tool", tool="refund_payment", **values)
    whole = KillSwitch.objects.create(scope="agent", agent=agent, **values)
    KillSwitch.objects.create(scope="tool", tool="send_mail", **values)
    assert set(incidents.stops_over(incident)) == {tool, whole}


@pytest.mark.django_db(transaction=True)
def test_incidents_opened_at_once_get_a_number_each():
    project = make_project()

    def work():
        for _ in range(5):
            open_one(project)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = Incident.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, 21))


@pytest.mark.django_db(transaction=True)
def test_one_cause_seen_at_once_by_many_opens_one():
    project = make_project()

    def work():
        open_one(project, source=Incident.Source.LABEL, source_key="label:9")
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Incident.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", ["open", "reopen", "hold"])
def test_incident_that_holds_tools_back_waits_for_effects_that_have_begun(act):
    by, incident = make_user(), open_one(ceiling=Level.APPROVE, by=make_user())
    if act == "reopen":
        incidents.close_incident(incident=incident, note="It was a test.", by=by)
    acts = {
        "open": lambda: open_one(incident.project, ceiling=Level.OFF, by=by),
        "reopen": lambda: incidents.reopen_incident(incident=incident, reason="Again.", by=by),
        "hold": lambda: incidents.change_hold(
            incident=incident, ceiling=Level.OFF, reason="Worse.", by=by
        ),
    }

    def work():
        acts[act]()
        connection.close()

    thread = threading.Thread(target=work)
    with transaction.atomic():
        hold_authority()
        thread.start()
        thread.join(timeout=0.5)
        assert thread.is_alive()
    thread.join(timeout=10)
    assert not thread.is_alive()
