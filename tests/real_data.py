"""Where tests find the real recordings, which are never part of this repository."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("REVIEWDESK_REAL_DATA", "../shared/data"))


def real_data(name: str) -> Path:
    """Return a file or folder of the real data; skip where it is absent, but not in CI."""
    path = ROOT / name
    if path.exists():
        return path
    message = f"real data: {path} is absent; set REVIEWDESK_REAL_DATA to its folder"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
