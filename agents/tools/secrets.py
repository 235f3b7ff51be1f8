"""Secrets by name: read from the environment or a file when a call is made, and masked after it.

A value is never stored, traced, or part of a message: whatever a tool answers goes through
`Secrets.mask` first, so that a service that echoes its key does not put it into a session.
"""

import base64
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from django.conf import settings

from agents.errors import SecretError

PREFIX = "REVIEWDESK_SECRET_"
SHORTEST = 8
LONGEST = 16_384
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True)
class SecretState:
    """Whether a named secret can be read, for people; its value stays where it is.

    Attributes:
        where: The variable or file that holds it, or that would.
        problem: Why it cannot be read, or empty.
    """

    name: str
    where: str
    problem: str

    @property
    def is_set(self) -> bool:
        """Say whether calls that need it can be made."""
        return not self.problem


@dataclass(frozen=True)
class Secrets:
    """The secrets of one call, by name. Not shown by `repr`."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def mask(self, value: Any) -> Any:
        """Return JSON or text with each secret's value replaced by its name."""
        if isinstance(value, str):
            return self._mask_text(value)
        if isinstance(value, dict):
            return {self._mask_text(str(key)): self.mask(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.mask(item) for item in value]
        return value

    def _mask_text(self, text: str) -> str:
        for name, value in self.values.items():
            for form in _forms(value):
                text = text.replace(form, f"[secret {name}]")
        return text


def read_secrets(names: Iterable[str]) -> Secrets:
    """Return the secrets of these names.

    Raises:
        SecretError: One of them is not set, too short, or its file may be read by others.
    """
    return Secrets({name: _read(name) for name in names})


def state_of(name: str) -> SecretState:
    """Return whether the secret can be read, and where it is or would be looked for."""
    try:
        _read(name)
    except SecretError as error:
        return SecretState(name, _where(name), str(error))
    return SecretState(name, _where(name), "")


def is_name(text: str) -> bool:
    """Say whether this can be a secret's name: a letter, then letters, digits and underscores."""
    return _NAME.fullmatch(text) is not None


def _read(name: str) -> str:
    if not is_name(name):
        raise SecretError(f"{name!r} cannot be a secret's name: use letters, digits and _.")
    value = os.environ.get(_variable(name))
    if value is None:
        value = _read_file(name)
    value = value.rstrip("\r\n")
    if not SHORTEST <= len(value) <= LONGEST:
        raise SecretError(
            f"The secret {name} has {len(value)} characters; it needs {SHORTEST} to {LONGEST:,}, "
            "so that it can be told from other text and masked."
        )
    if not value.isprintable():
        raise SecretError(f"The secret {name} must be one line of characters that can be printed.")
    return value


def _read_file(name: str) -> str:
    path = _folder() / name
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise SecretError(f"The secret {name} is not a file: {path}.")
            if mode & (stat.S_IRWXO | stat.S_IWGRP):
                raise SecretError(
                    f"The secret {name} may be read or changed by others than its owner; "
                    f"`chmod 600 {path}` closes it."
                )
            return file.read(LONGEST * 4 + 2).decode()
    except FileNotFoundError:
        raise SecretError(
            f"The secret {name} is not set; set {_variable(name)} where the desk is started, or "
            f"write it to {path}."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"The secret {name} cannot be read from {path}: {error}.") from None


def _where(name: str) -> str:
    return _variable(name) if _variable(name) in os.environ else str(_folder() / name)


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _folder() -> Path:
    return Path(settings.SECRETS_FOLDER)


def _forms(value: str) -> list[str]:
    """Return the forms in which a service may send a value back, longest first."""
    encoded = base64.b64encode(value.encode()).decode()
    forms = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], encoded}
    return sorted(forms, key=len, reverse=True)
