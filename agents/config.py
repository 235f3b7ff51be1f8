"""A version's configuration: its form, its limits, and the hash that names it."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Limits:
    """What a run may use before it is ended.

    Attributes:
        max_steps: Model calls and tool calls together.
        max_tokens: Input and output tokens over all model calls.
        max_cost_usd: US dollars over all model calls.
        max_seconds: Time worked, waits for people left out.
        approval_minutes: How long a call waits for a person before it expires.
        max_tool_calls: Tool calls, refused ones too.
        max_repeats: Calls of one tool with the same arguments; one more is taken for a loop.
        model_timeout_seconds: How long one attempt of a model call may take.
    """

    max_steps: int = 60
    max_tokens: int = 400_000
    max_cost_usd: float = 2.0
    max_seconds: int = 900
    approval_minutes: int = 60
    max_tool_calls: int = 50
    max_repeats: int = 5
    model_timeout_seconds: int = 120


# Limits that came later, with their defaults: left out of the JSON at these.
LATER_LIMITS = {"max_tool_calls": 50, "max_repeats": 5, "model_timeout_seconds": 120}


@dataclass(frozen=True)
class VersionConfig:
    """What makes an agent behave as it does.

    Attributes:
        system_prompt: The first message of every model call.
        model: Name of the model as its endpoint knows it.
        parameters: Passed to the model as they are: `temperature`, `max_completion_tokens`, ….
        tools: Names of the tools that are offered.
        limits: What a run may use.
        fallback_model: Asked where `model` fails or times out; empty: none.
    """

    system_prompt: str
    model: str
    parameters: dict[str, Any] = field(default_factory=dict)
    tools: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    fallback_model: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored in `Version.config`.

        Fields that came later are left out at their defaults: the hash of what was written before
        them stays the same.
        """
        limits = asdict(self.limits)
        limits = {key: value for key, value in limits.items() if LATER_LIMITS.get(key) != value}
        data = {**asdict(self), "tools": sorted(self.tools), "limits": limits}
        if not self.fallback_model:
            del data["fallback_model"]
        return data

    @property
    def content_hash(self) -> str:
        """Return the SHA-256 (hex) of the canonical JSON."""
        return content_hash(self.to_json())


def config_from_json(data: dict[str, Any]) -> VersionConfig:
    """Return the configuration that `VersionConfig.to_json` wrote."""
    return VersionConfig(
        system_prompt=data["system_prompt"],
        model=data["model"],
        parameters=data.get("parameters", {}),
        tools=tuple(data.get("tools", ())),
        limits=Limits(**data.get("limits", {})),
        fallback_model=data.get("fallback_model", ""),
    )


def canonical_json(value: Any) -> str:
    """Return JSON that is the same text for the same value (sorted keys, no spaces)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def content_hash(value: Any) -> str:
    """Return the SHA-256 (hex) of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
