"""Contracts of imported tools: each change a new version, with who and why.

A change of a contract is a change of authority: what effects have begun are waited for, none
begins meanwhile, and every level that was granted for the version before becomes a candidate.
"""

from dataclasses import asdict
from typing import Any

import pghistory
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from agents.config import content_hash
from agents.errors import ToolSourceError
from agents.models import AgentTool, Effect, Level, Tier, ToolDefinition, ToolSource
from agents.tools.autonomy import database_now, lower_in_transaction
from agents.tools.contract import CallPolicy, policy_from_json
from agents.tools.registry import contracts
from agents.tools.secrets import is_name
from agents.tools.standing import freeze_authority

MAX_REASON = 500
_READS = {Tier.READ, Tier.READ_SENSITIVE}


def change_contract(
    *,
    definition: ToolDefinition,
    effect: Effect,
    tier: Tier,
    policy: CallPolicy,
    lookup: str = "",
    reason: str,
    by: AbstractBaseUser,
) -> ToolDefinition:
    """Write the next version of an imported tool's contract.

    Args:
        definition: The current version, as it was shown.
        effect: What a second attempt of a call would do.
        tier: What it could break.
        policy: Limits, undo, taint.
        lookup: Of an HTTP tool: the path that tells what became of a `{key}`, or empty.
        reason: Why.
        by: Who.

    Raises:
        ToolSourceError: A value cannot be used, nothing differs, no reason is given, or somebody
            changed it meanwhile.
    """
    reason = checked_reason(reason)
    request = {key: value for key, value in definition.request.items() if key != "lookup"}
    if lookup:
        request["lookup"] = lookup
    content = _content(definition) | {
        "effect": effect,
        "tier": tier,
        "policy": policy_to_json(policy),
        "request": request,
    }
    _check(definition, effect, tier, policy, lookup)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="contract"):
        freeze_authority()
        row = ToolDefinition.objects.select_for_update().get(pk=definition.pk)
        if not row.is_current:
            raise ToolSourceError(
                f"{row.name} has another version than {row.number} by now; nothing was changed. "
                "Look at it again."
            )
        if content == _content(row) | {"policy": policy_to_json(policy_from_json(row.policy))}:
            raise ToolSourceError(f"{row.name} is so already; nothing was changed.")
        return write_version(
            source=row.source,
            name=row.name,
            number=row.number + 1,
            before=row,
            content=content,
            reason=reason,
            by=by,
        )


def write_version(
    *,
    source: ToolSource,
    name: str,
    number: int,
    before: ToolDefinition | None,
    content: dict[str, Any],
    reason: str,
    by: AbstractBaseUser,
) -> ToolDefinition:
    """Write a version in the running transaction; the levels of a changed tool start over.

    Args:
        source: Where the tool is from.
        name: Its name.
        number: One more than the highest.
        before: The current version, or None.
        content: Description, parameters, returns, request, effect, tier and policy.
        reason: Why.
        by: Who.

    Raises:
        ToolSourceError: Effect and tier contradict each other.
    """
    check_tier(Effect(content["effect"]), Tier(content["tier"]))
    if before is not None:
        ToolDefinition.objects.filter(pk=before.pk).update(is_current=False)
    row = ToolDefinition.objects.create(
        project_id=source.project_id,
        source=source,
        name=name,
        number=number,
        content_hash=content_hash(content),
        reason=reason,
        changed_by_id=by.pk,
        **content,
    )
    if number > 1:
        was_write = before is not None and Tier(before.tier) not in _READS
        is_read_now = was_write and Tier(content["tier"]) in _READS
        why = f"its contract is at version {number} now"
        start_over(source.project_id, name, why, by=by, is_read_now=is_read_now)
    return row


