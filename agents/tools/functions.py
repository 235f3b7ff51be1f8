"""Python functions as tools: called outside of any transaction, with a key, secrets, a deadline.

    @function_tool(
        description="Say where a parcel is.",
        parameters={"type": "object", "properties": {"parcel": {"type": "string"}}, …},
        effect=Effect.READ,
        tier=Tier.READ,
        policy=CallPolicy(secrets=("CARRIER_KEY",), is_untrusted=True),
    )
    def track_parcel(call: OutsideCall, *, parcel: str) -> dict[str, Any]:
        …

The module stands in `REVIEWDESK_TOOLS`, and every process imports it at its start. A function
raises `ToolError` with words for the model, or `ToolUnavailableError` where it may be called again;
anything else it raises fails the run as a defect.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from agents.models import Effect, Tier
from agents.tools.contract import CallPolicy, ToolContract, ToolKind
from agents.tools.registry import register

_Function = TypeVar("_Function", bound=Callable[..., Any])


def function_tool(
    *,
    description: str,
    parameters: dict[str, Any],
    effect: Effect,
    tier: Tier,
    name: str = "",
    version: str = "1",
    returns: dict[str, Any] | None = None,
    policy: CallPolicy | None = None,
    lookup: Callable[..., dict[str, Any] | None] | None = None,
) -> Callable[[_Function], _Function]:
    """Register the function below as a tool.

    Args:
        description: For the model and for people.
        parameters: JSON schema of the arguments object.
        effect: What a second attempt of the same call would do.
        tier: What it could break.
        name: As the model calls it; left out, the function's name.
        version: To be raised when arguments, results or effects change.
        returns: JSON schema of the result, or None.
        policy: Limits, undo, taint, secrets.
        lookup: Of a keyed tool: `lookup(call)` says what became of the call's key.
    """

    def register_it(function: _Function) -> _Function:
        register(
            ToolContract(
                name=name or function.__name__,
                version=version,
                description=description,
                parameters=parameters,
                returns=returns,
                effect=effect,
                tier=tier,
                kind=ToolKind.FUNCTION,
                function=function,
                policy=policy or CallPolicy(),
                lookup=lookup,
            )
        )
        return function

    return register_it
