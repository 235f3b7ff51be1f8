"""Queues and saved views behind the list: made, renamed, finished, deleted."""

import pytest
from django.utils import timezone

from reviewdesk.people.roles import Role
from tests.factories import client_as, make_project, make_session, make_user
from traces.labels import save_answers
from traces.models import Queue, QueueItem
from traces.queues import BadNameError, add_to_queue, queues_of, remove_from_queue, rename_queue

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make_project(slug="shop")


@pytest.fixture
def ada(project):
    return make_user(Role.REVIEWER, project)


def queue_of(project, by, name="Weekly", num=1):
    ids = [make_session(project).pk for _ in range(num)]
    return add_to_queue(project=project, name=name, session_ids=ids, by=by)[0]


def test_sessions_are_added_once_whatever_the_names_case(project, ada):
    session = make_session(project)
    first, num = add_to_queue(project=project, name="Weekly", session_ids=[session.pk], by=ada)
    again, more = add_to_queue(project=project, name="weekly", session_ids=[session.pk], by=ada)
    assert (first, num, more) == (again, 1, 0)
    assert queues_of(project).get().num_open == 1


def test_another_projects_session_is_not_added(project, ada):
    other = make_session()
    assert add_to_queue(project=project, name="Q", session_ids=[other.pk], by=ada)[1] == 0


def test_completing_a_label_finishes_the_queues_items(project, ada):
    queue = queue_of(project, ada)
    session = queue.items.get().session
    save_answers(session=session, author=ada, answers={"outcome": "resolved"}, is_complete=True)
    assert queue.items.get().done_at is not None
    assert queues_of(project).get().num_open == 0


def test_draft_leaves_the_item_open(project, ada):
    queue = queue_of(project, ada)
    save_answers(session=queue.items.get().session, author=ada, answers={"outcome": "resolved"})
    assert queue.items.get().done_at is None


def test_added_again_a_done_item_is_open(project, ada):
    queue = queue_of(project, ada)
    item = queue.items.get()
    QueueItem.objects.update(done_at=timezone.now())
    num = add_to_queue(project=project, name="Weekly", session_ids=[item.session_id], by=ada)[1]
    assert num == 1
    assert queue.items.get().done_at is None


def test_sessions_are_taken_out(project, ada):
    queue = queue_of(project, ada, num=2)
    first = queue.items.first()
    assert remove_from_queue(queue=queue, session_ids=[first.session_id]) == 1
    assert queue.items.count() == 1


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, 'a "b"'])
def test_names_that_cannot_be_written_are_refused(project, ada, name):
    with pytest.raises(BadNameError):
        add_to_queue(project=project, name=name, session_ids=[], by=ada)


def test_a_name_is_taken_once(project, ada):
    queue_of(project, ada, "A")
    with pytest.raises(BadNameError, match="There is a queue a already"):
        rename_queue(queue=queue_of(project, ada, "B"), name="a")


def test_queues_are_listed_with_open_counts(project, ada):
    queue_of(project, ada, num=3)
    page = client_as(Role.VIEWER, project).get("/p/shop/sessions/views/").content.decode()
    assert "Weekly" in page
    assert '<td class="num">3</td>' in page
    assert "Rename" not in page


def test_reviewer_renames_and_deletes_a_queue(project, ada):
    queue, client = queue_of(project, ada), client_as(Role.REVIEWER, project)
    client.post(f"/p/shop/sessions/queues/{queue.pk}/rename/", {"name": "Monthly"})
    assert Queue.objects.get().name == "Monthly"
    client.post(f"/p/shop/sessions/queues/{queue.pk}/delete/")
    assert not Queue.objects.exists()


def test_empty_name_is_refused_with_the_page(project, ada):
    queue, client = queue_of(project, ada), client_as(Role.REVIEWER, project)
    answer = client.post(f"/p/shop/sessions/queues/{queue.pk}/rename/", {"name": ""})
    assert answer.status_code == 422
    assert "Give the queue a name." in answer.content.decode()


@pytest.mark.parametrize("action", ["rename", "delete"])
def test_support_may_not_change_queues(project, ada, action):
    queue = queue_of(project, ada)
    answer = client_as(Role.SUPPORT, project).post(f"/p/shop/sessions/queues/{queue.pk}/{action}/")
    assert answer.status_code == 403


def test_another_projects_queue_is_not_found(project):
    other = make_project()
    queue = queue_of(other, make_user(Role.REVIEWER, other))
    client = client_as(Role.REVIEWER, project)
    assert client.post(f"/p/shop/sessions/queues/{queue.pk}/delete/").status_code == 404
    assert client.get(f"/p/shop/sessions/queues/{queue.pk}/delete/").status_code == 405


def test_next_to_label_follows_the_queue(project, ada):
    queue = queue_of(project, ada, num=2)
    for _ in range(3):
        make_session(project)
    first, second = (item.session for item in queue.items.order_by("pk"))
    client = client_as(Role.REVIEWER, project)
    answers = {"outcome": "resolved"}
    url = f"/p/shop/sessions/{second.pk}/label/complete/?q=queue:Weekly"
    assert f"/sessions/{first.pk}/" in client.post(url, answers)["Location"]
