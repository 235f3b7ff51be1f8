"""What the audit trail tells of: one kind per sort of change, each read as one query of values."""

from typing import Any

from django.db.models import F, Q, QuerySet

from agents.models import (
    Agent,
    AgentTool,
    ApprovalRules,
    ApprovalVote,
    Budget,
    CeilingLift,
    EffectReview,
    GatePolicy,
    GoldenTest,
    Incident,
    Judge,
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
from reviewdesk import audit_gates as gates
from reviewdesk import audit_incidents as incidents
from reviewdesk import audit_lines as lines
from reviewdesk.audit_budgets import budget_line
from reviewdesk.audit_events import Kind, events
from reviewdesk.audit_lines import Row
from reviewdesk.audit_tools import SOURCE_BEFORE, SOURCE_VALUES, contract_line, source_line
from reviewdesk.people.models import Membership
from traces.models import ApiKey, Erasure, Label, ModelPrice, Project, TracePolicy

_CONSEQUENCES = (Release.Status.SUPERSEDED, Release.Status.ROLLED_BACK)


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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
            GoldenTest,
            project="agent__project",
            values=(
                "title",
                "content_hash",
                "archived_at",
                "quarantined_until",
                "suite",
                "is_critical",
            ),
            before={
                "hash_before": "content_hash",
                "archived_before": "archived_at",
                "until_before": "quarantined_until",
                "suite_before": "suite",
                "critical_before": "is_critical",
            },
            who="promoted_by_id",
            reason="reason",
        ),
        lines.test_line,
    ),
    Kind(
        "gate_rules",
        "Gate rules",
        "scale",
        events(
            GatePolicy,
            project="project",
            values=gates.POLICY_VALUES,
            who="proposed_by_id",
            reason="reason",
            # Rules give way when others are approved, which is told.
            only=~Q(status=GatePolicy.Status.SUPERSEDED),
        ),
        gates.policy_gate_line,
    ),
    Kind(
        "judges",
        "Judges",
        "scale",
        events(
            Judge,
            project="project",
            values=gates.JUDGE_VALUES,
            before=gates.JUDGE_BEFORE,
            who="created_by_id",
        ),
        gates.judge_line,
    ),
    Kind(
        "members",
        "Members",
        "users",
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
        events(
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
