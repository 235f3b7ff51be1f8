"""Tools of the support desk itself: reckoning, and handing over to a person."""

import ast
import math
import operator
from collections.abc import Callable

from agents.demo.tools.records import TEXT, described, object_schema
from agents.models import Effect, Tier
from agents.tools.contract import ToolContract, ToolError
from agents.tools.world import World

_MAX_LENGTH = 200
_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def calculate(world: World, *, expression: str) -> float:
    """Return the value of a sum with + - * / and brackets, rounded to cents."""
    if len(expression) > _MAX_LENGTH:
        raise ToolError(f"The expression is longer than {_MAX_LENGTH} characters")
    try:
        value = round(_value(ast.parse(expression.strip(), mode="eval").body), 2)
    except ZeroDivisionError as error:
        raise ToolError("Division by zero") from error
    except (SyntaxError, ValueError, OverflowError, RecursionError) as error:
        raise ToolError("Invalid expression: use numbers, + - * / and brackets") from error
    if not math.isfinite(value):
        raise ToolError("The result is too large")
    return value


def transfer_to_human_agents(world: World, *, summary: str) -> str:
    """Hand the conversation over to a person."""
    return "Transfer successful"


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return float(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left), _value(right))
    raise ValueError(ast.dump(node))


CONTRACTS = (
    ToolContract(
        name="calculate",
        version="1",
        description="Calculate a sum, such as '19.90 + 2 * 5.50'.",
        parameters=object_schema(
            expression=described(TEXT, "Numbers, + - * / and brackets; spaces are allowed.")
        ),
        tier=Tier.READ,
        returns={"type": "number"},
        effect=Effect.READ,
        function=calculate,
    ),
    ToolContract(
        name="transfer_to_human_agents",
        version="1",
        description=(
            "Hand the customer over to a person, with a summary. Only where the request cannot be "
            "handled with the other tools."
        ),
        parameters=object_schema(
            summary=described(TEXT, "What the customer wants and what has been done.")
        ),
        tier=Tier.READ,
        returns=TEXT,
        effect=Effect.READ,
        function=transfer_to_human_agents,
        is_handover=True,
    ),
)
