"""What the audit trail tells of: one kind per sort of change, each read as one query of values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import BigIntegerField, F, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce

from agents.models import (
    Agent,
    AgentTool,
    ApprovalRules,
    ApprovalVote,
    Budget,
    CeilingLift,
    EffectReview,
    GoldenTest,
    Incident,
    KillSwitch,
    LevelProposal,
    Release,
    Schedule,
    ToolApproval,
    ToolDefinition,
    ToolGuard,
    ToolSource,
    UndoableCall,
    Version,
    Webhook,
)
from reviewdesk import audit_authority as authority
from reviewdesk import audit_breakers as breakers
from reviewdesk import audit_decisions as decisions
from reviewdesk import audit_incidents as incidents
from reviewdesk import audit_lines as lines
from reviewdesk.audit_budgets import budget_line
from reviewdesk.audit_lines import Line, Row
from reviewdesk.audit_tools import SOURCE_BEFORE, SOURCE_VALUES, contract_line, source_line
from reviewdesk.people.models import Membership
from traces.models import ApiKey, Erasure, Label, ModelPrice, Project, TracePolicy

Rows = Callable[[Project], "QuerySet[Any, Row]"]

_CONSEQUENCES = (Release.Status.SUPERSEDED, Release.Status.ROLLED_BACK)


@dataclass(frozen=True)
class Kind:
    """A sort of change.

    Attributes:
        key: As it stands in addresses.
        title: As the filter says it.
        icon: In the sprite.
        rows: The project's events as dicts with `at`, `event_id`, `who_id`, `given_reason` and
            what the line needs.
        line: Makes the line of one of them.
        is_default: Whether it is shown without being asked for.
    """

    key: str
    title: str
    icon: str
    rows: Rows
    line: Callable[[Row, Project], Line]
    is_default: bool = True

    def why(self, row: Row) -> str:
        """Return the reason that was given, or an empty string."""
        return str(row["given_reason"] or "")


def _events(
    model: Any,
    *,
    project: str,
    values: tuple[str, ...],
    before: Mapping[str, str] | None = None,
    who: str = "",
    reason: str = "",
    only: Q | None = None,
    also: Q | None = None,
) -> Rows:
    """Return how a tracked model's events are read.

    Args:
        model: The tracked model.
        project: Path from its event to the project.
        values: Columns, and columns of related rows, that the line needs.
        before: Columns of the same row's event before this one, by the name they get.
        who: Column that holds who did it, for changes made outside of a context.
        reason: Likewise.
        only: Which events are told.
        also: Which are told of every project.
    """
    found = model.pgh_event_model.objects
    meta = F("pgh_context__metadata")
    user = Cast(KeyTextTransform("user", meta), BigIntegerField())
    why = KeyTextTransform("reason", meta)
    earlier = found.filter(
        pgh_obj_id=OuterRef("pgh_obj_id"), pgh_id__lt=OuterRef("pgh_id")
    ).order_by("-pgh_id")

    def rows(of: Project) -> "QuerySet[Any, Row]":
        is_theirs = Q(**{project: of.pk})
        events = found.filter(is_theirs | also if also else is_theirs)
        named = {name: Subquery(earlier.values(path)[:1]) for name, path in (before or {}).items()}
        nothing = Value("", output_field=TextField())
        events = events.annotate(
            at=F("pgh_created_at"),
            event_id=Cast("pgh_id", BigIntegerField()),
            obj_id=F("pgh_obj_id"),
            label=F("pgh_label"),
            who_id=Coalesce(user, F(who), output_field=BigIntegerField()) if who else user,
            # An empty reason in the context is none, and the row may still hold one.
            given_reason=Coalesce(why, F(reason) if reason else nothing, output_field=TextField()),
            **named,
        )
        if only is not None:
            events = events.filter(only)
        names = ("at", "event_id", "obj_id", "label", "who_id", "given_reason", *values, *named)
        told: QuerySet[Any, Row] = events.values(*names)
        return told

    return rows


def _versions(of: Project) -> "QuerySet[Any, Row]":
    """Return the project's versions; the rows themselves never change, so they are the record."""
    rows: QuerySet[Any, Row] = Version.objects.filter(agent__project=of).values(  # type: ignore[assignment]
        "agent__slug",
        "agent__name",
        "number",
        "content_hash",
        at=F("created_at"),
        event_id=F("pk"),
        who_id=F("author_id"),
        given_reason=F("note"),
    )
    return rows


