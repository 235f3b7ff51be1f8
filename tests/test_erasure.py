"""Erasure: one person's data goes, everywhere, and the record does not name them."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.urls import reverse

from agents.erasure import erase_person, golden_tests_of
from agents.gate.decision import Decision
from agents.gate.run import settle_gates, start_gate
from agents.golden.edit import edit_test
from agents.models import Gate, GoldenTest, Run, Step
from reviewdesk.people.roles import Role
from tests.factories import (
    client_as,
    customer_span,
    make_agent,
    make_label,
    make_project,
    make_run,
    make_session,
    make_user,
)
from tests.gate import answer, make_sound_test
from tests.shop import make_shop_agent, make_shop_version
from traces.errors import ErasureError
from traces.models import Erasure, Label, Project, Session, Span
from traces.redaction import masker_for

pytestmark = pytest.mark.django_db

MAIL = "quinn.abara@mail.example"


def of_customer(project: Project, customer: str = "quinn_7", **overrides: Any) -> Session:
    spans = [customer_span("My name is Quinn Abara.")]
    values = {"source": Session.Source.OTLP, "spans": spans, "customer": customer}
    return make_session(project, **{**values, **overrides})


def erase(project: Project, customer: str = "quinn_7", **overrides: Any) -> Erasure:
    values: dict[str, Any] = {"by": None, "reason": "They asked for it."}
    return erase_person(project=project, customer=customer, **{**values, **overrides})


def tables_with(text: str) -> list[str]:
    """Return the tables in which a text stands anywhere."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') "
            "AND relnamespace = 'public'::regnamespace AND NOT relispartition"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f'SELECT EXISTS (SELECT FROM "{table}" AS t WHERE t::text LIKE %s)',  # noqa: S608
                [f"%{text}%"],
            )
            if cursor.fetchone() == (True,):
                found.append(table)
    return found


def test_all_sessions_of_the_customer_go_and_others_stay() -> None:
    project = make_project()
    of_customer(project)
    of_customer(project)
    other = of_customer(project, "somebody_else")
    erasure = erase(project)
    assert (erasure.num_sessions, erasure.num_spans) == (2, 4)
    assert list(Session.objects.values_list("pk", flat=True)) == [other.pk]
    assert set(Span.objects.values_list("session_id", flat=True)) == {other.pk}


def test_same_customer_of_another_project_stays() -> None:
    other = of_customer(make_project())
    of_customer(project := make_project())
    erase(project)
    assert Session.objects.filter(pk=other.pk).exists()


def test_customer_is_found_by_the_id_as_sent_and_as_stored() -> None:
    project = make_project()
    of_customer(project, MAIL)
    stored = Session.objects.get().customer
    assert MAIL not in stored
    first = erase(project, MAIL.upper())
    of_customer(project, MAIL)
    second = erase(project, stored)
    assert first.customer_digest == second.customer_digest


def test_nothing_of_what_was_said_is_left_in_any_table() -> None:
    project = make_project()
    session = of_customer(project)
    label = make_label(session, comment="Quinn Abara was angry.")
    label.comment = "Quinn Abara was very angry."
    label.save()
    assert "traces_labelevent" in tables_with("Quinn Abara")
    erase(project)
    assert tables_with("Quinn Abara") == []
    assert not Label.objects.exists()


def test_trail_keeps_who_labelled_and_when() -> None:
    project = make_project()
    label = make_label(of_customer(project), comment="Quinn Abara was angry.")
    erase(project)
    events = Label.pgh_event_model.objects.filter(pgh_obj_id=label.pk)
    assert {event.author_id for event in events} == {label.author_id}
    assert {event.comment for event in events} == {"(erased on request)"}


def test_trail_is_kept_again_after_the_erasure() -> None:
    project = make_project()
    make_label(of_customer(project), comment="Quinn Abara was angry.")
    erase(project)
    with pytest.raises(ProgrammingError, match="Cannot update"), transaction.atomic():
        Label.pgh_event_model.objects.update(comment="")


