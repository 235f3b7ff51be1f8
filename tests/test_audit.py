"""The audit trail: every change of authority is told, none can be edited, none leaks."""

from datetime import timedelta

import pghistory
import pytest
from django.db import DatabaseError, connection, transaction
from django.urls import reverse
from django.utils import timezone
from pghistory.models import Context

from agents.models import AgentTool, GoldenTest, Level, Release, Tier
from agents.releases.propose import approve_release, refuse_release, roll_back
from agents.tools.autonomy import change_level, end_lift, lift_ceiling
from reviewdesk.audit import Cursor, read_cursor, read_trail
from reviewdesk.audit_kinds import KINDS
from reviewdesk.people.members import add_member, change_role, remove_member
from reviewdesk.people.roles import Role
from tests.factories import (
    audit_tables,
    client_as,
    make_agent,
    make_label,
    make_project,
    make_session,
    make_user,
    make_version,
)
from tests.shop import set_level
from tests.test_releases import make_test, make_waiting
from traces.api_keys import create_key, revoke_key
from traces.models import ApiKey, Label

pytestmark = pytest.mark.django_db


def told(project, **wanted):
    """Return (did, subject, before, after, why, who) of the project's trail, newest first."""
    return [
        (
            entry.line.did,
            entry.line.subject,
            entry.line.before,
            entry.line.after,
            entry.why,
            str(entry.who) if entry.who else None,
        )
        for entry in read_trail(project=project, **wanted).entries
    ]


def test_changed_level_is_told_with_who_why_and_from_what_to_what():
    agent, person = make_agent(slug="shop", name="shop"), make_user(name="Ada Lindqvist")
    tool = agent.tools.get()
    change_level(agent_tool=tool, level=Level.SUGGEST, reason="Wrong order twice.", by=person)
    assert told(agent.project, kinds=["tools"])[0] == (
        "level",
        "get_order_details of shop",
        "autonomous",
        "suggest",
        "Wrong order twice.",
        "Ada Lindqvist",
    )


def test_lifted_ceiling_and_its_end_are_told():
    agent, lead = make_agent(slug="shop", name="shop"), make_user(name="Lead")
    lift = lift_ceiling(
        agent=agent,
        tier=Tier.MONEY,
        level=Level.AUTONOMOUS,
        reason="Black Friday.",
        expires_at=timezone.now() + timedelta(days=2),
        by=lead,
    )
    end_lift(lift=lift, reason="It is over.", by=lead)
    ended, lifted = told(agent.project, kinds=["lifts"])
    assert (lifted[0], lifted[2], lifted[4]) == ("ceiling lifted", "approve", "Black Friday.")
    assert (ended[0], ended[3], ended[4]) == ("lift ended", "approve", "It is over.")


def test_release_is_told_from_request_to_roll_back():
    release, lead = make_waiting(), make_user(name="Lead")
    agent = release.agent
    first = agent.live_version
    approve_release(release=release, by=lead, reason="Good.")
    roll_back(agent=agent, to_version=first, by=lead, reason="Not good.")
    found = told(agent.project, kinds=["releases", "agents"])
    did = [(line[0], line[2], line[3], line[4]) for line in found]
    assert ("release requested", "", "waiting for approval", "Refunds went wrong.") in did
    assert ("release approved", "waiting for approval", "live", "Good.") in did
    assert ("live version", "v1", "v2", "Good.") in did
    assert ("rolled back to", "v2", "live", "Not good.") in did
    assert ("live version", "v2", "v1", "Not good.") in did


def test_refusal_is_told_with_its_reason():
    release = make_waiting()
    refuse_release(release=release, by=make_user(name="Lead"), reason="Too risky.")
    line = told(release.agent.project, kinds=["releases"])[0]
    assert (line[0], line[4], line[5]) == ("release refused", "Too risky.", "Lead")


def test_members_and_keys_are_told_also_after_they_are_gone():
    project, admin = make_project(), make_user(name="Admin")
    make_user(Role.ADMIN, project)
    added = add_member(
        project=project, email="mira@example.com", name="Mira", role=Role.VIEWER, by=admin
    )
    change_role(membership=added.membership, role=Role.LEAD, by=admin)
    remove_member(membership=added.membership, by=admin)
    create_key(project=project, name="Bridge", created_by=admin)
    revoke_key(api_key=ApiKey.objects.get(), by=admin)
    lines = [line[0:1] + line[2:4] for line in told(project, person=admin)]
    assert lines == [
        ("API key revoked", "", ""),
        ("API key made", "", ""),
        ("member removed", "lead", ""),
        ("role", "viewer", "lead"),
        ("member added", "", "viewer"),
    ]


def test_golden_tests_and_versions_are_told():
    agent = make_agent()
    test = make_test(agent)
    test.content_hash = "b" * 64
    test.save()
    test.archived_at = timezone.now()
    test.save()
    make_version(agent, author=make_user(name="Jonas"), note="Calmer")
    did = [line[0] for line in told(agent.project, kinds=["golden"])]
    assert did == ["golden test archived", "golden test edited", "golden test promoted"]
    version = told(agent.project, kinds=["versions"])[0]
    assert (version[0], version[4], version[5]) == ("version written", "Calmer", "Jonas")


def test_labels_are_told_only_when_asked_for():
    session = make_session()
    make_label(session, author=make_user(name="Ada"), outcome="not_resolved")
    assert not [line for line in told(session.project) if line[0].startswith("label")]
    found = told(session.project, kinds=["labels"])
    assert [line[0] for line in found] == ["label completed", "label drafted"]
    assert found[0][3] == "not resolved"


def test_other_projects_are_never_told():
    agent, other = make_agent(), make_project()
    make_label(make_session(agent.project))
    make_waiting(agent)
    create_key(project=agent.project, name="Bridge")
    assert told(other, kinds=[kind.key for kind in KINDS]) == []


