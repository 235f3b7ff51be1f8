"""YAML read as JSON: no dates, no `yes` for true, no aliases that unfold without end."""

import re
from typing import Any

import yaml

MAX_NODES = 200_000


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the JSON schema of YAML 1.2 (yaml.org/spec/1.2.2, 10.2)."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"-?(?:0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-0123456789"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first)
    )


def load_yaml(text: str) -> Any:
    """Return the value of a YAML document, keys as text.

    Raises:
        yaml.YAMLError: It is broken, or its aliases unfold to too much.
    """
    return _Plain().copy(yaml.load(text, Loader=_Loader))  # noqa: S506 a safe loader


class _Plain:
    """Copies what was loaded, aliases unfolded, and counts."""

    num_nodes = 0

    def copy(self, value: Any, depth: int = 0) -> Any:
        self.num_nodes += 1
        if self.num_nodes > MAX_NODES or depth > 200:
            raise yaml.YAMLError("it unfolds to too much")
        if isinstance(value, dict):
            return {_text(key): self.copy(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.copy(item, depth + 1) for item in value]
        return value


def _text(key: Any) -> str:
    if isinstance(key, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[key]
    return str(key)
