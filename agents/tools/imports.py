"""What an import would change, and the import itself: new versions of contracts, never edits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import pghistory
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import Max

from agents.config import content_hash
from agents.errors import ToolSourceError
from agents.models import Effect, Tier, ToolDefinition, ToolSource
from agents.tools import mcp_tools, openapi
from agents.tools.autonomy import database_now
from agents.tools.contract import CallPolicy
from agents.tools.definitions import (
    checked_reason,
    policy_to_json,
    start_over,
    write_version,
)
from agents.tools.drafts import FETCHED_FROM, Drafts, ToolDraft, described_hash
from agents.tools.registry import contracts
from agents.tools.standing import freeze_authority


class Change(StrEnum):
    """What an import does with a tool."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    SAME = "same"


@dataclass(frozen=True)
class PlannedTool:
    """One tool of an import.

    Attributes:
        draft: What the source says now; None: it no longer has the tool.
        before: The current version, or the last one; None: it is new.
        effect: To begin with: as it is set, or guessed for a new or other call.
        tier: Likewise.
    """

    name: str
    change: Change
    draft: ToolDraft | None
    before: ToolDefinition | None
    effect: Effect
    tier: Tier

    @property
    def differences(self) -> tuple[str, ...]:
        """Return which parts of a changed tool differ."""
        if self.change is not Change.CHANGED or self.draft is None or self.before is None:
            return ()
        pairs = {
            "description": (self.before.description, self.draft.description),
            "arguments": (self.before.parameters, self.draft.parameters),
            "results": (self.before.returns, self.draft.returns),
            "the way it is called": (_called(self.before.request), _called(self.draft.request)),
        }
        return tuple(name for name, (was, is_now) in pairs.items() if was != is_now)


@dataclass(frozen=True)
class ImportPlan:
    """What an import would change.

    Attributes:
        tools: By name; those that stay as they are too.
        drafts: What the source offers.
        digest: Names exactly this plan: it is applied only as it was shown.
    """

    tools: tuple[PlannedTool, ...]
    drafts: Drafts
    digest: str

    @property
    def changes(self) -> tuple[PlannedTool, ...]:
        """Return the tools that are added, changed or removed."""
        return tuple(tool for tool in self.tools if tool.change is not Change.SAME)

    def of(self, change: Change) -> tuple[PlannedTool, ...]:
        """Return the tools of one kind of change."""
        return tuple(tool for tool in self.tools if tool.change is change)


@dataclass(frozen=True)
class Choice:
    """What a person decided about one tool of an import."""

    effect: Effect
    tier: Tier


def plan_import(source: ToolSource) -> ImportPlan:
    """Return what the source's document, as it was last read, would change. Three queries.

    Raises:
        ToolSourceError: The document cannot be used any more.
    """
    rows = ToolDefinition.objects.filter(source=source).select_related("source")
    last = {row.name: row for row in rows.order_by("name", "-number").distinct("name")}
    drafts = read_drafts(source)
    found = [_planned(draft, last.get(draft.name)) for draft in drafts.tools]
    offered = {draft.name for draft in drafts.tools}
    found += [
        PlannedTool(name, Change.REMOVED, None, row, Effect(row.effect), Tier(row.tier))
        for name, row in last.items()
        if row.is_current and name not in offered
    ]
    tools = tuple(sorted(found, key=lambda tool: tool.name))
    told = [
        (tool.name, tool.change, tool.draft.described_hash if tool.draft else "") for tool in tools
    ]
    return ImportPlan(tools, drafts, content_hash(told))


def read_drafts(source: ToolSource) -> Drafts:
    """Return what the source offers by its document, under names that are free. Two queries."""
    if source.document is None:
        raise ToolSourceError(f"Nothing was read from {source.name} yet.")
    others = ToolDefinition.objects.filter(project_id=source.project_id).exclude(source=source)
    taken = frozenset(others.values_list("name", flat=True).distinct())
    taken |= {contract.name for contract in contracts()}
    if source.kind == ToolSource.Kind.OPENAPI:
        return openapi.drafts_of(
            source.document,
            slug=source.slug,
            taken=taken,
            base_url=source.url,
            document_url=source.document.get(FETCHED_FROM, ""),
        )
    return mcp_tools.drafts_of(source.document, slug=source.slug, taken=taken)


