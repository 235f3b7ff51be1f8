"""Saved views: a person's own and the project's, as tabs of the list."""

import pytest

from reviewdesk.people.roles import Role
from tests.factories import client_as, customer_span, make_project, make_session, make_user, sign_in
from traces.models import SavedView
from traces.saved_views import save_view, views_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make_project(slug="shop")


def save(client, **data):
    return client.post("/p/shop/sessions/views/save/", {"name": "Refunds", **data})


def tabs(client, query=""):
    return client.get(f"/p/shop/sessions/?{query}").context["tabs"]


def test_view_keeps_filter_order_and_columns(project):
    client = client_as(Role.VIEWER, project)
    answer = save(client, q="tool:refund  age:7d", sort="cost", columns="started,cost")
    assert answer.status_code == 303
    view = SavedView.objects.get()
    assert (view.query, view.sort) == ("tool:refund age<7d", "cost")
    page = client.get(answer["Location"])
    assert [column.key for column in page.context["columns"]] == ["started", "words", "cost"]
    assert page.context["chosen"].sort.key == "cost"
    assert [tab.title for tab in page.context["tabs"] if tab.is_current] == ["Refunds"]


def test_view_is_counted(project):
    make_session(project, [customer_span("refund please")])
    client = client_as(Role.REVIEWER, project)
    save(client, q="refund")
    assert [(tab.title, str(tab.count)) for tab in tabs(client)][-1] == ("Refunds", "1")


def test_saving_the_name_again_changes_the_view(project):
    client = client_as(Role.REVIEWER, project)
    save(client, q="a")
    save(client, q="b")
    assert SavedView.objects.get().query == "b"


def test_own_views_are_seen_by_nobody_else(project):
    save(client_as(Role.REVIEWER, project))
    assert all(tab.view is None for tab in tabs(client_as(Role.REVIEWER, project)))


def test_shared_view_is_everybodys(project):
    save(client_as(Role.REVIEWER, project), shared="1")
    assert tabs(client_as(Role.VIEWER, project))[-1].title == "Refunds"
    assert tabs(client_as(Role.REVIEWER, project))[-1].view.owner is None


def test_support_may_not_share(project):
    assert save(client_as(Role.SUPPORT, project), shared="1").status_code == 403
    assert not SavedView.objects.exists()


def test_view_without_a_name_is_refused(project):
    answer = save(client_as(Role.REVIEWER, project), name=" ")
    assert answer.status_code == 422
    assert "Give the view a name." in answer.content.decode()


def test_view_is_renamed_shared_and_deleted(project):
    ada = make_user(Role.REVIEWER, project)
    client = sign_in(ada)
    view = save_view(project=project, owner=ada, name="Mine", query="refund")
    url = f"/p/shop/sessions/views/{view.pk}"
    client.post(f"{url}/rename/", {"name": "Ours"})
    client.post(f"{url}/share/")
    view.refresh_from_db()
    assert (view.name, view.owner) == ("Ours", None)
    client.post(f"{url}/delete/")
    assert not SavedView.objects.exists()


def test_name_that_is_taken_is_refused(project):
    ada = make_user(Role.REVIEWER, project)
    save_view(project=project, owner=ada, name="A", query="")
    view = save_view(project=project, owner=ada, name="B", query="")
    answer = sign_in(ada).post(f"/p/shop/sessions/views/{view.pk}/rename/", {"name": "A"})
    assert answer.status_code == 422
    assert "There is a view A already." in answer.content.decode()


def test_shared_view_is_changed_by_those_who_may_share(project):
    view = save_view(project=project, owner=None, name="Ours", query="")
    url = f"/p/shop/sessions/views/{view.pk}/delete/"
    assert client_as(Role.SUPPORT, project).post(url).status_code == 403
    assert client_as(Role.ENGINEER, project).post(url).status_code == 303


def test_another_persons_view_is_not_found(project):
    view = save_view(project=project, owner=make_user(Role.LEAD, project), name="Hers", query="")
    client = client_as(Role.ADMIN, project)
    assert client.post(f"/p/shop/sessions/views/{view.pk}/delete/").status_code == 404
    assert client.get(f"/p/shop/sessions/views/{view.pk}/delete/").status_code == 405


def test_stranger_finds_no_views(project):
    assert client_as(Role.ADMIN, make_project()).get("/p/shop/sessions/views/").status_code == 404


def test_views_come_in_order_shared_first(project):
    ada = make_user(Role.REVIEWER, project)
    for owner, name in ((ada, "b"), (None, "z"), (ada, "a"), (None, "y")):
        save_view(project=project, owner=owner, name=name, query="")
    assert [view.name for view in views_for(project, ada)] == ["y", "z", "a", "b"]


def test_columns_are_remembered_for_the_person(project):
    make_session(project)
    client = client_as(Role.REVIEWER, project)
    answer = client.post(
        "/p/shop/sessions/columns/",
        {"columns": ["model", "queue", "nonsense"], "q": "errors>0", "sort": "cost"},
    )
    assert answer.url == "/p/shop/sessions/?q=errors%3E0&sort=cost"
    page = client.get(answer.url)
    assert [column.key for column in page.context["columns"]] == ["words", "model", "queue"]
    client.post("/p/shop/sessions/columns/", {"usual": "1"})
    assert len(client.get("/p/shop/sessions/").context["columns"]) == 10


def test_every_column_is_shown(project):
    make_session(project)
    client = client_as(Role.REVIEWER, project)
    every = "started,outcome,cause,customer,agent,version,model,status,steps,errors,tokens,took"
    page = client.get(f"/p/shop/sessions/?columns={every},cost,source,by,queue")
    assert len(page.context["columns"]) == 17
    assert "desk-model" in page.content.decode()
