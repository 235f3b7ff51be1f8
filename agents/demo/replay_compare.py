"""Comparing a replayed session with its recording: each tool result, and the end. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.demo.shop import MemoryWorld
from agents.demo.tools.records import ORDER_EXTRAS
from agents.golden.judgements import is_same
from agents.llm.simulator.recorded import Recording
from agents.tools.contract import ToolError
from agents.tools.executor import argument_problems
from agents.tools.registry import UnknownToolError, contract_for

Records = Mapping[str, Mapping[str, dict[str, Any]]]
State = dict[tuple[str, str], dict[str, Any]]
_MISSING = object()
_MOST_PATHS = 3


@dataclass(frozen=True)
class Response:
    """What a tool answered: `value` where `error` is None."""

    value: Any = None
    error: str | None = None


@dataclass(frozen=True)
class CallDifference:
    """A call whose real answer is not the recorded one.

    Attributes:
        recording: Id of the session.
        why: What differs and what it comes from, in words.
    """

    recording: str
    task: str
    tool: str
    recorded: str
    here: str
    why: str


@dataclass(frozen=True)
class OutcomeCheck:
    """Whether the final state agrees with the recorded outcome.

    Attributes:
        recorded: Whether the recorded shop ended as the task expects.
        here: The same of the shop that the replay left.
        why: What differs, in words; empty where it could not be said.
    """

    recording: str
    task: str
    recorded: bool | None
    here: bool
    why: str = ""

    @property
    def is_explained(self) -> bool:
        """Say whether the outcomes agree, or what makes the difference is known."""
        return self.recorded is self.here or bool(self.why)


def recorded_calls(recording: Recording) -> Iterator[tuple[dict[str, Any], Response]]:
    """Yield each of the agent's calls with its recorded answer, in order."""
    calls: dict[str, dict[str, Any]] = {}
    for message in recording.messages:
        if message["role"] == "assistant":
            calls |= {call["id"]: call for call in message.get("tool_calls") or []}
        elif message["role"] == "tool" and message["id"] in calls:
            content = message.get("content") or ""
            error = content.removeprefix("Error: ") if message.get("error") else None
            yield calls[message["id"]], Response(_parsed(content), error)


def compare_call(
    recording: Recording,
    call: dict[str, Any],
    recorded: Response,
    here: Response | None,
    records: Records,
) -> CallDifference | None:
    """Return what differs, or None: both failed, or both gave the same JSON value."""
    if here is not None:
        if recorded.error is not None and here.error is not None:
            return None
        if recorded.error is None and here.error is None and is_same(recorded.value, here.value):
            return None
    return CallDifference(
        recording=recording.id,
        task=str(recording.task["id"]),
        tool=call["name"],
        recorded=_short(recorded),
        here=_short(here) if here else "not called",
        why=_why(call, recorded, here, records),
    )


def check_outcome(
    recording: Recording, state: State, records: Records, differences: Sequence[CallDifference]
) -> OutcomeCheck:
    """Compare the state that the replay left with the one that the task's actions lead to.

    Args:
        recording: With the recorded outcome.
        state: The records that the replay wrote, as it left them.
        records: The fresh shop.
        differences: Of this recording's calls.
    """
    expected = MemoryWorld(records)
    for action in recording.task["evaluation_criteria"].get("actions") or []:
        _apply(expected, action)
    keys = set(state) | set(expected.written)
    unlike = [
        key
        for key in sorted(keys)
        if not is_same(
            _with_extras(state.get(key) or records[key[0]].get(key[1])),
            _with_extras(expected.get(*key)),
        )
    ]
    why = ""
    if recording.reached_goal is not (not unlike):
        tools = ", ".join(sorted({each.tool for each in differences}))
        named = ", ".join(key for _, key in unlike[:_MOST_PATHS]) or "no record"
        why = f"{named} differs from the goal after a different answer of {tools}" if tools else ""
    return OutcomeCheck(
        recording.id, str(recording.task["id"]), recording.reached_goal, not unlike, why
    )


def differing_paths(recorded: Any, here: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, recorded, here) of each value that differs, as deep as both have the form."""
    if isinstance(recorded, dict) and isinstance(here, dict):
        for key in [*recorded, *(key for key in here if key not in recorded)]:
            inner = f"{path}.{key}" if path else key
            yield from differing_paths(recorded.get(key, _MISSING), here.get(key, _MISSING), inner)
    elif isinstance(recorded, list) and isinstance(here, list) and len(recorded) == len(here):
        for index, pair in enumerate(zip(recorded, here, strict=True)):
            yield from differing_paths(*pair, f"{path}[{index}]")
    elif recorded is _MISSING or here is _MISSING or not is_same(recorded, here):
        yield path or "the value", recorded, here


def _why(call: dict[str, Any], recorded: Response, here: Response | None, records: Records) -> str:
    if here is None:
        return "the replay did not come to this call"
    if here.error is not None:
        return f"this shop refuses it: {here.error}"
    if recorded.error is not None:
        return f"this shop allows it; the recorded one refused: {recorded.error}"
    if swapped := _wrong_variants(call, recorded.value, here.value, records):
        return swapped
    found = list(differing_paths(recorded.value, here.value))
    parts = [f"{path}: {_json(was)} recorded, {_json(now)} here" for path, was, now in found]
    more = f"; and {len(parts) - _MOST_PATHS} more" if len(parts) > _MOST_PATHS else ""
    return "; ".join(parts[:_MOST_PATHS]) + more


def _wrong_variants(call: dict[str, Any], recorded: Any, here: Any, records: Records) -> str:
    """Say which recorded items contradict the catalogue where ours do not, or nothing."""
    paths = [path for path, _, _ in differing_paths(recorded, here)]
    if not paths or not all(path.startswith("items[") for path in paths):
        return ""
    texts = []
    for was, now in zip(recorded["items"], here["items"], strict=True):
        if is_same(was, now):
            continue
        variants = records["product"][now["product_id"]]["variants"]
        right = variants.get(now["item_id"])
        if right is None or was["item_id"] != now["item_id"] or not _is_variant(now, right):
            return ""
        others = [
            variant["item_id"]
            for product in records["product"].values()
            for variant in product["variants"].values()
            if variant["item_id"] in call["arguments"].get("new_item_ids", ())
            and _is_variant(was, variant)
        ]
        source = f" of item {others[0]}" if others else ""
        texts.append(
            f"the recorded shop gave item {was['item_id']} the price and options{source}, the "
            f"catalogue says ${right['price']:.2f}"
        )
    return "; ".join(texts)


def _is_variant(item: dict[str, Any], variant: dict[str, Any]) -> bool:
    return all(is_same(item[key], variant[key]) for key in ("price", "options"))


def _apply(world: MemoryWorld, action: dict[str, Any]) -> None:
    """Do an expected action; one that the shop refuses changes nothing."""
    try:
        contract = contract_for(action["name"])
    except UnknownToolError:
        return
    if argument_problems(contract, action["arguments"]):
        return
    try:
        contract.run_inside(world, action["arguments"])
    except ToolError:
        return


def _with_extras(record: dict[str, Any] | None) -> dict[str, Any] | None:
    if record is None or "order_id" not in record:
        return record
    return {**dict.fromkeys(ORDER_EXTRAS), **record}


def _parsed(content: str) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content


def _short(response: Response) -> str:
    if response.error is not None:
        return f"error: {response.error}"
    status = response.value.get("status") if isinstance(response.value, dict) else None
    return str(status or _json(response.value))


def _json(value: Any) -> str:
    if value is _MISSING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"