KINDS: tuple[Kind, ...] = (
    Kind(
        "tools",
        "Tools",
        "adjustments-horizontal",
        _events(
            AgentTool,
            project="agent__project",
            values=("agent__slug", "agent__name", "name", "level", "candidate_since"),
            before={"level_before": "level"},
            who="changed_by_id",
        ),
        lines.tool_line,
    ),
    Kind(
        "lifts",
        "Ceilings lifted",
        "shield-lock",
        _events(
            CeilingLift,
            project="agent__project",
            values=("agent__slug", "agent__name", "tier", "level", "expires_at"),
            before={"level_before": "level"},
            who="lifted_by_id",
        ),
        lines.lift_line,
    ),
    Kind(
        "raises",
        "Raises proposed",
        "trending-up",
        _events(
            LevelProposal,
            project="agent_tool__agent__project",
            values=authority.PROPOSAL_VALUES,
            who="proposed_by_id",
            reason="reason",
        ),
        authority.proposal_line,
    ),
    Kind(
        "stops",
        "Stops",
        "player-stop",
        _events(
            KillSwitch,
            project="project",
            values=authority.SWITCH_VALUES,
            who="stopped_by_id",
            reason="reason",
            also=Q(scope=KillSwitch.Scope.EVERYTHING),
        ),
        authority.switch_line,
    ),
    Kind(
        "undone",
        "Calls undone",
        "arrow-back-up",
        _events(
            UndoableCall,
            project="run__project",
            values=authority.UNDO_VALUES,
            reason="reason",
            only=Q(status__in=[UndoableCall.Status.UNDONE, UndoableCall.Status.FAILED]),
        ),
        authority.undo_line,
    ),
    Kind(
        "releases",
        "Releases",
        "rocket",
        _events(
            Release,
            project="agent__project",
            values=("agent__name", "version__number", "baseline__number", "status", "kind"),
            before={"status_before": "status"},
            who="requested_by_id",
            only=~Q(status__in=_CONSEQUENCES),
        ),
        lines.release_line,
    ),
    Kind(
        "agents",
        "Agents",
        "robot",
        _events(
            Agent,
            project="project",
            values=(
                "name",
                "slug",
                "ceiling",
                "model_base_url",
                "live_version_id",
                "live_version__number",
            ),
            before={
                "live_before": "live_version_id",
                "live_number_before": "live_version__number",
                "ceiling_before": "ceiling",
                "url_before": "model_base_url",
            },
        ),
        lines.agent_line,
    ),
    Kind("versions", "Versions", "file-text", _versions, lines.version_line),
    Kind(
        "calls",
        "Tool calls",
        "hand-stop",
        _events(
            ToolApproval,
            project="run__project",
            values=(
                "tool",
                "kind",
                "status",
                "arguments",
                "decided_arguments",
                "run__session_id",
            ),
            before={"status_before": "status", "escalated_before": "escalated_at"},
            who="decided_by_id",
            reason="message",
            only=decisions.TOLD,
        ),
        decisions.call_line,
    ),
    Kind(
        "votes",
        "One of two people",
        "users",
        _events(
            ApprovalVote,
            project="approval__run__project",
            values=("approval_id", "approval__tool", "approval__num_needed"),
            who="by_id",
            reason="message",
        ),
        decisions.vote_line,
    ),
    Kind(
        "effect_reviews",
        "Unknown outcomes",
        "message-question",
        _events(
            EffectReview,
            project="run__project",
            values=("step__name", "verdict", "run__session_id"),
            who="decided_by_id",
            reason="reason",
            # Before, it is the desk that asks.
            only=~Q(verdict=EffectReview.Verdict.WAITING),
        ),
        decisions.review_line,
    ),
    Kind(
        "decision_rules",
        "Rules of decision",
        "shield-check",
        _events(
            ApprovalRules,
            project="project",
            values=("two_people_from_usd", "canaries_per_week"),
            before={"usd_before": "two_people_from_usd", "planted_before": "canaries_per_week"},
            who="changed_by_id",
            reason="reason",
            # The row itself is the desk's doing: it holds the defaults.
            only=~Q(pgh_label="insert"),
        ),
        decisions.rules_line,
    ),
    Kind(
        "golden",
        "Golden tests",
        "test-pipe",
        _events(
            GoldenTest,
            project="agent__project",
            values=("title", "content_hash", "archived_at"),
            before={"hash_before": "content_hash", "archived_before": "archived_at"},
            who="promoted_by_id",
            reason="reason",
        ),
        lines.test_line,
    ),
    Kind(
        "members",
        "Members",
        "users",
        _events(
            Membership,
            project="project",
            values=("user__name", "user__email", "role"),
            before={"role_before": "role"},
        ),
        lines.member_line,
    ),
    Kind(
        "keys",
        "API keys",
        "key",
        _events(
            ApiKey,
            project="project",
            values=("name", "prefix", "revoked_at"),
            before={"revoked_before": "revoked_at"},
            who="created_by_id",
        ),
        lines.key_line,
    ),
    Kind(
        "rules",
        "Masking and retention",
        "eye-off",
        _events(
            TracePolicy,
            project="project",
            values=("masking", "keep_days", "keeps_labelled"),
            before={
                "masking_before": "masking",
                "days_before": "keep_days",
                "labelled_before": "keeps_labelled",
            },
            # A project's first row is the desk's own doing: it holds the defaults and a key.
            only=~Q(pgh_label="insert"),
        ),
        lines.policy_line,
    ),
    Kind(
        "erasures",
        "Data deleted",
        "trash",
        _events(
            Erasure,
            project="project",
            values=("customer_digest", "num_sessions", "num_spans"),
            who="by_id",
            reason="reason",
        ),
        lines.erasure_line,
    ),
    Kind(
        "prices",
        "Prices",
        "coin",
        _events(
            ModelPrice,
            project="project",
            values=("pattern", "starts_on", "input_usd", "output_usd"),
            before={"input_before": "input_usd", "output_before": "output_usd"},
        ),
        lines.price_line,
    ),
    Kind(
        "budgets",
        "Budgets",
        "report-money",
        _events(
            Budget,
            project="project",
            values=("agent__name", "agent__slug", *(f"max_{each}" for each in Budget.MEASURES)),
            before={f"{each}_before": f"max_{each}" for each in Budget.MEASURES},
            who="changed_by_id",
            reason="reason",
        ),
        budget_line,
    ),
    Kind(
        "sources",
        "Sources of tools",
        "link",
        _events(
            ToolSource,
            project="project",
            values=SOURCE_VALUES,
            before=SOURCE_BEFORE,
            who="created_by_id",
        ),
        source_line,
    ),
    Kind(
        "breakers",
        "Circuit breakers",
        "circuit-switch-open",
        _events(
            ToolGuard,
            project="project",
            values=("tool", "breaker", "num_failures", "probe_at", "last_error"),
            only=breakers.TOLD,
        ),
        breakers.breaker_line,
    ),
    Kind(
        "contracts",
        "Tool contracts",
        "tool",
        _events(
            ToolDefinition,
            project="project",
            values=("name", "number", "effect", "tier"),
            who="changed_by_id",
            reason="reason",
            only=Q(pgh_label="insert"),
        ),
        contract_line,
    ),
    Kind(
        "incidents",
        "Incidents",
        "urgent",
        _events(
            Incident,
            project="project",
            values=incidents.INCIDENT_VALUES,
            before=incidents.INCIDENT_BEFORE,
        ),
        incidents.incident_line,
    ),
    Kind(
        "schedules",
        "Schedules",
        "calendar",
        _events(
            Schedule,
            project="project",
            values=incidents.SCHEDULE_VALUES,
            before=incidents.SCHEDULE_BEFORE,
        ),
        incidents.schedule_line,
    ),
    Kind(
        "webhooks",
        "Webhooks",
        "send",
        _events(
            Webhook,
            project="project",
            values=incidents.WEBHOOK_VALUES,
            before=incidents.WEBHOOK_BEFORE,
        ),
        incidents.webhook_line,
    ),
    Kind(
        "labels",
        "Labels",
        "tag",
        _events(
            Label,
            project="session__project",
            values=("session_id", "session__title", "outcome", "completed_at"),
            before={"outcome_before": "outcome", "completed_before": "completed_at"},
            who="author_id",
        ),
        lines.label_line,
        is_default=False,
    ),
)
