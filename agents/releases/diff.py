"""What changes from one version's configuration to another's, in a form for reading.

Prompts are compared by line, and changed lines by word; everything else by field.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from agents.config import LATER_LIMITS

Kind = Literal["same", "removed", "added", "skipped"]
Opcode = tuple[str, int, int, int, int]

_TOKENS = re.compile(r"\n|[^\S\n]+|\w+|[^\w\s]")
_MAX_TOKENS = 3_000
# Under this share of common text, two lines read better one after the other than word by word.
_MIN_KEPT = 0.35
_MIN_SKIPPED_LINES = 3


@dataclass(frozen=True)
class Piece:
    """A run of text that is the same, removed, added, or the same and folded (`skipped`)."""

    kind: Kind
    text: str

    @property
    def num_lines(self) -> int:
        """Return the number of lines, a last one without an end counted."""
        return len(self.text.splitlines())


@dataclass(frozen=True)
class FieldChange:
    """A field with another value.

    Attributes:
        path: Dotted, e.g. `parameters.temperature`; a tool is `tools.<name>`.
        before: The value as JSON (text without quotes), None where the field was not there.
        after: Likewise.
    """

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class ConfigDiff:
    """Two configurations side by side.

    Attributes:
        prompt: Pieces that read from top to bottom; removed text stands before added.
        num_places: Places in the prompt that change.
        fields: All other changes, sorted by path.
        num_fields: Fields in either configuration, the prompt left out.
    """

    prompt: tuple[Piece, ...]
    num_places: int
    fields: tuple[FieldChange, ...]
    num_fields: int

    @property
    def is_empty(self) -> bool:
        """Say whether nothing changes."""
        return not self.num_places and not self.fields

    @property
    def num_unchanged(self) -> int:
        """Return the number of fields that stay."""
        return self.num_fields - len(self.fields)


def config_diff(before: dict[str, Any] | None, after: dict[str, Any]) -> ConfigDiff:
    """Compare two stored configurations (`VersionConfig.to_json`); None is an empty one."""
    before = before or {}
    before, after = _with_later(before, after), _with_later(after, before)
    pieces = word_diff(before.get("system_prompt", ""), after.get("system_prompt", ""))
    old, new = dict(_flat(before)), dict(_flat(after))
    paths = sorted(old.keys() | new.keys())
    changes = tuple(
        FieldChange(path, old.get(path), new.get(path))
        for path in paths
        if old.get(path) != new.get(path)
    )
    return ConfigDiff(fold(pieces), num_places(pieces), changes, len(paths))


def word_diff(before: str, after: str) -> tuple[Piece, ...]:
    """Compare two texts by word.

    Joining the same and removed pieces gives `before`; the same and added ones, `after`.
    """
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    pieces: list[Piece] = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        removed, added = "".join(old[i:j]), "".join(new[k:m])
        if tag == "equal":
            pieces.append(Piece("same", removed))
        else:
            pieces.extend(_changed_lines(removed, added))
    return _merged(pieces)


def fold(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Fold whole lines that stay, where there are three or more of them in a run."""
    whole = tuple(pieces)
    return tuple(
        part
        for index, piece in enumerate(whole)
        for part in (
            _folded(
                piece.text,
                starts_line=index == 0 or whole[index - 1].text.endswith("\n"),
                ends_text=index == len(whole) - 1,
            )
            if piece.kind == "same"
            else (piece,)
        )
    )


def num_places(pieces: Iterable[Piece]) -> int:
    """Return the number of places that change: runs of removed or added pieces."""
    places, is_inside = 0, False
    for piece in pieces:
        changes = piece.kind in ("removed", "added")
        places += changes and not is_inside
        is_inside = changes
    return places


def _changed_lines(removed: str, added: str) -> Iterator[Piece]:
    old, new = _TOKENS.findall(removed), _TOKENS.findall(added)
    if not old or not new or max(len(old), len(new)) > _MAX_TOKENS:
        yield from _change(removed, added)
        return
    opcodes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    if _share_kept(opcodes, old, new) < _MIN_KEPT:
        yield from _change(removed, added)
        return
    gone: list[str] = []
    come: list[str] = []
    for index, (tag, i, j, k, m) in enumerate(opcodes):
        text = "".join(old[i:j])
        is_between = 0 < index < len(opcodes) - 1
        if tag != "equal" or (is_between and _is_chance(text)):
            gone.append(text)
            come.append("".join(new[k:m]))
            continue
        yield from _change("".join(gone), "".join(come))
        gone, come = [], []
        yield Piece("same", text)
    yield from _change("".join(gone), "".join(come))


def _share_kept(opcodes: Sequence[Opcode], old: list[str], new: list[str]) -> float:
    """Return the share of both texts, 0-1, that stands in common runs worth reading."""
    runs = ("".join(old[i:j]) for tag, i, j, _, _ in opcodes if tag == "equal")
    kept = sum(len(run) for run in runs if not _is_chance(run))
    return 2 * kept / (sum(map(len, old)) + sum(map(len, new)))


def _is_chance(text: str) -> bool:
    """Say whether a common run is too short to be read as kept: blanks, a mark, a short word."""
    return "\n" not in text and len(re.findall(r"\w+", text)) <= 1 and len(text.strip()) <= 4


def _change(removed: str, added: str) -> Iterator[Piece]:
    if removed:
        yield Piece("removed", removed)
    if added:
        yield Piece("added", added)


def _merged(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    merged: list[Piece] = []
    for piece in pieces:
        if merged and merged[-1].kind == piece.kind:
            merged[-1] = Piece(piece.kind, merged[-1].text + piece.text)
        else:
            merged.append(piece)
    return tuple(merged)


def _folded(text: str, *, starts_line: bool, ends_text: bool) -> Iterator[Piece]:
    """Split a run that stays into the end of a changed line, whole lines, and the next's start."""
    lines = text.splitlines(keepends=True)
    first = 0 if starts_line else 1
    last = len(lines) if ends_text or text.endswith("\n") else len(lines) - 1
    if last - first < _MIN_SKIPPED_LINES:
        yield Piece("same", text)
        return
    parts = ("same", lines[:first]), ("skipped", lines[first:last]), ("same", lines[last:])
    for kind, part in parts:
        if part:
            yield Piece(kind, "".join(part))  # type: ignore[arg-type]


def _with_later(config: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Add the limits that are left out at their defaults, where the other side names them."""
    limits = config.get("limits")
    if not limits:
        return config
    named = {key: LATER_LIMITS[key] for key in other.get("limits", {}) if key in LATER_LIMITS}
    return {**config, "limits": {**named, **limits}}


def _flat(config: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in config.items():
        if name == "tools":
            yield from ((f"tools.{tool}", "offered") for tool in value)
        elif name != "system_prompt":
            yield from _flat_value(name, value)


def _flat_value(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and (value or "." not in path):
        for name, inner in value.items():
            yield from _flat_value(f"{path}.{name}", inner)
    else:
        is_text = isinstance(value, str)
        yield path, value if is_text else json.dumps(value, ensure_ascii=False, sort_keys=True)
