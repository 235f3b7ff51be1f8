"""OpenAPI documents: what becomes of operations, and documents that are broken or hostile."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agents.errors import ToolSourceError
from agents.models import Effect, Tier
from agents.tools.drafts import Drafts, safe_name, unique_name
from agents.tools.openapi import drafts_of
from agents.tools.openapi_document import read_document


def drafts(paths: dict[str, Any], **overrides: Any) -> Drafts:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "servers": [{"url": "https://api.example/v1"}],
        "paths": paths,
        **overrides,
    }
    return drafts_of(read_document(json.dumps(document).encode()), slug="t")


def operation(**parts: Any) -> dict[str, Any]:
    return {"operationId": "do_it", **parts}


def body(schema: Any, kind: str = "application/json", *, required: bool = True) -> dict[str, Any]:
    return {"required": required, "content": {kind: {"schema": schema}}}


def test_parameters_of_every_place_become_arguments() -> None:
    (draft,) = drafts(
        {
            "/parcels/{number}": {
                "parameters": [{"name": "number", "in": "path", "schema": {"type": "string"}}],
                "get": operation(
                    parameters=[
                        {"name": "tags", "in": "query", "explode": False, "schema": {}},
                        {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                        {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
                    ]
                ),
            }
        }
    ).tools
    assert draft.parameters["required"] == ["number"]
    assert draft.request["places"] == {
        "number": {"in": "path", "name": "number"},
        "tags": {"in": "query", "name": "tags", "join": ","},
        "X-Trace": {"in": "header", "name": "X-Trace"},
    }


def test_body_is_flattened_where_names_do_not_clash() -> None:
    schema = {
        "type": "object",
        "required": ["amount"],
        "properties": {"amount": {"type": "number"}, "id": {"type": "integer", "readOnly": True}},
    }
    flat, whole = drafts(
        {
            "/a": {"post": operation(operationId="flat", requestBody=body(schema))},
            "/b/{amount}": {
                "post": operation(
                    operationId="whole",
                    parameters=[{"name": "amount", "in": "path", "schema": {"type": "string"}}],
                    requestBody=body(schema),
                )
            },
        }
    ).tools
    assert list(flat.parameters["properties"]) == ["amount"]
    assert flat.request["places"]["amount"]["in"] == "body"
    assert whole.request["places"]["body"] == {"in": "whole", "name": "body"}
    assert whole.parameters["required"] == ["amount", "body"]


@pytest.mark.parametrize(
    ("method", "words", "effect", "tier"),
    [
        ("get", "", Effect.READ, Tier.READ_SENSITIVE),
        ("put", "", Effect.IDEMPOTENT, Tier.WRITE_IRREVERSIBLE),
        ("delete", "", Effect.IDEMPOTENT, Tier.WRITE_IRREVERSIBLE),
        ("post", "", Effect.UNKEYED, Tier.WRITE_IRREVERSIBLE),
        ("patch", "", Effect.UNKEYED, Tier.WRITE_IRREVERSIBLE),
        ("post", "Refund an order.", Effect.UNKEYED, Tier.MONEY),
        ("post", "Set the payload.", Effect.UNKEYED, Tier.WRITE_IRREVERSIBLE),
    ],
)
def test_effect_and_tier_are_guessed_with_care(
    method: str, words: str, effect: Effect, tier: Tier
) -> None:
    (draft,) = drafts({"/a": {method: operation(summary=words)}}).tools
    assert (draft.effect, draft.tier) == (effect, tier)


def test_names_are_safe_and_unique() -> None:
    paths = {f"/{n}": {"get": {"operationId": name}} for n, name in enumerate(("a b", "a/b", "ä!"))}
    names = [draft.name for draft in drafts({**paths, "/x/{y}": {"get": {}}}).tools]
    assert names[:2] == ["a_b", "t_a_b"]
    assert len(set(names)) == 3, "the path without a parameter for {y} is left out"


def test_references_are_filled_in_and_30_becomes_31() -> None:
    (draft,) = drafts(
        {"/a": {"put": operation(requestBody={"$ref": "#/x-body"})}},
        **{
            "openapi": "3.0.3",
            "x-body": body({"$ref": "#/components/schemas/Pay"}),
            "components": {
                "schemas": {
                    "Pay": {
                        "type": "object",
                        "properties": {
                            "note": {"type": "string", "nullable": True, "pattern": "^(a+)+$"},
                            "sum": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
                            "example": {"type": "string"},
                        },
                    }
                }
            },
        },
    ).tools
    assert draft.parameters["properties"] == {
        "note": {"type": ["string", "null"], "description": "(Form: ^(a+)+$)"},
        "sum": {"type": "number", "exclusiveMinimum": 0},
        "example": {"type": "string"},
    }


NODE = {"type": "object", "properties": {"child": {"$ref": "#/components/schemas/Node"}}}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"requestBody": body({"$ref": "#/components/schemas/Node"})}, "refers to itself"),
        ({"requestBody": body({"$ref": "#/nowhere"})}, "is not in the document"),
        ({"requestBody": body({"$ref": "https://evil.example/x"})}, "is in another document"),
        ({"requestBody": body({}, "multipart/form-data")}, "not JSON or a form"),
        ({"requestBody": {"$ref": "#/loop"}}, "leads back to itself"),
        (
            {"parameters": [{"name": "c", "in": "cookie", "required": True}]},
            "in a cookie, which is not sent",
        ),
        ({"parameters": [{"name": "d", "in": "query", "style": "deepObject"}]}, "deepObject"),
        (
            {"parameters": [{"name": "x", "in": "query", "schema": {"type": "strange"}}]},
            "is broken",
        ),
    ],
)
def test_operations_that_cannot_be_called_are_left_out_with_the_reason(
    part: dict[str, Any], words: str
) -> None:
    found = drafts(
        {"/a": {"post": operation(**part)}, "/b": {"get": {}}},
        components={"schemas": {"Node": NODE}},
        loop={"$ref": "#/loop"},
    )
    assert [draft.name for draft in found.tools] == ["get_b"]
    ((what, why),) = found.left_out
    assert what == "POST /a"
    assert words in why


def test_result_that_refers_to_itself_is_not_checked() -> None:
    schema = {"$ref": "#/components/schemas/Node"}
    responses = {"200": {"content": {"application/json": {"schema": schema}}}}
    (draft,) = drafts(
        {"/a": {"get": operation(responses=responses)}}, components={"schemas": {"Node": NODE}}
    ).tools
    assert draft.returns is None
    assert "results are not checked" in draft.notes[0]


def test_document_that_unfolds_without_end_is_refused() -> None:
    schemas: dict[str, Any] = {"L0": {"type": "string"}}
    for level in range(1, 12):
        part = {"$ref": f"#/components/schemas/L{level - 1}"}
        schemas[f"L{level}"] = {
            "type": "object",
            "properties": {f"p{number}": part for number in range(8)},
        }
    with pytest.raises(ToolSourceError, match="unfolds to more than"):
        drafts(
            {"/a": {"post": operation(requestBody=body({"$ref": "#/components/schemas/L11"}))}},
            components={"schemas": schemas},
        )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not an object"),
        (b"{", "broken JSON"),
        (b"[]", "not an object"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b'{"swagger": "2.0"}', "convert it to OpenAPI 3"),
        (b'{"openapi": "4.0"}', "'4.0'"),
        (b'{"info": {}}', "has no field openapi"),
        (b'{"openapi": "3.1.0"}', "describes no paths"),
        (b'{"openapi": "3.1.0", "paths": []}', "describes no paths"),
        (b"openapi: [", "neither JSON nor YAML"),
        (b"a: &a [*a]", "unfolds to too much"),
        (b"a: !!python/object/apply:os.system [ls]", "neither JSON nor YAML"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested"),
        (b" " * 5_000_001, "5,000,000 are the most"),
        (b"a: b\n" * 300_000, "bytes of YAML"),
    ],
)
def test_documents_that_are_broken_are_told_apart(data: bytes, words: str) -> None:
    with pytest.raises(ToolSourceError, match=words):
        read_document(data)


def test_yaml_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(ToolSourceError, match="unfolds to too much"):
        read_document("\n".join(lines).encode())


def test_yaml_is_read_as_json_would_be() -> None:
    text = """
