"""What the Golden screen says of tests that a version passed or failed in no repeat."""

import pytest

from reviewdesk.screens.golden.reading import read_board
from reviewdesk.screens.golden.sentence import compare_sentence
from tests.factories import make_live
from tests.golden import make_eval_run, make_test
from tests.shop import make_shop_agent

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("verdicts", "detail"),
    [
        ("p p p", "1 not run"),
        ("p e p", "1 without a verdict: infrastructure error · 1 not run"),
        ("pp pe nn", "2 not run"),
    ],
)
def test_sentence_tells_what_was_not_run_from_what_could_not_be_judged(
    verdicts: str, detail: str
) -> None:
    agent, version = make_shop_agent()
    make_live(version)
    make_eval_run(version, [make_test(agent) for _ in range(3)], verdicts)
    make_test(agent)  # Promoted since, so no version has met it.
    assert compare_sentence(read_board(agent)).detail == detail
