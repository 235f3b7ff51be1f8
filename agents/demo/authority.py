"""Who may do what in the demo: levels that were granted, proposals, undone calls, a demotion."""

import pghistory
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection

from agents.models import Agent, AgentTool, Level
from agents.tools.autonomy import give_tool
from agents.tools.registry import contract_for

_NEEDED = "Needed for the work of the support desk."
# What the demo's past has granted; its reads are autonomous from the first day.
GRANTED = {
    "cancel_pending_order": Level.AUTONOMOUS,
    "exchange_delivered_order_items": Level.AUTONOMOUS,
    "modify_pending_order_address": Level.AUTONOMOUS,
    "modify_pending_order_items": Level.AUTONOMOUS,
    "modify_pending_order_payment": Level.AUTONOMOUS,
    "modify_user_address": Level.AUTONOMOUS,
    "return_delivered_order_items": Level.AUTONOMOUS,
}


def allow_reset() -> None:
    """Let this transaction write levels that nobody granted: the demo's past never was."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL reviewdesk.authority_reset = 'demo'")


def give_tools(*, agent: Agent, names: list[str], by: AbstractBaseUser) -> None:
    """Give the demo's agent its tools: reads at `autonomous`, writes at `approve`."""
    for name in names:
        is_read = contract_for(name).is_read
        level = Level.AUTONOMOUS if is_read else Level.APPROVE
        give_tool(agent=agent, name=name, level=level, reason=_NEEDED, by=by)


def grant_levels(*, agent: Agent, by: AbstractBaseUser) -> None:
    """Set the levels that the demo's past has granted; nothing is a candidate any more."""
    allow_reset()
    with pghistory.context(user=by.pk, action="demo", reason=_NEEDED):
        for row in AgentTool.objects.filter(agent=agent, name__in=GRANTED):
            row.level, row.contract_version = GRANTED[row.name], contract_for(row.name).version
            row.candidate_since, row.candidate_why = None, ""
            row.save()
