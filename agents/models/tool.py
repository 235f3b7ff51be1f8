"""Tools outside the desk: where they come from, their contracts, and what guards them."""

import pghistory
import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from agents.models.agent import Tier
from agents.models.run import Run
from traces.models import Project


class Effect(models.TextChoices):
    """What a second attempt of the same call would do."""

    READ = "read", "reads only"
    IDEMPOTENT = "idempotent", "may be repeated"
    KEYED = "keyed", "done once per key"
    UNKEYED = "unkeyed", "every attempt is done anew"


@pghistory.track(exclude=["document", "last_error"])
class ToolSource(models.Model):
    """An OpenAPI document or an MCP server that tools are imported from.

    `headers` and `environment` map a header or variable to the *name* of a secret; its value is
    read from the environment or a file when a call is made, and never stored.
    """

    class Kind(models.TextChoices):
        OPENAPI = "openapi", "HTTP endpoints (OpenAPI)"
        MCP_HTTP = "mcp_http", "MCP server (streamable HTTP)"
        MCP_STDIO = "mcp_stdio", "MCP server (stdio)"

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    slug = models.SlugField(max_length=40)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, choices=Kind)
    url = models.URLField(max_length=500, blank=True)
    command = models.JSONField(default=list, blank=True)
    allowed_hosts = models.JSONField(
        default=list, blank=True, help_text="host or host:port; private ones only if listed here."
    )
    headers = models.JSONField(default=dict, blank=True)
    environment = models.JSONField(default=dict, blank=True)
    document = models.JSONField(null=True, blank=True)
    is_on = models.BooleanField(default=True)
    imported_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "slug"], name="tool_source_slug_once"),
        ]

    def __str__(self) -> str:
        return self.name


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class ToolDefinition(models.Model):
    """One version of an imported tool's contract; only `is_current` ever changes.

    `policy` is the JSON of what people decide (see `agents.tools.contract.CallPolicy`);
    `request` how it is called (method, path and places of arguments, or the MCP tool's name).
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    source = models.ForeignKey(ToolSource, models.CASCADE, related_name="tools")
    name = models.CharField(max_length=80)
    number = models.PositiveIntegerField()
    description = models.TextField(blank=True)
    parameters = models.JSONField()
    returns = models.JSONField(null=True, blank=True)
    effect = models.CharField(max_length=20, choices=Effect)
    tier = models.CharField(max_length=20, choices=Tier)
    policy = models.JSONField(default=dict)
    request = models.JSONField(default=dict)
    content_hash = models.CharField(max_length=64)
    is_current = models.BooleanField(default=True)
    reason = models.CharField(max_length=500)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name", "number"], name="tool_definition_number_once"
            ),
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=Q(is_current=True),
                name="tool_definition_current_once",
            ),
            models.CheckConstraint(condition=Q(effect__in=Effect.values), name="tool_effect_known"),
            models.CheckConstraint(
                condition=~Q(effect="read") | Q(tier__in=["read", "read_sensitive"]),
                name="tool_read_has_read_tier",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="contract_is_immutable",
                operation=pgtrigger.UpdateOf(  # type: ignore[no-untyped-call]
                    "name",
                    "number",
                    "description",
                    "parameters",
                    "returns",
                    "effect",
                    "tier",
                    "policy",
                    "request",
                    "content_hash",
                ),
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.number}"


@pghistory.track(
    pghistory.UpdateEvent("breaker", condition=pghistory.AnyChange("breaker", "probe_at")),
    exclude=["tokens", "refilled_at"],
)
class ToolGuard(models.Model):
    """What the workers share about one tool of a project: its breaker and its rate of calls.

    Every move of the breaker is kept, with who moved it where a person did.
    """

    class Breaker(models.TextChoices):
        CLOSED = "closed", "closed"
        OPEN = "open", "open"
        HALF_OPEN = "half_open", "half-open"

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    tool = models.CharField(max_length=80)
    breaker = models.CharField(max_length=20, choices=Breaker, default=Breaker.CLOSED)
    num_failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    num_opened = models.PositiveIntegerField(default=0, help_text="In a row; the wait grows.")
    opened_at = models.DateTimeField(null=True, blank=True)
    probe_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    tokens = models.FloatField(null=True, blank=True, help_text="Calls that may start now.")
    refilled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "tool"], name="tool_guard_once"),
        ]

    def __str__(self) -> str:
        return f"{self.tool}: {self.breaker}"


class ToolSlot(models.Model):
    """One call in progress of a tool that allows only so many; it lapses at `until`."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    tool = models.CharField(max_length=80)
    run = models.ForeignKey(Run, models.CASCADE, related_name="+")
    effect_key = models.CharField(max_length=120, unique=True)
    is_probe = models.BooleanField(default=False)
    until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["project", "tool", "until"], name="tool_slot_taken")]

    def __str__(self) -> str:
        return f"{self.tool} by {self.run_id}"
