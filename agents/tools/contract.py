"""What a tool promises: its name, version, schema, tier, and the function that does it."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from agents.config import content_hash
from agents.models import Effect, Tier

# Marks in the response of a step that is done although its call was not made.
NOT_MADE = ("is_suggestion", "is_answer", "is_fallback")


class ToolError(Exception):
    """The tool refused or failed, in words for the model; nothing was changed."""


class ToolKind(StrEnum):
    """How a tool is reached."""

    DATABASE = "database"
    FUNCTION = "function"
    HTTP = "http"
    MCP = "mcp"


@dataclass(frozen=True)
class CallPolicy:
    """What people decide about the calls of a tool.

    Attributes:
        time_limit_seconds: How long one attempt may take.
        max_attempts: Attempts of one call that failed in a way that may be repeated, all counted.
        rate_per_minute: Calls that may start per minute over all workers; None is no limit.
        max_concurrent: Calls in progress over all workers; None is no limit.
        breaker_failures: Failures in a row that open the circuit breaker.
        breaker_seconds: How long it stays open the first time; it doubles up to 16 times that.
        fallback: `{"result": JSON}`, the deterministic answer while the tool is away; None: none.
        is_untrusted: Results hold content of strangers: they taint the run.
        undo_tool: The tool that takes a call back, or empty.
        undo_arguments: `{argument: path}` of the undo call; a path is `arguments.NAME…`,
            `result.NAME…` or `call.effect_key` of the call that is undone, anything else is taken
            as it is.
        undo_minutes: How long it may be taken back.
        secrets: Names of the secrets that a function tool may read.
    """

    time_limit_seconds: float = 30.0
    max_attempts: int = 3
    rate_per_minute: int | None = None
    max_concurrent: int | None = None
    breaker_failures: int = 5
    breaker_seconds: int = 30
    fallback: dict[str, Any] | None = None
    is_untrusted: bool = False
    undo_tool: str = ""
    undo_arguments: dict[str, str] = field(default_factory=dict)
    undo_minutes: int = 60
    secrets: tuple[str, ...] = ()


def policy_from_json(data: dict[str, Any]) -> CallPolicy:
    """Return the policy of a `ToolDefinition`; what it does not name is at its default."""
    known = {each.name for each in fields(CallPolicy)}
    values = {key: value for key, value in data.items() if key in known}
    if "secrets" in values:
        values["secrets"] = tuple(values["secrets"])
    return CallPolicy(**values)


@dataclass(frozen=True)
class ToolContract:
    """A tool as agents are offered it.

    Attributes:
        name: Unique name, as the model calls it.
        version: Grows when arguments, results or effects change; decisions bind to it.
        description: For the model and for people.
        parameters: JSON schema of the arguments object.
        tier: What it could break.
        function: For `DATABASE`: called as `function(world, **arguments)`, reads and writes
            through `world` alone, inside the step's transaction. For `FUNCTION`: called as
            `function(call, **arguments)` outside any transaction, `call` being an
            `agents.tools.outside.OutsideCall` (key, secrets, deadline). Both return JSON and raise
            `ToolError`. None for the other kinds.
        is_handover: Whether a successful call hands the session over to a person.
        returns: JSON schema of the result, or None where nothing is promised.
        effect: What a second attempt of the same call would do.
        kind: How it is reached.
        policy: Limits, breaker, fallback, undo, taint.
        lookup: For a keyed tool: called as `lookup(call)`, says what became of the call's key:
            `{"result": JSON}`, or None where it never arrived. None: the key is sent again.
        request: For HTTP and MCP: how it is called (see `agents.tools.http`, `agents.tools.mcp`).
        source_id: The `ToolSource` it was imported from, or None.
        withdrawn: Why it can no longer be called, or empty: its source is off, or lacks it now.
    """

    name: str
    version: str
    description: str
    parameters: dict[str, Any]
    tier: Tier
    function: Callable[..., Any] | None = None
    is_handover: bool = False
    returns: dict[str, Any] | None = None
    effect: Effect = Effect.KEYED
    kind: ToolKind = ToolKind.DATABASE
    policy: CallPolicy = field(default_factory=CallPolicy)
    lookup: Callable[..., dict[str, Any] | None] | None = None
    request: dict[str, Any] = field(default_factory=dict)
    source_id: int | None = None
    withdrawn: str = ""

    def run_inside(self, world: Any, arguments: dict[str, Any]) -> Any:
        """Do a `DATABASE` tool's call in the running transaction, and return its result.

        Raises:
            ToolError: It refused or failed.
            TypeError: The tool is not done by a function of ours.
        """
        if self.function is None:
            raise TypeError(f"{self.name} is reached over {self.kind}, not by a function.")
        return self.function(world, **arguments)

    @property
    def is_read(self) -> bool:
        """Say whether the tool only reads."""
        return self.tier in {Tier.READ, Tier.READ_SENSITIVE}

    @property
    def is_inside(self) -> bool:
        """Say whether the call commits with its step, in our own database."""
        return self.kind is ToolKind.DATABASE

    @property
    def has_lookup(self) -> bool:
        """Say whether the tool can tell what became of a key (see `outside.look_up`)."""
        return self.lookup is not None or bool(self.request.get("lookup"))

    @property
    def policy_hash(self) -> str:
        """Return the SHA-256 (hex) of all that a decision about a call binds to."""
        return content_hash(
            {
                "name": self.name,
                "version": self.version,
                "parameters": self.parameters,
                "tier": self.tier,
                "effect": self.effect,
                "undo": [self.policy.undo_tool, self.policy.undo_arguments],
            }
        )

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