def apply_import(
    *,
    source: ToolSource,
    digest: str,
    choices: Mapping[str, Choice],
    reason: str,
    by: AbstractBaseUser,
) -> int:
    """Do the import as it was shown, and return how many tools changed.

    Added tools belong to no agent. Of a changed tool the levels become candidates; a removed one
    can no longer be called.

    Args:
        source: Whose document was shown.
        digest: Of the plan that was shown.
        choices: Effect and tier by the tool's name; an added or changed tool without is left as
            it is.
        reason: Why.
        by: Who.

    Raises:
        ToolSourceError: The plan is another by now, no reason is given, or a choice cannot be.
    """
    reason = checked_reason(reason)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="import tools"):
        freeze_authority()
        row = ToolSource.objects.select_for_update().get(pk=source.pk)
        plan = plan_import(row)
        if plan.digest != digest:
            raise ToolSourceError(
                f"{row.name} or its tools changed since this was shown; nothing was imported. "
                "Look at the changes again."
            )
        num_changed = sum(_apply(row, tool, choices, reason, by) for tool in plan.changes)
        row.imported_at, row.last_error = database_now(), ""
        row.save(update_fields=["imported_at", "last_error"])
    return num_changed


def _planned(draft: ToolDraft, before: ToolDefinition | None) -> PlannedTool:
    if before is None:
        return PlannedTool(draft.name, Change.ADDED, draft, None, draft.effect, draft.tier)
    effect, tier = Effect(before.effect), Tier(before.tier)
    draft = _with_lookup(draft, before)
    if before.request.get("method") != draft.request.get("method"):
        # Another method is another deed: what was decided of the one is not decided of the other.
        effect, tier = draft.effect, draft.tier
    if not before.is_current:
        return PlannedTool(draft.name, Change.ADDED, draft, before, effect, tier)
    is_same = draft.described_hash == described_hash(
        before.description, before.parameters, before.returns, before.request
    )
    change = Change.SAME if is_same else Change.CHANGED
    return PlannedTool(draft.name, change, draft, before, effect, tier)


def _with_lookup(draft: ToolDraft, before: ToolDefinition) -> ToolDraft:
    """Return the draft with the lookup that a person set, where the source has none."""
    if "lookup" in draft.request or "lookup" not in before.request:
        return draft
    return replace(draft, request={**draft.request, "lookup": before.request["lookup"]})


def _called(request: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in request.items() if key != "lookup"}


def _apply(
    source: ToolSource,
    tool: PlannedTool,
    choices: Mapping[str, Choice],
    reason: str,
    by: AbstractBaseUser,
) -> bool:
    if tool.change is Change.REMOVED:
        ToolDefinition.objects.filter(source=source, name=tool.name).update(is_current=False)
        start_over(source.project_id, tool.name, f"{source.name} no longer has it", by=by)
        return True
    choice = choices.get(tool.name)
    if choice is None or tool.draft is None:
        return False
    draft = tool.draft
    policy = tool.before.policy if tool.before else policy_to_json(CallPolicy(is_untrusted=True))
    write_version(
        source=source,
        name=draft.name,
        number=_next_number(source, draft.name),
        before=tool.before if tool.before and tool.before.is_current else None,
        content={
            "description": draft.description,
            "parameters": draft.parameters,
            "returns": draft.returns,
            "request": draft.request,
            "effect": choice.effect,
            "tier": choice.tier,
            "policy": policy,
        },
        reason=reason,
        by=by,
    )
    return True


def _next_number(source: ToolSource, name: str) -> int:
    rows = ToolDefinition.objects.filter(project_id=source.project_id, name=name)
    highest = rows.aggregate(highest=Max("number"))["highest"]
    return (highest or 0) + 1
