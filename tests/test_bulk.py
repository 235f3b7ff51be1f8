"""What is done with many sessions at once: labels and their undo, queues, export; completion."""

import pytest
from django.utils import timezone

from reviewdesk.people.roles import Role
from reviewdesk.screens.sessions import selection
from tests.factories import (
    client_as,
    customer_span,
    make_label,
    make_project,
    make_session,
    make_user,
    sign_in,
    tool_span,
)
from traces.models import Label, Queue, QueueItem, Score

pytestmark = pytest.mark.django_db
RESOLVED = {"outcome": "resolved"}


@pytest.fixture
def project():
    return make_project(slug="shop")


@pytest.fixture
def ada(project):
    return make_user(Role.REVIEWER, project)


@pytest.fixture
def client(ada):
    return sign_in(ada)


def said(project, text):
    return make_session(project, [customer_span(text)])


def ids_of(*sessions):
    return [str(session.pk) for session in sessions]


def test_selected_sessions_are_labelled_in_ones_own_name(client, project, ada):
    first, second, other = (said(project, text) for text in "abc")
    answer = client.post("/p/shop/sessions/label/", {"ids": ids_of(first, second), **RESOLVED})
    assert answer.status_code == 303
    labels = Label.objects.all()
    assert {label.session_id for label in labels} == {first.pk, second.pk}
    assert all(label.author == ada and label.completed_at for label in labels)
    assert other.labels.count() == 0


def test_what_one_labelled_before_is_skipped_and_said(client, project, ada):
    old, new = said(project, "a"), said(project, "b")
    make_label(old, author=ada, outcome="harmful")
    answer = client.post("/p/shop/sessions/label/", {"ids": ids_of(old, new), **RESOLVED})
    page = client.get(answer["Location"]).content.decode()
    assert "Labelled 1 session. 1 had a label of yours and keep it." in page
    assert old.labels.get().outcome == "harmful"


def test_undo_takes_back_these_labels_and_opens_the_queue_again(client, project, ada):
    old, new = said(project, "a"), said(project, "b")
    make_label(old, author=ada)
    queue = Queue.objects.create(project=project, name="Q")
    item = QueueItem.objects.create(queue=queue, session=new)
    client.post("/p/shop/sessions/label/", {"ids": ids_of(old, new), **RESOLVED})
    item.refresh_from_db()
    assert item.done_at is not None
    at = new.labels.get().completed_at.isoformat()
    client.post("/p/shop/sessions/label/undo/", {"at": at})
    item.refresh_from_db()
    assert (new.labels.count(), old.labels.count(), item.done_at) == (0, 1, None)


@pytest.mark.parametrize("at", ["", "nonsense", "2026-13-45T00:00:00Z", "2026-11-01T00:00:00"])
def test_undo_of_nothing_does_nothing(client, at):
    assert client.post("/p/shop/sessions/label/undo/", {"at": at}).status_code == 303


def test_all_that_match_are_labelled(client, project):
    for _ in range(3):
        said(project, "refund please")
    said(project, "other")
    client.post("/p/shop/sessions/label/", {"all": "1", "q": "refund", **RESOLVED})
    assert Label.objects.count() == 3


def test_selection_is_capped_at_the_newest_and_says_so(client, project, monkeypatch):
    monkeypatch.setattr(selection, "MAX_SELECTED", 2)
    for _ in range(3):
        said(project, "refund please")
    page = client.post("/p/shop/sessions/label/", {"all": "1", "q": "refund"}).content.decode()
    assert "More match: these are the newest" in page


def test_missing_answers_are_asked_for(client, project):
    data = {"ids": ids_of(said(project, "a")), "outcome": "harmful"}
    answer = client.post("/p/shop/sessions/label/", data)
    assert answer.status_code == 422
    assert "Severity has no answer yet." in answer.content.decode()
    assert not Label.objects.exists()


def test_without_an_outcome_the_form_is_shown(client, project):
    page = client.post("/p/shop/sessions/label/", {"ids": ids_of(said(project, "a"))})
    assert page.status_code == 200
    assert "Label 1 session" in page.content.decode()


def test_nothing_selected_says_what_to_do(client):
    page = client.post("/p/shop/sessions/label/", {"ids": ["nonsense"]}).content.decode()
    assert "No session is selected." in page


def test_another_projects_sessions_are_left_alone(client):
    other = make_session()
    client.post("/p/shop/sessions/label/", {"ids": ids_of(other), **RESOLVED})
    assert not Label.objects.exists()


