"""What a tool promises: its name, version, schema, tier, and the function that does it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agents.models import Tier


class ToolError(Exception):
    """The tool refused or failed, in words for the model; nothing was changed."""


@dataclass(frozen=True)
class ToolContract:
    """A tool as agents are offered it.

    Attributes:
        name: Unique name, as the model calls it.
        version: Grows when arguments, results or effects change; decisions bind to it.
        description: For the model and for people.
        parameters: JSON schema of the arguments object.
        tier: What it could break.
        function: Called as `function(world, **arguments)`; returns JSON, raises `ToolError`.
            It reads and writes through `world` alone, inside the step's transaction.
        is_handover: Whether a successful call hands the session over to a person.
    """

    name: str
    version: str
    description: str
    parameters: dict[str, Any]
    tier: Tier
    function: Callable[..., Any]
    is_handover: bool = False

    @property
    def is_read(self) -> bool:
        """Say whether the tool only reads."""
        return self.tier in {Tier.READ, Tier.READ_SENSITIVE}

    def to_openai(self) -> dict[str, Any]:
        """Return the tool's entry in a chat-completions request."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": self.parameters,
            },
        }
