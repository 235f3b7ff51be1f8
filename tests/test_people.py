"""Signing in, the profile, and what every answer carries."""

import contextlib

import pytest
from django.db import connection
from django.test import Client

from reviewdesk.people.models import User
from tests.factories import client_as, make_project, make_run, make_session, make_user, sign_in

pytestmark = pytest.mark.django_db


def test_factories_make_a_session_and_a_run():
    session = make_session()
    assert (session.num_spans, session.num_steps) == (5, 3)
    assert make_run().version.number == 1


def test_sign_in_by_e_mail_in_any_case():
    make_user(email="ada@example.com", password="long-enough-1")
    answer = Client().post(
        "/sign-in/", {"username": "Ada@Example.com", "password": "long-enough-1"}
    )
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_wrong_password_says_what_to_check():
    answer = Client().post("/sign-in/", {"username": "ada@example.com", "password": "no"})
    assert "No account has this e-mail address and password" in answer.content.decode()


def test_page_of_a_visitor_redirects_to_sign_in_and_back():
    answer = Client().get("/profile/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/profile/")


def test_htmx_request_after_sign_out_loads_the_sign_in_page_as_a_whole():
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/profile/?tab=1"}
    answer = Client().get("/profile/", headers=headers)
    assert answer.status_code == 204
    assert answer["HX-Redirect"] == "/sign-in/?next=/profile/%3Ftab%3D1"


def test_sign_out_needs_a_post():
    client = sign_in(make_user())
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/")["Location"] == "/sign-in/"


def test_theme_is_in_the_first_bytes_of_the_page():
    client = sign_in(make_user(theme=User.Theme.DARK))
    assert b'data-bs-theme="dark" data-theme="dark"' in client.get("/profile/").content


def test_profile_saves_name_theme_and_single_keys():
    user = make_user()
    answer = sign_in(user).post("/profile/", {"name": " Ada ", "theme": "light"})
    user.refresh_from_db()
    assert answer.status_code == 302
    assert (user.name, user.theme, user.has_single_keys) == ("Ada", "light", False)


def test_profile_without_a_name_is_refused():
    answer = sign_in(make_user()).post("/profile/", {"name": " ", "theme": "light"})
    assert answer.status_code == 422
    assert b"This field is required" in answer.content


def test_profile_posted_empty_is_refused():
    assert sign_in(make_user()).post("/profile/").status_code == 422


def test_page_is_kept_by_no_cache_and_a_file_may_be():
    client = sign_in(make_user())
    assert client.get("/profile/")["Cache-Control"] == "private, no-store"
    with contextlib.closing(client.get("/static/css/desk.css")) as file:
        assert "no-store" not in file["Cache-Control"]


def test_password_change():
    user = make_user(password="the-old-one-1")
    new = "quite-another-2"
    answer = sign_in(user).post(
        "/profile/password/",
        {"old_password": "the-old-one-1", "new_password1": new, "new_password2": new},
    )
    user.refresh_from_db()
    assert answer.status_code == 302
    assert user.check_password(new)


def test_home_goes_to_the_first_project():
    project = make_project(slug="alpha", name="Alpha")
    assert client_as("viewer", project).get("/")["Location"] == "/p/alpha/overview/"


def test_home_without_a_project_says_who_can_help():
    assert b"An admin of a project adds you" in sign_in(make_user()).get("/").content


def test_refusals_are_not_logged_and_failures_are(caplog):
    project = make_project()
    client = client_as("viewer", project)
    client.raise_request_exception = False
    assert client.post(f"/p/{project.slug}/settings/members/add/").status_code == 403
    assert client.get("/no-such-page/").status_code == 404
    assert client.post("/profile/").status_code == 422
    assert not caplog.records
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE traces_apikey RENAME TO elsewhere")
    assert client.get(f"/p/{project.slug}/settings/keys/").status_code == 500
    assert [bool(record.exc_info) for record in caplog.records] == [True]


@pytest.mark.parametrize("path", ["/sign-in/", "/no-such-page/"])
def test_every_answer_forbids_inline_and_foreign_content(path):
    policy = Client().get(path)["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
