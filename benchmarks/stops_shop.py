"""What the benchmark of kill switches needs of the desk: an agent that pays, runs, and switches."""

import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.db import connection, transaction

from agents.config import Limits
from agents.models import (
    Agent,
    AgentTool,
    KillSwitch,
    Level,
    Run,
    ToolDefinition,
    ToolSource,
    Version,
)
from agents.runtime.start import start_run
from agents.tools import stops
from reviewdesk.people.models import User
from tests.factories import make_user
from tests.shop import make_live, make_shop_agent, make_shop_version

_LOOK_SECONDS = 0.2
_INPUT = {"messages": [{"role": "user", "content": "Pay what is due."}], "turns": []}


@dataclass(frozen=True)
class Shop:
    """The agent, and who stops it."""

    agent: Agent
    version: Version
    person: User

    def feed(self, num_runs: int, is_over: threading.Event) -> None:
        """Keep so many runs in flight until it is over."""
        while not is_over.wait(_LOOK_SECONDS):
            missing = num_runs - Run.objects.filter(agent=self.agent, status__in=Run.OPEN).count()
            with transaction.atomic():
                for _ in range(missing):
                    start_run(agent=self.agent, version=self.version, run_input=_INPUT)
        connection.close()

    def targets(self) -> list[dict[str, Any]]:
        """Return what can be stopped: each way of naming these runs."""
        scope, project = KillSwitch.Scope, self.agent.project
        return [
            {"scope": scope.PROJECT, "project": project},
            {"scope": scope.AGENT, "project": project, "agent": self.agent},
            {"scope": scope.TOOL, "project": project, "tool": "pay"},
            {"scope": scope.EVERYTHING},
        ]

    def stop(self, target: dict[str, Any]) -> KillSwitch:
        """Flip a switch, as a click does."""
        return stops.stop(**target, reason="For the benchmark.", by=self.person)

    def lift(self, switch: KillSwitch) -> None:
        """Let the runs go on."""
        stops.lift(switch=switch, reason="For the benchmark.", by=self.person)


def make_shop(url: str) -> Shop:
    """Make an agent that pays over HTTP by itself, without a key."""
    agent, _ = make_shop_agent(f"{url}/v1")
    source = ToolSource.objects.create(
        project=agent.project,
        slug="till",
        name="till",
        kind=ToolSource.Kind.OPENAPI,
        url=f"{url}/openapi.json",
        allowed_hosts=[urlsplit(url).netloc],
    )
    places = {"number": {"in": "body", "name": "number"}}
    ToolDefinition.objects.create(
        project=agent.project,
        source=source,
        name="pay",
        number=1,
        description="Pays.",
        parameters={"type": "object", "properties": {"number": {"type": "integer"}}},
        effect="unkeyed",
        tier="write_reversible",
        policy={"time_limit_seconds": 10},
        request={"method": "POST", "path": "/unkeyed", "url": url, "places": places},
        content_hash="pay",
        reason="For the benchmark.",
    )
    AgentTool.objects.create(agent=agent, name="pay", level=Level.AUTONOMOUS, reason="Likewise.")
    version = make_shop_version(agent, limits=Limits(max_seconds=100_000))
    return Shop(make_live(version), version, make_user("lead", agent.project))
