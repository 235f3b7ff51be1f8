"""The tools that agents can be given, by name."""

from agents.demo.tools import CONTRACTS
from agents.tools.contract import ToolContract

_BY_NAME = {contract.name: contract for contract in sorted(CONTRACTS, key=lambda each: each.name)}


class UnknownToolError(KeyError):
    """No tool has this name; the message lists those there are."""

    def __str__(self) -> str:
        return str(self.args[0])


def contract_for(name: str) -> ToolContract:
    """Return the contract of the tool called `name`.

    Raises:
        UnknownToolError: There is no such tool.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        known = ", ".join(_BY_NAME)
        raise UnknownToolError(f"There is no tool called {name!r}; there are {known}.") from None


def contracts() -> tuple[ToolContract, ...]:
    """Return all tools, sorted by name."""
    return tuple(_BY_NAME.values())
