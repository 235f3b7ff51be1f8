"""Reading an OpenAPI document: JSON or YAML, small enough, and of a version that is known."""

import json
from typing import Any

import yaml

from agents.errors import ToolSourceError
from agents.tools.drafts import short
from agents.tools.yaml_json import load_yaml
from traces.clean import clean_json, is_deeper

MAX_BYTES = 5_000_000
MAX_YAML_BYTES = 1_000_000


def read_document(data: bytes) -> dict[str, Any]:
    """Return an OpenAPI document, given as JSON or YAML.

    Raises:
        ToolSourceError: It is too large, broken, or no OpenAPI 3 document; the message says which.
    """
    if len(data) > MAX_BYTES:
        raise ToolSourceError(
            f"The document has {len(data):,} bytes; {MAX_BYTES:,} are the most. Cut it down to the "
            "operations that agents need."
        )
    document = _parsed(data)
    if not isinstance(document, dict):
        raise ToolSourceError("The document is no OpenAPI document: it is not an object.")
    if "swagger" in document:
        raise ToolSourceError(
            f"The document is Swagger {document['swagger']}; convert it to OpenAPI 3.0 or 3.1."
        )
    version = str(document.get("openapi", ""))
    if not version.startswith(("3.0", "3.1")):
        said = f"says openapi: {short(version, 20)!r}" if version else "has no field openapi"
        raise ToolSourceError(f"The document {said}; OpenAPI 3.0 and 3.1 can be imported.")
    if not isinstance(document.get("paths"), dict) or not document["paths"]:
        raise ToolSourceError("The document describes no paths, so there is nothing to import.")
    cleaned: dict[str, Any] = clean_json(document)
    return cleaned


def title_of(document: dict[str, Any]) -> str:
    """Return what the document calls itself, or nothing."""
    info = document.get("info")
    return short(str(info.get("title", "")), 120) if isinstance(info, dict) else ""


def _parsed(data: bytes) -> Any:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ToolSourceError(f"The document is not UTF-8 text: {error}.") from error
    try:
        document = json.loads(text)
    except RecursionError:
        raise ToolSourceError("The document is nested too deep.") from None
    except ValueError as error:
        if text.lstrip().startswith(("{", "[")):
            raise ToolSourceError(f"The document is broken JSON: {error}.") from error
        if len(data) > MAX_YAML_BYTES:
            raise ToolSourceError(
                f"The document has {len(data):,} bytes of YAML; {MAX_YAML_BYTES:,} are the most. "
                "Convert it to JSON."
            ) from None
        try:
            document = load_yaml(text)
        except (yaml.YAMLError, RecursionError) as broken:
            words = " ".join(str(broken).split())
            raise ToolSourceError(
                f"The document is neither JSON nor YAML: {short(words, 300)}."
            ) from broken
    if is_deeper(document, 100):
        raise ToolSourceError("The document is nested deeper than 100 levels.")
    return document
