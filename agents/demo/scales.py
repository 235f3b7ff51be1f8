"""The demo's MCP server, over stdio: the warehouse's returns, by parcel.

It keeps nothing and imports nothing of the desk: `python scales.py` is the whole of it.
"""

import hashlib
import json
import sys
from typing import Any

_PARCEL = {"type": "string", "description": "The return label's number, such as R-20418."}
TOOLS: list[dict[str, Any]] = [
    {
        "name": "weigh_return",
        "description": "Say what a returned parcel weighs and how it looks.",
        "inputSchema": {
            "type": "object",
            "properties": {"parcel": _PARCEL},
            "required": ["parcel"],
            "additionalProperties": False,
        },
        "outputSchema": {
            "type": "object",
            "properties": {
                "parcel": {"type": "string"},
                "grams": {"type": "integer"},
                "condition": {"type": "string", "enum": ["sealed", "opened", "damaged"]},
            },
            "required": ["parcel", "grams", "condition"],
        },
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "hold_return",
        "description": "Put a returned parcel aside until a person has looked at it.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "parcel": _PARCEL,
                "days": {"type": "integer", "minimum": 1, "maximum": 14},
            },
            "required": ["parcel", "days"],
            "additionalProperties": False,
        },
        "annotations": {"idempotentHint": True, "destructiveHint": False},
    },
]
_CONDITIONS = ("sealed", "opened", "damaged")


def answer(message: dict[str, Any]) -> dict[str, Any] | None:
    """Return the answer to a message of MCP, or None where none is due."""
    if "id" not in message:
        return None
    about = {"jsonrpc": "2.0", "id": message["id"]}
    match message.get("method"):
        case "initialize":
            result: dict[str, Any] = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "Fernhill returns", "version": "1"},
            }
        case "tools/list":
            result = {"tools": TOOLS}
        case "tools/call":
            result = _call(message["params"])
        case _:
            return {**about, "error": {"code": -32601, "message": "there is no such method"}}
    return {**about, "result": result}


def _call(params: dict[str, Any]) -> dict[str, Any]:
    arguments = params.get("arguments") or {}
    parcel = str(arguments.get("parcel", ""))
    if not parcel.startswith("R-"):
        text = f"{parcel or 'nothing'} is not the number of a return; those begin with R-"
        return {"content": [{"type": "text", "text": text}], "isError": True}
    if params.get("name") == "weigh_return":
        digest = hashlib.sha256(parcel.encode()).digest()
        found: dict[str, Any] = {
            "parcel": parcel,
            "grams": 200 + int.from_bytes(digest[:2], "big") % 4800,
            "condition": _CONDITIONS[digest[2] % 3],
        }
    else:
        found = {"parcel": parcel, "held_for_days": arguments.get("days")}
    text = json.dumps(found)
    return {"content": [{"type": "text", "text": text}], "structuredContent": found}


def main() -> None:
    """Answer line by line until the input ends."""
    for line in sys.stdin:
        if found := answer(json.loads(line)):
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
