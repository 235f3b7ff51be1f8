"""Adding agents to a project."""

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.text import slugify

from agents.errors import AgentsError
from agents.models import Agent, AgentTool, Level
from agents.tools.registry import contract_for
from traces.models import Project

FIRST_REASON = "A new agent starts with reads autonomous and everything else at approve."


class AgentExistsError(AgentsError):
    """The project has an agent of this name."""


def create_agent(
    *, project: Project, name: str, description: str, tools: list[str], by: AbstractBaseUser
) -> Agent:
    """Add an agent with its tools: those that only read autonomous, the rest at `approve`.

    It has no version yet and runs nothing until one is written.

    Raises:
        AgentExistsError: The project has an agent whose name gives the same slug.
        AgentsError: The name has neither letter nor digit.
        UnknownToolError: The project has no tool of such a name.
    """
    slug = slugify(name)[:60]
    if not slug:
        raise AgentsError(f"The name {name!r} has neither letter nor digit; choose another.")
    contracts = [contract_for(tool, project.pk) for tool in tools]
    with (
        transaction.atomic(),
        pghistory.context(user=by.pk, reason=description or FIRST_REASON, action="new agent"),
    ):
        agent, is_new = Agent.objects.get_or_create(
            project=project, slug=slug, defaults={"name": name[:120], "description": description}
        )
        if not is_new:
            raise AgentExistsError(f"{project} has an agent called {agent} already.")
        for contract in contracts:
            AgentTool.objects.create(
                agent=agent,
                name=contract.name,
                level=Level.AUTONOMOUS if contract.is_read else Level.APPROVE,
                reason=FIRST_REASON,
                changed_by_id=by.pk,
            )
    return agent