def start_over(
    project_id: int, name: str, why: str, *, by: AbstractBaseUser, is_read_now: bool = False
) -> int:
    """Make candidates of a tool's levels in the running transaction; return how many.

    A tool that wrote and is said to read now would be held by no ceiling: its acting levels go
    down to `approve`, from where a raise takes a proposal.
    """
    rows = AgentTool.objects.select_for_update().filter(agent__project_id=project_id, name=name)
    now = database_now()
    for row in rows.order_by("pk"):
        if is_read_now and Level(row.level).is_acting:
            lower_in_transaction(row, Level.APPROVE, f"{name}: {why}", by.pk)
        row.candidate_since, row.candidate_why = now, why[:300]
        row.save(update_fields=["candidate_since", "candidate_why"])
    return len(rows)


def check_tier(effect: Effect, tier: Tier) -> None:
    """Check that a read has a read's tier and a write has not.

    Raises:
        ToolSourceError: They contradict each other.
    """
    if (effect is Effect.READ) != (tier in _READS):
        raise ToolSourceError(
            f"The effect is “{effect.label}”, the tier “{tier.label}”: what only reads has the "
            "tier read or sensitive read, and nothing else has."
        )


def checked_reason(reason: str) -> str:
    """Return the reason without outer space.

    Raises:
        ToolSourceError: It is shorter than 3 characters, or too long.
    """
    reason = " ".join(reason.split())
    if not 3 <= len(reason) <= MAX_REASON:
        raise ToolSourceError(
            f"A change of a contract takes a reason of 3 to {MAX_REASON} characters; "
            f"this has {len(reason)}."
        )
    return reason


def _check(
    definition: ToolDefinition, effect: Effect, tier: Tier, policy: CallPolicy, lookup: str
) -> None:
    check_tier(effect, tier)
    if effect is Effect.KEYED and "key" not in definition.request:
        raise ToolSourceError(
            f"{definition.name} takes no idempotency key by its description, so it cannot be done "
            "once per key. Import a document in which its operation has the header "
            "Idempotency-Key."
        )
    if lookup and not (lookup.startswith("/") and "{key}" in lookup):
        raise ToolSourceError("The lookup is a path with {key}, such as /payments/by-key/{key}.")
    if lookup and definition.source.kind != ToolSource.Kind.OPENAPI:
        raise ToolSourceError("Only an HTTP tool can be asked what became of a key.")
    if wrong := next((name for name in policy.secrets if not is_name(name)), ""):
        raise ToolSourceError(
            f"{wrong!r} cannot be a secret's name: use letters, digits and single _."
        )
    _check_undo(definition, effect, policy)
    if policy.fallback is not None and set(policy.fallback) != {"result"}:
        raise ToolSourceError('The fallback is an object with the one field "result".')


def _check_undo(definition: ToolDefinition, effect: Effect, policy: CallPolicy) -> None:
    if not policy.undo_tool:
        return
    if effect is Effect.READ:
        raise ToolSourceError("What only reads needs no undo tool.")
    if policy.undo_tool == definition.name:
        raise ToolSourceError(f"{definition.name} cannot undo itself.")
    tools = {contract.name: contract for contract in contracts(definition.project_id)}
    undo = tools.get(policy.undo_tool)
    if undo is None:
        raise ToolSourceError(f"There is no tool called {policy.undo_tool} to undo a call with.")
    names = undo.parameters.get("properties", {})
    if unknown := sorted(set(policy.undo_arguments) - set(names)):
        raise ToolSourceError(f"{undo.name} has no argument {', '.join(unknown)}.")
    missing = set(undo.parameters.get("required", ())) - set(policy.undo_arguments)
    if missing:
        raise ToolSourceError(
            f"{undo.name} needs {', '.join(sorted(missing))} to undo a call; say where each comes "
            "from."
        )


def _content(row: ToolDefinition) -> dict[str, Any]:
    return {
        "description": row.description,
        "parameters": row.parameters,
        "returns": row.returns,
        "request": row.request,
        "effect": row.effect,
        "tier": row.tier,
        "policy": row.policy,
    }


def policy_to_json(policy: CallPolicy) -> dict[str, Any]:
    """Return the form that is stored in `ToolDefinition.policy`."""
    return {**asdict(policy), "secrets": list(policy.secrets)}
