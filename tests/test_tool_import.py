"""Importing tools: what is planned, what is applied, and what becomes of levels."""

from typing import Any

import pytest

from agents.errors import ToolSourceError
from agents.models import AgentTool, Effect, Level, Tier, ToolDefinition, ToolSource
from agents.tools import connecting, definitions, imports
from agents.tools.contract import policy_from_json
from agents.tools.imports import Change, Choice
from agents.tools.registry import UnknownToolError, contract_for, contracts
from reviewdesk.people.models import User
from reviewdesk.people.roles import Role
from tests.factories import make_agent, make_project, make_user
from tests.tool_server import DOCUMENT
from traces.models import Project

pytestmark = pytest.mark.django_db


def document(**overrides: Any) -> dict[str, Any]:
    return {**DOCUMENT, "servers": [{"url": "https://till.example/v1"}], **overrides}


def connected(project: Project, by: User, content: dict[str, Any] | None = None) -> ToolSource:
    source = connecting.add_source(
        project=project,
        name="The till",
        kind=ToolSource.Kind.OPENAPI,
        allowed_hosts=["till.example"],
        reason="for the tests",
        by=by,
    )
    connecting.store_document(source=source, document=content or document())
    return source


def apply(source: ToolSource, by: User, reason: str = "for the tests") -> int:
    plan = imports.plan_import(source)
    choices = {tool.name: Choice(tool.effect, tool.tier) for tool in plan.changes}
    return imports.apply_import(
        source=source, digest=plan.digest, choices=choices, reason=reason, by=by
    )


def make_imported() -> tuple[ToolSource, User]:
    project = make_project()
    lead = make_user(Role.LEAD, project)
    source = connected(project, lead)
    apply(source, lead)
    return source, lead


def test_operations_become_tools_that_no_agent_has() -> None:
    source, _ = make_imported()
    agent = make_agent(project=source.project)
    names = ["get_balance", "pay_keyed", "pay_unkeyed", "set_price"]
    assert [each.name for each in contracts(source.project_id) if each.source_id] == names
    assert not agent.tools.filter(name__in=names).exists()
    keyed = contract_for("pay_keyed", source.project_id)
    assert (keyed.effect, keyed.tier, keyed.version) == (Effect.KEYED, Tier.MONEY, "1")
    assert keyed.policy.is_untrusted
    assert keyed.request["key"] == {"in": "header", "name": "Idempotency-Key"}
    assert set(keyed.parameters["properties"]) == {"run", "number", "amount"}


def test_effects_are_guessed_from_methods() -> None:
    source, _ = make_imported()
    found = {each.name: each.effect for each in contracts(source.project_id) if each.source_id}
    assert found == {
        "get_balance": Effect.READ,
        "pay_keyed": Effect.KEYED,
        "pay_unkeyed": Effect.UNKEYED,
        "set_price": Effect.IDEMPOTENT,
    }


def test_other_projects_do_not_see_them() -> None:
    make_imported()
    with pytest.raises(UnknownToolError):
        contract_for("pay_keyed", make_project().pk)
    with pytest.raises(UnknownToolError):
        contract_for("pay_keyed")


def test_imported_tool_never_hides_one_of_the_code() -> None:
    project = make_project()
    lead = make_user(Role.LEAD, project)
    operation = {"operationId": "get_order_details", "responses": {}}
    source = connected(project, lead, document(paths={"/orders": {"get": operation}}))
    apply(source, lead)
    assert contract_for("get_order_details", project.pk).source_id is None
    assert contract_for("the_till_get_order_details", project.pk).source_id == source.pk


def test_reimport_shows_what_changed_and_makes_new_versions() -> None:
    source, lead = make_imported()
    agent = make_agent(project=source.project)
    tool = AgentTool.objects.create(
        agent=agent,
        name="set_price",
        level=Level.AUTONOMOUS,
        reason="trusted",
        contract_version="1",
    )
    paths = {path: item for path, item in DOCUMENT["paths"].items() if path != "/unkeyed"}
    prices = {**paths["/idempotent/{item}"]["put"], "summary": "Set a price in cents."}
    paths |= {"/idempotent/{item}": {"put": prices}, "/new": {"get": {"responses": {}}}}
    connecting.store_document(source=source, document=document(paths=paths))
    plan = imports.plan_import(source)
    assert {each.name: each.change for each in plan.changes} == {
        "get_new": Change.ADDED,
        "set_price": Change.CHANGED,
        "pay_unkeyed": Change.REMOVED,
    }
    (changed,) = plan.of(Change.CHANGED)
    assert changed.differences == ("description",)
    assert apply(source, lead, "cents now") == 3
    assert contract_for("set_price", source.project_id).version == "2"
    assert "no longer among" in contract_for("pay_unkeyed", source.project_id).withdrawn
    assert "pay_unkeyed" not in {each.name for each in contracts(source.project_id)}
    tool.refresh_from_db()
    assert (tool.candidate_since is not None, tool.candidate_why) == (
        True,
        "its contract is at version 2 now",
    )


