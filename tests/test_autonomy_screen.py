"""The Autonomy screen: what holds, why, and who may change it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Agent, AgentTool, CeilingLift, Level, Run, Tier
from agents.tools.autonomy import change_level, lift_ceiling
from reviewdesk.kpis.estimates import rate
from reviewdesk.screens.autonomy.charts import day_chart, interval_bar
from reviewdesk.screens.autonomy.days import Day, Fate, fates
from tests.factories import (
    client_as,
    make_agent,
    make_project,
    make_session,
    make_user,
    make_version,
    sign_in,
    tool_span,
)

pytestmark = pytest.mark.django_db

CANCEL = "cancel_pending_order"
LOOK = "get_order_details"
RETURN = "return_delivered_order_items"
HTMX = {"HX-Request": "true"}


def make_shop(**levels):
    """Make an agent `support` that has `CANCEL` at autonomous and `LOOK` at approve."""
    tools = {CANCEL: Level.AUTONOMOUS, LOOK: Level.APPROVE, **levels}
    return make_agent(slug="support", name="Support desk", tools=tools)


def tool_url(agent, tool=CANCEL, action=""):
    return f"/p/{agent.project.slug}/autonomy/agents/{agent.slug}/tools/{tool}/{action}"


def agent_url(agent, action=""):
    return f"/p/{agent.project.slug}/autonomy/agents/{agent.slug}/{action}"


def post_level(client, agent, level, tool=CANCEL, was=Level.AUTONOMOUS, reason="It erred.", **more):
    return client.post(
        tool_url(agent, tool, "change-level/"),
        {"level": level, "was": was, "reason": reason},
        **more,
    )


def level_of(agent, tool=CANCEL):
    return AgentTool.objects.get(agent=agent, name=tool).level


def test_matrix_shows_levels_and_what_holds_them_back():
    agent = make_shop()
    page = client_as("viewer", agent.project).get(f"/p/{agent.project.slug}/autonomy/")
    cells = page.context["matrix"].groups
    assert "not given" in page.text
    assert page.context["matrix"].cell(agent, CANCEL).held_by == "ceiling"
    assert page.context["matrix"].cell(agent, LOOK).held_by == ""
    assert [group.tier for group in cells][-2:] == [Tier.MONEY, None]
    assert cells[-1].title == "Handing over"


def test_matrix_counts_the_calls_of_thirty_days():
    agent = make_shop()
    spans = [tool_span(LOOK), tool_span(LOOK, error="No such order", at=1)]
    make_session(agent.project, spans, timezone.now(), agent_name="support")
    old = timezone.now() - timedelta(days=40)
    make_session(agent.project, [tool_span(LOOK)], old, agent_name="support")
    make_session(agent.project, [tool_span(LOOK)], timezone.now(), agent_name="other")
    make_session(
        agent.project, [tool_span(LOOK)], timezone.now(), agent_name="support", is_golden=True
    )
    page = client_as("viewer", agent.project).get(f"/p/{agent.project.slug}/autonomy/")
    rows = [row for group in page.context["matrix"].groups for row in group.rows]
    row = next(row for row in rows if row.contract.name == LOOK)
    assert (row.num_calls, row.num_bad) == (2, 1)


def test_matrix_asks_as_often_for_many_agents_as_for_one():
    agent = make_shop()
    client = client_as("viewer", agent.project)
    url = f"/p/{agent.project.slug}/autonomy/"
    client.get(url)
    with CaptureQueriesContext(connection) as one:
        client.get(url)
    for number in range(6):
        make_agent(agent.project, slug=f"a{number}", tools={CANCEL: Level.OFF, LOOK: Level.OFF})
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(many) == len(one)


def test_a_project_without_agents_says_so():
    project = make_project()
    page = client_as("viewer", project).get(f"/p/{project.slug}/autonomy/")
    assert "No agent yet" in page.text
    assert f"/p/{project.slug}/releases/" in page.text.split("No agent yet")[1]


def test_panel_names_all_limits_and_those_that_bind():
    agent = make_shop()
    page = client_as("viewer", agent.project).get(tool_url(agent))
    rows = {row.title: row.binds for row in page.context["limits"]}
    assert rows == {
        "Tool's level": False,
        "Tier: write that cannot be undone": True,
        "Agent's ceiling": False,
        "Untrusted content": False,
        "Incident": False,
        "Candidate": False,
        "Kill switch": False,
    }
    assert "<html" in page.text


def test_panel_alone_is_sent_to_htmx_and_the_page_to_its_history():
    agent = make_shop()
    client = client_as("viewer", agent.project)
    fragment = client.get(tool_url(agent), headers=HTMX)
    restored = client.get(tool_url(agent), headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert fragment.text.strip().startswith("<aside")
    assert "<html" in restored.text
    assert "HX-Request" in fragment["Vary"]


def test_panel_of_a_tool_that_is_not_given_says_so():
    agent = make_shop()
    page = client_as("support", agent.project).get(tool_url(agent, RETURN))
    assert "has not got this tool" in page.text
    assert "To give it takes lead or admin" in page.text


@pytest.mark.parametrize("path", [tool_url, agent_url])
def test_strangers_and_members_of_other_projects_find_nothing(path):
    agent = make_shop()
    assert sign_in(make_user()).get(path(agent)).status_code == 404
    assert client_as("admin", make_project()).get(path(agent)).status_code == 404


def test_another_projects_agent_is_not_found_under_the_own_project():
    theirs, mine = make_shop(), make_project()
    client = client_as("admin", mine)
    assert client.get(f"/p/{mine.slug}/autonomy/agents/support/").status_code == 404
    assert client.get(tool_url(theirs).replace(theirs.project.slug, mine.slug)).status_code == 404


def test_an_unknown_tool_is_not_found():
    agent = make_shop()
    assert client_as("admin", agent.project).get(tool_url(agent, "fly")).status_code == 404


@pytest.mark.parametrize("role", ["support", "reviewer", "engineer", "lead", "admin"])
def test_lowering_is_open_to_all_but_viewers(role):
    agent = make_shop()
    response = post_level(client_as(role, agent.project), agent, Level.SUGGEST)
    assert response.status_code == 303
    assert level_of(agent) == Level.SUGGEST


def test_a_viewer_may_not_lower():
    agent = make_shop()
    response = post_level(client_as("viewer", agent.project), agent, Level.OFF)
    assert response.status_code == 403
    assert level_of(agent) == Level.AUTONOMOUS


@pytest.mark.parametrize("role", ["reviewer", "lead", "admin"])
def test_nobody_raises_without_a_proposal(role):
    agent = make_shop()
    client = client_as(role, agent.project)
    response = post_level(client, agent, Level.AUTONOMOUS, tool=LOOK, was=Level.APPROVE)
    assert response.status_code == 409
    assert "Propose the raise instead" in response.text
    assert level_of(agent, LOOK) == Level.APPROVE


def test_a_raise_cannot_pass_for_lowering_by_a_false_was():
    agent = make_shop()
    client = client_as("support", agent.project)
    response = post_level(client, agent, Level.APPROVE, was=Level.AUTONOMOUS, tool=LOOK)
    assert response.status_code == 409
    change_level(
        agent_tool=agent.tools.get(name=CANCEL), level=Level.OFF, reason="Stop.", by=make_user()
    )
    assert post_level(client, agent, Level.SUGGEST).status_code == 409
    assert level_of(agent) == Level.OFF


def test_somebody_faster_is_told_and_the_typed_reason_stays():
    agent = make_shop()
    client = client_as("lead", agent.project)
    post_level(client, agent, Level.SUGGEST)
    late = post_level(client, agent, Level.OFF, reason="My careful reason.", headers=HTMX)
    assert late.status_code == 409
    assert "is at suggest now, no longer at autonomous" in late.text
    assert "My careful reason." in late.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reason": ""}, "Say why"),
        ({"reason": "x"}, "at least 3 characters"),
        ({"level": "godlike"}, "not one of the available choices"),
        ({"level": ""}, "Choose the level"),
    ],
)
def test_an_invalid_form_comes_back_with_its_errors(change, message):
    agent = make_shop()
    client = client_as("lead", agent.project)
    data = {"level": Level.OFF, "was": Level.AUTONOMOUS, "reason": "It erred.", **change}
    response = client.post(tool_url(agent, CANCEL, "change-level/"), data, headers=HTMX)
    assert response.status_code == 422
    assert message in response.text
    assert level_of(agent) == Level.AUTONOMOUS


def test_a_change_answers_panel_matrix_and_toast():
    agent = make_shop()
    response = post_level(client_as("lead", agent.project), agent, Level.OFF, headers=HTMX)
    assert 'id="panel"' in response.text
    assert 'hx-swap-oob="innerHTML"' in response.text
    assert "went from autonomous to off" in response["HX-Trigger"]


def test_history_tells_who_when_why_and_from_what_to_what():
    agent = make_shop()
    lead = make_user("lead", agent.project, name="Lea Lead")
    post_level(sign_in(lead), agent, Level.OFF, reason="Wrong refunds.")
    change = sign_in(lead).get(tool_url(agent)).context["changes"][0]
    assert (change.before, change.after) == (Level.AUTONOMOUS, Level.OFF)
    assert (change.by, change.reason) == (lead, "Wrong refunds.")


def test_matrix_and_panel_count_the_same_days():
    agent = make_shop()
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight - timedelta(days=29)
    for start in (first - timedelta(minutes=1), first + timedelta(minutes=1)):
        make_session(agent.project, [tool_span(LOOK)], start, agent_name="support")
    context = client_as("viewer", agent.project).get(tool_url(agent, LOOK)).context
    rows = [row for group in context["matrix"].groups for row in group.rows]
    row = next(row for row in rows if row.contract.name == LOOK)
    assert row.num_calls == context["num_calls"] == len(context["calls"]) == 1


def test_matrix_names_the_last_day_of_a_lift():
    agent = make_shop()
    until = timezone.now() + timedelta(days=7)
    url = tool_url(agent, CANCEL, "lift-ceiling/")
    client = client_as("lead", agent.project)
    client.post(url, {"until": until.date(), "reason": "Peak week."})
    page = client.get(f"/p/{agent.project.slug}/autonomy/").text
    assert f"ceiling approve, lifted until {until.day} {until:%b}<" in page


def test_a_lead_lifts_a_ceiling_and_anyone_ends_it():
    agent = make_shop()
    until = (timezone.now() + timedelta(days=7)).date()
    lead = client_as("lead", agent.project)
    lifted = lead.post(
        tool_url(agent, CANCEL, "lift-ceiling/"), {"until": until, "reason": "Peak week."}
    )
    assert lifted.status_code == 303
    assert CeilingLift.objects.get().expires_at.date() == until
    assert lead.get(tool_url(agent)).context["cell"].effective.level == Level.AUTONOMOUS
    ended = client_as("support", agent.project).post(
        tool_url(agent, CANCEL, "end-lift/"), {"end-reason": "It erred."}
    )
    assert ended.status_code == 303
    assert not CeilingLift.objects.exists()
    subjects = [change.subject for change in lead.get(tool_url(agent)).context["changes"]]
    assert subjects.count("tier write that cannot be undone") == 2


def test_a_lift_needs_a_lead_and_a_day_to_come():
    agent = make_shop()
    data = {"until": "2020-01-01", "reason": "Peak week."}
    url = tool_url(agent, CANCEL, "lift-ceiling/")
    assert client_as("reviewer", agent.project).post(url, data).status_code == 403
    response = client_as("lead", agent.project).post(url, data, headers=HTMX)
    assert response.status_code == 422
    assert "has passed" in response.text


def test_an_expired_lift_lifts_nothing():
    agent = make_shop()
    lift_ceiling(
        agent=agent,
        tier=Tier.WRITE_IRREVERSIBLE,
        level=Level.AUTONOMOUS,
        reason="Short.",
        expires_at=timezone.now() + timedelta(hours=1),
        by=make_user(),
    )
    CeilingLift.objects.update(
        created_at=timezone.now() - timedelta(days=2), expires_at=timezone.now() - timedelta(days=1)
    )
    page = client_as("lead", agent.project).get(tool_url(agent))
    assert page.context["lift"] is None
    assert page.context["cell"].effective.level == Level.APPROVE


def test_a_tool_is_taken_with_a_reason():
    agent = make_shop()
    client = client_as("support", agent.project)
    url = tool_url(agent, LOOK, "take/")
    assert client.post(url, {"take-reason": ""}).status_code == 422
    assert client.post(url, {"take-reason": "Not needed."}).status_code == 303
    assert not agent.tools.filter(name=LOOK).exists()
    assert client.post(url, {"take-reason": "Again."}).status_code == 404


def test_a_tool_is_given_by_a_lead():
    agent = make_shop()
    data = {"give-tool": RETURN, "give-level": Level.SUGGEST, "give-reason": "For version 2."}
    url = agent_url(agent, "give-tool/")
    assert client_as("engineer", agent.project).post(url, data).status_code == 403
    assert client_as("lead", agent.project).post(url, data).status_code == 303
    assert level_of(agent, RETURN) == Level.SUGGEST


def test_giving_a_tool_that_is_given_is_refused():
    agent = make_shop()
    data = {"give-tool": LOOK, "give-level": Level.SUGGEST, "give-reason": "Once more."}
    response = client_as("lead", agent.project).post(agent_url(agent, "give-tool/"), data)
    assert response.status_code == 422


@pytest.mark.parametrize(
    ("role", "level", "status"), [("support", "approve", 303), ("lead", "off", 303)]
)
def test_the_agents_ceiling_is_lowered(role, level, status):
    agent = make_shop()
    data = {"ceiling-level": level, "ceiling-was": "autonomous", "ceiling-reason": "Too bold."}
    response = client_as(role, agent.project).post(agent_url(agent, "change-ceiling/"), data)
    assert response.status_code == status
    assert Agent.objects.get(pk=agent.pk).ceiling == level


def test_raising_the_agents_ceiling_takes_a_lead():
    agent = make_shop()
    Agent.objects.update(ceiling=Level.OFF)
    data = {"ceiling-level": "approve", "ceiling-was": "off", "ceiling-reason": "Calm again."}
    url = agent_url(agent, "change-ceiling/")
    assert client_as("support", agent.project).post(url, data).status_code == 403
    assert client_as("lead", agent.project).post(url, data).status_code == 303


def test_agent_page_warns_of_tools_the_version_offers_in_vain():
    agent = make_shop()
    agent.tools.filter(name=LOOK).delete()
    page = client_as("viewer", agent.project).get(agent_url(agent))
    assert page.context["wanted"] == [LOOK]
    assert "which this agent is not given" in page.text


def test_agent_page_asks_as_often_for_many_tools_and_runs_as_for_few():
    agent = make_shop()
    client = client_as("lead", agent.project)
    client.get(agent_url(agent))
    with CaptureQueriesContext(connection) as few:
        client.get(agent_url(agent))
    for name in (RETURN, "calculate", "get_user_details"):
        AgentTool.objects.create(agent=agent, name=name, level=Level.OFF, reason="More.")
    for _ in range(4):
        client.post(agent_url(agent, "start-run/"), run_data(agent))
    with CaptureQueriesContext(connection) as many:
        client.get(agent_url(agent))
    # The first rows of a kind bring their people and versions: one query each at most.
    assert len(many) <= len(few) + 1


def run_data(agent, **overrides):
    data = {
        "run-message": "Where is #T1?",
        "run-turns": "And when?\n\nThanks",
        "run-version": agent.live_version_id,
        "run-customer": "Ada",
    }
    return {**data, **overrides}


def test_a_run_is_started_from_the_page():
    agent = make_shop()
    version = make_version(agent)
    user = make_user("support", agent.project)
    data = run_data(agent, **{"run-version": version.pk})
    response = sign_in(user).post(agent_url(agent, "start-run/"), data)
    run = Run.objects.get()
    assert response.status_code == 303
    assert response["Location"] == f"/p/{agent.project.slug}/sessions/{run.session_id}/"
    assert (run.version, run.started_by, run.session.customer) == (version, user, "Ada")
    assert run.input["turns"] == ["And when?", "Thanks"]


def test_starting_a_run_takes_more_than_a_viewer_and_a_message():
    agent = make_shop()
    url = agent_url(agent, "start-run/")
    assert client_as("viewer", agent.project).post(url, run_data(agent)).status_code == 403
    empty = client_as("support", agent.project).post(url, run_data(agent, **{"run-message": " "}))
    assert empty.status_code == 422
    foreign = run_data(agent, **{"run-version": make_agent().live_version_id})
    assert client_as("support", agent.project).post(url, foreign).status_code == 422
    assert not Run.objects.exists()


@pytest.mark.parametrize("action", ["change-level/", "lift-ceiling/", "end-lift/", "take/"])
def test_actions_are_posted(action):
    agent = make_shop()
    assert client_as("lead", agent.project).get(tool_url(agent, CANCEL, action)).status_code == 405


def day_of(**counts):
    return Day(timezone.now().date(), {Fate(name): num for name, num in counts.items()})


def test_day_chart_stacks_failures_on_what_was_done():
    chart = day_chart([day_of(alone=3, failed=1), day_of()])
    # 4 calls on a scale to 4, 60 px high: a call is 15 px, the upper one less a hair.
    heights = [(each.fate, each.height) for each in chart.bars[0].segments]
    assert heights == [(Fate.ALONE, 45.0), (Fate.FAILED, 14.0)]
    assert [value for _, value in chart.lines] == [0, 2, 4]
    assert day_chart([day_of()]) is None


def test_day_chart_marks_the_days_of_changes_and_keeps_their_words_apart():
    today = timezone.now().date()
    days = [Day(today - timedelta(days=29 - at), {Fate.ALONE: 1}) for at in range(30)]
    near = [(today - timedelta(days=at), "lowered", f"Sentence {at}") for at in (3, 2)]
    marks = day_chart(days, [*near, (today - timedelta(days=40), "given", "Before.")]).marks
    assert [mark.text for mark in marks] == ["", "lowered"]
    assert [mark.title for mark in marks] == ["Sentence 3", "Sentence 2"]


def test_every_call_has_one_fate():
    # 20 calls, 6 errors: 2 rejected and 4 of the tool. 5 approved, 1 edited, 3 proposed, 1 undone.
    found = fates(
        20,
        6,
        decided={Fate.APPROVED: 5, Fate.EDITED: 1, Fate.PROPOSED: 3, Fate.REJECTED: 2},
        num_failed_decided=2,
        num_undone=1,
    )
    assert found[Fate.FAILED] == 4
    assert found[Fate.ALONE] == 4
    assert sum(found.values()) == 20


def test_sums_that_lag_behind_decisions_never_count_below_nothing():
    found = fates(0, 0, decided={Fate.REJECTED: 2}, num_failed_decided=2, num_undone=0)
    assert (found[Fate.ALONE], found[Fate.FAILED]) == (0, 0)


def test_interval_bar_needs_enough_decisions():
    assert interval_bar(rate(2, 2, min_n=5)) is None
    bar = interval_bar(rate(59, 62, min_n=5))
    # Wilson 95 % of 59/62: 86.7 to 98.3 %.
    assert (round(bar.low, 1), round(bar.high, 1), bar.low_end) == (86.7, 98.3, 80)
