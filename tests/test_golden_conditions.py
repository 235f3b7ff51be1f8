"""Conditions, patterns and schemas on a call's arguments."""

import time
from typing import Any

import pytest

from agents.golden.checks import check_title, judge_outcome
from agents.golden.conditions import BadConditionError, parsed_condition
from agents.golden.jsonpath import BadPathError, TooMuchError, find, parsed
from agents.golden.judgements import UncheckableError
from agents.golden.outcome import Call, Outcome, events_of
from agents.golden.patterns import BadPatternError, compiled, finds, schema_problem, unfit
from traces.models import Span

ARGUMENTS = {
    "order_id": "#W1",
    "amount": 50,
    "days": "7",
    "when": "2026-03-05",
    "address": {"zip": "10115", "town": "Berlin"},
    "items": [{"id": 1, "price": 12.5}, {"id": 2, "price": 40}],
    "tags": ["late", "gift"],
    "none": None,
}


@pytest.mark.parametrize(
    "line",
    [
        "order_id = #W1",
        'order_id = "#W1"',
        "order_id != #W2",
        "amount <= 50",
        "amount>49.5",
        "amount in 1..50",
        "days in 1..30",
        "days = 7",
        "when in 2026-01-01..2026-12-31",
        "address.zip matches ^\\d{5}$",
        "address.town contains berl",
        "items.1.price = 40",
        "tags contains late",
        "address contains zip",
        "none = null",
        "none exists",
        "nothing is missing",
        "$.items[*].price > 30",
        "$.items[?@.price > 10 && @.id != 1].id = 2",
        "$..zip exists",
        "$.items[?@.price > 100] is missing",
        "$.items[*].id != 3",
    ],
)
def test_condition_holds(line: str) -> None:
    assert parsed_condition(line).holds(ARGUMENTS)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("order_id = #W2", "order_id #W1"),
        ("amount < 50", "amount 50"),
        ("amount in 60..90", "amount 50"),
        ("amount = true", "amount 50"),
        ("town = Berlin", "no town"),
        ("none > 1", "none null"),
        ("$.items[*].price > 50", "$.items[*].price 12.5 and 1 more"),
        ("$.items[*].id != 2", "$.items[*].id 1 and 1 more"),
        ("amount is missing", "amount 50"),
    ],
)
def test_condition_that_fails_says_what_stands_there(line: str, found: str) -> None:
    condition = parsed_condition(line)
    assert not condition.holds(ARGUMENTS)
    assert condition.found(ARGUMENTS) == found


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("amount", "after amount comes ="),
        ("= 5", "begins with the name"),
        ("amount in 5", "low..high"),
        ("amount <=", "comes a value"),
        ("amount exists 5", "comes nothing"),
        ("reason matches (?<=a)b", "no look-around"),
        ("$.items[ > 5", "no JSONPath"),
        ("a = " + "x" * 800, "700 at most"),
    ],
)
def test_bad_condition_is_refused_with_what_is_wrong(line: str, word: str) -> None:
    with pytest.raises(BadConditionError) as error:
        parsed_condition(line)
    assert word in str(error.value)


def test_checks_take_conditions_and_a_schema() -> None:
    call = Call("refund", ARGUMENTS, step=3)
    check = {"kind": "tool_called", "tool": "refund", "arguments": {}, "where": ["amount <= 10"]}
    (result,) = judge_outcome([check], Outcome((call,), 3))
    assert (result.passed, result.found) == (False, "called at step 3 with amount 50")
    assert result.title == "calls refund where amount <= 10"
    schema = {"properties": {"amount": {"maximum": 10}}}
    check = {"kind": "tool_not_called", "tool": "refund", "arguments": {}, "schema": schema}
    assert judge_outcome([check], Outcome((call,), 3))[0].passed
    assert check_title(check) == "never calls refund with arguments that fit a JSON schema"


