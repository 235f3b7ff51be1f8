"""A tool's breaker on its panel: what it says, and who may move it."""

import pytest
from django.utils import timezone

from agents.models import AgentTool, Level, ToolDefinition, ToolGuard, ToolSource
from agents.tools.breaker import close_breaker, note_failure
from agents.tools.contract import CallPolicy
from agents.tools.registry import contract_for
from reviewdesk.audit import read_trail
from reviewdesk.screens.autonomy.breaker import breakers_of
from tests.factories import make_agent, make_user, sign_in

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
REASON = "It charges twice."


def make_till(**policy):
    """Make an agent with a tool `pay` over HTTP."""
    agent = make_agent(slug="support", name="Support desk")
    source = ToolSource.objects.create(
        project=agent.project, slug="till", name="till", kind="openapi", url="https://till.example/"
    )
    ToolDefinition.objects.create(
        project=agent.project,
        source=source,
        name="pay",
        number=1,
        description="Pay.",
        parameters={"type": "object"},
        effect="keyed",
        tier="write_reversible",
        policy=policy,
        request={"method": "POST", "url": "https://till.example", "path": "/pay"},
        content_hash="1",
        reason="For the test.",
    )
    AgentTool.objects.create(agent=agent, name="pay", level=Level.APPROVE, reason="For the test.")
    return agent


def url_of(agent, action=""):
    return f"/p/{agent.project.slug}/autonomy/agents/{agent.slug}/tools/pay/{action}"


def post(client, agent, verb, reason=REASON, **more):
    prefix = {"open": "open", "close": "close"}[verb]
    return client.post(url_of(agent, f"{verb}-breaker/"), {f"{prefix}-reason": reason}, **more)


def guard(agent, **values):
    return ToolGuard.objects.create(project=agent.project, tool="pay", **values)


def test_panel_tells_state_failures_and_limits():
    agent = make_till(max_concurrent=4, rate_per_minute=30, breaker_failures=5)
    guard(agent, num_failures=3, last_error="The till answered 503.")
    page = sign_in(make_user("viewer", agent.project)).get(url_of(agent)).content.decode()
    assert "closed" in page
    assert "3 of 5 failures in a row that open it" in page
    assert "The till answered 503." in page
    assert "0 of 4" in page
    assert "30 of 30 per minute" in page
    assert "Open by hand" not in page


def test_open_breaker_is_a_word_and_an_icon_never_colour_alone():
    agent = make_till(fallback={"result": None})
    now = timezone.now()
    guard(agent, breaker="open", num_failures=5, opened_at=now, probe_at=now)
    page = sign_in(make_user("lead", agent.project)).get(url_of(agent)).content.decode()
    assert "circuit-switch-open" in page
    assert "one call may try" in page
    assert "Close by hand" in page
    assert "Hold it open" in page
    assert "fallback" in page


def test_reviewer_opens_and_lead_closes():
    agent = make_till()
    reviewer, lead = (make_user(role, agent.project) for role in ("reviewer", "lead"))
    assert post(sign_in(reviewer), agent, "open").status_code == 303
    assert ToolGuard.objects.get().breaker == "open"
    assert post(sign_in(reviewer), agent, "close").status_code == 403
    answer = post(sign_in(lead), agent, "close", headers=HTMX)
    assert answer.status_code == 200
    assert "its calls start again" in answer["HX-Trigger"]
    assert ToolGuard.objects.get().breaker == "closed"


def test_viewer_opens_no_breaker_and_nobody_moves_one_by_get():
    agent = make_till()
    assert post(sign_in(make_user("viewer", agent.project)), agent, "open").status_code == 403
    admin = sign_in(make_user("admin", agent.project))
    assert admin.get(url_of(agent, "open-breaker/")).status_code == 405
    assert not ToolGuard.objects.exists()


def test_stranger_finds_nothing():
    agent = make_till()
    assert post(sign_in(make_user("lead")), agent, "open").status_code == 404


def test_breaker_needs_a_reason_and_is_not_moved_twice():
    agent = make_till()
    client = sign_in(make_user("lead", agent.project))
    answer = post(client, agent, "open", reason="")
    assert answer.status_code == 422
    assert "Say why" in answer.content.decode()
    assert not ToolGuard.objects.exists()
    answer = post(client, agent, "close")
    assert answer.status_code == 409
    assert "The breaker of pay is closed already." in answer.content.decode()


def test_tool_of_our_own_database_has_no_breaker():
    agent = make_agent(slug="support", tools={"get_order_details": Level.APPROVE})
    client = sign_in(make_user("lead", agent.project))
    url = f"/p/{agent.project.slug}/autonomy/agents/support/tools/get_order_details/open-breaker/"
    assert client.post(url, {"open-reason": REASON}).status_code == 404


def test_many_tools_take_as_many_queries_as_one(django_assert_num_queries):
    agent = make_till(rate_per_minute=10)
    contract = contract_for("pay", agent.project_id)
    own = [contract_for("get_order_details"), contract_for("calculate")]
    for tools in ([contract], [contract, *own]):
        with django_assert_num_queries(2):
            found = breakers_of(agent.project, tools, now=timezone.now())
        assert found["pay"].calls_left == 10


def test_audit_tells_who_moved_a_breaker_and_leaves_probes_out():
    agent = make_till()
    lead = make_user("lead", agent.project)
    row = guard(agent)
    policy, now = CallPolicy(breaker_failures=1), timezone.now()
    note_failure(row, policy, error="503", is_probe=False, now=now)
    note_failure(row, policy, error="504", is_probe=True, now=now)
    close_breaker(project=agent.project, tool="pay", reason="Repaired.", by=lead)
    entries = read_trail(project=agent.project, kinds=["breakers"]).entries
    found = [(entry.line.did, entry.line.after, entry.why, entry.who) for entry in entries]
    assert found == [
        ("closed", "", "Repaired.", lead),
        ("opened after 1 failure in a row", "503", "", None),
    ]
