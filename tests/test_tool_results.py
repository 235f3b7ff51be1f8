"""What a model is told of arguments and results that break a tool's contract."""

from typing import Any

import pytest
from django.db import connection

from agents.models import ShopWrite, Tier
from agents.runtime.start import start_run
from agents.tools.contract import ToolContract
from agents.tools.executor import execute
from agents.tools.results import (
    argument_problems,
    bad_result,
    result_problems,
    schema_problem,
)
from tests.model_server import model_server
from tests.shop import make_shop_agent

SCHEMA = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "minLength": 1},
        "reason": {"enum": ["not needed", "by mistake"]},
        "items": {"type": "array", "items": {"type": "object", "required": ["price"]}},
        "amount": {"type": ["number", "null"], "minimum": 0},
    },
    "required": ["order_id"],
    "additionalProperties": False,
}


def a_tool(**values: Any) -> ToolContract:
    names = {"name": "refund", "version": "1", "description": "Refund.", "tier": Tier.MONEY}
    return ToolContract(**{**names, "parameters": SCHEMA, **values})


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "the call lacks order_id"),
        ({"order_id": 7}, "order_id is 7, integer, not string"),
        ({"order_id": ""}, 'order_id is ""; its length is at least 1'),
        (
            {"order_id": "x", "reason": "why"},
            'reason is "why"; allowed: "not needed", "by mistake"',
        ),
        ({"order_id": "x", "items": [{}]}, "items.0 lacks price"),
        ({"order_id": "x", "amount": True}, "amount is true, boolean, not number or null"),
        ({"order_id": "x", "amount": -1}, "amount is -1; it is at least 0"),
        (
            {"order_id": "x", "a": 1, "b": 2},
            "the call has unknown a, b; allowed: order_id, reason, items, amount",
        ),
    ],
)
def test_problem_names_place_value_and_what_is_allowed(
    arguments: dict[str, Any], problem: str
) -> None:
    assert argument_problems(a_tool(), arguments) == [problem]


def test_arguments_that_fit_have_no_problem() -> None:
    assert argument_problems(a_tool(), {"order_id": "x", "amount": None}) == []


def test_problems_are_few_and_short() -> None:
    arguments = {"order_id": 1, "items": ["x" * 10_000] * 10_000}
    found = argument_problems(a_tool(), arguments)
    assert len(found) == 6
    assert found[-1] == "and at least 45 more"
    assert max(len(problem) for problem in found) <= 240


def test_what_each_form_wants_is_named() -> None:
    tool = a_tool(parameters={"anyOf": [{"type": "object", "required": ["a"]}, {"type": "null"}]})
    assert argument_problems(tool, {"b": 1}) == [
        "the call has none of its forms: the call lacks a or the call is {b…}, object, not null"
    ]


def test_result_is_held_against_what_the_contract_promises() -> None:
    tool = a_tool(returns={"type": "object", "required": ["receipt"]})
    assert result_problems(tool, {"receipt": 1}) == []
    assert result_problems(tool, "paid") == ['the result is "paid", string, not object']
    assert result_problems(a_tool(), "anything") == []


def test_model_is_told_of_a_bad_answer_and_that_the_call_was_made() -> None:
    text = "refund answered what its contract does not allow: the result lacks receipt"
    problems = ["the result lacks receipt"]
    assert bad_result(a_tool(), problems) == f"{text}. The call was made and what it did stands."
    assert bad_result(a_tool(tier=Tier.READ), problems) == text


@pytest.mark.django_db
def test_tool_of_ours_with_a_bad_result_leaves_nothing_behind() -> None:
    def refund(world: Any, **_: Any) -> str:
        world.put("order", "#T1", {"status": "refunded"})
        return "done"

    agent, version = make_shop_agent()
    run = start_run(
        agent=agent,
        version=version,
        run_input={"messages": [{"role": "user", "content": "x"}], "turns": []},
    )
    tool = a_tool(function=refund, returns={"type": "object"})
    assert connection.in_atomic_block
    done = execute(run=run, contract=tool, arguments={"order_id": "#T1"}, effect_key="k")
    assert done.response["error"] == (
        'refund is defective, and nothing was changed: the result is "done", string, not object'
    )
    assert done.attributes == {"is_invalid_result": True}
    assert not ShopWrite.objects.exists()


def test_schema_that_is_none_is_named() -> None:
    assert schema_problem({"type": "object"}) == ""
    assert schema_problem({"type": "objekt"}).startswith("type: 'objekt' is not valid")


def test_schema_that_refers_elsewhere_is_never_fetched() -> None:
    with model_server("unused") as server:
        there = {"$ref": f"{server.base_url}/schema.json"}
        contract = a_tool(parameters={"type": "object", "properties": {"a": there}})
        (problem,) = argument_problems(contract, {"a": 1})
    assert "which is not in it" in problem
    assert server.requests == []
