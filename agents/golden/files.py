"""Reading and writing files of golden tests: JSON Lines and YAML, as plain entries. Pure.

YAML is read with the types of its core schema (version 1.2), so that `no` and `12:30` are texts,
and without aliases, with which a small file could grow without bound.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import yaml

from agents.errors import GoldenError
from traces.clean import is_deeper

DEEPEST = 60
MOST_CHARACTERS = 20_000_000
MOST_YAML_CHARACTERS = 5_000_000
MOST_ENTRIES = 5_000
_SPACES = " \t\r\n\ufeff"


class Format(StrEnum):
    """How a file is written."""

    JSONL = "jsonl"
    YAML = "yaml"


@dataclass(frozen=True)
class Entry:
    """One test of a file: where it stands, such as "Line 3", and what it says."""

    place: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """What is wrong with an entry of a file."""

    place: str
    text: str


class BadFileError(GoldenError):
    """A file of golden tests cannot be taken in.

    Attributes:
        problems: What is wrong, in the order of the file.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(" ".join(f"{each.place}: {each.text}" for each in problems))
        self.problems = tuple(problems)


def write_entries(entries: Iterable[dict[str, Any]], form: Format) -> str:
    """Return a file of these entries; reading it gives them back as they are."""
    if form == Format.JSONL:
        return "".join(f"{json.dumps(entry, ensure_ascii=False)}\n" for entry in entries)
    return readable(list(entries))


def readable(value: Any) -> str:
    """Return a JSON value as YAML, which people read and which names everything."""
    return yaml.dump(
        value,
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=False,
        width=100,
        default_flow_style=False,
    )


def read_entries(text: str) -> list[Entry]:
    """Return the entries of a file, which is JSON Lines where it begins with a brace.

    Raises:
        BadFileError: The file is too large, or an entry of it cannot be read.
    """
    form = Format.JSONL if text.lstrip(_SPACES).startswith("{") else Format.YAML
    most = MOST_CHARACTERS if form == Format.JSONL else MOST_YAML_CHARACTERS
    if len(text) > most:
        raise _bad("The file", f"it has {len(text):,} characters; {most:,} at most.")
    entries = _read_jsonl(text) if form == Format.JSONL else _read_yaml(text)
    if not entries:
        raise _bad("The file", "there is no test in it.")
    if len(entries) > MOST_ENTRIES:
        raise _bad("The file", f"it has {len(entries):,} tests; {MOST_ENTRIES:,} at most.")
    return entries


def read_value(text: str) -> Any:
    """Return the value of one YAML document, such as `readable` writes; None where it is empty.

    Raises:
        BadFileError: It is too large or cannot be read.
    """
    if len(text) > MOST_YAML_CHARACTERS:
        raise _bad(
            "The text", f"it has {len(text):,} characters; {MOST_YAML_CHARACTERS:,} at most."
        )
    try:
        _check_events(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe one
    except yaml.YAMLError as error:
        raise BadFileError([_yaml_problem(error)]) from error


def _read_jsonl(text: str) -> list[Entry]:
    entries: list[Entry] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.lstrip("\ufeff").split("\n"), 1):
        if not line.strip():
            continue
        place = f"Line {number}"
        try:
            data = json.loads(line, object_pairs_hook=_once, parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            problems.append(Problem(place, f"it is not JSON: {error.msg} at column {error.colno}."))
        except RecursionError:
            problems.append(Problem(place, "it is nested too deeply."))
        except ValueError as error:
            problems.append(Problem(place, str(error)))
        else:
            _take(place, data, entries, problems)
    if problems:
        raise BadFileError(problems)
    return entries


def _read_yaml(text: str) -> list[Entry]:
    entries: list[Entry] = []
    problems: list[Problem] = []
    try:
        for number, (line, data) in enumerate(_yaml_items(text), 1):
            _take(f"Entry {number} (line {line})", data, entries, problems)
    except yaml.YAMLError as error:
        raise BadFileError([_yaml_problem(error)]) from error
    if problems:
        raise BadFileError(problems)
    return entries


def _yaml_items(text: str) -> Iterator[tuple[int, Any]]:
    """Yield the entries of all documents with their lines; a document is one or a list of them."""
    _check_events(text)
    loader = _Loader(text)
    try:
        while loader.check_node():
            node: Any = loader.get_node()
            is_list = isinstance(node, yaml.SequenceNode)
            for item in node.value if is_list else [node]:
                yield item.start_mark.line + 1, loader.construct_document(item)
    finally:
        loader.dispose()


def _take(place: str, data: Any, entries: list[Entry], problems: list[Problem]) -> None:
    if not isinstance(data, dict):
        problems.append(Problem(place, "it must be an object: the fields of one test."))
    elif is_deeper(data, DEEPEST):
        problems.append(Problem(place, f"it is nested over {DEEPEST} levels deep."))
    else:
        entries.append(Entry(place, data))


def _refused(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _check_events(text: str) -> None:
    """Raise `YAMLError` where an alias stands, or where the nesting would exhaust the parser."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise _refused("an alias (*name) stands here; write its content out", event.start_mark)
        if tag := getattr(event, "tag", None):
            raise _refused(f"a tag ({tag[:60]}) stands here; leave it out", event.start_mark)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise _refused(f"it is nested over {DEEPEST} levels deep", event.start_mark)


def _yaml_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error)
    place = f"Line {mark.line + 1}, column {mark.column + 1}" if mark else "The file"
    return Problem(place, f"it is not YAML as it is read here: {what}.")


def _bad(place: str, text: str) -> BadFileError:
    return BadFileError([Problem(place, text)])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, value in pairs:
        if name in data:
            raise ValueError(f"the name “{name}” comes twice.")
        data[name] = value
    return data


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value.")


class _Loader(yaml.CSafeLoader):
    """Reads plain JSON types only; a name that comes twice is an error."""

    yaml_implicit_resolvers: dict[str, Any] = {}


class _Dumper(yaml.CSafeDumper):
    """Writes long texts as blocks and never an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return that every value is written out."""
        return True


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise _refused(f"the name {key!r} must be a text", key_node.start_mark)
        if key in mapping:
            raise _refused(f"the name {key!r} comes twice", key_node.start_mark)
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


def _construct_sequence(loader: _Loader, node: yaml.SequenceNode) -> list[Any]:
    return [loader.construct_object(child, deep=True) for child in node.value]


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    try:
        return int(loader.construct_scalar(node))
    except ValueError as error:
        raise _refused("the number has too many digits", node.start_mark) from error


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text and _fits_block(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _fits_block(text: str) -> bool:
    """Say whether a block keeps the text: no spaces around its lines, nothing unprintable."""
    return all(line == line.strip() and line.isprintable() for line in text.split("\n"))


def _use_core_schema() -> None:
    """Teach both the types of the core schema. Source: YAML 1.2.2, section 10.3.2."""
    for name, pattern, first in (
        ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
        ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
        (
            "float",
            r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$",
            list("-+.0123456789"),
        ),
        ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ):
        for reader_or_writer in (_Loader, _Dumper):
            reader_or_writer.add_implicit_resolver(
                f"tag:yaml.org,2002:{name}", re.compile(pattern), first
            )


_use_core_schema()
_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)
_Loader.add_constructor("tag:yaml.org,2002:seq", _construct_sequence)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Dumper.add_representer(str, _represent_text)
