"""Sessions: one conversation or job of an agent, the unit that people read and label."""

import uuid

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import Q

from traces.models.project import Project


class Session(models.Model):
    """One conversation or job, with the totals of its spans.

    Times of spans are integer nanoseconds since 1970 (UTC); `started_at` is the same instant for
    sorting and people. Totals are unknown (`None`) until something is known, never a zero that
    was not measured.
    """

    class Status(models.TextChoices):
        RUNNING = "running", "running"
        WAITING = "waiting", "waiting for approval"
        COMPLETED = "completed", "completed"
        HANDED_OVER = "handed_over", "handed over"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    class Source(models.TextChoices):
        RUNTIME = "runtime", "run here"
        DEMO = "demo", "demo data"
        OTLP = "otlp", "OpenTelemetry"
        TAU2 = "tau2", "tau2 import"
        TAUBENCH = "taubench", "tau-bench import"
        AGENTDOJO = "agentdojo", "AgentDojo import"
        OPENAI = "openai", "OpenAI chat import"
        LANGFUSE = "langfuse", "Langfuse import"
        ATIF = "atif", "ATIF import"
        INSPECT = "inspect", "Inspect import"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="sessions")
    source = models.CharField(max_length=20, choices=Source)
    external_id = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=20, choices=Status, default=Status.RUNNING)
    status_reason = models.CharField(max_length=500, blank=True)
    is_golden = models.BooleanField(
        default=False, help_text="A golden test's run: kept out of the list unless asked for."
    )
    agent_name = models.CharField(max_length=120, blank=True)
    version_name = models.CharField(max_length=60, blank=True)
    customer = models.CharField(max_length=200, blank=True)
    title = models.CharField(max_length=300, blank=True, help_text="First words of the customer.")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    first_ns = models.BigIntegerField(help_text="Start of the earliest span, ns since 1970.")
    last_ns = models.BigIntegerField(help_text="End of the latest span, ns since 1970.")
    working_ns = models.BigIntegerField(default=0, help_text="Sum of model and tool spans, ns.")
    num_steps = models.PositiveIntegerField(default=0, help_text="Model and tool spans.")
    num_spans = models.PositiveIntegerField(default=0)
    num_errors = models.PositiveIntegerField(default=0, help_text="Failed spans, at any depth.")
    input_tokens = models.BigIntegerField(null=True, blank=True)
    output_tokens = models.BigIntegerField(null=True, blank=True)
    cached_tokens = models.BigIntegerField(
        null=True, blank=True, help_text="Of the input tokens, those read from a cache."
    )
    reasoning_tokens = models.BigIntegerField(
        null=True, blank=True, help_text="Of the output tokens, those that were reasoning."
    )
    cost_usd = models.DecimalField(max_digits=14, decimal_places=8, null=True, blank=True)
    tools = models.JSONField(default=list, blank=True, help_text="Names of the tools called.")
    model_names = models.JSONField(
        default=list, db_default=[], blank=True, help_text="Names of the models called."
    )
    masked = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="How much was masked, by kind."
    )
    metadata = models.JSONField(default=dict, blank=True)
    received_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When spans last came for it; empty: it did not come span by span.",
    )
    said = models.TextField(blank=True, help_text="What customer and agent said, for search.")
    said_vector = models.GeneratedField(
        expression=SearchVector("said", "customer", "external_id", config="simple"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "source", "external_id"],
                condition=~Q(external_id=""),
                name="session_external_id_once",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "-started_at", "-id"], name="session_newest_first"),
            models.Index(fields=["project", "customer"], name="session_customer"),
            GinIndex(fields=["said_vector"], name="session_said"),
            GinIndex(fields=["tools"], name="session_tools"),
            # Few rows: those that housekeeping may have to close.
            models.Index(
                fields=["received_at"],
                condition=Q(status="running", received_at__isnull=False),
                name="session_received_open",
            ),
        ]

    def __str__(self) -> str:
        return self.title or str(self.id)