def test_run_and_its_journal_go_too() -> None:
    agent = make_agent()
    session = of_customer(agent.project, source=Session.Source.RUNTIME)
    run = make_run(
        agent, session=session, status=Run.Status.COMPLETED, finished_at=session.ended_at
    )
    erasure = erase(agent.project)
    assert erasure.details["runs"] == 1
    assert not Run.objects.filter(pk=run.pk).exists()
    assert not Step.objects.exists()


def test_run_under_way_stands_in_the_way() -> None:
    agent = make_agent()
    make_run(agent, session=of_customer(agent.project, source=Session.Source.RUNTIME))
    with pytest.raises(ErasureError, match="under way"):
        erase(agent.project)
    assert Session.objects.exists()


def make_test_of(session: Session) -> GoldenTest:
    return GoldenTest.objects.create(
        agent=make_agent(session.project),
        slug="t",
        title="Quinn Abara asks",
        input={"messages": [{"role": "user", "content": "I am Quinn Abara."}], "turns": []},
        checks=[],
        source_session=session,
    )


def test_golden_test_is_named_and_nothing_is_deleted() -> None:
    project = make_project()
    session = of_customer(project)
    test = make_test_of(session)
    assert golden_tests_of(project=project, customer="quinn_7") == [test]
    with pytest.raises(ErasureError, match="1 golden tests were made"):
        erase(project)
    assert Session.objects.filter(pk=session.pk).exists()


def test_golden_test_is_deleted_where_that_is_asked_for() -> None:
    project = make_project()
    make_test_of(of_customer(project))
    erasure = erase(project, with_tests=True)
    assert erasure.details["golden_tests"] == 1
    assert tables_with("Quinn Abara") == []


def test_trail_and_gates_of_a_deleted_golden_test_say_nothing_of_the_person() -> None:
    agent, _ = make_shop_agent()
    named: dict[str, Any] = {
        "slug": "quinn-abara",
        "title": "Quinn Abara asks",
        "expectations": [{"kind": "must", "text": "greet Quinn Abara"}],
        "customer": {"kind": "simulated", "goal": "I am Quinn Abara", "model": "m", "max_turns": 1},
        "rules": [{"tool": "t", "where": {}, "result": "Quinn Abara"}],
        "quarantine_reason": "Quinn Abara",
        "is_critical": True,
        "source_session": of_customer(agent.project),
    }
    make_sound_test(agent, 1, **named)
    gate = start_gate(candidate=make_shop_version(agent), by=None, seed=7)
    while gate.status == Gate.Status.RUNNING:
        answer(gate, now="f", before="p")
        settle_gates()
        gate.refresh_from_db()
    assert "agents_gate" in tables_with("Quinn Abara")
    erase(agent.project, with_tests=True)
    assert tables_with("Quinn Abara") == tables_with("quinn-abara") == []
    gate.refresh_from_db()
    assert Decision.from_json(gate.result).outcome == "failed"


CLEAN = {"messages": [{"role": "user", "content": "Where is it?"}], "turns": []}


def make_edited_test(**changes: Any) -> GoldenTest:
    """Make a test of Quinn's session, take it through a gate, and edit it."""
    agent, _ = make_shop_agent()
    said = {"messages": [{"role": "user", "content": "I am Quinn Abara"}], "turns": []}
    named: dict[str, Any] = {"title": "Quinn Abara asks", "input": said, "is_critical": True}
    test = make_sound_test(agent, 1, **named, source_session=of_customer(agent.project))
    gate = start_gate(candidate=make_shop_version(agent), by=None, seed=7)
    while gate.status == Gate.Status.RUNNING:
        answer(gate, now="f", before="p")
        settle_gates()
        gate.refresh_from_db()
    values: dict[str, Any] = {"severity": "major", "tags": [], "reason": "It did not ask."}
    edited = {"title": "Asks first", "checks": test.checks, "run_input": CLEAN, **changes}
    test = edit_test(test=test, by=make_user(), **{**values, **edited})
    Run.objects.update(status=Run.Status.COMPLETED, finished_at=test.updated_at)
    return test


