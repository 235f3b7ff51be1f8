"""What a waiting call would change, found out without changing anything."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from agents.demo.shop import DatabaseWorld
from agents.models import Run
from agents.tools import http
from agents.tools.contract import ToolContract, ToolError, ToolKind
from agents.tools.executor import argument_problems

_MOST_CHANGES = 40
_MOST_CHARACTERS = 300
_MISSING = object()


@dataclass(frozen=True)
class Change:
    """One field of a record; an empty text where it is not there."""

    record: str
    field: str
    before: str
    after: str


@dataclass(frozen=True)
class Preview:
    """What a call would come to now.

    Attributes:
        changes: Fields of records that would differ.
        refusal: Why the tool would refuse it, in its own words; empty: it would not.
        request: First line and body of what would leave the desk, without secrets.
        note: What can be said where nothing can be tried.
    """

    changes: tuple[Change, ...] = ()
    refusal: str = ""
    request: tuple[str, str] | None = None
    note: str = ""


def preview_call(
    *, run: Run, contract: ToolContract, arguments: dict[str, Any], effect_key: str
) -> Preview:
    """Return what the call would change; nothing is written and nothing leaves the desk.

    A tool of our own database is tried under a savepoint that is rolled back.
    """
    if problems := argument_problems(contract, arguments):
        return Preview(refusal="; ".join(problems))
    if contract.is_inside:
        return _tried(run, contract, arguments)
    if contract.kind is ToolKind.HTTP:
        try:
            sent = http.shown(request=contract.request, arguments=arguments, key=effect_key)
        except ToolError as error:
            return Preview(refusal=str(error))
        return Preview(request=sent)
    if contract.kind is ToolKind.MCP:
        name = str(contract.request.get("tool") or contract.request.get("name") or contract.name)
        body = json.dumps(arguments, indent=2, ensure_ascii=False)
        return Preview(request=(f"tools/call {name}", body))
    return Preview(note="It runs outside the desk's database; what it changes is not known before.")


def changes_between(record: str, before: Any, after: Any) -> Iterator[Change]:
    """Yield the fields in which two states of a record differ, nested ones by their path."""
    old, new = dict(_fields("", before)), dict(_fields("", after))
    for path in [*old, *(path for path in new if path not in old)]:
        was, now = old.get(path, _MISSING), new.get(path, _MISSING)
        if was != now:
            yield Change(record, path, _text(was), _text(now))


@dataclass
class _TriedWorld:
    """The run's shop with writes kept in memory."""

    world: DatabaseWorld
    written: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        found = self.written.get((kind, key))
        return json.loads(json.dumps(found)) if found is not None else self.world.get(kind, key)

    def put(self, kind: str, key: str, data: dict[str, Any]) -> None:
        self.written[kind, key] = json.loads(json.dumps(data))

    def find_user(
        self, *, email: str = "", first_name: str = "", last_name: str = "", zip_code: str = ""
    ) -> str | None:
        return self.world.find_user(
            email=email, first_name=first_name, last_name=last_name, zip_code=zip_code
        )

    def products(self) -> dict[str, str]:
        return self.world.products()


def _tried(run: Run, contract: ToolContract, arguments: dict[str, Any]) -> Preview:
    base = DatabaseWorld(run=run, dataset=run.agent.dataset)
    world = _TriedWorld(base)
    refusal = ""
    with transaction.atomic():
        try:
            contract.run_inside(world, json.loads(json.dumps(arguments)))
        except ToolError as error:
            refusal = str(error)
        transaction.set_rollback(True)
    if refusal:
        return Preview(refusal=refusal)
    changes = [
        change
        for (kind, key), after in world.written.items()
        for change in changes_between(f"{kind.capitalize()} {key}", base.get(kind, key), after)
    ]
    note = "" if changes else "It changes no record."
    return Preview(changes=tuple(changes[:_MOST_CHANGES]), note=note)


def _fields(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _fields(f"{path}.{key}" if path else str(key), part)
    elif isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        for number, part in enumerate(value, 1):
            yield from _fields(f"{path} {number}", part)
    else:
        yield path, value


def _text(value: Any) -> str:
    if value is _MISSING:
        return ""
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(map(str, value))[:_MOST_CHARACTERS]
    if isinstance(value, str):
        return value[:_MOST_CHARACTERS]
    return json.dumps(value, ensure_ascii=False)[:_MOST_CHARACTERS]
