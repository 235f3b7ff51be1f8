"""The Approvals screen: the call as people read it, and its decision, made once."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.demo.describe_many import describe_calls
from agents.models import Level, Run, ShopRecord, ToolApproval
from agents.runtime.approvals import approve_call, edit_call
from agents.runtime.loop import advance
from agents.runtime.start import start_run
from reviewdesk.audit import read_trail
from reviewdesk.screens.approvals.argument_form import (
    Widget,
    fields_of,
    read_fields,
    with_problems,
)
from tests.factories import add_member, client_as, make_project, make_user, sign_in
from tests.model_server import model_server
from tests.shop import CANCEL, make_shop_agent

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
SURE = {"confirmed": "1"}
RETURN = (
    "return_delivered_order_items",
    {"order_id": "#T1", "item_ids": ["2"], "payment_method_id": "gift_card_1"},
)
ADDRESS = (
    "modify_pending_order_address",
    {
        "order_id": "#T1",
        "address1": "1 Elm Way",
        "address2": "",
        "city": "Springfield",
        "state": "IL",
        "zip": "62701",
        "country": "USA",
    },
)
WAITING = ToolApproval.Status.WAITING


def park(call=CANCEL, level=Level.APPROVE, agent=None, version=None):
    """Start a run that stops at `call`, and return its approval."""
    with model_server([call], "Done.") as server:
        if agent is None:
            agent, _ = make_shop_agent(server.base_url, **{call[0]: level})
        agent.model_base_url = server.base_url
        agent.save()
        message = {"role": "user", "content": "Please see to #T1"}
        run = start_run(
            agent=agent,
            version=version or agent.versions.first(),
            run_input={"messages": [message], "turns": []},
            customer="Tia Test",
        )
        advance(run.pk)
    return ToolApproval.objects.select_related("run__agent__project").get(run=run)


def project_of(approval):
    return approval.run.agent.project


def url_of(approval, action=""):
    return f"/p/{project_of(approval).slug}/approvals/{approval.pk}/{action}"


def list_url(approval):
    return f"/p/{project_of(approval).slug}/approvals/"


def decider(approval, role="support"):
    return client_as(role, project_of(approval))


def status_of(approval):
    return ToolApproval.objects.get(pk=approval.pk).status


def test_list_opens_the_oldest_call_as_people_read_it():
    approval = park()
    page = decider(approval).get(list_url(approval))
    assert "1 waits for you" in page.text
    assert "Cancel order #T1" in page.text
    assert "Lamp" in page.text
    assert "Please see to #T1" in page.text
    assert "Approve $40.00" in page.text
    assert page.context["approval"] == approval


def test_calls_come_oldest_first_and_proposals_after_them():
    first = park()
    agent = first.run.agent
    second = park(agent=agent)
    agent.tools.filter(name=CANCEL[0]).update(level=Level.SUGGEST)
    proposal = park(agent=agent)
    ToolApproval.objects.filter(pk=second.pk).update(created_at=first.created_at - timedelta(1))
    inbox = decider(first).get(list_url(first)).context["inbox"]
    assert [line.approval for line in inbox.lines] == [second, first, proposal]
    assert [line.approval for line in inbox.suggestions] == [proposal]


def test_many_calls_cost_as_many_queries_as_one():
    approval = park()
    client = decider(approval)
    client.get(list_url(approval))
    with CaptureQueriesContext(connection) as one:
        client.get(list_url(approval))
    for _ in range(4):
        park(agent=approval.run.agent)
    with CaptureQueriesContext(connection) as many:
        client.get(list_url(approval))
    assert len(many) == len(one)


def test_calls_are_described_by_what_their_own_run_left():
    approval = park()
    other = park(agent=approval.run.agent)
    changed = ShopRecord.objects.get(key="#T1").data | {"status": "delivered"}
    other.run.shop_writes.create(kind="order", key="#T1", data=changed, tool="x", effect_key="y")
    summaries = describe_calls([approval, other])
    assert "pending" in dict(summaries[approval.pk].rows)["Order"]
    assert "delivered" in dict(summaries[other.pk].rows)["Order"]


def test_nothing_waits():
    project = make_project()
    page = client_as("support", project).get(f"/p/{project.slug}/approvals/")
    assert "No call waits for you" in page.text


def test_the_sessions_link_leads_to_the_call():
    approval = park()
    response = decider(approval).get(list_url(approval), {"approval": approval.pk})
    assert response["Location"] == url_of(approval)


def test_approving_runs_the_call_and_shows_the_next():
    approval = park()
    following = park(agent=approval.run.agent)
    user = make_user("reviewer", project_of(approval))
    response = sign_in(user).post(url_of(approval, "approve/"), SURE, headers=HTMX)
    approval.refresh_from_db()
    assert (approval.status, approval.decided_by) == (ToolApproval.Status.APPROVED, user)
    assert response["HX-Push-Url"] == url_of(following)
    assert response["HX-Retarget"] == "#inbox"
    assert "is approved" in response["HX-Trigger"]
    assert f'id="waiting-{approval.pk}"' not in response.text
    assert f'id="waiting-{following.pk}"' in response.text


def test_without_javascript_a_decision_leads_on_with_a_message():
    approval = park()
    response = decider(approval).post(url_of(approval, "approve/"), SURE, follow=True)
    assert response.redirect_chain == [(list_url(approval), 303)]
    assert "cancel_pending_order is approved; the run goes on." in response.text


@pytest.mark.parametrize(
    ("call", "question"),
    [(RETURN, "Money moves at once"), (CANCEL, "This cannot be undone: $40.00. Approve it?")],
)
def test_what_cannot_be_taken_back_is_asked_about_once_more(call, question):
    approval = park(call)
    client = decider(approval)
    asked = client.post(url_of(approval, "approve/"), headers=HTMX)
    assert asked.status_code == 200
    assert question in asked.text
    assert status_of(approval) == WAITING
    client.post(url_of(approval, "approve/"), SURE, headers=HTMX)
    assert status_of(approval) == ToolApproval.Status.APPROVED


def test_what_can_be_undone_takes_one_step():
    approval = park(ADDRESS)
    decider(approval).post(url_of(approval, "approve/"), headers=HTMX)
    assert status_of(approval) == ToolApproval.Status.APPROVED


def test_an_edit_is_previewed_and_asked_about_once_more():
    approval = park(RETURN)
    client = decider(approval)
    lamp = {"arg-order_id": "#T1", "arg-item_ids": "2", "arg-payment_method_id": "card_2"}
    typed = lamp | {"message": "Only one."}
    asked = client.post(url_of(approval, "edit/"), typed, headers=HTMX)
    assert asked.status_code == 200
    assert "Money moves at once" in asked.text
    assert dict(asked.context["summary"].rows)["Refund to"] == "card_2"
    assert asked.context["changed"] == [("payment_method_id", "gift_card_1", "card_2")]
    assert asked.context["kept"] == list(typed.items())
    assert status_of(approval) == WAITING
    client.post(url_of(approval, "edit/"), typed | SURE, headers=HTMX)
    approval.refresh_from_db()
    assert (approval.status, approval.message) == ("edited", "Only one.")
    assert approval.decided_arguments["payment_method_id"] == "card_2"


def test_back_from_the_preview_keeps_the_edit():
    approval = park()
    data = {"arg-order_id": "#T1", "arg-reason": "ordered by mistake", "message": "So."}
    back = decider(approval).post(url_of(approval, "edit/"), data | {"back": "1"}, headers=HTMX)
    assert back.status_code == 200
    assert back.context["mode"] == "edit"
    assert '<option value="ordered by mistake" selected>' in back.text
    assert status_of(approval) == WAITING


@pytest.mark.parametrize("data", [{}, SURE])
def test_an_edit_that_changes_nothing_is_refused(data):
    approval = park()
    data = {"arg-order_id": "#T1", "arg-reason": "no longer needed", **data}
    response = decider(approval).post(url_of(approval, "edit/"), data, headers=HTMX)
    assert response.status_code == 422
    assert "Nothing was changed: approve the call as it is, or change" in response.text
    assert status_of(approval) == WAITING


@pytest.mark.parametrize("role", ["viewer", "engineer"])
def test_who_may_not_decide_is_told_who_may(role):
    approval = park()
    client = decider(approval, role)
    page = client.get(url_of(approval))
    assert "To decide takes support, reviewer, lead or admin" in page.text
    assert "Approve $40.00" not in page.text
    for action in ("approve/", "edit/", "reject/"):
        assert client.post(url_of(approval, action)).status_code == 403
    assert status_of(approval) == WAITING


def test_editing_sends_what_was_typed():
    approval = park()
    client = decider(approval)
    form = client.get(url_of(approval), {"mode": "edit"})
    assert 'name="arg-reason"' in form.text
    data = {"arg-order_id": "#T1", "arg-reason": "ordered by mistake", "message": "As she said."}
    response = client.post(url_of(approval, "edit/"), data | SURE)
    approval.refresh_from_db()
    assert response.status_code == 303
    assert approval.status == ToolApproval.Status.EDITED
    assert approval.decided_arguments == {"order_id": "#T1", "reason": "ordered by mistake"}
    shown = client.get(url_of(approval))
    assert "What was approved" in shown.text
    assert dict(shown.context["summary"].rows)["Reason"] == "ordered by mistake"
    assert shown.context["changed"] == [("reason", "no longer needed", "ordered by mistake")]
    listed = client.get(list_url(approval) + "decided/")
    assert "<del>no longer needed</del>" in listed.text
    assert "<ins>ordered by mistake</ins>" in listed.text


def test_the_audit_trail_tells_what_an_edit_changed():
    approval = park()
    by = make_user("admin", project_of(approval))
    edit_call(approval=approval, by=by, arguments=CANCEL[1] | {"reason": "ordered by mistake"})
    entry = read_trail(project=project_of(approval), kinds=["calls"]).entries[0]
    assert entry.line.did == "call edited and approved"
    assert entry.line.before == "reason: no longer needed"
    assert entry.line.after == "reason: ordered by mistake"


def test_an_edit_that_does_not_fit_comes_back_with_what_was_typed():
    approval = park()
    data = {"arg-order_id": "#T1", "arg-reason": "because", "message": "Careful words."}
    response = decider(approval).post(url_of(approval, "edit/"), data, headers=HTMX)
    assert response.status_code == 422
    assert "reason is &quot;because&quot;; allowed:" in response.text
    assert "Careful words." in response.text
    assert 'aria-invalid="true"' in response.text
    assert status_of(approval) == WAITING


def test_a_rejection_needs_its_message():
    approval = park()
    client = decider(approval)
    refused = client.post(url_of(approval, "reject/"), {"message": "  "}, headers=HTMX)
    assert refused.status_code == 422
    assert "A rejection needs a message" in refused.text
    client.post(url_of(approval, "reject/"), {"message": "Ask which order first."})
    approval.refresh_from_db()
    assert (approval.status, approval.message) == ("rejected", "Ask which order first.")


@pytest.mark.parametrize("action", ["approve/", "reject/", "edit/"])
def test_somebody_faster_is_named_in_place(action):
    approval = park()
    approve_call(approval=approval, by=make_user(name="Jo Fast"))
    data = {"message": "My words.", "arg-order_id": "#T1", "arg-reason": "no longer needed"}
    response = decider(approval).post(url_of(approval, action), data, headers=HTMX)
    assert response.status_code == 409
    assert "Jo Fast was faster" in response.text
    assert ("My words." in response.text) == (action != "approve/")


@pytest.mark.parametrize("call", [CANCEL, RETURN])
def test_an_expired_call_is_called_expired_and_never_refused(call):
    approval = park(call)
    past = timezone.now() - timedelta(minutes=1)
    ToolApproval.objects.update(expires_at=past)
    client = decider(approval)
    page = client.get(url_of(approval))
    assert "Expired" in page.text
    assert "nobody refused it" in page.text
    assert client.get(list_url(approval)).context["inbox"].lines == ()
    response = client.post(url_of(approval, "approve/"), headers=HTMX)
    assert response.status_code == 409
    assert "has expired" in response.text


def test_a_proposal_is_judged_and_never_executed():
    approval = park(level=Level.SUGGEST)
    client = decider(approval)
    assert client.post(url_of(approval, "approve/")).status_code == 404
    bad = client.post(url_of(approval, "judge/"), {"verdict": "bad", "message": ""}, headers=HTMX)
    assert bad.status_code == 422
    client.post(url_of(approval, "judge/"), {"verdict": "good"})
    approval.refresh_from_db()
    assert (approval.status, approval.consumed_at) == ("approved", None)
    assert "judged good" in client.get(url_of(approval)).text


def test_a_call_is_no_proposal():
    approval = park()
    assert (
        decider(approval).post(url_of(approval, "judge/"), {"verdict": "good"}).status_code == 404
    )


def test_the_poll_answers_the_list_alone_and_tells_who_was_faster():
    approval = park()
    client = decider(approval)
    quiet = client.get(list_url(approval), {"part": "list", "at": approval.pk}, headers=HTMX)
    assert 'id="call"' not in quiet.text
    assert 'id="overtaken"' in quiet.text
    assert "was faster" not in quiet.text
    approve_call(approval=approval, by=make_user(name="Jo Fast"))
    told = client.get(list_url(approval), {"part": "list", "at": approval.pk}, headers=HTMX)
    assert "Jo Fast was faster" in told.text
    assert "What you typed was not sent" in told.text


def test_the_poll_of_a_page_without_an_open_call_says_nothing_of_it():
    approval = park()
    answer = decider(approval).get(list_url(approval), {"part": "list"}, headers=HTMX)
    assert 'id="overtaken"' not in answer.text


def test_decided_calls_are_listed_with_who_and_when():
    approval = park()
    user = make_user("lead", project_of(approval), name="Lea Lead")
    approve_call(approval=approval, by=user, message="All checked.")
    page = sign_in(user).get(list_url(approval) + "decided/")
    assert "Lea Lead" in page.text
    assert "All checked." in page.text
    assert "approved" in page.text


def test_decided_calls_come_in_pages(monkeypatch):
    approval = park()
    agent = approval.run.agent
    for each in [approval, *(park(agent=agent) for _ in range(2))]:
        approve_call(approval=each, by=make_user())
    monkeypatch.setattr("reviewdesk.screens.approvals.settled.PAGE", 2)
    client = decider(approval)
    url = list_url(approval) + "decided/"
    first = client.get(url)
    second = client.get(url, {"before": first.context["following"]})
    seen = [line.approval.pk for page in (first, second) for line, *_ in page.context["rows"]]
    assert sorted(seen) == sorted(ToolApproval.objects.values_list("pk", flat=True))
    assert second.context["following"] == ""


def test_a_fragment_is_sent_to_htmx_and_the_page_to_its_history():
    approval = park()
    client = decider(approval)
    fragment = client.get(url_of(approval), headers=HTMX)
    restored = client.get(url_of(approval), headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert fragment.text.strip().startswith('<div class="desk-call"')
    assert "<html" in restored.text


def test_strangers_and_members_of_other_projects_find_nothing():
    approval = park()
    for client in (sign_in(make_user()), client_as("admin", make_project())):
        assert client.get(url_of(approval)).status_code == 404
        assert client.post(url_of(approval, "approve/")).status_code == 404
    assert status_of(approval) == WAITING


def test_another_projects_call_is_not_found_under_the_own_project():
    approval, mine = park(), make_project()
    user = make_user("admin", mine)
    url = url_of(approval).replace(project_of(approval).slug, mine.slug)
    assert sign_in(user).get(url).status_code == 404
    add_member(user=user, project=project_of(approval), role="viewer")
    assert sign_in(user).post(url + "approve/").status_code == 404


@pytest.mark.parametrize("action", ["approve/", "edit/", "reject/", "judge/"])
def test_decisions_are_posted(action):
    approval = park()
    assert decider(approval).get(url_of(approval, action)).status_code == 405


def test_hostile_arguments_are_text():
    hostile = (CANCEL[0], {"order_id": "<script>alert(1)</script>", "reason": "no longer needed"})
    approval = park(hostile)
    page = decider(approval).get(url_of(approval))
    assert "<script>alert(1)" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text


def test_a_run_of_an_unknown_tool_still_shows():
    approval = park()
    ToolApproval.objects.update(tool="gone_tool")
    page = decider(approval).get(url_of(approval))
    assert "Gone tool" in page.text
    assert "?mode=edit" not in page.text
    assert decider(approval).post(url_of(approval, "edit/")).status_code == 404
    assert Run.objects.get().status == Run.Status.WAITING


SCHEMA = {
    "required": ["name", "ids"],
    "properties": {
        "name": {"type": "string"},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "ids": {"type": "array", "items": {"type": "string"}},
        "amount": {"type": "number"},
        "is_gift": {"type": "boolean"},
        "extra": {"type": "object"},
    },
}
PROPOSED = {"name": "x", "ids": ["1", "2"], "amount": 2.5, "extra": {"deep": [1]}, "odd": 1}


def test_each_argument_gets_the_control_of_its_schema():
    fields = {field.name: (field.widget, field.value) for field in fields_of(SCHEMA, PROPOSED)}
    assert fields == {
        "name": (Widget.TEXT, "x"),
        "kind": (Widget.CHOICE, ""),
        "ids": (Widget.LINES, "1\n2"),
        "amount": (Widget.NUMBER, "2.5"),
        "is_gift": (Widget.FLAG, ""),
        "extra": (Widget.JSON, '{\n "deep": [\n  1\n ]\n}'),
    }


def test_an_unchanged_form_gives_the_proposed_arguments():
    data = {field.html_name: field.value for field in fields_of(SCHEMA, PROPOSED)}
    arguments, fields = read_fields(SCHEMA, PROPOSED, data)
    assert arguments == PROPOSED
    assert not any(field.errors for field in fields)


def test_what_cannot_be_read_is_said_at_its_field():
    data = {"arg-name": "y", "arg-ids": "3", "arg-amount": "much", "arg-extra": "{"}
    arguments, fields = read_fields(SCHEMA, PROPOSED, data)
    errors = {field.name: field.errors for field in fields if field.errors}
    assert arguments == {"odd": 1, "name": "y", "ids": ["3"]}
    assert errors == {"amount": ("'much' is no number.",), "extra": ("'{' is no JSON.",)}


def test_problems_of_the_schema_go_to_their_fields():
    fields, rest = with_problems(
        fields_of(SCHEMA, PROPOSED), ["ids.0: '' is too short", "arguments: 'z' is required"]
    )
    assert [f.errors for f in fields if f.name == "ids"] == [("'' is too short",)]
    assert rest == ["arguments: 'z' is required"]
