"""Sessions: one conversation or job of an agent, the unit that people read and label."""

import uuid

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from traces.models.project import Project

# What a filter of the list compares, and no long text.
LISTED = (
    "is_golden",
    "status",
    "agent_name",
    "version_name",
    "source",
    "num_errors",
    "num_steps",
    "cost_usd",
    "first_ns",
    "last_ns",
    "working_ns",
    "input_tokens",
    "output_tokens",
)


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

    # Sources whose files may have no times.
    UNTIMED = (
        Source.TAUBENCH,
        Source.AGENTDOJO,
        Source.OPENAI,
        Source.ATIF,
        Source.INSPECT,
    )

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
            # The list, newest first. It carries what the list is filtered by, so that even a filter
            # that no other index answers is decided without reading the rows themselves, which
            # hold whole conversations: 0.2 s for a million sessions instead of 5.
            models.Index(
                fields=["project", "-started_at", "-id"], name="session_list", include=LISTED
            ),
            # What is often looked for and long past: PostgreSQL's planner takes every value for
            # spread over all time, and would walk there from the newest session on.
            models.Index(
                fields=["project", "version_name", "-started_at", "-id"],
                name="session_version",
                include=["is_golden"],
            ),
            models.Index(
                fields=["project", "agent_name", "-started_at", "-id"],
                name="session_agent",
                include=["is_golden"],
            ),
            models.Index(
                fields=["project", "status", "-started_at", "-id"],
                name="session_unusual",
                include=["is_golden"],
                condition=Q(status__in=["running", "waiting", "failed", "cancelled"]),
            ),
            # Numbers that few sessions reach; where many do, the walk meets them soon.
            models.Index(fields=["project", "cost_usd"], name="session_cost"),
            models.Index(
                fields=["project", "num_errors"],
                name="session_errors",
                condition=Q(num_errors__gt=0),
            ),
            # In microseconds: the difference of any two nanoseconds does not fit a number.
            models.Index(
                F("project"), F("last_ns") / 1000 - F("first_ns") / 1000, name="session_took"
            ),
            models.Index(
                F("project"),
                Coalesce(F("input_tokens") + F("output_tokens"), "input_tokens", "output_tokens"),
                name="session_tokens",
            ),
            models.Index(fields=["project", "customer"], name="session_customer"),
            GinIndex(fields=["said_vector"], name="session_said"),
            GinIndex(fields=["tools"], name="session_tools"),
            GinIndex(fields=["model_names"], name="session_models"),
            # Few rows: those that housekeeping may have to close.
            models.Index(
                fields=["received_at"],
                condition=Q(status="running", received_at__isnull=False),
                name="session_received_open",
            ),
        ]

    def __str__(self) -> str:
        return self.title or str(self.id)

    @property
    def is_timed(self) -> bool:
        """Say whether its source told when the steps were; else only their order is known.

        Read from the row as the list has it, without `metadata["times"]`: importers give a step
        whose times they do not know no duration, and work that was measured takes some.
        """
        return self.working_ns > 0 or not self.num_steps or self.source not in self.UNTIMED

    @property
    def is_length_known(self) -> bool:
        """Say whether its length is a fact; a millisecond a step only keeps steps in order."""
        return self.is_timed or self.last_ns - self.first_ns > self.num_spans * 1_000_000