def test_edited_test_keeps_what_it_says_now_and_nothing_else() -> None:
    test = make_edited_test()
    words_of_quinn = tables_with("Quinn Abara")
    assert {"agents_goldentestversion", "agents_goldentestevent", "agents_run"} <= {*words_of_quinn}
    erasure = erase(test.agent.project, with_old_versions=True)
    assert tables_with("Quinn Abara") == []
    first, second = test.versions.order_by("number")
    assert (first.content["input"], second.content["input"]) == ("erased on request", CLEAN)
    assert (test.results.count(), Run.objects.count()) == (0, 0)
    event = test.pgh_event_model.objects.order_by("pgh_id").first()
    assert (event.title, event.input) == ("(erased on request)", "erased on request")
    counted = {"golden_tests_kept", "golden_test_versions", "golden_test_runs"}
    assert counted <= {*erasure.details}
    kept = Erasure.pgh_event_model.objects.get(pgh_obj_id=erasure.pk).details
    assert kept["golden_test_versions"] == 1
    with pytest.raises(ProgrammingError, match="Cannot update"), transaction.atomic():
        test.versions.update(content={})


def test_test_that_says_every_word_is_not_kept() -> None:
    said = {"messages": [{"role": "user", "content": "I am Quinn Abara"}], "turns": []}
    test = make_edited_test(run_input=said)
    with pytest.raises(ErasureError, match="“Asks first” still says every word"):
        erase(test.agent.project, with_old_versions=True)
    assert Session.objects.filter(customer="quinn_7").exists()
    make_test_of(of_customer(project := make_project()))
    with pytest.raises(ErasureError, match="still says every word"):
        erase(project, with_old_versions=True)


def test_old_version_that_is_being_run_stands_in_the_way() -> None:
    test = make_edited_test()
    Run.objects.update(status=Run.Status.QUEUED, finished_at=None)
    with pytest.raises(ErasureError, match="old version of these golden tests is being run"):
        erase(test.agent.project, with_old_versions=True)


def test_page_says_what_stays_and_what_may_be_done_about_it() -> None:
    test = make_edited_test()
    project = test.agent.project
    client = client_as(Role.ADMIN, project)
    address = reverse("settings:retention", args=[project.slug])
    page = client.get(f"{address}?customer=quinn_7").content.decode()
    assert "0 of 1 messages and 0 of 0 fixtures are as they were recorded" in page
    asked = {"customer": "quinn_7", "typed": "quinn_7", "reason": "Asked."}
    erase_url = reverse("settings:erase_customer", args=[project.slug])
    refused = client.post(erase_url, asked)
    said = "leaves the words in its old versions, in the trail and in its runs"
    assert (refused.status_code, said in refused.content.decode()) == (422, True)
    assert client.post(erase_url, {**asked, "tests": "clear"}).status_code in {302, 303}
    history = client.get(reverse("golden:history", args=[project.slug, test.pk]))
    assert "erased on request" in history.content.decode()
    assert "What changed</a>" not in history.content.decode()


def test_record_holds_counts_and_a_digest_and_not_the_id() -> None:
    project = make_project()
    admin = make_user(Role.ADMIN, project)
    of_customer(project)
    erasure = erase(project, by=admin)
    assert (erasure.by_id, erasure.reason) == (admin.pk, "They asked for it.")
    assert erasure.customer_digest == masker_for(project).digest("quinn_7")
    assert tables_with("quinn_7") == []


@pytest.mark.parametrize(
    ("customer", "reason"), [("nobody", "Why not"), ("", "Why not"), ("quinn_7", " ")]
)
def test_unknown_customer_or_missing_reason_is_refused(customer: str, reason: str) -> None:
    of_customer(project := make_project())
    with pytest.raises(ErasureError):
        erase(project, customer, reason=reason)
    assert Session.objects.count() == 1


def test_command_deletes_and_says_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    of_customer(project := make_project())
    call_command("erase_customer", project=project.slug, customer="quinn_7", reason="Asked.")
    assert "Deleted 1 sessions, 2 spans, 0 labels." in capsys.readouterr().out


def test_command_says_why_it_cannot() -> None:
    with pytest.raises(CommandError, match="no session of the customer"):
        call_command("erase_customer", project=make_project().slug, customer="x", reason="Asked.")
