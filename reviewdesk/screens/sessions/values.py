"""JSON of a trace as people read it: on one line, or as names and values."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_SHORT = 90
MAX_TEXT = 600
MAX_ROWS = 60
_UNSEEN = re.compile("[\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_CODE = re.compile(r"[#@\w.:/+-]*[\d_#@][#@\w.:/+-]*")


@dataclass(frozen=True)
class Pair:
    """A name and its value.

    Attributes:
        group: The place in a list that it belongs to, such as "items 1", or empty.
        name: With its path from there, such as "options.colour".
        is_code: Whether the text is an id or the like, to be set in mono.
    """

    group: str
    name: str
    text: str
    is_code: bool


@dataclass(frozen=True)
class Pairs:
    """A value as names and values, and how many more there are than are shown."""

    shown: list[Pair]
    num_more: int


def short_arguments(arguments: Any) -> str:
    """Return a call's arguments on one line: their values, in order."""
    values = arguments.values() if isinstance(arguments, dict) else [arguments]
    return cut(" · ".join(text for value in values if (text := _brief(value))))


def short_result(result: Any) -> str:
    """Return a call's result on one line: status first, then lists by length, then values."""
    if not isinstance(result, dict):
        return cut(_brief(result))
    parts = [str(result["status"])] if isinstance(result.get("status"), str) else []
    rest = {key: value for key, value in result.items() if key != "status"}
    parts += [_counted(len(v), k) for k, v in rest.items() if isinstance(v, list) and v][:2]
    plain = [_brief(value) for value in rest.values() if not isinstance(value, dict | list)]
    parts += [text for text in plain if text][: max(0, 3 - len(parts))]
    return cut(" · ".join(parts) or f"{len(result)} values")


def cut(text: str, limit: int = MAX_SHORT) -> str:
    """Return the text on one line, ending in an ellipsis where it is longer than `limit`."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def pairs_of(value: Any) -> Pairs:
    """Return the value as names and values, at most `MAX_ROWS` of them."""
    shown: list[Pair] = []
    num = 0
    for name, text in _flat("", value):
        num += 1
        if len(shown) < MAX_ROWS:
            is_code = len(text) < 80 and all(map(_CODE.fullmatch, text.split("\n")))
            clipped = text if len(text) <= MAX_TEXT else text[:MAX_TEXT].rstrip() + "…"
            shown.append(Pair(*_grouped(name), clipped, is_code))
    return Pairs(shown, num - len(shown))


def pretty(value: Any) -> str:
    """Return indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def visible(text: str) -> str:
    """Return JSON with what cannot be seen in it, such as changes of direction, written out."""
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield (path, text) of every plain value: those of an object before what it holds.

    Without recursion: a trace may be nested as deep as it likes.
    """
    waiting = [(path, value)]
    while waiting:
        name, each = waiting.pop()
        if isinstance(each, dict) and each:
            inner = [(f"{name}.{key}" if name else str(key), part) for key, part in each.items()]
            inner.sort(key=lambda pair: isinstance(pair[1], dict | list))
            waiting.extend(reversed(inner))
        elif isinstance(each, list) and any(isinstance(part, dict | list) for part in each):
            inner = [(f"{name}.{n}" if name else str(n), part) for n, part in enumerate(each, 1)]
            waiting.extend(reversed(inner))
        elif isinstance(each, list) and each:
            yield name, "\n".join(_plain(part) for part in each)
        else:
            yield name, _plain(each)


def _grouped(path: str) -> tuple[str, str]:
    """Split a path behind its last number: "items.1.options.colour" is in "items 1"."""
    parts = path.split(".")
    last = max((place for place, part in enumerate(parts) if part.isdecimal()), default=-1)
    if last in (-1, len(parts) - 1):
        return "", path
    return " ".join(parts[: last + 1]), ".".join(parts[last + 1 :])


def _counted(num: int, name: str) -> str:
    words = name.replace("_", " ")
    return f"{num} {words[:-1] if num == 1 and words.endswith('s') else words}"


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(
            _plain(part) for part in value.values() if not isinstance(part, dict | list)
        )
    if isinstance(value, list):
        if len(value) <= 2 and not any(isinstance(part, dict | list) for part in value):
            return ", ".join(_plain(part) for part in value)
        return f"{len(value)} items"
    return _plain(value)


def _plain(value: Any) -> str:
    match value:
        case None | [] | {}:
            return "none" if value is None else "empty"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
