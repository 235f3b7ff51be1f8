"""The tools that agents can be given, by name: the code's own and those a project imported."""

from collections.abc import Iterable

from agents.demo.tools import CONTRACTS
from agents.models import Effect, Tier, ToolDefinition, ToolSource
from agents.tools.contract import ToolContract, ToolKind, policy_from_json

_BY_NAME = {contract.name: contract for contract in CONTRACTS}


class UnknownToolError(KeyError):
    """No tool has this name; the message lists those there are."""

    def __str__(self) -> str:
        return str(self.args[0])


def contract_for(name: str, project_id: int | None = None) -> ToolContract:
    """Return the contract of the tool called `name`. One query at most, none for the code's own.

    A tool that was taken out of its source or turned off is found too, as it was last: whoever
    looks back can read its calls. Its `withdrawn` says why it cannot be called.

    Raises:
        UnknownToolError: There never was such a tool.
    """
    if own := _BY_NAME.get(name):
        return own
    if project_id is not None and (found := contracts_named([name], project_id)):
        return found[name]
    known = ", ".join(contract.name for contract in contracts(project_id))
    raise UnknownToolError(f"There is no tool called {name!r}; there are {known}.")


def contracts(project_id: int | None = None) -> tuple[ToolContract, ...]:
    """Return the code's own tools and those the project can call now, by name. One query at most.

    Args:
        project_id: Whose imported tools; None: the code's own alone.
    """
    if project_id is None:
        return tuple(_BY_NAME[name] for name in sorted(_BY_NAME))
    rows = ToolDefinition.objects.filter(
        project_id=project_id, is_current=True, source__is_on=True
    ).select_related("source")
    imported = {row.name: contract_of(row) for row in rows}
    both = {**imported, **_BY_NAME}
    return tuple(both[name] for name in sorted(both))


def contracts_named(names: Iterable[str], project_id: int | None) -> dict[str, ToolContract]:
    """Return the contracts of these names, withdrawn ones too; a name without one is left out.

    One query at most, whatever their number.
    """
    wanted = set(names)
    found = {name: _BY_NAME[name] for name in wanted if name in _BY_NAME}
    if project_id is None or wanted <= found.keys():
        return found
    rows = (
        ToolDefinition.objects.filter(project_id=project_id, name__in=wanted - found.keys())
        .select_related("source")
        .order_by("name", "-number")
        .distinct("name")
    )
    return found | {row.name: contract_of(row) for row in rows}


def register(contract: ToolContract) -> None:
    """Add a tool of the code's own (see `agents.tools.functions` for the usual way).

    Raises:
        ValueError: The code has a tool of this name already.
    """
    if contract.name in _BY_NAME:
        raise ValueError(f"There are two tools called {contract.name}.")
    _BY_NAME[contract.name] = contract


def forget(name: str) -> None:
    """Take out a tool that `register` added."""
    del _BY_NAME[name]


def is_own(name: str) -> bool:
    """Say whether the code itself has a tool of this name; an imported one never hides it."""
    return name in _BY_NAME


def contract_of(row: ToolDefinition) -> ToolContract:
    """Return the contract that a row holds; reads `row.source`."""
    is_http = row.source.kind == ToolSource.Kind.OPENAPI
    return ToolContract(
        name=row.name,
        version=str(row.number),
        description=row.description,
        parameters=row.parameters,
        returns=row.returns,
        effect=Effect(row.effect),
        tier=Tier(row.tier),
        kind=ToolKind.HTTP if is_http else ToolKind.MCP,
        policy=policy_from_json(row.policy),
        request=row.request,
        source_id=row.source_id,
        withdrawn=_withdrawn(row),
    )


def _withdrawn(row: ToolDefinition) -> str:
    if not row.is_current:
        return f"{row.name} is no longer among the tools of {row.source.name}"
    return "" if row.source.is_on else f"{row.source.name}, which {row.name} is of, is turned off"
