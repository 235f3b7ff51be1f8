"""A tool source as its calls need it: where it is, what it may reach, which secrets it takes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agents.errors import ToolSourceError
from agents.models import ToolSource
from agents.tools.hosts import HostRules
from agents.tools.http import Sender
from agents.tools.secrets import Secrets, is_name

# A header's value: an optional scheme, then the secret's name, e.g. `Bearer CARRIER_KEY`.
_VALUE = re.compile(r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9-]*) )?(?P<name>[A-Za-z][A-Za-z0-9_]*)")


@dataclass(frozen=True)
class Endpoint:
    """A source, read from its row.

    Attributes:
        name: For messages.
        kind: How it is spoken to.
        url: Of an MCP server over HTTP; OpenAPI tools carry theirs in their requests.
        command: Of an MCP server over stdio: program and arguments.
        rules: The hosts it may reach.
        headers: `{header: "SECRET" or "Scheme SECRET"}`.
        environment: `{variable: "SECRET"}` for a command.
    """

    name: str
    kind: ToolSource.Kind
    url: str
    command: tuple[str, ...]
    rules: HostRules
    headers: Mapping[str, str]
    environment: Mapping[str, str]

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Return the names of the secrets that its calls take, sorted."""
        values = [*self.headers.values(), *self.environment.values()]
        return tuple(sorted({secret_in(value) for value in values}))

    def with_secrets(self, values: Mapping[str, str], secrets: Secrets) -> dict[str, str]:
        """Return headers or variables with the secrets filled in."""
        filled = {}
        for key, value in values.items():
            name = secret_in(value)
            filled[key] = value.removesuffix(name) + secrets.values[name]
        return filled

    def sender(self, what: str, secrets: Secrets) -> Sender:
        """Return who sends this source's HTTP requests."""
        return Sender(what, self.rules, self.with_secrets(self.headers, secrets))


def endpoint_of(source: ToolSource) -> Endpoint:
    """Return what a source's calls need to know."""
    return Endpoint(
        name=source.name,
        kind=ToolSource.Kind(source.kind),
        url=source.url,
        command=tuple(source.command),
        rules=HostRules(tuple(source.allowed_hosts)),
        headers=source.headers,
        environment=source.environment,
    )


def secret_in(value: str) -> str:
    """Return the name of the secret in a header's or variable's value.

    Raises:
        ToolSourceError: The value is not a name, or a scheme and a name.
    """
    match = _VALUE.fullmatch(value)
    if match is None or not is_name(match["name"]):
        raise ToolSourceError(
            f"{value!r} names no secret; write the secret's name, with a scheme before it where "
            "the service wants one, such as Bearer CARRIER_KEY."
        )
    return match["name"]
