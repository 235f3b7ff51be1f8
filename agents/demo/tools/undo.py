"""The tool that takes back what another one wrote: people call it, no model is given it."""

from typing import Any, Protocol

from agents.demo.tools.records import TEXT, described, object_schema
from agents.models import Tier
from agents.tools.contract import CallPolicy, ToolContract, ToolError

RESTORE = "restore_records"
UNDO = CallPolicy(undo_tool=RESTORE, undo_arguments={"call": "call.effect_key"})


class Ledger(Protocol):
    """A world that knows which call wrote what."""

    def take_back(self, effect_key: str) -> list[dict[str, str]] | None:
        """Put back what a call wrote; None where something was written over it since."""
        ...


def restore_records(world: Ledger, *, call: str) -> dict[str, Any]:
    """Put the records that a call has written back to what they were before it."""
    restored = world.take_back(call)
    if restored is None:
        raise ToolError(
            "a later call has written to the same records; take that one back first, or put "
            "them right by hand"
        )
    if not restored:
        raise ToolError("that call has written nothing")
    return {"restored": restored}


CONTRACTS = (
    ToolContract(
        name=RESTORE,
        version="1",
        description=(
            "Put the records that a call has changed back to what they were before it. Takes back "
            "another tool's call, within its window; it is for people."
        ),
        parameters=object_schema(call=described(TEXT, "The key of the call to take back.")),
        tier=Tier.WRITE_REVERSIBLE,
        function=restore_records,
    ),
)
