"""The Incidents screen: the list, one incident with its log, and who may do what."""

import re

import pytest
from django.test import Client

from agents import incidents
from agents.models import Incident, Level
from reviewdesk.people.roles import Role
from tests.factories import client_as, make_agent, make_project, make_session, make_user, sign_in
from tests.test_incidents import open_one

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}
OPEN = {"title": "Refunds are paid twice", "severity": "critical", "ceiling": "approve"}


def at(incident, action=""):
    path = f"/p/{incident.project.slug}/incidents/{incident.number}/"
    return f"{path}{action}/" if action else path


def list_of(project):
    return f"/p/{project.slug}/incidents/"


def text_of(answer):
    return answer.content.decode()


def test_list_shows_open_ones_first():
    project = make_project()
    lead = make_user(Role.LEAD, project)
    old, closed, new = (open_one(project, title=f"Case {name}") for name in ("A", "B", "C"))
    incidents.close_incident(incident=closed, note="All is well.", by=lead)
    page = text_of(sign_in(lead).get(list_of(project)))
    found = re.findall(r"\d · (Case \w)", page)
    assert found == ["Case C", "Case A", "Case B"]
    assert "<b>2 incidents are open</b>" in page
    assert (old.number, new.number) == (1, 3)


def test_list_can_be_filtered_by_state_severity_agent_and_source():
    agent = make_agent()
    values = {"severity": Incident.Severity.CRITICAL, "source": Incident.Source.DEAD_LETTER}
    open_one(agent.project, title="Case A", agent=agent, **values)
    open_one(agent.project, title="Case B")
    client = client_as(Role.VIEWER, agent.project)
    for query, expected in [
        (f"?agent={agent.slug}", ["Case A"]),
        ("?severity=major", ["Case B"]),
        ("?source=dead_letter", ["Case A"]),
        ("?source=nonsense", ["Case B", "Case A"]),
        ("?status=closed", []),
        ("?status=nonsense&severity=nonsense&page=x", ["Case B", "Case A"]),
    ]:
        page = text_of(client.get(list_of(agent.project) + query))
        assert re.findall(r"\d · (Case \w)", page) == expected
    assert "No incident is like that" in text_of(
        client.get(list_of(agent.project) + "?status=closed")
    )


def test_list_has_pages():
    project = make_project()
    rows = [
        Incident(project=project, number=number, title=f"Case {number}") for number in range(1, 53)
    ]
    Incident.objects.bulk_create(rows)
    client = client_as(Role.VIEWER, project)
    first, second = (text_of(client.get(f"{list_of(project)}?page={n}")) for n in (1, 2))
    assert (first.count("data-row-open"), second.count("data-row-open")) == (50, 2)
    assert "page=2" in first
    assert "page=1" in second


def test_empty_list_says_what_would_stand_here():
    project = make_project()
    page = text_of(client_as(Role.SUPPORT, project).get(list_of(project)))
    assert "No incident so far" in page
    assert "Open an incident" in page


def test_list_asks_as_often_for_many_as_for_few(django_assert_max_num_queries):
    agent = make_agent()
    lead = make_user(Role.LEAD, agent.project)
    client = sign_in(lead)
    for _ in range(20):
        incident = open_one(agent.project, agent=agent)
        incidents.assign_incident(incident=incident, owner=lead, by=lead)
    with django_assert_max_num_queries(16):
        client.get(list_of(agent.project))


@pytest.mark.parametrize("path", ["", "new/", "1/"])
def test_pages_answer_whole_as_fragment_and_at_history_restore(path):
    incident = open_one()
    client = client_as(Role.LEAD, incident.project)
    url = list_of(incident.project) + path
    whole = client.get(url)
    fragment = client.get(url, headers=FRAGMENT)
    restored = client.get(url, headers={**FRAGMENT, "HX-History-Restore-Request": "true"})
    assert [b"<html" in each.content for each in (whole, fragment, restored)] == [True, False, True]
    assert "HX-Request" in whole["Vary"]