def test_only_what_one_person_did():
    agent = make_agent()
    ada, ben = make_user(name="Ada"), make_user(name="Ben")
    tool = agent.tools.get()
    change_level(agent_tool=tool, level=Level.APPROVE, reason="Stop it.", by=ada)
    change_level(agent_tool=tool, level=Level.OFF, reason="Not at all.", by=ben)
    assert [line[4] for line in told(agent.project, person=ada)] == ["Stop it."]


def test_pages_follow_one_another_without_gap_or_repetition():
    agent, person = make_agent(), make_user()
    tool = agent.tools.get()
    for number in range(7):
        set_level(tool, Level.AUTONOMOUS)
        change_level(agent_tool=tool, level=Level.OFF, reason=f"Change {number}", by=person)
        create_key(project=agent.project, name=f"Key {number}", created_by=person)
    whole = read_trail(project=agent.project, size=100).entries
    found, after = [], None
    while True:
        page = read_trail(project=agent.project, after=after, size=3)
        found += page.entries
        if page.older is None:
            break
        after = read_cursor(str(page.older))
    assert [entry.cursor for entry in found] == [entry.cursor for entry in whole]
    assert len(found) > 14


@pytest.mark.parametrize("text", ["", "x", "2026-01-01,0,1", "2026-13-01T00:00:00Z,0,1", "a,b,c"])
def test_place_that_names_nothing_is_left_out(text):
    assert read_cursor(text) is None


def test_place_survives_its_address():
    place = Cursor(timezone.now(), 2, 17)
    assert read_cursor(str(place)) == place


@pytest.mark.parametrize("model", [AgentTool, Release, GoldenTest, Label, ApiKey])
def test_nobody_edits_or_deletes_a_line(model):
    waiting = make_waiting()
    make_label(make_session(waiting.agent.project))
    create_key(project=waiting.agent.project, name="Bridge")
    events = model.pgh_event_model
    assert events.objects.exists()
    table = events._meta.db_table
    for sql in ("UPDATE {} SET pgh_label = 'x'", "DELETE FROM {}"):
        with (
            pytest.raises(DatabaseError, match="Cannot update or delete"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql.format(table))


@pytest.mark.parametrize("change", ["SET metadata = '{}'", "SET created_at = now()"])
def test_nobody_rewrites_who_and_why(change):
    make_user(Role.VIEWER)
    written = Context.objects.create(metadata={"user": 1, "reason": "Wrong order twice."})
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE pghistory_context DISABLE TRIGGER context_is_kept")
        long_ago = timezone.now() - timedelta(minutes=1)  # as by another transaction
        Context.objects.filter(pk=written.pk).update(created_at=long_ago)
        cursor.execute("ALTER TABLE pghistory_context ENABLE TRIGGER context_is_kept")
        for sql in (f"UPDATE pghistory_context {change}", "DELETE FROM pghistory_context"):
            with pytest.raises(DatabaseError, match="is kept"), transaction.atomic():
                cursor.execute(sql)
    written.refresh_from_db()
    assert written.metadata["reason"] == "Wrong order twice."


def test_context_grows_in_its_own_transaction():
    project, admin = make_project(), make_user()
    with pghistory.context(user=admin.pk, action="first"):
        create_key(project=project, name="Bridge", created_by=admin)
        with pghistory.context(reason="Because."):
            create_key(project=project, name="Tunnel", created_by=admin)
    assert Context.objects.get().metadata["reason"] == "Because."


@pytest.mark.parametrize("table", audit_tables())
def test_nobody_empties_the_trail(table):
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER trail_is_not_emptied")
        with pytest.raises(DatabaseError, match="no TRUNCATE of"), transaction.atomic():
            cursor.execute(f"TRUNCATE {table}")


def test_nobody_rewrites_a_version():
    version = make_version()
    version.note = "Something else"
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        version.save()


def test_page_shows_filters_and_pages_the_trail():
    agent = make_agent(slug="shop", name="shop")
    person = make_user(Role.LEAD, agent.project, name="Ada Lindqvist")
    idle = make_user(Role.VIEWER, agent.project)
    change_level(agent_tool=agent.tools.get(), level=Level.OFF, reason="<b>Stop</b> it.", by=person)
    client = client_as(Role.VIEWER, agent.project)
    url = reverse("settings:audit", args=[agent.project.slug])
    page = client.get(url).content.decode()
    assert "&lt;b&gt;Stop&lt;/b&gt; it." in page
    only = client.get(f"{url}?kind=tools&person={idle.pk}").content.decode()
    assert "No such change" in only
    fragment = client.get(f"{url}?kind=tools", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert "get_order_details of shop" in fragment


@pytest.mark.parametrize("query", ["kind=nonsense", "person=0", "person=x", "after=nothing"])
def test_nonsense_in_the_address_is_left_out(query):
    agent = make_agent()
    client = client_as(Role.VIEWER, agent.project)
    url = reverse("settings:audit", args=[agent.project.slug])
    assert client.get(f"{url}?{query}").status_code == 200


def test_page_takes_as_many_queries_for_many_changes(django_assert_max_num_queries):
    agent, person = make_agent(), make_user()
    client = client_as(Role.VIEWER, agent.project)
    url = reverse("settings:audit", args=[agent.project.slug])
    with django_assert_max_num_queries(36) as few:
        client.get(url)
    for number in range(20):
        tool = set_level(agent.tools.get(), Level.AUTONOMOUS)
        change_level(agent_tool=tool, level=Level.OFF, reason=f"No {number}", by=person)
    with django_assert_max_num_queries(len(few)):
        client.get(url)