@pytest.mark.parametrize("path", ["label/", "label/undo/", "queue/", "queue/remove/"])
def test_viewers_and_strangers_may_not(project, path):
    url = f"/p/shop/sessions/{path}"
    assert client_as(Role.VIEWER, project).post(url).status_code == 403
    assert client_as(Role.ADMIN, make_project()).post(url).status_code == 404
    assert client_as(Role.ADMIN, project).get(url).status_code == 405


def test_sessions_are_added_to_a_new_queue_and_taken_out(client, project):
    ids = ids_of(said(project, "a"), said(project, "b"))
    client.post("/p/shop/sessions/queue/", {"ids": ids, "queue_name": "", "new_name": "Weekly"})
    assert QueueItem.objects.filter(queue__name="Weekly").count() == 2
    page = client.get("/p/shop/sessions/?q=queue:Weekly").content.decode()
    assert "Remove from Weekly" in page
    data = {"ids": ids[:1], "from_queue": "Weekly", "q": "queue:Weekly"}
    client.post("/p/shop/sessions/queue/remove/", data)
    assert QueueItem.objects.count() == 1


def test_queue_without_a_name_is_refused(client, project):
    data = {"ids": ids_of(said(project, "a")), "queue_name": "", "new_name": ""}
    answer = client.post("/p/shop/sessions/queue/", data)
    assert answer.status_code == 422
    assert "Give the queue a name." in answer.content.decode()


def test_taking_out_of_a_deleted_queue_says_so(client, project):
    data = {"ids": ids_of(said(project, "a")), "from_queue": "gone"}
    answer = client.post("/p/shop/sessions/queue/remove/", data)
    assert "no such queue" in client.get(answer["Location"]).content.decode()


@pytest.mark.parametrize(
    ("form", "ending"), [("csv", ".csv"), ("jsonl", ".jsonl"), ("otlp", ".otlp.jsonl")]
)
def test_export_sends_a_file_of_what_matches(client, project, form, ending):
    said(project, "refund please")
    said(project, "other words")
    answer = client.get(f"/p/shop/sessions/export/?format={form}&q=refund")
    text = b"".join(answer.streaming_content).decode()
    assert answer["Content-Disposition"].endswith(f'{ending}"')
    assert "refund please" in text
    assert "other words" not in text


def test_export_of_selected_sessions(client, project):
    first, _ = said(project, "first one"), said(project, "second one")
    data = {"ids": ids_of(first), "format": "csv"}
    answer = client.post("/p/shop/sessions/export/", data)
    text = b"".join(answer.streaming_content).decode()
    assert "first one" in text
    assert "second one" not in text


def options(client, term, q=""):
    answer = client.get("/p/shop/sessions/complete/", {"term": term, "q": q})
    assert answer.status_code == 200
    found = answer.context["completion"].suggestions
    return [(each.text, each.num) for each in found]


def test_completion_gives_names_then_values_with_counts(client, project):
    make_session(project, [customer_span("a"), tool_span("refund", at=1)])
    make_session(project, [customer_span("b"), tool_span("refund", at=1)])
    assert ("tool:", None) in options(client, "too")
    assert options(client, "tool:re") == [("tool:refund", 2), ("-tool:refund", None)]
    assert ("outcome:none", 2) in options(client, "outcome:no")


def test_completion_counts_what_meets_the_rest(client, project):
    make_session(project, [customer_span("a"), tool_span("refund", at=1)], version_name="v1")
    make_session(project, [customer_span("b"), tool_span("refund", at=1)], version_name="v2")
    assert options(client, "version:v", "version:v2")[0] == ("version:v2", 1)


def test_completion_takes_a_second_value_and_names_with_spaces(client, project):
    make_session(project, agent_name="My agent")
    assert options(client, "agent:other,m") == [('agent:other,"My agent"', 1)]
    assert options(client, "colour:r") == []
    assert options(client, "\x00'") == []


def test_completion_knows_scores_and_their_labels(client, project):
    session = make_session(project)
    Score.objects.create(
        project=project, session=session, name="tone", label="polite", at=timezone.now(), digest="a"
    )
    assert options(client, "score:t") == [
        ("score:tone", 1), ("score:tone=polite", 1), ("-score:tone", None)
    ]  # fmt: skip


def test_completion_is_for_members(project):
    url = "/p/shop/sessions/complete/?term=too"
    assert client_as(Role.ADMIN, make_project()).get(url).status_code == 404
    assert client_as(Role.VIEWER, project).get(url).status_code == 200
    assert client_as(Role.VIEWER, project).post(url).status_code == 405


def test_completion_asks_as_much_for_many_sessions_as_for_few(
    client, project, django_assert_max_num_queries
):
    for number in range(6):
        make_label(make_session(project, version_name=f"v{number}"))
    with django_assert_max_num_queries(14):
        options(client, "version:v")
