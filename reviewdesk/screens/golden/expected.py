"""What a test expects in plain words, for the panel: per version, as far as a judge said."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agents.golden.content import content_of
from agents.golden.expectations import Expectation, State, expectations_of, words_of
from agents.judges.verdicts import verdicts_of
from agents.models import EvalResult, GoldenTest


@dataclass(frozen=True)
class ExpectedCell:
    """How an expectation went on one version.

    Attributes:
        num_met: Repeats in which a judge said that it is met.
        num_judged: Repeats in which a judge said so or the opposite.
        is_advisory: The judge is not believed.
        is_waiting: A judge has been asked and has not answered.
        told: What the judge said where it is broken, else where it is met, or why not.
    """

    num_met: int = 0
    num_judged: int = 0
    is_advisory: bool = False
    is_waiting: bool = False
    told: str = ""

    @property
    def state(self) -> str:
        """Return pass, fail, mixed, or nothing where it was not judged."""
        if not self.num_judged:
            return ""
        if self.num_met == self.num_judged:
            return "pass"
        return "mixed" if self.num_met else "fail"

    @property
    def words(self) -> str:
        """Return the cell in words."""
        if not self.num_judged:
            return "being judged" if self.is_waiting else "not judged"
        said = f"met in {self.num_met} of {self.num_judged}"
        return f"advisory: {said}" if self.is_advisory else said


@dataclass(frozen=True)
class ExpectedLine:
    """An expectation with a cell per version."""

    text: str
    cells: tuple[ExpectedCell, ...]

    @property
    def note(self) -> str:
        """Return why nothing of it counts yet: not judged, being judged or advisory."""
        if not any(cell.num_judged for cell in self.cells):
            is_waiting = any(cell.is_waiting for cell in self.cells)
            return "being judged" if is_waiting else "not judged"
        return "advisory" if any(cell.is_advisory for cell in self.cells) else ""


def lines_of_expectations(
    test: GoldenTest, columns: Iterable[Sequence[EvalResult]]
) -> tuple[ExpectedLine, ...]:
    """Return a line per expectation of the test as it is now; three queries where it has some.

    Args:
        test: With its expectations.
        columns: The results of each version that count, none of an outdated one.
    """
    if not test.expectations:
        return ()
    columns = list(columns)
    verdicts = verdicts_of([result for results in columns for result in results])
    told = [
        [expectations_of(content_of(test), verdicts.get(result.pk, ())) for result in results]
        for results in columns
    ]
    return tuple(
        ExpectedLine(words_of(each), tuple(_cell([row[at] for row in rows]) for rows in told))
        for at, each in enumerate(test.expectations)
    )


def _cell(found: Sequence[Expectation]) -> ExpectedCell:
    num = Counter(each.state for each in found)
    order = (State.BROKEN, State.MET, State.UNDECIDED, State.NOT_JUDGED, State.WAITING)
    telling = next((each for state in order for each in found if each.state is state), None)
    said = telling.judge and f"{telling.judge}: {telling.reason}" if telling else ""
    return ExpectedCell(
        num_met=num[State.MET],
        num_judged=num[State.MET] + num[State.BROKEN],
        is_advisory=any(each.is_advisory for each in found),
        is_waiting=bool(num[State.WAITING]),
        told=said,
    )
