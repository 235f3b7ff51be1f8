"""Runs whose worker is lost again and again at the same place: given up, with an incident."""

from datetime import timedelta

import pytest
from django.db.models import F

from agents.models import Effect, Incident, Message, Run, Webhook
from agents.runtime.claim import claim_due_run
from agents.runtime.dead import MAX_RECOVERIES
from agents.runtime.loop import advance, advance_step
from agents.runtime.start import start_run
from tests.factories import client_as
from tests.model_server import model_server
from tests.outside import INPUT, WorkerLostError, lose_worker, till
from tests.shop import LOOK, make_shop_agent
from tests.test_outside_step import crash, start

pytestmark = pytest.mark.django_db


def given_up() -> Run:
    """Return a run whose worker was lost six times before its first step."""
    agent, version = make_shop_agent()
    run = start_run(agent=agent, version=version, run_input=INPUT)
    Webhook.objects.create(project=run.project, name="ops", url="https://ops.example/hook")
    for _ in range(MAX_RECOVERIES + 1):
        assert claim_due_run(run.pk)
        lose_worker(run)
    Run.objects.filter(pk=run.pk).update(lost_since=F("lost_since") - timedelta(minutes=1))
    advance(run.pk)
    run.refresh_from_db()
    return run


def test_run_lost_five_times_goes_on_and_the_sixth_time_is_given_up() -> None:
    with till(Effect.READ) as pay, model_server([pay.call], "Paid.") as server:
        pay.troubles = [("early", WorkerLostError())] * MAX_RECOVERIES
        run = start(server, pay)
        for _ in range(MAX_RECOVERIES):
            crash(run)
        advance(run.pk)
    run.refresh_from_db()
    assert (run.status, run.num_recoveries) == (Run.Status.COMPLETED, MAX_RECOVERIES)
    assert run.num_lost_in_row == 0
    assert given_up().failure == Run.Failure.LOST


def test_run_lost_six_times_within_a_minute_is_tried_again() -> None:
    with model_server([LOOK], "Pending.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=INPUT)
        for _ in range(MAX_RECOVERIES + 1):
            assert claim_due_run(run.pk)
            lose_worker(run)
        advance(run.pk)
    run.refresh_from_db()
    assert (run.status, run.lost_since) == (Run.Status.COMPLETED, None)


def test_recoveries_count_only_until_a_step_is_done() -> None:
    with model_server(*[[LOOK]] * MAX_RECOVERIES, "Pending.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=INPUT)
        for _ in range(MAX_RECOVERIES + 1):
            claim = claim_due_run(run.pk)
            assert claim
            advance_step(claim)
            lose_worker(run)
        advance(run.pk)
    run.refresh_from_db()
    assert (run.status, run.num_recoveries) == (Run.Status.COMPLETED, MAX_RECOVERIES + 1)


def test_dead_letter_opens_an_incident_and_is_told_in_the_same_transaction() -> None:
    run = given_up()
    incident = Incident.objects.get(project=run.project)
    assert (incident.source, incident.session) == (Incident.Source.DEAD_LETTER, run.session)
    assert "6 times" in incident.title
    (message,) = Message.objects.filter(event="run_dead")
    assert message.payload["run"] == str(run.pk)


def test_session_of_a_dead_letter_links_its_incident_and_is_marked_in_the_list() -> None:
    run = given_up()
    client = client_as("engineer", run.project)
    base = f"/p/{run.project.slug}"
    page = client.get(f"{base}/sessions/{run.session_id}/").content.decode()
    assert f"{base}/incidents/1/" in page
    assert "given up" in page
    assert f"{base}/sessions/{run.session_id}/retry/0/" in page
