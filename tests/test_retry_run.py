"""Retrying a run from a step: what is copied, what is done anew, and what people are told."""

from datetime import timedelta

import pytest
from django.test import Client

from agents.errors import RunError
from agents.models import Level, Run, ShopWrite, Step
from agents.runtime.loop import advance
from agents.runtime.retry import later_effects, resume_index, retry_from
from agents.runtime.start import request_cancel, start_run
from tests.factories import add_member, client_as, make_user, sign_in
from tests.model_server import ModelServer, model_server
from tests.outside import INPUT, till
from tests.shop import CANCEL, LOOK, lift_for, make_shop_agent
from tests.test_outside_step import again, start, step_of
from traces.models import Session, Span

pytestmark = pytest.mark.django_db
READ_BACK = ("get_order_details", {"order_id": "#T1"})


def finished(server: ModelServer) -> Run:
    """Run a session that looks, cancels, and answers."""
    agent, version = make_shop_agent(server.base_url)
    lift_for(agent)
    run = start_run(agent=agent, version=version, run_input=INPUT)
    return again(run)


def retry(run: Run, index: int) -> Run:
    new = retry_from(run=run, index=index, by=make_user(name="Ada"), reason="It went wrong.")
    return again(new)


def test_what_came_before_the_step_is_copied_and_not_done_again() -> None:
    with model_server([CANCEL], "Done.", [READ_BACK], "It is cancelled.") as server:
        run = finished(server)
        new = retry(run, 2)
        assert len(server.requests) == 4, "the first answer was not asked for again"
    assert new.status == Run.Status.COMPLETED
    assert ShopWrite.objects.filter(run=run, kind="order").count() == 1
    (write,) = ShopWrite.objects.filter(run=new, kind="order")
    assert write.effect_key == f"{new.pk}:1"
    assert new.steps.get(index=3).response["result"]["status"] == "cancelled"


def test_step_itself_is_done_anew_under_a_new_key() -> None:
    with till() as pay, model_server([pay.call], "Paid.", "Paid again.") as server:
        run = again(start(server, pay))
        new = retry(run, 1)
    assert pay.keys == [f"{run.pk}:1", f"{new.pk}:1"]


def test_who_when_why_and_from_where_are_kept_with_the_new_run() -> None:
    with model_server([LOOK], "Pending.") as server:
        run = finished(server)
        new = retry(run, 1)
    assert (new.retried_from, new.retried_from_index) == (run, 1)
    assert (new.retry_reason, str(new.started_by)) == ("It went wrong.", "Ada")
    assert new.version == run.version
    assert new.session.metadata["retried_from"] == str(run.session_id)


def test_copied_steps_cost_nothing_again() -> None:
    with model_server([LOOK], "Pending.") as server:
        run = finished(server)
        new = retry(run, 2)
    copied = Span.objects.filter(session=new.session, attributes__has_key="copied_from")
    assert [span.kind for span in copied.order_by("start_ns")] == ["model", "tool"]
    assert {span.input_tokens for span in copied} == {None}
    new.session.refresh_from_db()
    assert new.session.input_tokens == 100, "of the one answer that was asked for"


def test_retry_in_the_middle_of_a_turn_keeps_the_calls_before_it() -> None:
    with till() as first, till() as second, model_server([first.call, second.call], "Ok") as server:
        agent, version = make_shop_agent(
            server.base_url, **{first.name: "autonomous", second.name: "autonomous"}
        )
        run = again(start_run(agent=agent, version=version, run_input=INPUT))
        new = retry(run, 2)
    assert (len(first.keys), len(second.keys)) == (1, 2)
    assert new.status == Run.Status.COMPLETED


def test_later_effects_are_those_that_changed_something() -> None:
    with model_server([LOOK, CANCEL], "Done.") as server:
        run = finished(server)
    assert [step.name for step in later_effects(run, 0)] == ["cancel_pending_order"]
    assert later_effects(run, 3) == []


def test_run_that_was_lost_too_often_is_helped_back() -> None:
    with model_server([LOOK], "Pending.") as server:
        agent, version = make_shop_agent(server.base_url)
        run = start_run(agent=agent, version=version, run_input=INPUT)
        Run.objects.filter(pk=run.pk).update(
            num_lost_in_row=6, lost_since=run.created_at - timedelta(hours=1)
        )
        advance(run.pk)
        run.refresh_from_db()
        assert run.failure == Run.Failure.LOST
        assert retry(run, 0).status == Run.Status.COMPLETED


