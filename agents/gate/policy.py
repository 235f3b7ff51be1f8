"""A project's thresholds: proposed by one person, approved by another, each version kept."""

from contextlib import AbstractContextManager

import pghistory
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Max

from agents.errors import GateError
from agents.gate.config import GateConfig, problems_of
from agents.models import GatePolicy
from agents.tools.autonomy import database_now
from traces.models import Project

__all__ = [
    "GateConfig",
    "active_policy",
    "approve_policy",
    "config_for",
    "propose_policy",
    "refuse_policy",
    "withdraw_policy",
]

MIN_REASON, MAX_REASON = 3, 1000


def active_policy(project_id: int) -> GatePolicy | None:
    """Return the project's active thresholds; None: the defaults hold. One query."""
    return GatePolicy.objects.filter(project=project_id, status=GatePolicy.Status.ACTIVE).first()


def config_for(project_id: int) -> tuple[GateConfig, GatePolicy | None]:
    """Return the thresholds that hold now, and their version where there is one. One query."""
    policy = active_policy(project_id)
    return (GateConfig.from_json(policy.config) if policy else GateConfig()), policy


def propose_policy(
    *, project: Project, config: GateConfig, reason: str, by: AbstractBaseUser
) -> GatePolicy:
    """Ask for other thresholds; they hold once another person approves.

    Raises:
        GateError: One cannot be used, nothing would change, no reason, or a proposal waits.
    """
    reason = _checked(reason, "propose thresholds")
    if problems := problems_of(config):
        raise GateError(" ".join(problems.values()))
    with transaction.atomic(), _recorded(by, reason, "propose gate rules"):
        _lock(project)
        rows = GatePolicy.objects.filter(project=project)
        if waiting := rows.filter(status=GatePolicy.Status.PROPOSED).first():
            raise GateError(
                f"Rules {waiting.number} wait for approval already: {waiting.proposed_by} proposed "
                "them. Decide or withdraw these first."
            )
        if config_for(project.pk)[0] == config:
            raise GateError("These thresholds hold already; nothing was proposed.")
        highest = rows.aggregate(highest=Max("number"))["highest"]
        return GatePolicy.objects.create(
            project=project,
            number=(highest or 0) + 1,
            config=config.to_json(),
            reason=reason,
            proposed_by_id=by.pk,
        )


def approve_policy(*, policy: GatePolicy, by: AbstractBaseUser, reason: str = "") -> GatePolicy:
    """Make thresholds hold from now on; gates that ran by others prove no release any more.

    Raises:
        GateError: `by` proposed them, or they wait no more.
    """
    reason = reason.strip()[:MAX_REASON]
    with transaction.atomic(), _recorded(by, reason or policy.reason, "approve gate rules"):
        row = _locked_waiting(policy)
        _check_other_person(row, by)
        active = GatePolicy.objects.filter(project=row.project_id, status=GatePolicy.Status.ACTIVE)
        for before in active.select_for_update():
            before.status = GatePolicy.Status.SUPERSEDED
            before.save(update_fields=["status"])
        return _decided(row, GatePolicy.Status.ACTIVE, by, reason)


def refuse_policy(*, policy: GatePolicy, by: AbstractBaseUser, reason: str) -> GatePolicy:
    """Refuse thresholds; those that hold stay.

    Raises:
        GateError: No reason, `by` proposed them (and may withdraw them), or they wait no more.
    """
    reason = _checked(reason, "refuse thresholds")
    with transaction.atomic(), _recorded(by, reason, "refuse gate rules"):
        row = _locked_waiting(policy)
        _check_other_person(row, by)
        return _decided(row, GatePolicy.Status.REFUSED, by, reason)


def withdraw_policy(*, policy: GatePolicy, by: AbstractBaseUser, reason: str = "") -> GatePolicy:
    """Take one's own proposal back.

    Raises:
        GateError: Somebody else proposed it, or it waits no more.
    """
    reason = reason.strip()[:MAX_REASON]
    with transaction.atomic(), _recorded(by, reason, "withdraw gate rules"):
        row = _locked_waiting(policy)
        if by.pk != row.proposed_by_id:
            raise GateError(
                f"Only {row.proposed_by}, who proposed rules {row.number}, may withdraw them; "
                "another person may refuse them."
            )
        return _decided(row, GatePolicy.Status.WITHDRAWN, by, reason)


def _recorded(by: AbstractBaseUser, reason: str, action: str) -> AbstractContextManager[object]:
    context: AbstractContextManager[object] = pghistory.context(
        user=by.pk, reason=reason, action=action
    )
    return context


def _lock(project: Project) -> None:
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _locked_waiting(policy: GatePolicy) -> GatePolicy:
    _lock(policy.project)
    row = (
        GatePolicy.objects.select_for_update(of=("self",))
        .select_related("proposed_by", "decided_by")
        .get(pk=policy.pk)
    )
    if row.status != GatePolicy.Status.PROPOSED:
        who = f" by {row.decided_by}" if row.decided_by else ""
        raise GateError(
            f"Rules {row.number} are decided already: {row.get_status_display()}{who}. Nothing "
            "was changed."
        )
    return row


def _check_other_person(policy: GatePolicy, by: AbstractBaseUser) -> None:
    if by.pk == policy.proposed_by_id:
        raise GateError(
            "You proposed these thresholds, so another person decides. You may withdraw them."
        )


def _decided(
    row: GatePolicy, status: GatePolicy.Status, by: AbstractBaseUser, reason: str
) -> GatePolicy:
    row.status, row.decided_by_id = status, by.pk
    row.decided_at, row.decision_reason = database_now(), reason
    row.save(update_fields=["status", "decided_by", "decided_at", "decision_reason"])
    return row


def _checked(reason: str, act: str) -> str:
    reason = reason.strip()
    if not MIN_REASON <= len(reason) <= MAX_REASON:
        raise GateError(
            f"To {act} takes a reason of {MIN_REASON} to {MAX_REASON} characters; this one has "
            f"{len(reason)}."
        )
    return reason
