"""The Overview's first sentence, and which causes failures have. Pure functions."""

from dataclasses import dataclass

from reviewdesk.kpis.definitions import TASK_SUCCESS
from reviewdesk.kpis.estimates import LEVEL, Change, Estimate, change, rate, rate_difference
from reviewdesk.kpis.measure import Week, together
from reviewdesk.kpis.period import NUM_WEEKS_BEFORE
from reviewdesk.kpis.tiles import Tile
from traces.causes import CAUSES

MAX_CAUSES = 6
TITLES = {cause["key"]: str(cause["title"]) for cause in CAUSES}


@dataclass(frozen=True)
class Health:
    """How the agents do, as far as it is known.

    Attributes:
        tile: Task success.
        num_failed: Labelled sessions of the newest week that were not resolved.
        top_cause: Code of their most frequent cause, or empty.
        num_top: Sessions with it.
    """

    tile: Tile
    num_failed: int
    top_cause: str
    num_top: int

    @property
    def is_known(self) -> bool:
        """Say whether there are enough labels for a number."""
        return self.tile.now.value is not None

    @property
    def top_title(self) -> str:
        """Return the name of the most frequent cause."""
        return TITLES.get(self.top_cause, "").lower()

    @property
    def words(self) -> str:
        """Return what became of the number."""
        return {
            Change.BETTER: "better than the four weeks before",
            Change.WORSE: "worse than the four weeks before",
            Change.NONE: "no evidence of change",
            Change.UNKNOWN: "nothing to compare with yet",
        }[self.tile.change]


@dataclass(frozen=True)
class CauseRow:
    """A cause in the newest week and before, as a share of the labelled sessions.

    Attributes:
        change: Better where it became rarer; unknown where there are too few labels.
    """

    code: str
    title: str
    number: int
    now: Estimate
    before: Estimate
    change: Change

    @property
    def is_rising(self) -> bool:
        """Say whether the share went up."""
        return (self.now.value or 0) > (self.before.value or 0)


def health_of(tile: Tile, newest: Week) -> Health:
    """Return the health of the newest week."""
    top = newest.causes.most_common(1)
    code, number = top[0] if top else ("", 0)
    return Health(tile, newest.num_labelled - newest.num_resolved, code, number)


def causes_of(weeks: list[Week]) -> list[CauseRow]:
    """Return the most frequent causes of the newest week, most frequent first."""
    newest, earlier = weeks[-1], together(weeks[-1 - NUM_WEEKS_BEFORE : -1])
    order = sorted(newest.causes.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_CAUSES]
    # Bonferroni: as many are looked at, so each must stand out that much more.
    level = 1 - (1 - LEVEL) / max(len(order), 1)
    return [_cause_row(code, number, newest, earlier, level) for code, number in order]


def top_of(rows: list[CauseRow]) -> float:
    """Return the end of a scale on which all rows fit, with their intervals."""
    shares = [row.before.value or 0.0 for row in rows]
    shares += [row.now.interval.high for row in rows if row.now.interval]
    return max(shares, default=0.0) or 1.0


def _cause_row(code: str, number: int, newest: Week, earlier: Week, level: float) -> CauseRow:
    n, n_before, number_before = newest.num_labelled, earlier.num_labelled, earlier.causes[code]
    least = TASK_SUCCESS.min_n
    now, before = rate(number, n, min_n=least), rate(number_before, n_before, min_n=least)
    difference = None
    if now.value is not None and before.value is not None:
        difference = rate_difference(number, n, number_before, n_before, level=level)
    moved = change(difference, higher_is_better=False)
    return CauseRow(code, TITLES.get(code, code), number, now, before, moved)