openapi: 3.0.3
paths:
  /a:
    get:
      operationId: on
      responses: {200: {description: 2026-01-01}}
      x-values: [yes, 1.5, null, 010]
"""
    document = read_document(text.encode())
    found = document["paths"]["/a"]["get"]
    assert found["operationId"] == "on"
    assert found["responses"] == {"200": {"description": "2026-01-01"}}
    assert found["x-values"] == ["yes", 1.5, None, "010"]


def test_server_is_completed_or_asked_for() -> None:
    servers = [
        {"url": "https://{region}.api.example/v1/", "variables": {"region": {"default": "eu"}}}
    ]
    assert drafts({"/a": {"get": {}}}, servers=servers).base_url == "https://eu.api.example/v1"
    with pytest.raises(ToolSourceError, match="Fill in the base URL"):
        drafts({"/a": {"get": {}}}, servers=[{"url": "/v1"}])
    document = {"openapi": "3.1.0", "paths": {"/a": {"get": {}}}, "servers": [{"url": "../v1"}]}
    found = drafts_of(document, slug="t", document_url="https://api.example/docs/openapi.json")
    assert found.base_url == "https://api.example/v1"


def test_hints_name_the_header_that_wants_a_secret() -> None:
    schemes = {
        "a": {"type": "http", "scheme": "bearer"},
        "b": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "c": {"type": "oauth2"},
    }
    hints = drafts({"/a": {"get": {}}}, components={"securitySchemes": schemes}).hints
    assert [part in hint for part, hint in zip(("Bearer", "X-Key", "oauth2"), hints, strict=True)]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=90))
def test_every_name_is_one_that_models_accept(text: str) -> None:
    name = safe_name(text)
    assert 1 <= len(name) <= 64
    assert all(char.isascii() and (char.isalnum() or char in "_-") for char in name)
    assert unique_name(name, {name}, "the-till") != name


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "$ref", "required", "schema", "content", "in",
                 "name", "parameters", "get", "post", "requestBody", "application/json",
                 "responses", "200", "#/paths", "/a"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(st.dictionaries(st.sampled_from(["/a", "/b/{x}", "c"]), _JSON, min_size=1, max_size=3))
def test_no_document_breaks_the_import(paths: dict[str, Any]) -> None:
    for draft in drafts(paths).tools:
        Draft202012Validator.check_schema(draft.parameters)
