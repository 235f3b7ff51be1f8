"""A golden test's form, versions, quarantine, archive, import and export on the screen."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents.errors import GoldenError
from agents.golden.content import content_of, hash_of
from agents.golden.edit import archive_test, edit_test, unarchive_test
from agents.golden.exchange import export_tests
from agents.golden.files import Format, readable
from agents.golden.runner import start_eval_run
from agents.golden.suites import lift_quarantine, quarantine_test
from agents.golden.versions import current_version
from agents.models import Agent, GoldenTest, GoldenTestVersion
from reviewdesk.people.roles import Role
from tests.factories import client_as, make_live, make_user, sign_in
from tests.golden import CALLS_CANCEL, make_test
from tests.shop import LOOK, ORDER, make_shop_agent

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def made(**overrides: Any) -> tuple[Agent, GoldenTest]:
    agent, _ = make_shop_agent()
    test = make_test(agent, **overrides)
    test.content_hash = hash_of(content_of(test))
    test.save(update_fields=["content_hash"])
    return agent, test


def url(name: str, agent: Agent, *args: Any) -> str:
    return reverse(f"golden:{name}", args=[agent.project.slug, *args])


def edit(test: GoldenTest, **changes: Any) -> GoldenTest:
    values: dict[str, Any] = {
        "title": test.title,
        "checks": test.checks,
        "severity": test.severity,
        "tags": test.tags,
        "reason": "Sharper.",
        "by": make_user(),
        **changes,
    }
    return edit_test(test=test, **values)


def tomorrow(days: int = 1) -> Any:
    return timezone.now().date() + timedelta(days=days)


# versions


def test_change_of_content_is_a_version_and_a_change_of_name_is_none() -> None:
    _, test = made()
    edit(test, title="Another title", suite="edge", is_critical=True)
    assert GoldenTestVersion.objects.count() == 0  # a test written as a row has none yet
    edit(test, checks=[CALLS_CANCEL])
    edit(test, checks=[CALLS_CANCEL], on_missing="read")
    test.refresh_from_db()
    assert (test.number, test.suite, test.is_critical) == (3, "edge", True)
    assert [len(each.content["checks"]) for each in test.versions.order_by("number")] == [2, 1, 1]
    assert current_version(test).content["on_missing"] == "read"


def test_written_version_cannot_be_changed() -> None:
    _, test = made()
    version = current_version(test)
    with pytest.raises(Exception, match="Cannot update"), transaction.atomic():
        GoldenTestVersion.objects.filter(pk=version.pk).update(content={})


def test_versions_are_shown_with_what_changed_and_the_runs_that_pinned_them() -> None:
    agent, test = made()
    make_live(agent.versions.get())
    eval_run = start_eval_run(version=agent.versions.get(), tests=[test], by=make_user())
    edit(test, checks=[CALLS_CANCEL])
    client = client_as(Role.VIEWER, agent.project)
    text = client.get(url("history", agent, test.pk)).content.decode()
    assert "From version 1 to 2" in text
    assert "<del>" in text
    assert f"{eval_run.pk} on v" in text
    fragment = client.get(url("history", agent, test.pk) + "?before=1&after=9", headers=HTMX)
    assert b"From version" not in fragment.content
    assert b"<html" not in fragment.content


def test_versions_ask_as_many_queries_for_many_as_for_few() -> None:
    agent, test = made()
    client = client_as(Role.VIEWER, agent.project)
    counts = []
    for limit in (5, 9):
        edit(test, checks=[{"kind": "at_most_steps", "limit": limit}])
        with CaptureQueriesContext(
            connection,
        ) as caught:
            client.get(url("history", agent, test.pk) + "?before=1&after=2")
        counts.append(len(caught))
    edit(test, checks=[{"kind": "at_most_steps", "limit": 12}])
    assert counts[0] == counts[1]


# the form


def filled(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Asks first",
        "suite": "edge",
        "is_critical": "on",
        "severity": "major",
        "reason": "It did not ask.",
        "check-0-kind": "handed_over",
        "check-0-expected": "no",
        **changes,
    }


def test_form_saves_every_part() -> None:
    agent, test = made(input={"messages": [{"role": "user", "content": "Hi"}], "turns": ["Yes"]})
    user = make_user(Role.ENGINEER, agent.project)
    form = filled(
        **{
            "owner_id": str(user.pk),
            "expect-kind": ["must", "must_not"],
            "expect-text": ["Ask first", ""],
            "customer": "scripted",
            "line-when": ["order number", ""],
            "line-say": ["#T1", ""],
            "turn": ["Yes"],
            "on-missing": "simulate",
            "rule-tool": ["get_order_details"],
            "rule-where": ['{"order_id": "#T*"}'],
            "rule-outcome": ["error"],
            "rule-answer": ["It is away"],
        }
    )
    response = sign_in(user).post(url("edit", agent, test.pk), form)
    assert response.status_code == 303, response.content.decode()
    test.refresh_from_db()
    assert (test.suite, test.is_critical, test.owner_id) == ("edge", True, user.pk)
    assert test.expectations == [{"kind": "must", "text": "Ask first"}]
    assert test.customer == {"kind": "scripted", "lines": [{"when": "order number", "say": "#T1"}]}
    assert test.input["turns"] == []
    assert test.rules == [
        {"tool": "get_order_details", "where": {"order_id": "#T*"}, "error": "It is away"}
    ]
    shown = sign_in(user).get(url("edit", agent, test.pk)).content.decode()
    assert "It is away" in shown
    assert 'value="scripted" checked' in shown


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"customer": "scripted"}, "has no lines"),
        ({"customer": "simulated", "goal": "x", "customer-model": "m", "max-turns": "99"}, "99"),
        (
            {"customer": "simulated", "goal": "x", "customer-model": "m", "max-turns": "9" * 5000},
            "choose 1 to 50",
        ),
        ({"on-missing": "simulate"}, "there is none"),
        ({"rule-tool": ["a"], "rule-where": ["{"], "rule-outcome": ["result"],
          "rule-answer": [""]}, "Rule 1: its arguments: this is not JSON"),
        ({"expect-kind": ["may"], "expect-text": ["Ask"]}, "must or must_not"),
    ],
)  # fmt: skip
def test_part_that_cannot_be_used_is_refused_with_the_reason(
    changes: dict[str, Any], message: str
) -> None:
    agent, test = made()
    client = client_as(Role.ENGINEER, agent.project)
    response = client.post(url("edit", agent, test.pk), filled(**changes), headers=HTMX)
    assert (response.status_code, message in response.content.decode()) == (422, True)
    test.refresh_from_db()
    assert test.number == 1


@pytest.mark.parametrize(
    ("button", "shown"),
    [("add-expectation", "Expectation 1"), ("add-line", "line-when"), ("add-rule", "rule-tool")],
)
def test_rows_are_added_without_saving(button: str, shown: str) -> None:
    agent, test = made()
    client = client_as(Role.ENGINEER, agent.project)
    response = client.post(url("edit", agent, test.pk), filled(**{button: "1"}), headers=HTMX)
    assert (response.status_code, shown in response.content.decode()) == (200, True)


def test_fixtures_are_edited_as_yaml_and_stay_where_nothing_is_changed() -> None:
    fixture = {"tool": LOOK[0], "arguments": LOOK[1], "result": {**ORDER, "note": "a\nb"}}
    agent, test = made(fixtures=[fixture], checks=[{"kind": "handed_over", "expected": False}])
    client = client_as(Role.ENGINEER, agent.project)
    address = url("edit", agent, test.pk)
    text = readable(test.fixtures).replace("\n", "\r\n")
    client.post(address, filled(fixtures=text, turn="Yes, please."))
    test.refresh_from_db()
    assert (test.number, test.fixtures) == (1, [fixture])
    client.post(address, filled(fixtures=text.replace("pending", "shipped"), turn="Yes, please."))
    test.refresh_from_db()
    assert (test.number, test.fixtures[0]["result"]["status"]) == (2, "shipped")
    refused = client.post(address, filled(fixtures="- tool: fly\n  result: 1"), headers=HTMX)
    assert (refused.status_code, b"no tool called" in refused.content) == (422, True)
    refused = client.post(address, filled(fixtures="a: [1"), headers=HTMX)
    assert b"The fixtures: Line" in refused.content


# quarantine and archive


def test_test_is_set_aside_until_a_day_with_a_reason_and_counts_again() -> None:
    agent, test = made()
    client = client_as(Role.ENGINEER, agent.project)
    address = url("quarantine", agent, test.pk)
    response = client.post(address, {"until": tomorrow(7).isoformat(), "reason": "Flaky."})
    assert (response.status_code, response["Location"]) == (303, url("test", agent, test.pk))
    text = client.get(response["Location"]).content.decode()
    assert "Flaky." in text
    client.post(url("end_quarantine", agent, test.pk))
    test.refresh_from_db()
    assert (test.quarantined_until, test.quarantine_reason) == (None, "")


@pytest.mark.parametrize(
    ("until", "reason", "message"),
    [
        ("", "Flaky.", "Choose the day"),
        ("soon", "Flaky.", "such as 2026-12-31"),
        (tomorrow(0).isoformat(), "Flaky.", "choose a day from tomorrow"),
        (tomorrow(91).isoformat(), "Flaky.", "choose a day from tomorrow"),
        (tomorrow().isoformat(), " ", "Say why the test is set aside"),
    ],
)
def test_bad_quarantine_is_refused_with_the_reason(until: str, reason: str, message: str) -> None:
    agent, test = made()
    client = client_as(Role.ENGINEER, agent.project)
    given = {"until": until, "reason": reason}
    response = client.post(url("quarantine", agent, test.pk), given, headers=HTMX)
    assert (response.status_code, message in response.content.decode()) == (422, True)


def test_database_takes_no_quarantine_without_a_reason() -> None:
    _, test = made()
    with pytest.raises(IntegrityError), transaction.atomic():
        GoldenTest.objects.filter(pk=test.pk).update(quarantined_until=tomorrow())


def test_quarantine_lifted_twice_is_told() -> None:
    agent, test = made()
    by = make_user()
    quarantine_test(test=test, until=tomorrow(), reason="Flaky.", by=by)
    lift_quarantine(test=test, by=by)
    client = client_as(Role.ENGINEER, agent.project)
    response = client.post(url("end_quarantine", agent, test.pk), headers=HTMX)
    assert (response.status_code, b"is not in quarantine" in response.content) == (409, True)


def test_archived_test_is_taken_up_again_with_a_reason() -> None:
    agent, test = made()
    archive_test(test=test, reason="Old.", by=make_user())
    client = client_as(Role.ENGINEER, agent.project)
    refused = client.post(url("unarchive", agent, test.pk), headers=HTMX)
    assert (refused.status_code, b"Say why the test is taken up" in refused.content) == (422, True)
    client.post(url("unarchive", agent, test.pk), {"reason": "It came back."})
    test.refresh_from_db()
    assert test.archived_at is None
    with pytest.raises(GoldenError, match="is not archived"):
        unarchive_test(test=test, reason="Again.", by=make_user())


# import and export


def test_tests_are_exported_as_a_selection() -> None:
    agent, test = made()
    other = make_test(agent, suite="edge")
    client = client_as(Role.REVIEWER, agent.project)
    everything = client.get(url("export", agent))
    assert everything["Content-Disposition"] == 'attachment; filename="golden-tests-shop.jsonl"'
    assert everything.content.decode() == export_tests([test, other], Format.JSONL)
    chosen = client.get(url("export", agent) + f"?format=yaml&test={other.pk}").content.decode()
    assert chosen == export_tests([other], Format.YAML)
    by_suite = client.get(url("export", agent) + "?suite=edge").content.decode()
    assert by_suite == export_tests([other], Format.JSONL)
    assert client.get(url("export", agent) + f"?test={'9' * 5000}").status_code == 200


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT])
def test_what_customers_really_said_is_not_exported_by_who_only_reads(role: Role) -> None:
    agent, test = made()
    client = client_as(role, agent.project)
    refused = client.get(url("export", agent) + f"?test={test.pk}")
    assert (refused.status_code, b"reviewer, engineer, lead or admin" in refused.content) == (
        403,
        True,
    )
    for page in ("exchange", "test", "index"):
        shown = client.get(url(page, agent, *([test.pk] if page == "test" else [])))
        assert (shown.status_code, url("export", agent) in shown.content.decode()) == (200, False)
    may = client_as(Role.REVIEWER, agent.project).get(url("exchange", agent)).content.decode()
    assert f'action="{url("export", agent)}"' in may


def test_file_is_looked_at_before_it_is_imported() -> None:
    agent, test = made()
    text = export_tests([test], Format.YAML).replace(test.slug, "another")
    client = client_as(Role.REVIEWER, agent.project)
    address = url("exchange", agent)
    checked = client.post(
        address, {"agent": "shop", "file": SimpleUploadedFile("t.yaml", text.encode())}
    )
    assert "1 new test" in checked.content.decode()
    assert GoldenTest.objects.count() == 1
    response = client.post(address, {"agent": "shop", "written": text, "confirm": "1"})
    assert (response.status_code, GoldenTest.objects.count()) == (303, 2)
    again = client.post(address, {"agent": "shop", "written": text}).content.decode()
    assert "Nothing to import" in again


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"written": ""}, "Choose a file"),
        ({"written": "- slug: a"}, "Entry 1 (line 1):"),
        ({"file": SimpleUploadedFile("t", b"\xff\xfe")}, "not UTF-8"),
        ({"file": SimpleUploadedFile("t", b" " * 2_000_001)}, "2,000,000 at most"),
    ],
)
def test_bad_file_is_refused_with_the_reason(given: dict[str, Any], message: str) -> None:
    agent, _ = made()
    client = client_as(Role.REVIEWER, agent.project)
    response = client.post(url("exchange", agent), {"agent": "shop", "confirm": "1", **given})
    assert (response.status_code, message in response.content.decode()) == (422, True)
    assert GoldenTest.objects.count() == 1


def test_shell_exports_and_imports(tmp_path: Any, capsys: Any) -> None:
    agent, test = made()
    by = make_user()
    place = {"project": agent.project.slug, "agent": "shop"}
    call_command("golden_tests", "export", **place)
    text = capsys.readouterr().out
    assert text == export_tests([test], Format.JSONL)
    path = tmp_path / "tests.jsonl"
    path.write_text(text.replace(test.slug, "another"))
    call_command("golden_tests", "import", str(path), check=True, **place)
    call_command("golden_tests", "import", str(path), by=by.email, **place)
    assert "1 would be new" in capsys.readouterr().out
    assert GoldenTest.objects.get(slug="another").promoted_by_id == by.pk
    path.write_text("{}")
    with pytest.raises(CommandError, match="Nothing was imported"):
        call_command("golden_tests", "import", str(path), by=by.email, **place)


# who may

POSTS = ["unarchive", "quarantine", "end_quarantine"]


def test_only_members_who_may_promote_change_a_tests_standing() -> None:
    agent, test = made()
    viewer, admin = (client_as(role, agent.project) for role in (Role.VIEWER, Role.ADMIN))
    stranger = sign_in(make_user(Role.ADMIN))
    for name in POSTS:
        address = url(name, agent, test.pk)
        assert viewer.post(address).status_code == 403, name
        assert admin.get(address).status_code == 405, name
        assert stranger.post(address).status_code == 404, name
    assert viewer.post(url("exchange", agent), {"agent": "shop"}).status_code == 403
    for name, args in (("history", [test.pk]), ("exchange", [])):
        assert stranger.get(url(name, agent, *args)).status_code == 404, name
        assert viewer.get(url(name, agent, *args)).status_code == 200, name
    assert "takes the role reviewer" in viewer.get(url("exchange", agent)).content.decode()