def test_support_opens_an_incident_that_holds_tools_back():
    agent = make_agent(tools={"refund_payment": Level.AUTONOMOUS})
    support = make_user(Role.SUPPORT, agent.project)
    data = {**OPEN, "agent": agent.pk, "tool": "get_order_details", "summary": "Seen twice."}
    answer = sign_in(support).post(f"{list_of(agent.project)}open/", data)
    incident = Incident.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, at(incident))
    assert (incident.ceiling, incident.agent, incident.opened_by) == ("approve", agent, support)


def test_incident_is_opened_from_a_session():
    session = make_session(agent_name="shop-support")
    agent = make_agent(session.project, slug="shop-support")
    client = client_as(Role.SUPPORT, session.project)
    page = text_of(client.get(f"{list_of(session.project)}new/?session={session.pk}"))
    assert f'name="session" value="{session.pk}"' in page
    assert f'<option value="{agent.pk}" selected>' in page
    client.post(f"{list_of(session.project)}open/", {**OPEN, "session": str(session.pk)})
    assert Incident.objects.get().session == session


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"title": ""}, "This field is required"),
        ({"title": "x"}, "at least 3 characters"),
        ({"severity": "dire"}, "dire is not one of the available choices"),
        ({"tool": "no_such_tool"}, "no_such_tool is not one of the available choices"),
        ({"ceiling": "autonomous"}, "autonomous is not one of the available choices"),
        ({"session": "6f0c1a52-9a0e-4d5e-8e59-0a6e3f2b1c4d"}, "This project has no session"),
        ({"agent": "0"}, "not one of the available choices"),
    ],
)
def test_form_says_what_is_wrong(values, words):
    project = make_project()
    client = client_as(Role.SUPPORT, project)
    answer = client.post(f"{list_of(project)}open/", {**OPEN, **values}, headers=FRAGMENT)
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert not Incident.objects.exists()


def test_agent_of_another_project_cannot_be_chosen():
    project, other = make_project(), make_agent()
    answer = client_as(Role.LEAD, project).post(
        f"{list_of(project)}open/", {**OPEN, "agent": other.pk}
    )
    assert answer.status_code == 422


def test_page_shows_what_it_holds_back_the_log_and_similar_ones():
    agent = make_agent(name="Shop support")
    about = {"agent": agent, "tool": "refund_payment", "ceiling": Level.SUGGEST}
    first, second = (open_one(agent.project, **about) for _ in range(2))
    incidents.add_note(incident=second, text="Both were <b>refunded</b>.")
    page = text_of(client_as(Role.VIEWER, agent.project).get(at(second)))
    assert "may go no higher than <b>suggest</b>" in page
    assert "Both were &lt;b&gt;refunded&lt;/b&gt;." in page
    assert at(first) in page
    assert "takes the role lead or admin" in page
    assert "<textarea" not in page.split('id="incident"')[1]


def test_page_asks_as_often_for_a_long_log_as_for_a_short_one(django_assert_max_num_queries):
    incident = open_one()
    lead = make_user(Role.LEAD, incident.project)
    for number in range(30):
        incidents.add_note(incident=incident, text=f"Note {number}", by=lead)
    client = sign_in(lead)
    with django_assert_max_num_queries(18):
        assert client.get(at(incident)).status_code == 200


@pytest.mark.parametrize(
    ("action", "data", "field", "expected"),
    [
        ("mitigate", {"reason": "Tool lowered."}, "status", "mitigated"),
        ("close", {"reason": "Key was reused."}, "status", "closed"),
        ("change-hold", {"ceiling": "off", "reason": "Worse."}, "ceiling", "off"),
        ("change-severity", {"severity": "critical", "reason": "Worse."}, "severity", "critical"),
    ],
)
def test_lead_changes_an_incident(action, data, field, expected):
    incident = open_one(ceiling=Level.APPROVE)
    answer = client_as(Role.LEAD, incident.project).post(at(incident, action), data)
    incident.refresh_from_db()
    assert (answer.status_code, getattr(incident, field)) == (303, expected)
    assert incident.notes.count() == 2


