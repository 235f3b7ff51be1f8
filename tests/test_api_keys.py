"""API keys: shown once, stored as a digest, useless once revoked."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.factories import make_project, make_user
from traces.api_keys import create_key, project_for_key, revoke_key
from traces.errors import TracesError
from traces.models import ApiKey

pytestmark = pytest.mark.django_db


def run_command(**options: str) -> str:
    out = io.StringIO()
    call_command("create_api_key", stdout=out, **options)
    return out.getvalue()


def test_a_key_finds_its_project():
    project = make_project()
    key = create_key(project=project, name="shop backend")
    assert key.startswith("rd_")
    assert len(key) == 43
    assert project_for_key(key).project == project


def test_only_a_digest_is_stored():
    key = create_key(project=make_project(), name="shop backend")
    row = ApiKey.objects.values().get()
    assert key not in str(row)
    assert key.startswith(row["prefix"])
    assert len(row["prefix"]) < 12


@pytest.mark.parametrize("wrong", ["", "rd_", "rd_" + "x" * 40, "\ud800", "é" * 43])
def test_an_unknown_key_finds_nothing(wrong):
    create_key(project=make_project(), name="shop backend")
    assert project_for_key(wrong) is None


def test_a_revoked_key_finds_nothing():
    key = create_key(project=make_project(), name="shop backend")
    row = revoke_key(api_key=ApiKey.objects.get(), by=make_user())
    assert row.revoked_at
    assert project_for_key(key) is None


def test_revoking_again_keeps_the_first_time():
    create_key(project=make_project(), name="shop backend")
    first = revoke_key(api_key=ApiKey.objects.get())
    assert revoke_key(api_key=first).revoked_at == first.revoked_at


def test_making_and_revoking_stand_in_the_audit_trail():
    user = make_user()
    create_key(project=make_project(), name="shop backend", created_by=user)
    revoke_key(api_key=ApiKey.objects.get(), by=user)
    events = ApiKey.pgh_event_model.objects.order_by("pgh_id")
    assert [e.pgh_context.metadata["action"] for e in events] == [
        "create API key",
        "revoke API key",
    ]
    assert {event.pgh_context.metadata["user"] for event in events} == {user.pk}


def test_use_is_noted_once_a_minute():
    key = create_key(project=make_project(), name="shop backend")
    project_for_key(key)
    first = ApiKey.objects.get().last_used_at
    project_for_key(key)
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    project_for_key(key)
    assert ApiKey.objects.get().last_used_at >= first


def test_a_key_needs_a_name():
    with pytest.raises(TracesError, match="name"):
        create_key(project=make_project(), name="  ")


def test_command_prints_the_key_and_nothing_else():
    project = make_project()
    printed = run_command(project=project.slug, name="nightly job")
    assert printed.count("\n") == 1
    assert project_for_key(printed.strip()).name == "nightly job"


def test_command_names_the_projects_there_are():
    make_project(slug="shop")
    with pytest.raises(CommandError, match="no project 'nope'; there are: shop"):
        run_command(project="nope")


def test_command_takes_arguments_that_are_no_utf_8():
    project = make_project(slug="shop")
    with pytest.raises(CommandError, match=r"no project 'a\\udcff'; there are: shop"):
        run_command(project="a\udcff")
    key = run_command(project="shop", name="job \udcff").strip()
    assert project_for_key(key).name == "job \N{REPLACEMENT CHARACTER}"
    assert project_for_key(key).project == project
