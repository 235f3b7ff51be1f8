"""Erasure: one person's data goes, everywhere, and the record does not name them."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from agents.erasure import erase_person, golden_tests_of
from agents.gate.decision import Decision
from agents.gate.run import settle_gates, start_gate
from agents.models import Gate, GoldenTest, Run, Step
from reviewdesk.people.roles import Role
from tests.factories import (
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
