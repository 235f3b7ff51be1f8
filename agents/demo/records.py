"""The demo shop's records and texts, as they lie in this package's files."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
DATASET = "demo"
NUM_PROMPTS = 6
Records = dict[str, dict[str, dict[str, Any]]]


@lru_cache(maxsize=1)
def shop_records() -> Records:
    """Return the shop's records as `{kind: {key: record}}`; do not change them."""
    return {
        kind: json.loads((_HERE / "data" / f"{kind}s.json").read_text(encoding="utf-8"))
        for kind in ("user", "order", "product")
    }


def prompt_of(number: int) -> str:
    """Return the system prompt of the demo agent's version `number`, 1 to `NUM_PROMPTS`."""
    return (_HERE / "prompts" / f"v{number}.md").read_text(encoding="utf-8")


def policy() -> str:
    """Return the shop's written policy."""
    return (_HERE / "policy.md").read_text(encoding="utf-8")