def test_plan_that_changed_since_it_was_shown_is_not_applied() -> None:
    source, lead = make_imported()
    digest = imports.plan_import(source).digest
    connecting.store_document(source=source, document=document(paths={"/x": {"get": {}}}))
    with pytest.raises(ToolSourceError, match="changed since this was shown"):
        imports.apply_import(source=source, digest=digest, choices={}, reason="late", by=lead)


def test_tool_that_was_left_out_stays_new() -> None:
    project = make_project()
    lead = make_user(Role.LEAD, project)
    source = connected(project, lead)
    plan = imports.plan_import(source)
    choices = {"get_balance": Choice(Effect.READ, Tier.READ)}
    imports.apply_import(
        source=source, digest=plan.digest, choices=choices, reason="one first", by=lead
    )
    assert len(imports.plan_import(source).of(Change.ADDED)) == 3


def test_what_people_set_survives_an_import() -> None:
    source, lead = make_imported()
    row = ToolDefinition.objects.get(project=source.project, name="pay_keyed", is_current=True)
    definitions.change_contract(
        definition=row,
        effect=Effect.KEYED,
        tier=Tier.WRITE_IRREVERSIBLE,
        policy=policy_from_json({"rate_per_minute": 5}),
        lookup="/lookup/{key}",
        reason="small sums only",
        by=lead,
    )
    assert not imports.plan_import(source).changes
    pay = {**DOCUMENT["paths"]["/keyed"]["post"], "summary": "Pay, but once."}
    paths = {**DOCUMENT["paths"], "/keyed": {"post": pay}}
    connecting.store_document(source=source, document=document(paths=paths))
    apply(source, lead)
    contract = contract_for("pay_keyed", source.project_id)
    assert (contract.version, contract.tier) == ("3", Tier.WRITE_IRREVERSIBLE)
    assert (contract.policy.rate_per_minute, contract.has_lookup) == (5, True)


def test_other_method_is_guessed_anew() -> None:
    source, _ = make_imported()
    paths = {**DOCUMENT["paths"]}
    paths["/balance/{account}"] = {"post": paths["/balance/{account}"]["get"]}
    connecting.store_document(source=source, document=document(paths=paths))
    (changed,) = imports.plan_import(source).changes
    assert (changed.name, changed.effect, changed.tier) == (
        "get_balance",
        Effect.UNKEYED,
        Tier.WRITE_IRREVERSIBLE,
    )


def test_write_that_is_said_to_read_is_acting_no_more() -> None:
    source, lead = make_imported()
    agent = make_agent(project=source.project)
    tool = AgentTool.objects.create(
        agent=agent, name="set_price", level=Level.AUTONOMOUS, reason="ok", contract_version="1"
    )
    row = ToolDefinition.objects.get(project=source.project, name="set_price")
    definitions.change_contract(
        definition=row,
        effect=Effect.READ,
        tier=Tier.READ,
        policy=policy_from_json(row.policy),
        reason="it only reads, honestly",
        by=lead,
    )
    tool.refresh_from_db()
    assert (tool.level, tool.candidate_since is not None) == (Level.APPROVE, True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": "x"}, "reason of 3 to"),
        ({"tier": Tier.READ}, "what only reads has the tier"),
        ({}, "is so already"),
        ({"lookup": "payments"}, "a path with {key}"),
        ({"policy": {"undo_tool": "nope"}}, "no tool called nope"),
        ({"policy": {"undo_tool": "pay_keyed"}}, "cannot undo itself"),
        ({"policy": {"undo_tool": "get_balance"}}, "needs account to undo"),
        ({"policy": {"secrets": ["no name"]}}, "cannot be a secret's name"),
        ({"policy": {"fallback": {"x": 1}}}, "one field"),
    ],
)
def test_contracts_that_cannot_be_are_refused(changes: dict[str, Any], words: str) -> None:
    source, lead = make_imported()
    row = ToolDefinition.objects.get(project=source.project, name="pay_keyed")
    values: dict[str, Any] = {"effect": Effect.KEYED, "tier": Tier.MONEY, "reason": "because"}
    policy = policy_from_json(row.policy | changes.pop("policy", {}))
    with pytest.raises(ToolSourceError, match=words):
        definitions.change_contract(definition=row, policy=policy, by=lead, **{**values, **changes})


def test_key_without_a_place_for_it_is_refused() -> None:
    source, lead = make_imported()
    row = ToolDefinition.objects.get(project=source.project, name="pay_unkeyed")
    with pytest.raises(ToolSourceError, match="takes no idempotency key"):
        definitions.change_contract(
            definition=row,
            effect=Effect.KEYED,
            tier=Tier.MONEY,
            policy=policy_from_json(row.policy),
            reason="I wish",
            by=lead,
        )


def test_source_that_is_off_offers_nothing() -> None:
    source, lead = make_imported()
    connecting.turn_source(source=source, is_on=False, reason="they were hacked", by=lead)
    assert not [each for each in contracts(source.project_id) if each.source_id]
    assert "turned off" in contract_for("pay_keyed", source.project_id).withdrawn
    connecting.turn_source(source=source, is_on=True, reason="all clear", by=lead)
    assert contract_for("pay_keyed", source.project_id).withdrawn == ""
