"""Sessions that became part of another one: their addresses lead there."""

import pytest

from reviewdesk.people.roles import Role
from tests.factories import client_as, make_project, make_session
from tests.test_api_sessions import Api
from tests.test_append import OTHER, arriving
from traces.ingest.append import append_spans
from traces.ingest.moving import moved_to
from traces.models import MovedSession, Project, Session
from traces.refresh import drain

pytestmark = pytest.mark.django_db


def make_moved(project: Project) -> tuple[str, str]:
    """Return the ids of a session that is no more and of the one that its spans are in."""
    append_spans(project=project, spans=[arriving(1)])
    old = Session.objects.get(project=project)
    append_spans(project=project, spans=[arriving(2, session_key="talk-7")])
    drain()
    return str(old.pk), str(Session.objects.get(project=project).pk)


@pytest.mark.parametrize(
    "page", ["", "live/", "spans/0000000000000001/", "?view=timeline&span=0000000000000001"]
)
def test_the_old_address_leads_to_where_the_spans_are(page: str) -> None:
    project = make_project()
    old, new = make_moved(project)
    path = f"/p/{project.slug}/sessions/"
    client = client_as(Role.VIEWER, project)
    answer = client.get(f"{path}{old}/{page}")
    assert (answer.status_code, answer["Location"]) == (302, f"{path}{new}/{page}")
    assert client.get(answer["Location"]).status_code == 200


def test_a_form_is_sent_on_to_where_the_spans_are() -> None:
    project = make_project()
    old, new = make_moved(project)
    path = f"/p/{project.slug}/sessions/"
    answer = client_as(Role.REVIEWER, project).post(f"{path}{old}/label/complete/")
    assert (answer.status_code, answer["Location"]) == (307, f"{path}{new}/label/complete/")


def test_programs_are_sent_on_too() -> None:
    api = Api()
    old, new = make_moved(api.project)
    answer = api.get(f"/api/v1/sessions/{old}")
    assert (answer.status_code, answer["Location"]) == (307, f"/api/v1/sessions/{new}")
    assert answer.json()["error"]["code"] == "moved"
    assert api.get(answer["Location"]).json()["id"] == new


def test_others_learn_nothing_of_it() -> None:
    project = make_project()
    old, _ = make_moved(project)
    stranger = client_as(Role.ADMIN, make_project())
    assert stranger.get(f"/p/{project.slug}/sessions/{old}/").status_code == 404
    other = make_project()
    client = client_as(Role.ADMIN, other)
    assert client.get(f"/p/{other.slug}/sessions/{old}/").status_code == 404
    assert Api().get(f"/api/v1/sessions/{old}").status_code == 404


def test_a_session_that_moves_twice_is_found_where_it_is_now() -> None:
    project = make_project()
    old, between = make_moved(project)
    append_spans(project=project, spans=[arriving(3, session_key="a-smaller-key")])
    new = Session.objects.get(project=project)
    assert {str(each.pk) for each in MovedSession.objects.all()} == {old, between}
    assert {each.session for each in MovedSession.objects.all()} == {new}


def test_a_session_that_only_lost_a_trace_stays() -> None:
    project = make_project()
    both = [arriving(1, session_key="b"), arriving(2, trace_id=OTHER, session_key="b")]
    append_spans(project=project, spans=both)
    append_spans(project=project, spans=[arriving(3, session_key="a")])
    assert not MovedSession.objects.exists()


def test_what_leads_to_a_session_goes_with_it() -> None:
    project = make_project()
    old, new = make_moved(project)
    Session.objects.filter(pk=new).delete()
    assert not MovedSession.objects.exists()
    client = client_as(Role.VIEWER, project)
    assert client.get(f"/p/{project.slug}/sessions/{old}/").status_code == 404


def test_a_session_that_never_moved_leads_nowhere() -> None:
    session = make_session()
    assert moved_to(session.pk, session.project) is None
