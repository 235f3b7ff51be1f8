"""Differences of configurations: nothing lost, read by word, folded where nothing changes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.config import Limits, VersionConfig
from agents.releases.diff import FieldChange, Piece, config_diff, fold, num_places, word_diff

LINES = st.lists(st.text("ab \n.", max_size=8), max_size=12).map("".join)
CONFIG = VersionConfig(system_prompt="Help.", model="desk-model", tools=("find_user",))


def texts(pieces):
    """Return (before, after) of pieces put together again."""
    before = "".join(piece.text for piece in pieces if piece.kind != "added")
    after = "".join(piece.text for piece in pieces if piece.kind != "removed")
    return before, after


@given(LINES, LINES)
def test_pieces_put_together_are_the_two_texts(before, after):
    pieces = word_diff(before, after)
    assert texts(pieces) == (before, after)
    assert texts(fold(pieces)) == (before, after)


@given(LINES)
def test_same_text_has_no_change(text):
    assert num_places(word_diff(text, text)) == 0


def test_changed_words_stand_within_their_sentence():
    before = "Before any call that changes an order, tell the customer what you do. Then act.\n"
    after = "Before any call that changes an order, list the items and wait for a yes. Then act.\n"
    kinds = [piece.kind for piece in word_diff(before, after)]
    assert kinds == ["same", "removed", "added", "same"]


def test_sentences_with_little_in_common_stand_one_after_the_other():
    before = "If a customer is unhappy, hand them over to a colleague.\n"
    after = "Only requests beyond your tools go on; that a customer complains is no reason.\n"
    assert [piece.kind for piece in word_diff(before, after)] == ["removed", "added"]


def test_whole_lines_that_stay_are_folded_and_the_rest_of_a_changed_line_is_not():
    before = "".join(f"Rule {number} stays as it is.\n" for number in range(9))
    after = before.replace("Rule 4 stays", "Rule 4 always stays")
    pieces = fold(word_diff(before, after))
    assert [(piece.kind, piece.num_lines) for piece in pieces] == [
        ("skipped", 4),
        ("same", 1),
        ("added", 1),
        ("same", 1),
        ("skipped", 4),
    ]


def test_two_lines_that_stay_are_shown():
    assert fold([Piece("same", "one\ntwo\n")]) == (Piece("same", "one\ntwo\n"),)


def test_long_prompts_are_compared_line_by_line_in_good_time():
    before = " ".join(f"word{number}" for number in range(20_000))
    pieces = word_diff(before, before.replace("word1 ", "other "))
    assert texts(pieces)[0] == before


def test_fields_are_compared_by_path_and_tools_one_by_one():
    after = replace(
        CONFIG,
        parameters={"temperature": 0},
        tools=("get_order",),
        limits=Limits(max_steps=40),
    )
    found = config_diff(CONFIG.to_json(), after.to_json())
    assert found.fields == (
        FieldChange("limits.max_steps", "60", "40"),
        FieldChange("parameters.temperature", None, "0"),
        FieldChange("tools.find_user", "offered", None),
        FieldChange("tools.get_order", None, "offered"),
    )
    assert (found.num_places, found.num_fields, found.num_unchanged) == (0, 9, 5)


def test_first_version_is_all_new():
    found = config_diff(None, CONFIG.to_json())
    assert found.prompt == (Piece("added", "Help."),)
    assert all(change.before is None for change in found.fields)


@pytest.mark.parametrize("value", [None, True, 1.5, [1, "a"], {"b": {}}])
def test_any_json_value_can_be_compared(value):
    before = {**CONFIG.to_json(), "parameters": {"extra_body": value}}
    assert config_diff(before, before).is_empty
    assert not config_diff(CONFIG.to_json(), before).is_empty
