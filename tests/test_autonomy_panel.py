"""The panel of the Autonomy screen: lowering with the reason afterwards, raises, undo, history."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import (
    Agent,
    AgentTool,
    Incident,
    KillSwitch,
    Level,
    LevelProposal,
    Run,
    Tier,
    ToolApproval,
    UndoableCall,
)
from agents.tools import stops
from agents.tools.autonomy import NO_REASON, change_ceiling, lift_ceiling, lower
from agents.tools.proposals import propose_raise
from reviewdesk.kpis.estimates import rate
from reviewdesk.screens.autonomy.charts import interval_bar
from reviewdesk.screens.autonomy.days import Fate, calls_by_day, totals
from tests.authority import judged, make_run, make_step, make_suite, proven
from tests.factories import (
    client_as,
    make_agent,
    make_label,
    make_project,
    make_session,
    make_user,
    sign_in,
    tool_span,
)
from tests.shop import make_shop_agent, set_level

pytestmark = pytest.mark.django_db

CANCEL = "cancel_pending_order"
LOOK = "get_order_details"
PAYMENT = "modify_pending_order_payment"
HTMX = {"HX-Request": "true"}


def make_tool(level=Level.APPROVE, name=PAYMENT):
    agent, _ = make_shop_agent(**{name: level})
    return agent.tools.select_related("agent__project").get(name=name)


def url_of(tool, action=""):
    agent = tool.agent
    return f"/p/{agent.project.slug}/autonomy/agents/{agent.slug}/tools/{tool.name}/{action}"


def home_of(tool, part=""):
    return f"/p/{tool.agent.project.slug}/autonomy/{part}"


def level_of(tool):
    return AgentTool.objects.get(pk=tool.pk).level


def propose(tool, level=Level.ACT_WITH_UNDO, by=None):
    return propose_raise(
        agent_tool=tool, to_level=level, reason="It does well.", by=by or make_user()
    )


# Lowering at once, and why afterwards


@pytest.mark.parametrize("role", ["support", "reviewer", "engineer", "lead", "admin"])
def test_one_press_lowers_one_level_and_the_reason_stays_asked_for(role):
    tool = make_tool()
    client = client_as(role, tool.agent.project)
    response = client.post(url_of(tool, "lower/"), {"level": "suggest"}, headers=HTMX)
    assert response.status_code == 200
    assert level_of(tool) == Level.SUGGEST
    assert "the reason stays asked for" in response.text
    assert "autofocus" in response.text
    assert 'id="matrix" hx-swap-oob' in response.text
    again = client.get(url_of(tool)).text
    assert "the reason stays asked for" in again
    assert "autofocus" not in again


def test_a_viewer_may_not_lower_and_is_told_who_may():
    tool = make_tool()
    client = client_as("viewer", tool.agent.project)
    assert client.post(url_of(tool, "lower/"), {"level": "suggest"}).status_code == 403
    assert "takes support, reviewer, engineer, lead, admin" in client.get(url_of(tool)).text


def test_two_presses_at_once_lower_one_level():
    tool = make_tool()
    client = client_as("lead", tool.agent.project)
    client.post(url_of(tool, "lower/"), {"level": "suggest"})
    late = client.post(url_of(tool, "lower/"), {"level": "suggest"}, headers=HTMX)
    assert late.status_code == 409
    assert "is at suggest already" in late.text
    assert level_of(tool) == Level.SUGGEST


def test_the_button_never_raises():
    tool = make_tool(Level.OFF)
    client = client_as("lead", tool.agent.project)
    assert client.post(url_of(tool, "lower/"), {"level": "approve"}).status_code == 409
    assert client.post(url_of(tool, "lower/"), {"level": "godlike"}).status_code == 422
    assert level_of(tool) == Level.OFF


@pytest.mark.parametrize(
    ("name", "level", "below"),
    [(LOOK, Level.AUTONOMOUS, "approve"), (PAYMENT, Level.APPROVE, "suggest")],
)
def test_lowering_skips_levels_that_mean_nothing_for_the_tool(name, level, below):
    tool = make_tool(level, name)
    page = client_as("lead", tool.agent.project).get(url_of(tool))
    assert page.context["lower_to"] == below


def test_nothing_is_lower_than_off():
    tool = make_tool(Level.OFF)
    page = client_as("lead", tool.agent.project).get(url_of(tool))
    assert page.context["lower_to"] is None
    assert "nothing is lower" in page.text


def test_the_reason_is_noted_afterwards_and_stands_with_the_change():
    tool = make_tool()
    lower(agent_tool=tool, level=Level.SUGGEST, by=make_user(name="Ada"))
    client = client_as("lead", tool.agent.project)
    response = client.post(
        url_of(tool, "add-reason/"), {"why-reason": "Wrong cards."}, headers=HTMX
    )
    assert "the reason stays asked for" not in response.text
    assert AgentTool.objects.get(pk=tool.pk).reason == "Wrong cards."
    change = client.get(url_of(tool)).context["changes"][0]
    assert (change.reason, change.by.name) == ("Wrong cards.", "Ada")


def test_an_empty_reason_comes_back_and_a_second_one_is_refused():
    tool = make_tool()
    lower(agent_tool=tool, level=Level.SUGGEST, by=make_user())
    client = client_as("lead", tool.agent.project)
    empty = client.post(url_of(tool, "add-reason/"), {"why-reason": " "}, headers=HTMX)
    assert empty.status_code == 422
    assert "Say why" in empty.text
    client.post(url_of(tool, "add-reason/"), {"why-reason": "Wrong cards."})
    late = client.post(url_of(tool, "add-reason/"), {"why-reason": "Mine."}, headers=HTMX)
    assert late.status_code == 409
    assert AgentTool.objects.get(pk=tool.pk).reason == "Wrong cards."


def test_history_says_that_the_reason_is_missing():
    tool = make_tool()
    lower(agent_tool=tool, level=Level.SUGGEST, by=make_user())
    page = client_as("viewer", tool.agent.project).get(url_of(tool))
    assert page.context["changes"][0].reason == NO_REASON


# What binds


def test_matrix_names_the_one_thing_that_holds_a_tool_back():
    tool = set_level(make_tool(), Level.ACT_WITH_UNDO)
    agent = tool.agent
    client = client_as("viewer", agent.project)

    def held():
        matrix = client.get(home_of(tool)).context["matrix"]
        return matrix.cell(agent, tool.name).held_by

    assert held() == ""
    change_ceiling(agent=agent, level=Level.APPROVE, reason="Calm.", by=make_user())
    assert held() == "agent's ceiling"
    set_level(tool, Level.ACT_WITH_UNDO, candidate_since=timezone.now(), candidate_why="New.")
    assert held() == "candidate"
    Incident.objects.create(
        project=agent.project, number=31, title="Wrong cards", agent=agent, ceiling=Level.SUGGEST
    )
    assert held() == "incident 31"
    stop_tool(tool)
    assert held() == "stopped"


def stop_tool(tool):
    return stops.stop(
        scope=KillSwitch.Scope.TOOL,
        stops=KillSwitch.Stops.ALL,
        agent=tool.agent,
        tool=tool.name,
        reason="Wrong refunds.",
        by=make_user(),
    )


def test_a_tainted_run_in_progress_holds_writes_back_until_it_ends():
    tool = set_level(make_tool(), Level.ACT_WITH_UNDO)
    run = make_run(tool)
    Run.objects.filter(pk=run.pk).update(taint={"step": 2, "tool": "read_mail", "why": "Mail."})
    client = client_as("viewer", tool.agent.project)
    cell = client.get(home_of(tool)).context["matrix"].cell(tool.agent, tool.name)
    assert (cell.held_by, cell.effective.level) == ("tainted", Level.APPROVE)
    assert "1 run in progress read read_mail" in client.get(url_of(tool)).text
    Run.objects.filter(pk=run.pk).update(status="completed", finished_at=timezone.now())
    cell = client.get(home_of(tool)).context["matrix"].cell(tool.agent, tool.name)
    assert cell.held_by == ""


def test_panel_of_a_stopped_tool_leads_to_its_stop():
    tool = make_tool()
    switch = stop_tool(tool)
    page = client_as("support", tool.agent.project).get(url_of(tool)).text
    assert f"/stops/{switch.pk}/" in page
    assert ">Stop this tool" not in page
    assert "Kill switch binds" in page or "the kill switch binds" in page


def test_stop_button_of_the_panel_chooses_the_tool():
    tool = make_tool()
    page = client_as("support", tool.agent.project).get(url_of(tool)).text
    assert f"/stops/new/?tool={tool.name}&amp;agent={tool.agent.slug}" in page


# Evidence, thirty days, outcomes


def test_evidence_says_what_is_missing_and_closes_the_proposal():
    tool = make_tool()
    judged(tool, approved=59, rejected=3)
    page = client_as("reviewer", tool.agent.project).get(url_of(tool))
    # Wilson 95 % of 59/62: 86.7 to 98.3 %; 90 % is passed by 22 more.
    assert "59 of 62</b> unedited. Lower bound 86.7 %, target 90 %" in page.text
    assert "needs 22 more unedited." in page.text
    assert "no golden test tagged injection" in page.text
    assert page.context["open_raises"] == []
    bar = page.context["interval"]
    assert (round(bar.low, 1), round(bar.target), bar.low_end) == (86.7, 90, 80)


def test_evidence_without_a_call_is_no_number():
    tool = make_tool()
    page = client_as("reviewer", tool.agent.project).get(url_of(tool))
    assert "No person has decided a call yet." in page.text
    assert page.context["interval"] is None


def test_every_decided_call_of_thirty_days_has_its_fate():
    tool = make_tool()
    spans = [tool_span(PAYMENT, at=at) for at in range(10)]
    spans.append(tool_span(PAYMENT, error="No such order", at=11))
    session = make_session(tool.agent.project, spans, timezone.now(), agent_name="shop")
    run = make_run(tool)
    Run.objects.filter(pk=run.pk).update(session=session)
    judged(tool, run, approved=2, edited=1, good=1, undone=1)
    counts = totals(calls_by_day(tool.agent, PAYMENT, now=timezone.now()))
    assert counts == {
        Fate.ALONE: 5,
        Fate.APPROVED: 2,
        Fate.PROPOSED: 1,
        Fate.EDITED: 1,
        Fate.UNDONE: 1,
        Fate.REJECTED: 0,
        Fate.FAILED: 1,
    }


def test_panel_draws_the_days_names_every_fate_and_has_the_table():
    tool = make_tool()
    spans = [tool_span(PAYMENT), tool_span(PAYMENT, error="No such order", at=1)]
    make_session(tool.agent.project, spans, timezone.now(), agent_name="shop")
    page = client_as("viewer", tool.agent.project).get(url_of(tool)).text
    assert 'class="fate-alone"' in page
    assert 'class="fate-failed"' in page
    assert "run alone 1" in page
    assert "<summary>Table</summary>" in page


def test_latency_is_told_with_how_many_decisions():
    tool = make_tool()
    run, now, by = make_run(tool), timezone.now(), make_user()
    for index in range(3):
        ToolApproval.objects.create(
            run=run,
            step=make_step(run, tool, index),
            tool=tool.name,
            tool_version="1",
            arguments={},
            arguments_hash="x",
            why="the tool's level",
        )
    ToolApproval.objects.update(created_at=now - timedelta(minutes=4))
    ToolApproval.objects.update(
        status="approved", decided_by=by, decided_at=now, decided_arguments={}
    )
    page = client_as("viewer", tool.agent.project).get(url_of(tool))
    assert "decided in 4 min (median)" in page.text
    assert page.context["latency"].n == 3


def test_bad_outcomes_tell_of_labels_failures_rejections_and_undone_calls():
    tool = make_tool()
    project = tool.agent.project
    spans = [tool_span(PAYMENT), tool_span(PAYMENT, error="No such card", at=1)]
    session = make_session(project, spans, timezone.now(), agent_name="shop")
    make_label(
        session,
        outcome="not_resolved",
        severity="major",
        comment="Refund to Visa, gift card was asked",
    )
    judged(tool, rejected=1, undone=1)
    found = client_as("viewer", project).get(url_of(tool)).context["outcomes"]
    assert {each.pill[2]: each.text for each in found} == {
        "major": "Refund to Visa, gift card was asked",
        "failed": "No such card",
        "rejected": "Because.",
        "undone": "Wrong.",
    }


def test_a_label_that_blames_another_call_is_not_held_against_the_tool():
    tool = make_tool()
    spans = [tool_span(PAYMENT), tool_span(LOOK, at=1)]
    session = make_session(tool.agent.project, spans, timezone.now(), agent_name="shop")
    make_label(
        session,
        outcome="not_resolved",
        severity="major",
        first_wrong_span_id=spans[1].span_id,
    )
    client = client_as("viewer", tool.agent.project)
    assert client.get(url_of(tool)).context["outcomes"] == []


def test_words_of_strangers_are_escaped():
    tool = make_tool()
    spans = [tool_span(PAYMENT, error="<script>alert(1)</script>")]
    make_session(tool.agent.project, spans, timezone.now(), agent_name="shop")
    page = client_as("viewer", tool.agent.project).get(url_of(tool)).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


# Proposals


def test_a_raise_is_proposed_from_the_panel():
    tool = proven(make_tool())
    user = make_user("reviewer", tool.agent.project)
    data = {"propose-level": "act_with_undo", "propose-reason": "Sixty of sixty."}
    response = sign_in(user).post(url_of(tool, "propose-raise/"), data, headers=HTMX)
    assert response.status_code == 200
    proposal = LevelProposal.objects.get()
    assert (proposal.proposed_by, proposal.to_level) == (user, "act_with_undo")
    assert "yours: another lead decides" in response.text


@pytest.mark.parametrize(("role", "status"), [("support", 403), ("viewer", 403), ("engineer", 303)])
def test_who_may_propose(role, status):
    tool = make_tool(Level.OFF)
    data = {"propose-level": "suggest", "propose-reason": "Worth a try."}
    client = client_as(role, tool.agent.project)
    assert client.post(url_of(tool, "propose-raise/"), data).status_code == status


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"propose-reason": ""}, "Say why"),
        ({"propose-level": ""}, "Choose the level that is proposed"),
        ({"propose-level": "godlike"}, "not one of the available choices"),
    ],
)
def test_an_invalid_proposal_comes_back_with_its_errors(change, message):
    tool = make_tool(Level.OFF)
    data = {"propose-level": "suggest", "propose-reason": "Worth a try.", **change}
    client = client_as("lead", tool.agent.project)
    response = client.post(url_of(tool, "propose-raise/"), data, headers=HTMX)
    assert response.status_code == 422
    assert message in response.text
    assert not LevelProposal.objects.exists()


def test_a_raise_without_evidence_is_refused_with_what_is_missing():
    tool = make_tool()
    data = {"propose-level": "act_with_undo", "propose-reason": "I feel lucky."}
    client = client_as("lead", tool.agent.project)
    response = client.post(url_of(tool, "propose-raise/"), data, headers=HTMX)
    assert response.status_code == 409
    assert "cannot be proposed for act with undo yet" in response.text


def test_a_level_that_means_nothing_for_the_tool_is_not_offered():
    tool = make_tool(Level.APPROVE, CANCEL)
    page = client_as("lead", tool.agent.project).get(url_of(tool))
    assert [each.level for each in page.context["raises"]] in (
        [Level.AUTONOMOUS],
        [Level.ACT_WITH_UNDO, Level.AUTONOMOUS],
    )


def test_proposals_stand_below_the_matrix_with_who_may_decide():
    tool = proven(make_tool())
    lead = make_user("lead", tool.agent.project, name="Lea Lead")
    proposal = propose(tool, by=lead)
    others = client_as("viewer", tool.agent.project).get(home_of(tool)).text
    assert "60 of 60, by Lea Lead" in others
    assert f"/proposals/{proposal.pk}/" in others
    assert "60 of 60, yours: another lead decides" in sign_in(lead).get(home_of(tool)).text


def test_menu_counts_the_proposals_that_this_lead_may_decide():
    tool = proven(make_tool())
    lead = make_user("lead", tool.agent.project)
    propose(tool, by=lead)

    def counted(client):
        menu = client.get(home_of(tool)).context["shell"].menu
        return next(entry.waiting.num for entry in menu if entry.screen.word == "autonomy")

    assert counted(client_as("lead", tool.agent.project)) == 1
    assert counted(sign_in(lead)) == 0
    assert counted(client_as("engineer", tool.agent.project)) == 0


def test_proposal_page_shows_reason_frozen_evidence_and_who_may_not():
    tool = proven(make_tool())
    proposal = propose(tool)
    judged(tool, rejected=5)
    url = home_of(tool, f"proposals/{proposal.pk}/")
    page = client_as("engineer", tool.agent.project).get(url)
    assert "It does well." in page.text
    assert page.context["line"].n == 60
    assert "to decide it takes lead or admin" in page.text
    assert "Grant the raise" in page.text
    fragment = client_as("lead", tool.agent.project).get(url, headers=HTMX).text
    assert fragment.strip().startswith("<aside")
    assert f"{url}grant/" in fragment


def decide(tool, proposal, action, client, reason="As it stands.", **more):
    url = home_of(tool, f"proposals/{proposal.pk}/{action}/")
    return client.post(url, {"decide-reason": reason}, **more)


def test_another_lead_grants():
    tool = proven(make_tool())
    proposal = propose(tool)
    lead = client_as("lead", tool.agent.project)
    response = decide(tool, proposal, "grant", lead, headers=HTMX)
    assert response.status_code == 200
    assert level_of(tool) == Level.ACT_WITH_UNDO
    assert 'hx-swap-oob="innerHTML"' in response.text


@pytest.mark.parametrize("action", ["grant", "refuse"])
def test_the_proposer_decides_nothing(action):
    tool = proven(make_tool())
    lead = make_user("lead", tool.agent.project)
    proposal = propose(tool, by=lead)
    response = decide(tool, proposal, action, sign_in(lead), headers=HTMX)
    assert response.status_code == 409
    assert "another lead decides it" in response.text
    assert level_of(tool) == Level.APPROVE


@pytest.mark.parametrize("action", ["grant", "refuse"])
def test_deciding_takes_a_lead_and_a_reason(action):
    tool = proven(make_tool())
    proposal = propose(tool)
    project = tool.agent.project
    assert decide(tool, proposal, action, client_as("reviewer", project)).status_code == 403
    empty = decide(tool, proposal, action, client_as("lead", project), " ", headers=HTMX)
    assert empty.status_code == 422
    assert "Say why" in empty.text
    proposal.refresh_from_db()
    assert proposal.status == "waiting"


def test_refused_and_withdrawn_proposals_leave_the_level():
    tool = proven(make_tool())
    decide(tool, propose(tool), "refuse", client_as("lead", tool.agent.project))
    own = make_user("reviewer", tool.agent.project)
    decide(tool, propose(tool, by=own), "withdraw", sign_in(own))
    assert sorted(LevelProposal.objects.values_list("status", flat=True)) == [
        "refused",
        "withdrawn",
    ]
    assert level_of(tool) == Level.APPROVE


def test_who_decides_too_late_is_told_how_it_ended():
    tool = proven(make_tool())
    proposal = propose(tool)
    decide(tool, proposal, "refuse", client_as("lead", tool.agent.project))
    late = decide(tool, proposal, "grant", client_as("admin", tool.agent.project), headers=HTMX)
    assert late.status_code == 409
    assert "refused already" in late.text


def test_a_proposal_whose_ground_moved_is_void():
    tool = proven(make_tool())
    proposal = propose(tool)
    lower(agent_tool=tool, level=Level.SUGGEST, by=make_user())
    late = decide(tool, proposal, "grant", client_as("lead", tool.agent.project), headers=HTMX)
    assert late.status_code == 409
    assert "void" in late.text
    assert level_of(tool) == Level.SUGGEST


# Undo


def make_undoable(tool, **overrides):
    run = make_run(tool)
    step = make_step(run, tool, 0, request={"arguments": {"order_id": "<b>#T1</b>"}})
    values = {
        "run": run,
        "step": step,
        "agent_tool": tool,
        "undo_tool": "restore_records",
        "until": timezone.now() + timedelta(minutes=30),
    }
    return UndoableCall.objects.create(**{**values, **overrides})


def test_panel_lists_the_calls_that_may_be_undone_with_the_time_left():
    tool = make_tool()
    call = make_undoable(tool)
    make_undoable(tool, until=timezone.now() - timedelta(minutes=1))
    page = client_as("support", tool.agent.project).get(url_of(tool))
    assert [each.pk for each in page.context["undoable"]] == [call.pk]
    assert "in 29 min" in page.text
    assert "&lt;b&gt;#T1&lt;/b&gt;" in page.text


def undo(tool, call, client, reason="The customer asked.", **more):
    return client.post(home_of(tool, f"calls/{call.pk}/undo/"), {"undo-reason": reason}, **more)


def test_undoing_needs_a_reason_and_more_than_a_viewer():
    tool = make_tool()
    call = make_undoable(tool)
    assert undo(tool, call, client_as("viewer", tool.agent.project)).status_code == 403
    empty = undo(tool, call, client_as("support", tool.agent.project), " ", headers=HTMX)
    assert empty.status_code == 422
    assert "Say why" in empty.text


def test_what_cannot_be_undone_any_more_says_so_and_keeps_the_reason():
    tool = make_tool()
    call = make_undoable(tool, until=timezone.now() - timedelta(minutes=1))
    late = undo(tool, call, client_as("support", tool.agent.project), headers=HTMX)
    assert late.status_code == 409
    assert "too late" in late.text


def test_another_projects_call_and_proposal_are_not_found():
    tool = proven(make_tool())
    call, proposal = make_undoable(tool), propose(tool)
    mine = make_project()
    client = client_as("admin", mine)
    data = {"undo-reason": "Mine.", "decide-reason": "Mine."}
    base = f"/p/{mine.slug}/autonomy"
    assert client.post(f"{base}/calls/{call.pk}/undo/", data).status_code == 404
    assert client.post(f"{base}/proposals/{proposal.pk}/grant/", data).status_code == 404
    assert client.get(f"{base}/proposals/{proposal.pk}/").status_code == 404


# All changes


def test_changes_tell_of_levels_ceilings_stops_and_proposals():
    tool = proven(make_tool())
    by = make_user(name="Ada")
    decide(tool, propose(tool), "refuse", client_as("lead", tool.agent.project))
    lift_ceiling(
        agent=tool.agent,
        tier=Tier.MONEY,
        level=Level.AUTONOMOUS,
        reason="Peak week.",
        expires_at=timezone.now() + timedelta(days=1),
        by=by,
    )
    stops.lift(switch=stop_tool(tool), reason="The rule is out.", by=by)
    lower(agent_tool=tool, level=Level.SUGGEST, by=by, reason="Wrong cards.")
    page = client_as("viewer", tool.agent.project).get(home_of(tool, "changes/")).text
    for text in (
        "Wrong cards.",
        "Peak week.",
        "The rule is out.",
        "Wrong refunds.",
        "was proposed",
        "is refused",
        "tier money",
    ):
        assert text in page, text


def test_changes_are_filtered_by_agent_and_tool():
    tool = make_tool()
    other = make_agent(tool.agent.project, slug="other", tools={LOOK: Level.APPROVE})
    client = client_as("viewer", tool.agent.project)

    def subjects(query):
        found = client.get(home_of(tool, f"changes/{query}")).context["changes"]
        return {(change.agent.slug, change.subject) for change in found if change.agent}

    assert ("other", LOOK) in subjects("")
    assert {slug for slug, _ in subjects("?agent=other")} == {"other"}
    assert (other.slug, LOOK) not in subjects(f"?tool={PAYMENT}")
    assert subjects("?agent=nobody") == set()


def test_older_changes_are_on_the_next_page(monkeypatch):
    monkeypatch.setattr("reviewdesk.screens.autonomy.views.PAGE_SIZE", 2)
    tool = make_tool()
    client = client_as("viewer", tool.agent.project)
    first = client.get(home_of(tool, "changes/"))
    assert len(first.context["changes"]) == 2
    older = client.get(home_of(tool, "changes/"), {"before": first.context["following"]})
    seen = {(each.at, each.subject) for each in first.context["changes"]}
    assert not seen & {(each.at, each.subject) for each in older.context["changes"]}
    fragment = client.get(home_of(tool, "changes/?before=never"), headers=HTMX)
    assert fragment.text.strip().startswith('<div id="results">')


def test_changes_of_nothing_say_so():
    project = make_project()
    page = client_as("viewer", project).get(f"/p/{project.slug}/autonomy/changes/")
    assert "Nothing was changed yet" in page.text


# Who reaches what, and how many queries it takes


@pytest.mark.parametrize("part", ["changes/", "proposals/1/"])
def test_strangers_and_other_projects_find_nothing(part):
    tool = make_tool()
    assert sign_in(make_user()).get(home_of(tool, part)).status_code == 404
    assert client_as("admin", make_project()).get(home_of(tool, part)).status_code == 404


@pytest.mark.parametrize(
    "part", ["calls/1/undo/", "proposals/1/grant/", "proposals/1/refuse/", "proposals/1/withdraw/"]
)
def test_actions_on_proposals_and_calls_are_posted(part):
    tool = make_tool()
    assert client_as("lead", tool.agent.project).get(home_of(tool, part)).status_code == 405


@pytest.mark.parametrize("action", ["lower/", "add-reason/", "propose-raise/"])
def test_actions_on_a_tool_are_posted(action):
    tool = make_tool()
    assert client_as("lead", tool.agent.project).get(url_of(tool, action)).status_code == 405


def num_queries(client, url):
    client.get(url)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(url).status_code == 200
    return len(asked)


def fill(tool, number):
    agent = make_agent(tool.agent.project, slug=f"a{number}", tools={LOOK: Level.OFF})
    for name in (CANCEL, PAYMENT, "calculate", "get_user_details"):
        AgentTool.objects.create(agent=agent, name=name, level=Level.SUGGEST, reason="More.")
    given = agent.tools.select_related("agent__project").get(name=PAYMENT)
    propose(given, Level.APPROVE)
    run = make_run(given)
    Run.objects.filter(pk=run.pk).update(taint={"step": 1, "tool": LOOK, "why": "Mail."})


def test_matrix_asks_as_often_for_ten_agents_with_proposals_as_for_two():
    tool = make_tool()
    fill(tool, 0)
    client = client_as("lead", tool.agent.project)
    few = num_queries(client, home_of(tool))
    for number in range(1, 9):
        fill(tool, number)
    assert num_queries(client, home_of(tool)) == few


def test_panel_asks_as_often_for_many_calls_changes_and_outcomes_as_for_few():
    tool = make_tool()
    make_suite(tool, "passed")

    def work():
        judged(tool, approved=2, rejected=2, edited=1, undone=1)
        make_undoable(tool)
        spans = [tool_span(PAYMENT), tool_span(PAYMENT, error="No", at=1)]
        session = make_session(tool.agent.project, spans, timezone.now(), agent_name="shop")
        make_label(
            session,
            outcome="not_resolved",
            severity="major",
            first_wrong_span_id=spans[0].span_id,
        )
        stops.lift(switch=stop_tool(tool), reason="All is well.", by=make_user())

    work()
    client = client_as("lead", tool.agent.project)
    few = num_queries(client, url_of(tool))
    for _ in range(4):
        work()
    assert num_queries(client, url_of(tool)) == few


def test_changes_ask_as_often_for_many_as_for_few():
    tool = make_tool(Level.OFF)
    client = client_as("lead", tool.agent.project)

    def work(number):
        given = make_agent(tool.agent.project, slug=f"b{number}", tools={PAYMENT: Level.OFF})
        proposal = propose(given.tools.select_related("agent__project").get(), Level.SUGGEST)
        decide(tool, proposal, "refuse", client)

    work(0)
    few = num_queries(client, home_of(tool, "changes/"))
    for number in range(1, 5):
        work(number)
    assert num_queries(client, home_of(tool, "changes/")) == few


# Geometry


def test_interval_bar_keeps_its_words_apart_and_inside():
    near = interval_bar(rate(59, 62, min_n=5), target=0.97)
    value, target = near.value_text, near.target_text
    assert {value[1], target[1]} == {"start", "end"} or value[1] != target[1]
    far = interval_bar(rate(60, 60, min_n=5), target=0.90)
    assert far.value_text == (far.width, "end")
    assert far.target_x == pytest.approx(214.0)
    low = interval_bar(rate(1, 3, min_n=1), target=0.97)
    assert (low.low_end, low.target_text) == (0, (low.width, "end"))


def test_agents_of_another_project_are_in_no_matrix():
    tool = make_tool()
    make_agent(slug="theirs", tools={PAYMENT: Level.APPROVE})
    matrix = client_as("viewer", tool.agent.project).get(home_of(tool)).context["matrix"]
    assert [agent.slug for agent in matrix.agents] == ["shop"]
    assert Agent.objects.count() == 2
