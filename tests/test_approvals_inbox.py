"""The inbox: for whom a call waits and why, what it would change, answers, escalation, rules."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Level, Run, ShopRecord, ShopWrite, Step, ToolApproval
from agents.runtime.approvals import approve_call, edit_call, escalate_call, reject_call
from agents.runtime.preview import changes_between, preview_call
from agents.tools.contract import ToolKind
from agents.tools.registry import contract_for
from reviewdesk.screens.approvals.inbox import Viewer, read_inbox
from reviewdesk.screens.approvals.mine import waiting_for_member
from tests.factories import make_user, sign_in
from tests.shop import CANCEL
from tests.test_approvals_screen import (
    ADDRESS,
    HTMX,
    RETURN,
    decider,
    list_url,
    park,
    project_of,
    status_of,
    url_of,
)

pytestmark = pytest.mark.django_db

ACTIONS = ["respond/", "escalate/", "take-back/"]


def as_two_people(approval: ToolApproval) -> ToolApproval:
    ToolApproval.objects.filter(pk=approval.pk).update(num_needed=2)
    approval.refresh_from_db()
    return approval


def test_what_waits_for_others_stands_apart_with_the_reason() -> None:
    mine = park(CANCEL)
    agent, project = mine.run.agent, project_of(mine)
    agent.tools.create(name=RETURN[0], level=Level.APPROVE, reason="For the test.")
    starter = make_user("support", project)
    escalated, own = park(CANCEL, agent=agent), as_two_people(park(CANCEL, agent=agent))
    Run.objects.filter(pk=own.run_id).update(started_by=starter)
    escalate_call(approval=escalated, by=make_user(), note="Please look.")
    page = sign_in(starter).get(list_url(mine))
    inbox = page.context["inbox"]
    assert [line.approval for line in inbox.calls] == [mine]
    assert {line.approval: line.why_not for line in inbox.others} == {
        escalated: "leads only",
        own: "you started it",
    }
    assert "1 waits for you" in page.text
    assert "2 wait for others" in page.text
    assert waiting_for_member(starter.memberships.get()).get() == mine


def test_count_of_the_menu_leaves_out_what_one_agreed_to_or_may_not_decide() -> None:
    approval = as_two_people(park(CANCEL))
    people = {role: make_user(role, project_of(approval)) for role in ("support", "viewer")}
    counts = {role: waiting_for_member(person.memberships.get()) for role, person in people.items()}
    assert {role: found.count() for role, found in counts.items()} == {"support": 1, "viewer": 0}
    approve_call(approval=approval, by=people["support"])
    assert counts["support"].count() == 0


def test_lead_decides_what_was_escalated_and_others_see_why_they_may_not() -> None:
    approval = park(ADDRESS)
    escalate_call(approval=approval, by=make_user(name="Jo Up"), note="Twice?")
    support = decider(approval)
    page = support.get(url_of(approval))
    assert "Escalated by Jo Up" in page.text
    assert "Escalated: a lead decides it." in page.text
    refused = support.post(url_of(approval, "approve/"), headers=HTMX)
    assert refused.status_code == 422
    assert status_of(approval) == "waiting"
    decider(approval, "lead").post(url_of(approval, "approve/"))
    assert status_of(approval) == "approved"


def test_second_person_sees_who_agreed_and_the_first_cannot_agree_again() -> None:
    approval = as_two_people(park(CANCEL))
    first = make_user("support", project_of(approval), name="Fay First")
    client = sign_in(first)
    answer = client.post(url_of(approval, "approve/"), {"confirmed": "1"}, headers=HTMX)
    assert "needs one more person" in answer["HX-Trigger"]
    again = client.get(url_of(approval))
    assert "You agreed to this call. It needs another person." in again.text
    second = decider(approval).get(url_of(approval))
    assert "1 of 2 people agreed" in second.text
    assert "Fay First" in second.text
    decider(approval).post(url_of(approval, "approve/"), {"confirmed": "1"})
    assert status_of(approval) == "approved"


def test_edit_that_waits_for_another_person_is_what_everybody_sees() -> None:
    approval = as_two_people(park(CANCEL))
    edited = CANCEL[1] | {"reason": "ordered by mistake"}
    edit_call(approval=approval, by=make_user(name="Ed It"), arguments=edited)
    page = decider(approval).get(url_of(approval))
    assert dict(page.context["summary"].rows)["Reason"] == "ordered by mistake"
    assert page.context["changed"] == [("reason", "no longer needed", "ordered by mistake")]


def test_approving_what_was_changed_meanwhile_is_refused_in_place() -> None:
    approval = as_two_people(park(CANCEL))
    client = decider(approval)
    seen = client.get(url_of(approval)).context["seen"]
    edited = CANCEL[1] | {"reason": "ordered by mistake"}
    edit_call(approval=approval, by=make_user(), arguments=edited)
    data = {"confirmed": "1", "seen": seen}
    answer = client.post(url_of(approval, "approve/"), data, headers=HTMX)
    assert answer.status_code == 409
    assert "read it again" in answer.text


def test_answering_the_agent_makes_no_call_and_needs_words() -> None:
    approval = park(ADDRESS)
    client = decider(approval)
    assert 'name="message"' in client.get(url_of(approval), {"mode": "respond"}).text
    empty = client.post(url_of(approval, "respond/"), {"message": " "}, headers=HTMX)
    assert empty.status_code == 422
    assert "answer is empty" in empty.text
    client.post(url_of(approval, "respond/"), {"message": "Ask for the number."})
    assert status_of(approval) == "responded"
    assert "Answered instead" in client.get(url_of(approval)).text


def test_escalating_needs_a_note_and_moves_the_call_to_others() -> None:
    approval = park(ADDRESS)
    client = decider(approval)
    assert client.post(url_of(approval, "escalate/"), {}, headers=HTMX).status_code == 422
    answer = client.post(url_of(approval, "escalate/"), {"message": "Twice?"}, headers=HTMX)
    assert "waits for a lead now" in answer["HX-Trigger"]
    inbox = client.get(list_url(approval)).context["inbox"]
    assert (inbox.calls, len(inbox.others)) == ((), 1)
    late = client.post(url_of(approval, "escalate/"), {"message": "Twice?"}, headers=HTMX)
    assert late.status_code == 409


def test_held_decision_offers_to_be_taken_back_and_is() -> None:
    approval = park(ADDRESS)
    client = decider(approval)
    answer = client.post(url_of(approval, "approve/"), headers=HTMX)
    assert f'id="toast-{approval.pk}"' in answer.text
    assert "it leaves in 5 s" in answer.text
    assert "Take back" in client.get(list_url(approval)).text
    back = client.post(url_of(approval, "take-back/"), headers=HTMX)
    assert "Taken back" in back["HX-Trigger"]
    assert back["HX-Push-Url"] == url_of(approval)
    assert status_of(approval) == "waiting"


def test_taking_back_without_javascript_leads_to_the_call() -> None:
    approval = park(ADDRESS)
    client = decider(approval)
    client.post(url_of(approval, "approve/"))
    assert client.post(url_of(approval, "take-back/"))["Location"] == url_of(approval)


def test_somebody_elses_decision_is_not_taken_back() -> None:
    approval = park(ADDRESS)
    approve_call(approval=approval, by=make_user(name="Ada Other"))
    answer = decider(approval).post(url_of(approval, "take-back/"), headers=HTMX)
    assert answer.status_code == 409
    assert "Ada Other decided this call" in answer.text


@pytest.mark.parametrize("action", ACTIONS)
def test_new_actions_are_posted_by_members_who_may(action: str) -> None:
    approval = park(ADDRESS)
    assert decider(approval).get(url_of(approval, action)).status_code == 405
    assert sign_in(make_user()).post(url_of(approval, action)).status_code == 404
    viewer = decider(approval, "viewer")
    assert viewer.post(url_of(approval, action), {"message": "No."}).status_code == 403


def test_calls_of_one_turn_say_so() -> None:
    approval = park(ADDRESS)
    step = Step.objects.get(pk=approval.step_id)
    later = Step.objects.create(
        run=step.run, index=step.index + 1, kind="tool", status="waiting", name=ADDRESS[0],
        call_id="b", request=step.request, claim_token=1, span_id="f" * 16,
        start_ns=step.start_ns, started_at=step.started_at,
    )  # fmt: skip
    values = {
        name: getattr(approval, name)
        for name in ("tool", "tool_version", "tier", "arguments", "arguments_hash", "why")
    }
    ToolApproval.objects.create(run=step.run, step=later, expires_at=approval.expires_at, **values)
    page = decider(approval).get(list_url(approval))
    assert [line.turn for line in page.context["inbox"].lines] == ["1 of 2", "2 of 2"]
    assert "2 of 2 of this turn" in page.text


def test_it_says_what_the_call_would_change_and_changes_nothing() -> None:
    approval = park(CANCEL)
    page = decider(approval).get(url_of(approval))
    changes = {
        change.field: (change.before, change.after) for change in page.context["preview"].changes
    }
    assert changes["status"] == ("pending", "cancelled")
    assert changes["cancel_reason"] == ("", "no longer needed")
    assert not ShopWrite.objects.exists()


def test_it_says_that_the_tool_would_refuse() -> None:
    page = decider(approval := park(RETURN)).get(url_of(approval))
    assert "The tool would refuse it now" in page.text
    assert "Non-delivered order cannot be returned" in page.text


def test_checks_say_what_is_right_and_wrong_with_a_call() -> None:
    approval = park(RETURN)
    found = {
        check.label: check
        for check in decider(approval).get(url_of(approval)).context["summary"].checks
    }
    assert (found["Refund to"].is_ok, found["Amount"].is_ok) == (True, True)
    Run.objects.get(pk=approval.run_id).session.__class__.objects.update(customer="Eve Else")
    page = decider(approval).get(url_of(approval))
    assert "is Tia Test’s; the session is with Eve Else" in page.text


def test_outside_call_is_shown_as_it_would_be_sent_without_secrets() -> None:
    contract = contract_for(CANCEL[0])
    request = {
        "method": "POST",
        "url": "https://till.example.com",
        "path": "/refunds/{order}",
        "places": {"order": {"in": "path", "name": "order"}, "usd": {"in": "body", "name": "usd"}},
    }
    outside = replace(
        contract, name="refund", kind=ToolKind.HTTP, parameters={"type": "object"}, request=request
    )
    run = park(CANCEL).run
    found = preview_call(
        run=run, contract=outside, arguments={"order": "A 1", "usd": 4}, effect_key="k"
    )
    assert found.request == ("POST https://till.example.com/refunds/A%201", '{"usd": 4}')


def test_changes_name_nested_fields() -> None:
    before: dict[str, Any] = {"a": 1, "b": {"c": [1, 2]}, "gone": "x", "items": [{"p": 1}]}
    after: dict[str, Any] = {"a": 1, "b": {"c": [2]}, "items": [{"p": 2}], "new": None}
    found = [(each.field, each.before, each.after) for each in changes_between("R", before, after)]
    assert found == [
        ("b.c", "1, 2", "2"), ("gone", "x", ""), ("items 1.p", "1", "2"), ("new", "", "none"),
    ]  # fmt: skip


def test_page_says_who_decides_how_many_and_the_customers_last_words() -> None:
    approval = park(RETURN)
    make_user("reviewer", project_of(approval), name="Rita View")
    page = decider(approval).get(url_of(approval))
    assert "One person, because it is under $200." in page.text
    assert "Rita View" in page.text
    assert "Please see to #T1" in page.text
    assert "Context untainted." in page.text


def test_tainted_context_is_told() -> None:
    approval = park(RETURN)
    taint = {"step": 1, "tool": "read_mail", "why": "content of strangers"}
    Run.objects.filter(pk=approval.run_id).update(taint=taint)
    page = decider(approval).get(url_of(approval))
    assert "Context tainted" in page.text
    assert "read_mail" in page.text


def test_inbox_costs_as_many_queries_for_many_calls_votes_and_turns() -> None:
    approval = as_two_people(park(CANCEL))
    viewer = Viewer(make_user().pk, may_decide=True, is_lead=False)
    project = project_of(approval)
    approve_call(approval=approval, by=make_user())
    read_inbox(project, viewer)
    with CaptureQueriesContext(connection) as few:
        read_inbox(project, viewer)
    for _ in range(4):
        other = as_two_people(park(CANCEL, agent=approval.run.agent))
        approve_call(approval=other, by=make_user())
    with CaptureQueriesContext(connection) as many:
        read_inbox(project, viewer)
    assert len(many) == len(few)


def test_decided_list_is_filtered_by_person_tool_and_outcome() -> None:
    first = park(CANCEL)
    second = park(CANCEL, agent=first.run.agent)
    ada = make_user("lead", project_of(first), name="Ada Dec")
    approve_call(approval=first, by=ada)
    reject_call(approval=second, by=make_user("lead", project_of(first)), message="No.")
    client, url = decider(first), list_url(first) + "decided/"

    def listed(**query: Any) -> list[ToolApproval]:
        return [line.approval for line, *_ in client.get(url, query).context["rows"]]

    assert listed() == [second, first]
    assert listed(by=ada.pk) == [first]
    assert listed(outcome="rejected") == [second]
    assert listed(tool=CANCEL[0], outcome="expired") == []
    assert "No decision fits" in client.get(url, {"outcome": "expired"}).text
    assert client.get(url, {"by": "999999", "outcome": "nonsense"}).status_code == 200
    assert client.get(url, headers=HTMX).text.strip().startswith('<div class="desk-body"')


def test_decided_list_costs_as_many_queries_for_many() -> None:
    first = park(CANCEL)
    client, url = decider(first), list_url(first) + "decided/"
    approve_call(approval=first, by=make_user())
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for _ in range(3):
        approve_call(approval=park(CANCEL, agent=first.run.agent), by=make_user())
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(many) == len(few)


def test_link_in_a_message_leads_to_the_runs_waiting_call() -> None:
    approval = park(CANCEL)
    answer = decider(approval).get(list_url(approval), {"run": str(approval.run_id)})
    assert answer["Location"] == url_of(approval)


def test_time_near_its_end_is_amber() -> None:
    approval = park(CANCEL)
    ToolApproval.objects.update(expires_at=timezone.now() + timedelta(minutes=5))
    page = decider(approval).get(list_url(approval))
    assert page.context["inbox"].lines[0].is_due
    assert 'class="desk-pill warn"' in page.text


def test_records_of_the_shop_stay_as_they_are_when_a_call_is_looked_at() -> None:
    approval = park(CANCEL)
    before = list(ShopRecord.objects.values_list("key", "data"))
    decider(approval).get(url_of(approval))
    assert list(ShopRecord.objects.values_list("key", "data")) == before


def test_head_of_the_list_says_that_more_wait_than_it_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = park(CANCEL)
    park(CANCEL, agent=mine.run.agent)
    client = decider(mine)
    assert "2 wait for you · oldest first" in client.get(list_url(mine)).text
    monkeypatch.setattr("reviewdesk.screens.approvals.inbox.SHOWN", 1)
    page = client.get(list_url(mine)).text
    assert "The 1 oldest that wait for you" in page
    assert "2 wait for you, the oldest" in page


def test_first_of_two_takes_the_agreement_back_and_may_decide_again() -> None:
    approval = as_two_people(park(CANCEL))
    client = sign_in(make_user("support", project_of(approval)))
    refused = client.post(url_of(approval, "take-back-vote/"), headers=HTMX)
    assert "You did not agree to this call" in refused.text
    client.post(url_of(approval, "approve/"), {"confirmed": "1"}, headers=HTMX)
    assert "take-back-vote/" in client.get(url_of(approval)).text
    answer = client.post(url_of(approval, "take-back-vote/"), headers=HTMX)
    assert "no longer agree" in answer["HX-Trigger"]
    page = client.get(url_of(approval)).text
    assert "1 of 2 people agreed" not in page
    assert f"{url_of(approval)}approve/" in page