def test_note_and_owner_are_for_those_who_may_open():
    incident = open_one()
    support = make_user(Role.SUPPORT, incident.project)
    client = sign_in(support)
    client.post(at(incident, "note"), {"text": "The customer wrote again."})
    client.post(at(incident, "assign"), {"owner": support.pk})
    incident.refresh_from_db()
    assert incident.owner == support
    assert incident.notes.filter(by=support).count() == 2


def test_owner_must_be_a_member_who_may_see_to_it():
    incident = open_one()
    client = client_as(Role.LEAD, incident.project)
    for user in (make_user(Role.LEAD), make_user(Role.VIEWER, incident.project)):
        assert client.post(at(incident, "assign"), {"owner": user.pk}).status_code == 422


def test_closed_incident_is_opened_again_by_support():
    incident = open_one()
    incidents.close_incident(incident=incident, note="All is well.", by=make_user())
    client = client_as(Role.SUPPORT, incident.project)
    assert "Why is it opened again" in text_of(client.get(at(incident)))
    client.post(at(incident, "reopen"), {"reason": "It is back."})
    incident.refresh_from_db()
    assert incident.status == "open"


@pytest.mark.parametrize("action", ["mitigate", "close"])
def test_support_may_not_mitigate_or_close(action):
    incident = open_one()
    client = client_as(Role.SUPPORT, incident.project)
    assert client.post(at(incident, action), {"reason": "All is well."}).status_code == 403


def test_support_may_hold_back_more_but_not_less():
    incident = open_one(ceiling=Level.APPROVE)
    client = client_as(Role.SUPPORT, incident.project)
    less = client.post(at(incident, "change-hold"), {"ceiling": "", "reason": "No harm."})
    more = client.post(at(incident, "change-hold"), {"ceiling": "off", "reason": "Harm."})
    incident.refresh_from_db()
    assert (less.status_code, more.status_code, incident.ceiling) == (403, 303, "off")


@pytest.mark.parametrize(
    "action", ["note", "assign", "change-hold", "change-severity", "mitigate", "close", "reopen"]
)
def test_viewer_changes_nothing_and_a_get_is_refused(action):
    incident = open_one()
    viewer = client_as(Role.VIEWER, incident.project)
    assert viewer.post(at(incident, action), {"reason": "Because."}).status_code == 403
    assert viewer.get(at(incident, action)).status_code == 405


@pytest.mark.parametrize(
    "action", ["note", "assign", "change-hold", "change-severity", "mitigate", "close"]
)
def test_invalid_form_comes_back_with_what_is_wrong(action):
    incident = open_one()
    data = {"text": "", "owner": "x", "reason": "", "severity": "x", "ceiling": "x"}
    client = client_as(Role.LEAD, incident.project)
    answer = client.post(at(incident, action), data, headers=FRAGMENT)
    assert answer.status_code == 422
    assert "desk-error" in text_of(answer)


def test_who_came_second_is_told_how_it_stands():
    incident = open_one()
    lead = make_user(Role.LEAD, incident.project)
    incidents.close_incident(incident=incident, note="All is well.", by=lead)
    answer = sign_in(lead).post(at(incident, "mitigate"), {"reason": "Lowered."})
    assert answer.status_code == 409
    assert "Incident 1 is closed already." in text_of(answer)


def test_number_that_is_not_there_is_not_found():
    project = make_project()
    client = client_as(Role.LEAD, project)
    assert client.get(f"{list_of(project)}7/").status_code == 404
    assert client.get(f"{list_of(project)}99999999999999999999/").status_code == 404


def test_menu_counts_open_ones_and_is_amber_for_critical_ones():
    project = make_project()
    open_one(project)
    client = client_as(Role.SUPPORT, project)
    assert '<span class="desk-count">1<' in text_of(client.get(list_of(project)))
    open_one(project, severity=Incident.Severity.CRITICAL)
    page = text_of(client.get(list_of(project)))
    assert '<span class="desk-count due">2<' in page
    assert "some critical" in page
    assert "desk-count" not in text_of(client_as(Role.VIEWER, project).get(list_of(project)))


def test_stranger_finds_no_incident():
    incident = open_one()
    assert Client().get(at(incident)).status_code == 302
    assert client_as(Role.ADMIN, make_project()).get(at(incident)).status_code == 404
