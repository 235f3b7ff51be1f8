"""The stops that are on: what every page says of them above its head."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q
from django.urls import reverse

from agents.models import KillSwitch, Tier
from agents.tools.contract import NOT_MADE
from agents.tools.registry import contracts

SHOWN = 2
EVERYTHING = "everything"
# A column that is null (or empty, of the tool) stands for all of its kind. An effect is a call that
# was begun and done since: whatever the stop forbids.
_STOPS_ON = """
SELECT stop.id, stop.scope, stop.stops, project.name, agent.name, stop.tool, stop.reason,
    coalesce(nullif(person.name, ''), person.email), stop.stopped_at, clock_timestamp(),
    (
        SELECT count(*) FROM agents_run AS run
        WHERE run.status = 'waiting' AND run.parked_for = 'stop'
            AND (stop.project_id IS NULL OR run.project_id = stop.project_id)
            AND (stop.agent_id IS NULL OR run.agent_id = stop.agent_id)
            AND (stop.tool = '' OR (
                SELECT step.response -> 'tool_calls' FROM agents_step AS step
                WHERE step.run_id = run.id AND step.kind = 'model' ORDER BY step.index DESC LIMIT 1
            ) @> jsonb_build_array(jsonb_build_object('name', stop.tool)))
    ),
    (
        SELECT count(*) FROM agents_run AS run JOIN agents_step AS step ON step.run_id = run.id
        WHERE (run.finished_at IS NULL OR run.finished_at >= stop.stopped_at)
            AND (stop.project_id IS NULL OR run.project_id = stop.project_id)
            AND (stop.agent_id IS NULL OR run.agent_id = stop.agent_id)
            AND (stop.tool = '' OR step.name = stop.tool)
            AND step.started_at > stop.stopped_at AND step.status = 'done'
            AND (
                step.kind = 'tool' AND step.response ? 'result'
                AND NOT step.response ?| %(not_made)s
                AND (stop.stops = 'all' OR NOT (step.name = ANY(%(reads)s) OR EXISTS (
                    SELECT FROM agents_tooldefinition AS tool
                    WHERE tool.project_id = run.project_id AND tool.name = step.name
                        AND tool.is_current AND tool.tier = ANY(%(tiers)s)
                )))
                OR step.kind = 'model' AND stop.stops = 'all' AND stop.tool = ''
            )
    ),
    (
        SELECT incident.number FROM agents_incident AS incident
        WHERE incident.project_id = stop.project_id AND incident.status = 'open'
            AND (stop.agent_id IS NULL OR incident.agent_id IS NULL
                OR incident.agent_id = stop.agent_id)
            AND incident.tool IN ('', stop.tool)
        ORDER BY incident.opened_at DESC LIMIT 1
    )
FROM agents_killswitch AS stop
JOIN people_user AS person ON person.id = stop.stopped_by_id
LEFT JOIN traces_project AS project ON project.id = stop.project_id
LEFT JOIN agents_agent AS agent ON agent.id = stop.agent_id
WHERE stop.lifted_at IS NULL AND (stop.project_id = %(project)s OR stop.scope = 'everything')
ORDER BY array_position(ARRAY['everything', 'project', 'agent', 'tool'], stop.scope::text),
    stop.stopped_at
"""


@dataclass(frozen=True)
class StopOn:
    """A stop that is on.

    Attributes:
        project: Name of the project, empty for everything.
        agent: Name of the agent, empty where all are stopped.
        tool: The tool, empty where all are stopped.
        by: Who stopped it.
        now: The database's clock.
        num_waiting: Runs that are parked by it.
        num_effects: Calls that it forbids and that were begun since; anything but 0 is a fault.
        incident: Number of the newest open incident about what is stopped, or None. One about a
            tool alone is not about a stop of more.
    """

    pk: int
    scope: KillSwitch.Scope
    stops: KillSwitch.Stops
    project: str
    agent: str
    tool: str
    reason: str
    by: str
    at: datetime
    now: datetime
    num_waiting: int
    num_effects: int
    incident: int | None

    @property
    def sentence(self) -> str:
        """Say what is stopped."""
        return sentence_of(
            self.scope, self.stops, project=self.project, agent=self.agent, tool=self.tool
        )

    @property
    def quoted(self) -> str:
        """Return the reason as it stands within a sentence."""
        return self.reason.rstrip(".")

    @property
    def lasts(self) -> timedelta:
        """Return since how long."""
        return self.now - self.at


@dataclass(frozen=True)
class Banner:
    """What stands above a page while something is stopped.

    Attributes:
        slug: Of the project that the page is in, or else of one of the person's.
        stops: Those that are on for the page, the widest first.
        is_everywhere: Whether the page is of no project, so that only stops of everything are told.
    """

    slug: str
    stops: list[StopOn]
    is_everywhere: bool = False

    @property
    def shown(self) -> list[StopOn]:
        """Return the stops that there is room for."""
        return self.stops[:SHOWN]

    @property
    def num_more(self) -> int:
        """Return how many stops are only counted."""
        return len(self.stops) - len(self.shown)

    @property
    def url(self) -> str:
        """Return where the page asks whether this still holds; it names the stops it tells of."""
        query = {"seen": _named(stop.pk for stop in self.stops)}
        if self.is_everywhere:
            query["of"] = EVERYTHING
        return reverse("stops:banner", args=[self.slug], query=query)


def sentence_of(
    scope: str, stops: str, *, project: str, agent: str, tool: str, verb: str = "is"
) -> str:
    """Say what a stop stops, e.g. "Every write is stopped for Shop support"."""
    what = "Every write" if stops == KillSwitch.Stops.WRITES else "Every call and every model"
    if scope == KillSwitch.Scope.TOOL:
        return f"Every call of {tool} {verb} stopped for {agent or 'every agent'}"
    if scope == KillSwitch.Scope.AGENT:
        return f"{what} {verb} stopped for {agent}"
    if scope == KillSwitch.Scope.PROJECT:
        return f"{what} {verb} stopped in {project}"
    return f"{what} {verb} stopped in every project"


def stops_named(project_id: int | None) -> str:
    """Name the stops that hold in a project; without one, those of everything. One short query."""
    wanted = Q(scope=KillSwitch.Scope.EVERYTHING)
    if project_id is not None:
        wanted |= Q(project=project_id)
    return _named(KillSwitch.objects.filter(wanted, lifted_at=None).values_list("pk", flat=True))


def _named(pks: Iterable[int]) -> str:
    return ".".join(str(pk) for pk in sorted(pks))


def stops_on_page(project_id: int | None) -> list[StopOn]:
    """Return the stops that hold in a project, the widest first; without one, of everything.

    One query, whatever their number.
    """
    values = {
        "project": project_id,
        "reads": [contract.name for contract in contracts() if contract.is_read],
        "tiers": [Tier.READ, Tier.READ_SENSITIVE],
        "not_made": list(NOT_MADE),
    }
    with connection.cursor() as cursor:
        cursor.execute(_STOPS_ON, values)
        return [_stop_on(row) for row in cursor.fetchall()]


def _stop_on(row: tuple[Any, ...]) -> StopOn:
    pk, scope, stops, project, agent, tool, *rest = row
    scoped = KillSwitch.Scope(scope), KillSwitch.Stops(stops)
    return StopOn(pk, *scoped, project or "", agent or "", tool, *rest)
