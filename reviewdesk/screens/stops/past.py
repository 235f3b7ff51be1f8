"""The stops of a project, past and present, for the list and the page of one."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q

from agents.models import KillSwitch
from reviewdesk.screens.stops.banner import sentence_of
from traces.models import Project

PAGE_SIZE = 50


@dataclass(frozen=True)
class Told:
    """A stop and what it stops, in words."""

    switch: KillSwitch
    sentence: str

    @property
    def lasted(self) -> timedelta | None:
        """Return how long it was on, or None while it is."""
        if self.switch.lifted_at is None:
            return None
        return self.switch.lifted_at - self.switch.stopped_at


def told(switch: KillSwitch) -> Told:
    """Return the stop with its sentence; reads `project` and `agent`."""
    sentence = sentence_of(
        switch.scope,
        switch.stops,
        project=str(switch.project or ""),
        agent=str(switch.agent or ""),
        tool=switch.tool,
        verb="is" if switch.lifted_at is None else "was",
    )
    return Told(switch, sentence)


def stops_page(project: Project, before: str) -> tuple[list[Told], str]:
    """Return the lifted stops of a project and of everything, and where older ones begin.

    Newest first, `PAGE_SIZE` at most. One query.

    Args:
        project: Whose stops.
        before: Key of the last one seen, as `following` gave it; anything else is the first page.
    """
    wanted = Q(project=project) | Q(scope=KillSwitch.Scope.EVERYTHING)
    lifted = KillSwitch.objects.filter(wanted, lifted_at__isnull=False)
    if before.isdecimal() and int(before) < 2**31:
        lifted = lifted.filter(pk__lt=int(before))
    people = lifted.select_related("project", "agent", "stopped_by", "lifted_by")
    found = list(people.order_by("-pk")[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    following = str(shown[-1].pk) if len(found) > PAGE_SIZE else ""
    return [told(switch) for switch in shown], following