def test_patterns_that_take_others_forever_take_no_time() -> None:
    text = "a" * 50_000 + "!"
    began = time.perf_counter()
    assert finds(r"^(a+)+$", text) is None
    assert finds(r"(x+x+)+y", "x" * 50_000) is None
    assert unfit({"pattern": "^(a|aa)+$"}, text) != ""
    assert find("$[?search(@, '^(a|a?)+$')]", [text]) == []
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("pattern", [r"(a)\1", "a{1000}{1000}", "x" * 501, "[", "\ud800"])
def test_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(BadPatternError):
        compiled(pattern)


def test_half_characters_in_a_text_do_no_harm() -> None:
    assert finds("b", "a\ud800b") == "b"
    assert unfit({"pattern": "b"}, "a\ud800b") == ""


PARTS = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(30)}
DOUBLING = {"$defs": {**PARTS, "d30": {}}, "$ref": "#/$defs/d0"}


def test_schema_that_doubles_under_a_property_ends_soon() -> None:
    schema = {"$defs": DOUBLING["$defs"], "properties": {"a": {"$ref": "#/$defs/d0"}}}
    with pytest.raises(UncheckableError, match="too often"):
        unfit(schema, {"a": 1})
    assert unfit(schema, {"b": 1}) == ""


def test_ranges_of_a_path_count_what_they_look_at() -> None:
    with pytest.raises(TooMuchError):
        find("$[:,:,:,:]", list(range(30_000)))


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ([], "JSON object"),
        ({"type": "money"}, "money"),
        ({"pattern": "(?=a)"}, "no look-around"),
        ({"properties": {"a": {"patternProperties": {"(?=a)": {}}}}}, "no look-around"),
        ({"$ref": "https://evil.example/schema.json"}, "not in it"),
        ({"items": {"$ref": "file:///etc/passwd"}}, "not in it"),
        ({"$ref": "#/nothing"}, "not in it"),
        ({"$ref": "#"}, "without end"),
        (DOUBLING, "too often"),
        ({"unevaluatedProperties": False, "patternProperties": {"(a+)+$": {}}}, "additional"),
        ({"description": "x" * 20_001}, "20,000"),
    ],
)
def test_schema_that_cannot_be_used_is_refused_and_nothing_is_fetched(
    schema: Any, word: str
) -> None:
    assert word in schema_problem(schema)


def test_schema_is_kept_with_patterns_in_linear_time() -> None:
    schema = {
        "patternProperties": {"^n_": {"type": "integer"}},
        "properties": {"a": {"pattern": "^x+$"}},
        "additionalProperties": False,
    }
    assert schema_problem(schema) == ""
    assert unfit(schema, {"n_1": 1, "a": "xx"}) == ""
    assert "n_1" in unfit(schema, {"n_1": "one"})
    assert "does not match" in unfit(schema, {"a": "y"})
    assert "'b' is not allowed" in unfit(schema, {"b": 1})


def test_path_names_values_as_rfc_9535_says() -> None:
    # The examples of RFC 9535, table 2.
    book = [
        {"category": "reference", "author": "Nigel Rees", "price": 8.95},
        {"category": "fiction", "author": "Evelyn Waugh", "price": 12.99},
        {"category": "fiction", "author": "Herman Melville", "isbn": "0-553", "price": 8.99},
        {"category": "fiction", "author": "J. R. R. Tolkien", "isbn": "0-395", "price": 22.99},
    ]
    store = {"store": {"book": book, "bicycle": {"color": "red", "price": 399}}}
    assert find("$.store.book[*].author", store) == [each["author"] for each in book]
    assert find("$.store..price", store) == [8.95, 12.99, 8.99, 22.99, 399]
    assert find("$..book[2].publisher", store) == []
    assert find("$..book[-1]", store) == [book[3]]
    assert find("$..book[:2]", store) == book[:2]
    assert find("$..book[?@.isbn]", store) == book[2:]
    assert find("$..book[?@.price<10]", store) == [book[0], book[2]]
    assert find("$..book[?length(@.author) > 12 && !(@.isbn)].price", store) == []
    assert find("$..book[?match(@.author, 'J.*') || @.price == 8.95].price", store) == [8.95, 22.99]
    assert find("$['store']['book'][0, 1].price", store) == [8.95, 12.99]


