"""Who reads and changes what: files, other people's labels, what was masked, others' things."""

import csv
import io
import json
from typing import Any

import pytest
from django.test import Client

from reviewdesk.people.models import User
from reviewdesk.people.roles import Role
from tests.factories import (
    client_as,
    customer_span,
    make_label,
    make_project,
    make_session,
    make_user,
    sign_in,
)
from tests.importing import run_import
from traces.models import Label, Project, QueueItem, SavedView, Session
from traces.queues import add_to_queue
from traces.saved_views import save_view

pytestmark = pytest.mark.django_db
EXPORT = "/p/shop/sessions/export/"


@pytest.fixture
def project() -> Project:
    return make_project(slug="shop")


def exported(client: Client, form: str) -> str:
    answer: Any = client.get(EXPORT, {"format": form})
    return b"".join(answer.streaming_content).decode()


def judged(project: Project) -> Session:
    session = make_session(project)
    make_label(session, outcome="harmful", severity="high", comment="Blames the customer.")
    return session


def severity(client: Client) -> str:
    [row] = csv.DictReader(io.StringIO(exported(client, "csv")))
    return row["severity"]


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.REVIEWER, Role.LEAD, Role.ADMIN])
def test_export_keeps_others_labels_from_who_has_yet_to_label(project: Project, role: Role) -> None:
    session, person = judged(project), make_user(role, project)
    make_label(session, person, outcome="resolved", is_completed=False)
    client = sign_in(person)
    line = exported(client, "jsonl")
    assert json.loads(line)["labels"] == []
    assert "Blames the customer." not in line + exported(client, "csv") + exported(client, "otlp")
    assert severity(client) == ""


def test_export_tells_all_labels_to_who_has_completed_one(project: Project) -> None:
    session, person = judged(project), make_user(Role.REVIEWER, project)
    make_label(session, person, outcome="harmful", severity="low")
    client = sign_in(person)
    assert len(json.loads(exported(client, "jsonl"))["labels"]) == 2
    assert severity(client) == "low"


def test_export_tells_all_labels_to_who_does_not_label(project: Project) -> None:
    judged(project)
    client = client_as(Role.VIEWER, project)
    assert len(json.loads(exported(client, "jsonl"))["labels"]) == 1
    assert severity(client) == "high"


def test_stranger_exports_nothing(project: Project) -> None:
    assert client_as(Role.ADMIN, make_project()).get(EXPORT).status_code == 404


def test_files_name_is_of_plain_letters(project: Project) -> None:
    answer = client_as(Role.VIEWER, project).get(EXPORT, {"format": '"; x="../a\r\nb'})
    assert answer["Content-Disposition"].startswith('attachment; filename="shop-sessions-2')
    assert answer["Content-Disposition"].endswith('.csv"')


def masked_session(project: Project) -> Session:
    spans = [customer_span("Write to ann@mail.example")]
    return make_session(project, spans=spans, source=Session.Source.OTLP)


@pytest.mark.parametrize(
    ("role", "sees"),
    [(Role.VIEWER, False), (Role.SUPPORT, False), (Role.REVIEWER, True), (Role.ENGINEER, True)],
)
def test_how_much_was_masked_is_for_those_who_may_see_it(
    project: Project, role: Role, sees: bool
) -> None:
    session, client = masked_session(project), client_as(role, project)
    span_id = session.spans.exclude(masked=None).get().span_id
    page = f"/p/shop/sessions/{session.pk}/"
    span = f"{page}spans/{span_id}/"
    assert (b"1 masked" in client.get(page).content) is sees
    assert (b"<dt>Masked</dt>" in client.get(span).content) is sees
    assert (b"<dt>Masked</dt>" in client.get(f"{span}part/output/").content) is sees
    assert ("masked" in client.get(f"{span}json/").json()) is sees
    assert ('"masked"' in exported(client, "jsonl")) is sees
    assert ("reviewdesk.masked" in exported(client, "otlp")) is sees


@pytest.mark.parametrize(("form", "name"), [("jsonl", "reviewdesk"), ("otlp", "otlp")])
def test_export_without_counts_is_imported(
    project: Project, form: str, name: str, tmp_path: Any
) -> None:
    masked_session(project)
    path = tmp_path / "sessions.jsonl"
    path.write_text(exported(client_as(Role.VIEWER, project), form), encoding="utf-8")
    totals, _, err = run_import(path, name, make_project())
    assert (totals["sessions"], totals["rejected"], err) == (1, 0, "")


def person_with_view(project: Project) -> tuple[User, SavedView]:
    owner = make_user(Role.LEAD, project)
    return owner, save_view(project=project, owner=owner, name="Hers", query="refund")


@pytest.mark.parametrize("action", ["rename", "share", "delete"])
def test_view_of_another_person_is_left_alone(project: Project, action: str) -> None:
    owner, view = person_with_view(project)
    url = f"/p/shop/sessions/views/{view.pk}/{action}/"
    assert client_as(Role.ADMIN, project).post(url, {"name": "Mine"}).status_code == 404
    view.refresh_from_db()
    assert (view.name, view.owner_id) == ("Hers", owner.pk)


@pytest.mark.parametrize("action", ["rename", "share", "delete"])
@pytest.mark.parametrize("is_shared", [True, False])
def test_view_of_another_project_is_left_alone(
    project: Project, action: str, is_shared: bool
) -> None:
    other, person = make_project(), make_user(Role.ADMIN, project)
    view = save_view(project=other, owner=None if is_shared else person, name="Ours", query="")
    url = f"/p/shop/sessions/views/{view.pk}/{action}/"
    assert sign_in(person).post(url, {"name": "Mine"}).status_code == 404
    assert SavedView.objects.get().name == "Ours"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT])
def test_own_view_is_not_shared_by_who_may_not(project: Project, role: Role) -> None:
    person = make_user(role, project)
    view = save_view(project=project, owner=person, name="Mine", query="")
    answer = sign_in(person).post(f"/p/shop/sessions/views/{view.pk}/share/")
    assert answer.status_code == 403
    assert SavedView.objects.get().owner_id == person.pk


@pytest.mark.parametrize("action", ["rename", "delete"])
def test_queue_of_another_project_is_left_alone(project: Project, action: str) -> None:
    other = make_project()
    by = make_user(Role.LEAD, other)
    queue, _ = add_to_queue(
        project=other, name="Weekly", session_ids=[make_session(other).pk], by=by
    )
    url = f"/p/shop/sessions/queues/{queue.pk}/{action}/"
    assert client_as(Role.ADMIN, project).post(url, {"name": "Mine"}).status_code == 404
    queue.refresh_from_db()
    assert (queue.name, queue.items.count()) == ("Weekly", 1)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("label/", {"outcome": "resolved"}),
        ("queue/", {"queue_name": "", "new_name": "Weekly"}),
        ("queue/remove/", {"from_queue": "Weekly"}),
        ("export/", {"format": "jsonl"}),
    ],
)
def test_sessions_of_another_project_are_not_acted_on(
    project: Project, path: str, data: dict[str, str]
) -> None:
    other, person = make_project(), make_user(Role.ADMIN, project)
    theirs = make_session(other, [customer_span("theirs alone")])
    by = make_user(Role.LEAD, other)
    add_to_queue(project=other, name="Weekly", session_ids=[theirs.pk], by=by)
    answer: Any = sign_in(person).post(
        f"/p/shop/sessions/{path}", {"ids": [str(theirs.pk)], "q": "", **data}
    )
    sent = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert b"theirs alone" not in sent
    assert not Label.objects.exists()
    assert list(QueueItem.objects.values_list("queue__project", flat=True)) == [other.pk]
