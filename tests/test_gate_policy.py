"""The gate's thresholds: changed only by two people, and kept for ever."""

import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from agents.errors import GateError
from agents.gate.config import GateConfig
from agents.gate.policy import (
    approve_policy,
    config_for,
    propose_policy,
    refuse_policy,
    withdraw_policy,
)
from agents.models import GatePolicy
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db
STRICT = GateConfig(margin_points=2)


def proposed(project=None, config=STRICT, by=None) -> GatePolicy:
    return propose_policy(
        project=project or make_project(), config=config, reason="Too lax.", by=by or make_user()
    )


def test_defaults_hold_until_another_person_approves() -> None:
    policy = proposed()
    assert config_for(policy.project_id) == (GateConfig(), None)
    approve_policy(policy=policy, by=make_user())
    policy.refresh_from_db()
    assert config_for(policy.project_id) == (STRICT, policy)


def test_nobody_approves_or_refuses_their_own_thresholds() -> None:
    person = make_user()
    policy = proposed(by=person)
    with pytest.raises(GateError, match="another person decides"):
        approve_policy(policy=policy, by=person)
    with pytest.raises(GateError, match="another person decides"):
        refuse_policy(policy=policy, by=person, reason="No.")


def test_database_refuses_the_proposer_too() -> None:
    policy = proposed()
    with (
        pytest.raises(IntegrityError, match="gate_policy_proposer_never_decides"),
        transaction.atomic(),
    ):
        GatePolicy.objects.filter(pk=policy.pk).update(
            status="active", decided_by=policy.proposed_by_id, decided_at="2026-11-16T12:00:00Z"
        )


def test_written_thresholds_never_change() -> None:
    policy = proposed()
    with pytest.raises(ProgrammingError, match="Cannot update"), transaction.atomic():
        GatePolicy.objects.filter(pk=policy.pk).update(config={})


def test_next_approval_supersedes_and_keeps_the_one_before() -> None:
    first = proposed()
    approve_policy(policy=first, by=make_user())
    second = proposed(first.project, GateConfig(margin_points=3))
    approve_policy(policy=second, by=make_user())
    first.refresh_from_db()
    assert (first.number, first.status) == (1, GatePolicy.Status.SUPERSEDED)
    assert config_for(first.project_id)[1] == second


def test_one_proposal_waits_at_a_time() -> None:
    policy = proposed()
    with pytest.raises(GateError, match="Rules 1 wait for approval already"):
        proposed(policy.project, GateConfig(margin_points=3))


@pytest.mark.parametrize(
    ("config", "reason", "said"),
    [
        (GateConfig(), "Why not.", "hold already"),
        (GateConfig(margin_points=90), "Lax.", "margin_points is 90"),
        (STRICT, " ", "takes a reason"),
    ],
)
def test_useless_proposal_is_refused(config, reason, said) -> None:
    with pytest.raises(GateError, match=said):
        propose_policy(project=make_project(), config=config, reason=reason, by=make_user())


def test_only_the_proposer_withdraws() -> None:
    person = make_user()
    policy = proposed(by=person)
    with pytest.raises(GateError, match="may withdraw"):
        withdraw_policy(policy=policy, by=make_user())
    assert withdraw_policy(policy=policy, by=person).status == GatePolicy.Status.WITHDRAWN


def test_decided_proposal_is_decided_once() -> None:
    policy = proposed()
    refuse_policy(policy=policy, by=make_user(name="Lea"), reason="Keep five.")
    with pytest.raises(GateError, match="refused by Lea"):
        approve_policy(policy=policy, by=make_user())


def test_each_step_is_recorded_with_who_and_why() -> None:
    policy = proposed()
    lead = make_user()
    approve_policy(policy=policy, by=lead, reason="Agreed.")
    *_, last = policy.events.order_by("pgh_id")
    assert last.status == "active"
    assert last.pgh_context.metadata["user"] == lead.pk
    assert last.pgh_context.metadata["reason"] == "Agreed."
