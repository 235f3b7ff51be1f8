"""The rail beside the board: an agent's suites, what is set aside, and what has no test."""

from dataclasses import dataclass

from django.db.models import Count, Q

from agents.models import Agent, GoldenTest
from reviewdesk.screens.golden.reading import QUARANTINE, RETIRED, quarantined


@dataclass(frozen=True)
class Entry:
    """A link of the rail; `key` is what the address calls it, empty for all active tests."""

    key: str
    title: str
    icon: str
    num: int


@dataclass(frozen=True)
class Rail:
    """The rail: all active tests, the suites among them, and the tests that are set aside."""

    all: Entry
    suites: tuple[Entry, ...]
    aside: tuple[Entry, ...]

    @property
    def num_tests(self) -> int:
        """Return how many tests there are, those set aside too."""
        return self.all.num + sum(entry.num for entry in self.aside)


KEYS = ("", *(str(suite) for suite in GoldenTest.Suite), QUARANTINE, RETIRED)


def read_rail(agent: Agent) -> Rail:
    """Return how many tests each suite has, and how many are set aside. One query."""
    active = Q(archived_at=None) & ~quarantined()
    counts = GoldenTest.objects.filter(agent=agent).aggregate(
        all=Count("pk", filter=active),
        **{suite: Count("pk", filter=active & Q(suite=suite)) for suite in GoldenTest.Suite},
        **{
            QUARANTINE: Count("pk", filter=quarantined()),
            RETIRED: Count("pk", filter=Q(archived_at__isnull=False)),
        },
    )
    return Rail(
        all=Entry("", "All suites", "stack-2", counts["all"]),
        suites=tuple(
            Entry(suite, str(suite.label).capitalize(), "folder", counts[suite])
            for suite in GoldenTest.Suite
        ),
        aside=(
            Entry(QUARANTINE, "Quarantine", "clock-pause", counts[QUARANTINE]),
            Entry(RETIRED, "Archived", "archive", counts[RETIRED]),
        ),
    )
