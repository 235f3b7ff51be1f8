"""The gate's rules on the desk: proposed by one person, decided by another, kept in the trail."""

from typing import Any

import pytest
from django.http import HttpResponse
from django.urls import reverse

from agents.gate.config import GateConfig
from agents.gate.policy import propose_policy
from agents.models import GatePolicy
from reviewdesk.people.models import User
from reviewdesk.people.roles import Role
from reviewdesk.screens.golden.policy import rule_rows, value_text
from tests.factories import client_as, make_project, make_user, sign_in
from traces.models import Project

pytestmark = pytest.mark.django_db

FILLED = {
    "margin_points": "3",
    "confidence": "0.95",
    "looks": "3, 6",
    "max_runs": "2000",
    "max_infra_share": "0.05",
    "critical_repeats": "5",
    "hard_gates": ["leak", "schema"],
    "max_cost_ratio": "",
    "max_latency_ratio": "2",
    "max_cost_usd": "",
    "max_latency_seconds": "",
    "slice_by": ["suite"],
    "min_slice_tests": "5",
    "reason": "Refunds bear less.",
}


def url(project: Project, name: str = "policy", *args: Any) -> str:
    return reverse(f"golden:{name}", args=[project.slug, *args])


def proposal(project: Project, by: User | None = None) -> GatePolicy:
    return propose_policy(
        project=project,
        config=GateConfig(margin_points=3),
        reason="Refunds bear less.",
        by=by or make_user(Role.ENGINEER, project, name="Eva Engineer"),
    )


def decide(project: Project, role: str, name: str, **data: str) -> HttpResponse:
    return client_as(role, project).post(url(project, name, 1), data)


def test_defaults_hold_until_somebody_sets_others() -> None:
    project = make_project()
    text = client_as(Role.VIEWER, project).get(url(project)).content.decode()
    assert "The defaults hold: nobody has set others." in text
    assert "takes the role engineer or lead or admin" in text


def test_engineer_proposes_rules_in_full() -> None:
    project = make_project()
    response = client_as(Role.ENGINEER, project).post(url(project, "propose_rules"), FILLED)
    assert response.status_code == 303
    row = GatePolicy.objects.get()
    config = GateConfig.from_json(row.config)
    assert (config.margin_points, config.looks, config.max_cost_ratio) == (3.0, (3, 6), None)
    assert (config.hard_gates, config.slice_by) == (("leak", "schema"), ("suite",))
    assert row.status == GatePolicy.Status.PROPOSED


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"margin_points": "0"}, "It is 0.0; it must be a number from 0.5 to 50."),
        ({"margin_points": ""}, "Give a number."),
        ({"looks": "6, 3"}, "rising whole numbers"),
        ({"looks": "three"}, "Give whole numbers with commas between"),
        ({"reason": ""}, "Say why; the reason stays with the rules."),
        ({"max_cost_ratio": "0.2"}, "or empty for no ceiling"),
    ],
)
def test_invalid_rules_are_refused_by_field(changes: dict[str, str], message: str) -> None:
    project = make_project()
    client = client_as(Role.ENGINEER, project)
    response = client.post(url(project, "propose_rules"), FILLED | changes)
    assert response.status_code == 422
    assert message in response.content.decode()
    assert not GatePolicy.objects.exists()


def test_rules_that_hold_already_are_not_proposed() -> None:
    project = make_project()
    same = FILLED | {
        "margin_points": "5",
        "looks": "3, 6, 10",
        "max_cost_ratio": "1.5",
        "hard_gates": ["forbidden_tool", "leak", "injection", "schema"],
        "slice_by": ["suite", "tag", "severity", "intent", "language"],
    }
    response = client_as(Role.ENGINEER, project).post(url(project, "propose_rules"), same)
    assert response.status_code == 409
    assert "hold already" in response.content.decode()


def test_page_shows_what_a_proposal_changes() -> None:
    project = make_project()
    proposal(project)
    text = client_as(Role.LEAD, project).get(url(project)).content.decode()
    assert "<del>5</del>" in text
    assert "<ins>3</ins>" in text
    assert "Rules 1 wait for approval" in text


def test_lead_approves_and_the_rules_hold() -> None:
    project = make_project()
    proposal(project)
    assert decide(project, Role.LEAD, "approve_rules").status_code == 303
    assert GatePolicy.objects.get().status == GatePolicy.Status.ACTIVE
    text = client_as(Role.VIEWER, project).get(url(project)).content.decode()
    assert "Rules 1 hold: Person" in text


def test_refusing_takes_a_reason() -> None:
    project = make_project()
    proposal(project)
    response = decide(project, Role.LEAD, "refuse_rules")
    assert response.status_code == 409
    assert "takes a reason" in response.content.decode()
    assert decide(project, Role.LEAD, "refuse_rules", reason="Too strict.").status_code == 303
    assert GatePolicy.objects.get().status == GatePolicy.Status.REFUSED


def test_nobody_decides_what_they_proposed() -> None:
    project = make_project()
    lead = make_user(Role.LEAD, project)
    proposal(project, lead)
    client = sign_in(lead)
    assert "Withdraw the proposal" in client.get(url(project)).content.decode()
    assert client.post(url(project, "approve_rules", 1)).status_code == 409
    assert GatePolicy.objects.get().status == GatePolicy.Status.PROPOSED
    assert client.post(url(project, "withdraw_rules", 1)).status_code == 303
    assert GatePolicy.objects.get().status == GatePolicy.Status.WITHDRAWN


def test_engineer_may_propose_and_not_decide() -> None:
    project = make_project()
    proposal(project)
    assert decide(project, Role.ENGINEER, "approve_rules").status_code == 403
    assert decide(project, Role.REVIEWER, "withdraw_rules").status_code == 403


def test_decision_of_another_in_the_meantime_is_said() -> None:
    project = make_project()
    proposal(project)
    decide(project, Role.LEAD, "approve_rules")
    response = decide(project, Role.ADMIN, "approve_rules")
    assert response.status_code == 409
    assert "decided already" in response.content.decode()


def test_page_is_a_fragment_too_and_other_projects_have_none() -> None:
    project, other = make_project(), make_project()
    proposal(project)
    client = client_as(Role.LEAD, project)
    fragment = client.get(url(project), headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert (
        "<html"
        in client.get(
            url(project), headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}
        ).content.decode()
    )
    assert client.get(url(project, "approve_rules", 1)).status_code == 405
    assert client_as(Role.LEAD, other).get(url(project)).status_code == 404
    assert client_as(Role.LEAD, other).post(url(other, "approve_rules", 1)).status_code == 404


def test_values_are_words() -> None:
    assert value_text("max_cost_ratio", None) == "no ceiling"
    assert value_text("confidence", 0.95) == "95 %"
    assert value_text("hard_gates", ()) == "nothing"
    assert value_text("max_cost_usd", 0.02) == "$0.02"
    assert [
        row.rule.key for row in rule_rows(GateConfig(), GateConfig(looks=(3,))) if row.is_changed
    ] == ["looks"]
