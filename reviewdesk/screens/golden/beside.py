"""Two eval runs side by side, in words. Pure."""

from agents.gate.sentence import points
from agents.gate.words import Told, difference_words, told_of
from agents.golden.compare import MOVED, Comparison, TestPair
from agents.releases.proof import Move
from reviewdesk.screens.golden.sentence import Sentence

TABS = (
    ("moved", "Moved"),
    (Move.BROKEN.value, "Broken"),
    (Move.WORSE.value, "Worse"),
    (Move.BETTER.value, "Better"),
    (Move.FLAKY.value, "Flaky"),
    (Move.SAME.value, "Same"),
    (Move.NEW.value, "Not compared"),
    ("quarantine", "In quarantine"),
)
_TOLD = {
    Told.BETTER: ("good", "trending-up"),
    Told.WORSE: ("bad", "trending-down"),
    Told.OPEN: ("none", "equal"),
}


def shown_tests(comparison: Comparison, show: str, part: str = "") -> list[TestPair]:
    """Return the tests of a tab; of `part` only, a suite's or a tag's name."""
    return [
        test
        for test in comparison.tests
        if _belongs(test, show) and (not part or part == test.suite or part in test.tags)
    ]


def compared_sentence(comparison: Comparison) -> Sentence:
    """Return what the comparison shows, in one sentence; it is no gate and decides nothing."""
    whole = comparison.whole
    if whole is None:
        text = "No test was judged in both with the same content."
        return Sentence("info", "info-circle", text, "Nothing can be compared.")
    size = f"{whole.num_tests} test{'' if whole.num_tests == 1 else 's'}"
    rates = (
        f"Eval run {comparison.before.pk} passed {_percent(whole.before)}, eval run "
        f"{comparison.now.pk} {_percent(whole.now)}, over {size}."
    )
    if whole.low is None or whole.high is None:
        return Sentence("info", "info-circle", rates, "One test tells of no other.")
    words = difference_words(whole.diff, whole.low, whole.high)
    interval = f"(95 %: {points(whole.low)} to {points(whole.high)})"
    kind, icon = _TOLD[told_of(whole.low, whole.high)]
    return Sentence(kind, icon, f"{words} {interval}.", rates)


def _belongs(test: TestPair, show: str) -> bool:
    if test.is_set_aside or show == "quarantine":
        return test.is_set_aside and show == "quarantine"
    if show in set(Move):
        return test.move == show
    return test.move in MOVED


def _percent(share: float) -> str:
    return f"{round(100 * share, 1):g} %"
