"""Secrets by name: read from the environment or a file when a call is made, and masked after it.

A project may use its own, and of the desk's those that the desk shares: whoever runs the desk lists
them (`REVIEWDESK_SHARED_SECRETS`), so that nobody can send another project's key to a server of
their choice by naming it. See docs/decisions/025.

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
_SLUG = re.compile(r"[A-Za-z0-9_-]{1,60}")
# Slugs whose variable is no other slug's: `a-b` and `a_b` would share one.
_SLUG_IN_VARIABLE = re.compile(r"[a-z0-9-]{1,60}")


@dataclass(frozen=True)
class SecretState:
    """Whether a named secret can be read, for people; its value stays where it is.

    Attributes:
        where: The variable or file that holds it; empty where it cannot be read.
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


def read_secrets(names: Iterable[str], *, project: str | None) -> Secrets:
    """Return the secrets of these names.

    Args:
        names: As a source, a webhook or a tool's contract names them.
        project: Slug of the project that names them; None where the desk's own code does, which
            may read every secret of the desk and none of a project.

    Raises:
        SecretError: One of them is not set for the project, too short, or its file may be read by
            others.
    """
    return Secrets({name: _read(name, project)[0] for name in names})


def state_of(name: str, *, project: str | None) -> SecretState:
    """Return whether the secret can be read by the project, and where it is."""
    try:
        return SecretState(name, _read(name, project)[1], "")
    except SecretError as error:
        return SecretState(name, "", str(error))


def is_name(text: str) -> bool:
    """Say whether this can be a secret's name: a letter, then letters, digits and single `_`.

    A double `_` stands between project and name in a variable, and so in no name.
    """
    return _NAME.fullmatch(text) is not None and "__" not in text


@dataclass(frozen=True)
class _Place:
    """Where one secret may be: a variable, or empty where it has none, and a file."""

    variable: str
    path: Path


def _read(name: str, project: str | None) -> tuple[str, str]:
    """Return a secret's value and where it was found."""
    if not is_name(name):
        raise SecretError(
            f"{name!r} cannot be a secret's name: use letters, digits and single underscores."
        )
    places = _places(name, project)
    for place in places:
        value, where = os.environ.get(place.variable), place.variable
        if value is None:
            value, where = _read_file(name, place.path), str(place.path)
        if value is not None:
            return _checked(name, value.rstrip("\r\n")), where
    raise SecretError(_not_set(name, project, places[0]))


def _places(name: str, project: str | None) -> list[_Place]:
    """Return where the project's secret of this name may be, its own before the desk's."""
    of_desk = _Place(PREFIX + name.upper(), _folder() / name)
    if project is None:
        return [of_desk]
    if not _SLUG.fullmatch(project):
        raise SecretError(f"{project!r} is no project's slug.")
    variable = ""
    if _SLUG_IN_VARIABLE.fullmatch(project):
        variable = f"{PREFIX}{project.replace('-', '_')}__{name}".upper()
    of_project = _Place(variable, _folder() / project / name)
    return [of_project, of_desk] if name in settings.SHARED_SECRETS else [of_project]


def _not_set(name: str, project: str | None, place: _Place) -> str:
    where = f"write it to {place.path}"
    if place.variable:
        where = f"set {place.variable} where the desk is started, or {where}"
    if project is None:
        return f"The secret {name} is not set; {where}."
    text = f"The project {project} has no secret {name}; {where}."
    if name in settings.SHARED_SECRETS:
        return f"{text} The desk shares one of this name, but it is not set either."
    return f"{text} A secret of the desk itself is used only if REVIEWDESK_SHARED_SECRETS lists it."


def _checked(name: str, value: str) -> str:
    if not SHORTEST <= len(value) <= LONGEST:
        raise SecretError(
            f"The secret {name} has {len(value)} characters; it needs {SHORTEST} to {LONGEST:,}, "
            "so that it can be told from other text and masked."
        )
    if not value.isprintable():
        raise SecretError(f"The secret {name} must be one line of characters that can be printed.")
    return value


def _read_file(name: str, path: Path) -> str | None:
    """Return what stands in a secret's file, or None where there is none."""
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
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"The secret {name} cannot be read from {path}: {error}.") from None


def _folder() -> Path:
    return Path(settings.SECRETS_FOLDER)


def _forms(value: str) -> list[str]:
    """Return the forms in which a service may send a value back, longest first."""
    encoded = base64.b64encode(value.encode()).decode()
    forms = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], encoded}
    return sorted(forms, key=len, reverse=True)
