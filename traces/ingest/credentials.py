"""Dropping credentials from settings that an import would otherwise keep."""

import re
from typing import Any

_SECRET_NAME = re.compile(
    r"(api[_-]?key|^key$|secret|passw|credential|authori[sz]ation|bearer|cookie|headers$|private"
    r"|(access|auth|session|refresh|id|hf|security)[_-]?token|^token$|connection[_-]?string|dsn)",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"(\bsk-[\w-]{8,}|\bBearer\s+\S{8,}|\bAKIA[0-9A-Z]{12,}|\bgh[pousr]_\w{20,}|\bxox[abp]-\S{10,}"
    r"|\bAIza[\w-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY|//[^/\s:@]+:[^/\s@]+@)"
)


def without_credentials(value: Any) -> Any:
    """Return JSON settings without members that are named or look like credentials.

    For settings (`llm_args` and the like), not for what customers and tools said.
    """
    if isinstance(value, dict):
        return {
            name: without_credentials(item)
            for name, item in value.items()
            if not _SECRET_NAME.search(str(name)) and not _looks_secret(item)
        }
    if isinstance(value, list):
        return [without_credentials(item) for item in value if not _looks_secret(item)]
    return value


def _looks_secret(value: Any) -> bool:
    return isinstance(value, str) and bool(_SECRET_VALUE.search(value))
