"""Who may do what: the one table of roles and permissions (the README shows the same table)."""

from enum import StrEnum

from django.db import models


class Role(models.TextChoices):
    """A person's role in one project."""

    VIEWER = "viewer", "viewer"
    SUPPORT = "support", "support"
    REVIEWER = "reviewer", "reviewer"
    ENGINEER = "engineer", "engineer"
    LEAD = "lead", "lead"
    ADMIN = "admin", "admin"


class Permission(StrEnum):
    """Something a role may do in a project; the value is what people read."""

    VIEW = "read every page"
    LABEL = "label sessions"
    DECIDE_CALLS = "decide waiting tool calls"
    LOWER_AUTONOMY = "lower a tool's autonomy, undo a call, stop a tool, an agent or the project"
    PROPOSE_RAISE = "propose to raise a tool's autonomy"
    OPEN_INCIDENTS = "open incidents and write in their log"
    START_RUNS = "start runs"
    PROMOTE = "promote sessions to golden tests, edit and export them"
    SHARE_VIEWS = "share saved views, rename and delete queues"
    RUN_GOLDEN = "run golden tests"
    EDIT_JUDGES = "write judges and ask them"
    PROPOSE_GATE = "propose the gate's thresholds"
    DECIDE_GATE = "approve the gate's thresholds of another person"
    WRITE_VERSIONS = "write versions and request their release"
    DECIDE_RELEASES = "approve or refuse releases, roll back"
    RAISE_AUTONOMY = "grant a raise of another person, lift a ceiling, lift a stop"
    STOP_EVERYTHING = "stop every project at once"
    CLOSE_INCIDENTS = "mitigate and close incidents"
    SET_BUDGETS = "set budgets"
    CONNECT_TOOLS = "connect tools and set their contracts"
    SCHEDULE_RUNS = "schedule runs"
    SEE_MASKED = "see what was masked in a session, by kind and count"
    SET_PRICES = "set model prices and recompute costs"
    KEEP_DATA = "set masking and retention, delete a person's data"
    ADMINISTER = "manage members, roles, API keys and webhooks"


ALLOWED: dict[Permission, frozenset[Role]] = {
    Permission.VIEW: frozenset(Role),
    Permission.LABEL: frozenset(Role) - {Role.VIEWER},
    Permission.DECIDE_CALLS: frozenset({Role.SUPPORT, Role.REVIEWER, Role.LEAD, Role.ADMIN}),
    Permission.LOWER_AUTONOMY: frozenset(Role) - {Role.VIEWER},
    Permission.PROPOSE_RAISE: frozenset({Role.REVIEWER, Role.ENGINEER, Role.LEAD, Role.ADMIN}),
    Permission.OPEN_INCIDENTS: frozenset(Role) - {Role.VIEWER},
    Permission.START_RUNS: frozenset(Role) - {Role.VIEWER},
    Permission.PROMOTE: frozenset({Role.REVIEWER, Role.ENGINEER, Role.LEAD, Role.ADMIN}),
    Permission.SHARE_VIEWS: frozenset({Role.REVIEWER, Role.ENGINEER, Role.LEAD, Role.ADMIN}),
    Permission.RUN_GOLDEN: frozenset({Role.REVIEWER, Role.ENGINEER, Role.LEAD, Role.ADMIN}),
    Permission.EDIT_JUDGES: frozenset({Role.REVIEWER, Role.ENGINEER, Role.LEAD, Role.ADMIN}),
    Permission.PROPOSE_GATE: frozenset({Role.ENGINEER, Role.LEAD, Role.ADMIN}),
    Permission.DECIDE_GATE: frozenset({Role.LEAD, Role.ADMIN}),
    Permission.WRITE_VERSIONS: frozenset({Role.ENGINEER, Role.LEAD, Role.ADMIN}),
    Permission.DECIDE_RELEASES: frozenset({Role.LEAD, Role.ADMIN}),
    Permission.RAISE_AUTONOMY: frozenset({Role.LEAD, Role.ADMIN}),
    Permission.STOP_EVERYTHING: frozenset({Role.LEAD, Role.ADMIN}),
    Permission.CLOSE_INCIDENTS: frozenset({Role.LEAD, Role.ADMIN}),
    Permission.SET_BUDGETS: frozenset({Role.LEAD, Role.ADMIN}),
    Permission.CONNECT_TOOLS: frozenset({Role.ENGINEER, Role.LEAD, Role.ADMIN}),
    Permission.SCHEDULE_RUNS: frozenset({Role.ENGINEER, Role.LEAD, Role.ADMIN}),
    Permission.SEE_MASKED: frozenset({Role.REVIEWER, Role.ENGINEER, Role.LEAD, Role.ADMIN}),
    Permission.SET_PRICES: frozenset({Role.LEAD, Role.ADMIN}),
    Permission.KEEP_DATA: frozenset({Role.ADMIN}),
    Permission.ADMINISTER: frozenset({Role.ADMIN}),
}


def is_allowed(role: str, permission: Permission) -> bool:
    """Say whether `role` (a `Role` value) carries `permission`."""
    return role in ALLOWED[permission]


def roles_with(permission: Permission) -> list[str]:
    """Return the names of the roles that carry `permission`, lowest first, for messages."""
    return [str(role.label) for role in Role if role in ALLOWED[permission]]


def roles_table() -> str:
    """Return the table as Markdown, one row per permission, as the README shows it."""
    roles = list(Role)
    lines = [
        "| may | " + " | ".join(str(role.label) for role in roles) + " |",
        "|---|" + "---|" * len(roles),
    ]
    for permission in Permission:
        marks = ["yes" if role in ALLOWED[permission] else "" for role in roles]
        lines.append(f"| {permission} | " + " | ".join(marks) + " |")
    return "\n".join(lines)