@pytest.mark.parametrize(
    "path",
    ["", "store", "$.", "$..", "$[", "$[1", "$[01]", "$[?@.a]b", "$[?@.a ==]", "$[?@.* == 1]",
     "$[?1]", "$[?length(@.*) > 1]", "$[?fly(@)]", "$['a", "$.a b", "$" + "[0]" * 200,
     "$[?" + "(" * 50 + "@" + ")" * 50 + "]"],
)  # fmt: skip
def test_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(BadPathError):
        parsed(path)


def test_path_that_would_look_at_everything_over_and_over_ends() -> None:
    value: Any = 1
    for _ in range(8):
        value = [value] * 4
    with pytest.raises(TooMuchError, match="100,000"):
        find("$" + "..*" * 20, value)
    with pytest.raises(TooMuchError):
        parsed_condition("$" + "..*" * 20 + " exists").holds({"a": value})


DEEP: Any = [[[[[[[[1] * 4] * 4] * 4] * 4] * 4] * 4] * 4]
UNTOLD = [
    ({"where": ["$" + "..*" * 20 + " exists"]}, {"a": DEEP}, "more than 100,000 values"),
    ({"where": ["$" + "..*" * 20 + " is missing"]}, {"a": DEEP}, "more than 100,000 values"),
    ({"schema": {"$defs": DOUBLING["$defs"], "properties": {"a": {"$ref": "#/$defs/d0"}}}},
     {"a": 1}, "too often"),
    ({"where": ["amount > 100"]}, {"amount": "150 dollars"}, "amount is 150 dollars: not a number"),
    ({"where": ["amount > 100"]}, {"amount": "0" * 60 + "150"}, "not a number"),
    ({"where": ["amount in 100..200"]}, {"amount": "nan"}, "not a number"),
    ({"where": ["when < 2026-05-01"]}, {"when": 20260301}, "not a text to compare"),
    ({"where": ["$[?match(@, $.rule)] exists"]}, {"rule": "(?=a)", "a": "a"}, "no look-around"),
]  # fmt: skip


@pytest.mark.parametrize(("demand", "arguments", "word"), UNTOLD)
def test_call_of_which_nothing_can_be_told_passes_no_check(
    demand: dict[str, Any], arguments: dict[str, Any], word: str
) -> None:
    seen = Outcome((Call("refund", arguments, step=3),), 3)
    for kind in ("tool_called", "tool_not_called"):
        (result,) = judge_outcome([{"kind": kind, "tool": "refund", **demand}], seen)
        assert (result.passed, word in result.found) == (False, True)
        assert result.found.startswith("the call at step 3 could not be checked: ")


def test_what_is_surely_not_so_decides_beside_what_cannot_be_told() -> None:
    seen = Outcome((Call("refund", {"amount": "a lot", "order_id": "#B2"}, step=3),), 3)
    where = ["amount > 100", "order_id = #A1"]
    (result,) = judge_outcome([{"kind": "tool_not_called", "tool": "refund", "where": where}], seen)
    assert (result.passed, result.found) == (True, "not called")


def test_arguments_that_are_no_object_are_not_shown_to_be_allowed() -> None:
    asked = {"arguments": None, "raw_arguments": '{"amount": 900'}
    span = Span(kind=Span.Kind.TOOL, name="refund", status=Span.Status.ERROR, input=asked)
    seen = Outcome(*events_of([span]))
    check = {"kind": "tool_not_called", "tool": "refund", "where": ["amount > 100"]}
    (result,) = judge_outcome([check], seen)
    assert (result.passed, "are no JSON object" in result.found) == (False, True)


def test_argument_that_must_be_null_is_not_there_where_it_is_missing() -> None:
    seen = Outcome((Call("refund", {}, step=3),), 3)
    check = {"kind": "tool_not_called", "tool": "refund", "arguments": {"amount": None}}
    assert judge_outcome([check], seen)[0].passed


@pytest.mark.parametrize("pattern", ["'(?=a)'", "'['", "5"])
def test_path_with_a_pattern_that_cannot_be_used_is_refused(pattern: str) -> None:
    with pytest.raises(BadPathError, match="pattern"):
        parsed(f"$[?search(@.a, {pattern})]")
