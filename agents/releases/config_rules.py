"""What a version's configuration must fulfil before it is stored. No database, no clock."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from agents.config import Limits, VersionConfig
from agents.releases.errors import Problem
from traces.clean import clean_json, clean_text

MAX_PROMPT_CHARACTERS = 200_000
MAX_PARAMETERS_CHARACTERS = 20_000
MAX_MODEL_CHARACTERS = 120
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")


@dataclass(frozen=True)
class Range:
    """The values that a number may have, both ends included."""

    low: float
    high: float
    is_whole: bool = False

    def problem(self, name: str, value: object) -> str:
        """Return what is wrong with `value`, or an empty string."""
        kind = "a whole number" if self.is_whole else "a number"
        allowed = int if self.is_whole else (int, float)
        is_number = isinstance(value, allowed) and not isinstance(value, bool)
        # A NaN compares false with both ends, so the comparison must be the positive one.
        if is_number and self.low <= value <= self.high:  # type: ignore[operator]
            return ""
        return f"{name} is {_short(value)}; it must be {kind} from {self.low:g} to {self.high:g}."


LIMIT_RANGES = {
    "max_steps": Range(1, 1_000, is_whole=True),
    "max_tokens": Range(1_000, 50_000_000, is_whole=True),
    "max_cost_usd": Range(0.01, 1_000),
    "max_seconds": Range(10, 86_400, is_whole=True),
    "approval_minutes": Range(1, 43_200, is_whole=True),
    "max_tool_calls": Range(1, 1_000, is_whole=True),
    "max_repeats": Range(1, 100, is_whole=True),
    "model_timeout_seconds": Range(1, 600, is_whole=True),
}

# The parameters of OpenAI's chat completions that change how a model answers; what the runtime
# sets itself (messages, tools, stream, n) is not among them.
PARAMETER_RANGES = {
    "temperature": Range(0, 2),
    "top_p": Range(0, 1),
    "presence_penalty": Range(-2, 2),
    "frequency_penalty": Range(-2, 2),
    "max_completion_tokens": Range(1, 1_000_000, is_whole=True),
    "max_tokens": Range(1, 1_000_000, is_whole=True),
    "seed": Range(-(2**63), 2**63 - 1, is_whole=True),
}
OTHER_PARAMETERS = ("reasoning_effort", "parallel_tool_calls", "stop", "tool_choice", "extra_body")
KNOWN_PARAMETERS = (*PARAMETER_RANGES, *OTHER_PARAMETERS)


def problems_of(config: VersionConfig, *, known_tools: Collection[str]) -> list[Problem]:
    """Return everything that keeps a configuration from being run; empty if nothing does."""
    return [
        *_prompt_problems(config),
        *_fallback_problems(config),
        *_parameter_problems(config.parameters),
        *(Problem("tools", text) for text in _tool_problems(config.tools, known_tools)),
        *_limit_problems(config.limits),
    ]


def normalised(config: VersionConfig) -> VersionConfig:
    """Return the configuration as it is stored, so that what means the same has the same hash.

    Lines end with a line feed, whole numbers are integers (0.0 is 0), the cost is a float.
    """
    prompt = clean_text(config.system_prompt.replace("\r\n", "\n").replace("\r", "\n"))
    limits = config.limits
    cost = limits.max_cost_usd
    is_number = isinstance(cost, int | float)
    return replace(
        config,
        system_prompt=prompt,
        model=config.model.strip(),
        fallback_model=config.fallback_model.strip(),
        parameters=_whole(clean_json(config.parameters)),
        limits=replace(limits, max_cost_usd=float(cost)) if is_number else limits,
    )


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _prompt_problems(config: VersionConfig) -> Iterator[Problem]:
    prompt, model = config.system_prompt, config.model
    if not prompt.strip():
        yield Problem("system_prompt", "The system prompt is empty; say what the agent is to do.")
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        yield Problem(
            "system_prompt",
            f"The system prompt has {len(prompt):,} characters; {MAX_PROMPT_CHARACTERS:,} "
            "are the most.",
        )
    if not model.strip() or len(model) > MAX_MODEL_CHARACTERS:
        yield Problem(
            "model", f"The model's name has {len(model.strip())} characters; it must have 1 to 120."
        )


def _fallback_problems(config: VersionConfig) -> Iterator[Problem]:
    fallback = config.fallback_model.strip()
    if len(fallback) > MAX_MODEL_CHARACTERS:
        text = f"The fallback's name has {len(fallback)} characters; 120 are the most."
        yield Problem("fallback_model", text)
    elif fallback and fallback == config.model.strip():
        text = (
            f"The fallback is {_short(fallback)}, the model itself; name another one that is asked "
            "when that one fails, or leave it empty."
        )
        yield Problem("fallback_model", text)


def _parameter_problems(parameters: object) -> Iterator[Problem]:
    if not isinstance(parameters, dict):
        text = (
            f'The parameters are {_short(parameters)}; they must be an object like {{"seed": 7}}.'
        )
        yield Problem("parameters", text)
        return
    for name, value in parameters.items():
        if name in PARAMETER_RANGES:
            problem = PARAMETER_RANGES[name].problem(name, value)
        elif name in OTHER_PARAMETERS:
            problem = _other_problem(name, value)
        else:
            known = ", ".join(KNOWN_PARAMETERS)
            problem = (
                f"{name} is not a known parameter; known are {known}. What only your endpoint "
                "knows goes into extra_body."
            )
        if problem:
            yield Problem(f"parameters.{name}", problem)
    if len(json.dumps(parameters, default=str)) > MAX_PARAMETERS_CHARACTERS:
        text = f"The parameters have more than {MAX_PARAMETERS_CHARACTERS:,} characters."
        yield Problem("parameters", text)


def _other_problem(name: str, value: object) -> str:
    is_text_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
    is_right, expected = {
        "reasoning_effort": (value in REASONING_EFFORTS, "one of " + ", ".join(REASONING_EFFORTS)),
        "parallel_tool_calls": (isinstance(value, bool), "true or false"),
        "stop": (isinstance(value, str) or is_text_list, "a text or a list of texts"),
        "tool_choice": (value in ("auto", "required", "none"), "auto, required or none"),
        "extra_body": (isinstance(value, dict), "an object"),
    }[name]
    return "" if is_right else f"{name} is {_short(value)}; it must be {expected}."


def _tool_problems(tools: Collection[str], known: Collection[str]) -> Iterator[str]:
    unknown = sorted(set(tools) - set(known))
    if unknown:
        yield f"No such tool: {', '.join(unknown)}. Known are {', '.join(sorted(known))}."
    if len(set(tools)) != len(tools):
        yield "A tool is named twice."


def _limit_problems(limits: Limits) -> Iterator[Problem]:
    for limit in fields(limits):
        problem = LIMIT_RANGES[limit.name].problem(limit.name, getattr(limits, limit.name))
        if problem:
            yield Problem(f"limits.{limit.name}", problem)


def _short(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
