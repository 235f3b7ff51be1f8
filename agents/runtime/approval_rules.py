"""A project's rules for waiting calls: what needs two people, how often one is planted."""

from decimal import Decimal
from typing import Any

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from agents.demo.describe import describe_call
from agents.demo.shop import DatabaseWorld
from agents.errors import ApprovalError
from agents.models import ApprovalRules, Run, Tier
from agents.tools.contract import ToolContract
from traces.models import Project

MAX_PLANTED = 50
_AMOUNTS = ("amount", "amount_usd", "total", "total_usd")


def rules_of(project_id: int) -> ApprovalRules:
    """Return the project's rules, unsaved defaults where nobody set any. One query."""
    found = ApprovalRules.objects.filter(project_id=project_id).select_related("changed_by").first()
    return found or ApprovalRules(project_id=project_id)


def set_rules(
    *,
    project: Project,
    two_people_from_usd: Decimal,
    canaries_per_week: int,
    reason: str,
    by: AbstractBaseUser,
) -> ApprovalRules:
    """Set the rules; calls that wait already keep the number of people they were asked with.

    Raises:
        ApprovalError: No reason is given, an amount below zero, or too many planted calls.
    """
    reason = reason.strip()[:500]
    if len(reason) < 3:
        raise ApprovalError("A change of these rules needs a reason of at least 3 characters.")
    if two_people_from_usd < 0 or not 0 <= canaries_per_week <= MAX_PLANTED:
        raise ApprovalError(
            f"The amount must be $0 or more and the planted calls 0 to {MAX_PLANTED} a week; "
            f"given are ${two_people_from_usd} and {canaries_per_week}."
        )
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="rules"):
        ApprovalRules.objects.get_or_create(project=project)
        row = ApprovalRules.objects.select_for_update().get(project=project)
        if row.canaries_per_week != canaries_per_week:
            row.next_canary_at = None
        row.two_people_from_usd, row.canaries_per_week = two_people_from_usd, canaries_per_week
        row.reason, row.changed_by_id = reason, by.pk
        row.save()
    return row


def amount_of(*, run: Run, tool: str, arguments: dict[str, Any]) -> Decimal | None:
    """Return the US dollars that a call would move, either way; None where nobody can tell."""
    world = DatabaseWorld(run=run, dataset=run.agent.dataset)
    amount = describe_call(tool, arguments, world).amount
    if amount is not None:
        return abs(amount)
    named = (arguments.get(name) for name in _AMOUNTS)
    numbers = [abs(each) for each in named if isinstance(each, int | float)]
    return max((Decimal(str(number)) for number in numbers), default=None)


def people_needed(*, run: Run, contract: ToolContract, arguments: dict[str, Any]) -> int:
    """Return how many people must agree: two where much money moves, or nobody can tell how much.

    At most a handful of queries, none where the tool moves no money.
    """
    if contract.tier is not Tier.MONEY:
        return 1
    amount = amount_of(run=run, tool=contract.name, arguments=arguments)
    if amount is not None and amount < rules_of(run.project_id).two_people_from_usd:
        return 1
    return 2