def test_run_that_broke_off_is_retried_from_there() -> None:
    with till() as pay, model_server([LOOK], [pay.call], "Paid.") as server:
        agent, version = make_shop_agent(server.base_url, **{pay.name: Level.APPROVE})
        run = again(start_run(agent=agent, version=version, run_input=INPUT))
        request_cancel(run=run, by=make_user())
        run.refresh_from_db()
        assert resume_index(run) == 3
        new = retry(run, 3)
    assert (new.status, new.parked_for) == (Run.Status.WAITING, Run.Parked.APPROVAL)
    assert len(server.requests) == 2


@pytest.mark.parametrize(("index", "problem"), [(9, "no step 9"), (3, "Nothing is left to do")])
def test_step_that_is_not_there_is_refused(index: int, problem: str) -> None:
    with model_server([LOOK], "Pending.") as server:
        run = finished(server)
    with pytest.raises(RunError, match=problem):
        retry(run, index)
    assert Run.objects.count() == 1


def test_run_in_progress_and_golden_test_are_not_retried() -> None:
    agent, version = make_shop_agent()
    run = start_run(agent=agent, version=version, run_input=INPUT)
    with pytest.raises(RunError, match="has not ended"):
        retry(run, 0)
    Run.objects.filter(pk=run.pk).update(kind=Run.Kind.GOLDEN)
    with pytest.raises(RunError, match="start it again as a whole"):
        retry(run, 0)


def test_reason_is_needed() -> None:
    with model_server([LOOK], "Pending.") as server:
        run = finished(server)
    with pytest.raises(RunError, match="Say why"):
        retry_from(run=run, index=1, by=make_user(), reason=" ")


def url(run: Run, index: int) -> str:
    return f"/p/{run.project.slug}/sessions/{run.session_id}/retry/{index}/"


def engineer_of(run: Run) -> Client:
    return client_as("engineer", run.project)


def test_page_tells_what_stays_done_before_it_starts() -> None:
    with model_server([CANCEL], "Done.") as server:
        run = finished(server)
    page = engineer_of(run).get(url(run, 1)).content.decode()
    assert "1 effect of this run from step 1 on stays done." in page
    assert "cancel_pending_order" in page
    assert Run.objects.count() == 1


def test_page_starts_the_retry_and_both_sessions_name_each_other() -> None:
    with model_server([LOOK], "Pending.") as server:
        run = finished(server)
    client = engineer_of(run)
    answer = client.post(url(run, 1), {"reason": "Look again."})
    new = Run.objects.exclude(pk=run.pk).get()
    assert answer.headers["location"].endswith(f"/sessions/{new.session_id}/")
    assert "Retried from step 1 of" in client.get(answer.headers["location"]).content.decode()
    assert (
        "Retried:"
        in client.get(
            answer.headers["location"].replace(str(new.session_id), str(run.session_id))
        ).content.decode()
    )


def test_page_without_a_reason_is_shown_again() -> None:
    with model_server([LOOK], "Pending.") as server:
        run = finished(server)
    answer = engineer_of(run).post(url(run, 1), {"reason": ""})
    assert answer.status_code == 422
    assert "Say why" in answer.content.decode()


def test_page_of_a_step_that_cannot_be_retried_says_why() -> None:
    with model_server([LOOK], "Pending.") as server:
        run = finished(server)
    page = engineer_of(run).get(url(run, 3)).content.decode()
    assert "Nothing is left to do from step 3" in page


def test_viewer_and_stranger_cannot_retry() -> None:
    with model_server([LOOK], "Pending.") as server:
        run = finished(server)
    assert client_as("viewer", run.project).get(url(run, 1)).status_code == 403
    stranger = make_user("lead")
    assert sign_in(stranger).get(url(run, 1)).status_code == 404


def test_each_step_of_an_ended_run_can_be_retried_from_its_page() -> None:
    with model_server([LOOK], "Pending.") as server:
        run = finished(server)
    person = make_user()
    add_member(user=person, project=run.project)
    base = f"/p/{run.project.slug}/sessions/{run.session_id}/"
    assert "Retry from here" in sign_in(person).get(base).content.decode()
    span = Span.objects.get(session=run.session, kind="tool")
    page = sign_in(person).get(f"{base}spans/{span.span_id}/").content.decode()
    assert f"{base}retry/1/" in page
    assert step_of(run).status == Step.Status.DONE
    assert run.session.status == Session.Status.COMPLETED


def test_page_masks_what_the_journal_holds() -> None:
    asked = ("find_user_id_by_email", {"email": "tia@example.com"})
    with till() as pay, model_server([asked, pay.call], "Paid.") as server:
        run = again(start(server, pay))
        Step.objects.filter(run=run, name=pay.name).update(
            request={"arguments": {"note": "for tia@example.com"}}
        )
    page = engineer_of(run).get(url(run, 1)).content.decode()
    assert pay.name in page
    assert "tia@example.com" not in page
