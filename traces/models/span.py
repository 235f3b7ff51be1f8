"""Spans: the steps of a session, in a table partitioned by time."""

from django.db import models

from traces.models.session import Session


class Span(models.Model):
    """One step. The table is partitioned by week of `start_ns` (see `traces/partitions.py`).

    The same span sent twice is one row: session, span id and start are the key.
    """

    class Kind(models.TextChoices):
        AGENT = "agent", "agent"
        CUSTOMER = "customer", "customer"
        MODEL = "model", "model"
        TOOL = "tool", "tool"
        OTHER = "other", "other"

    class Status(models.TextChoices):
        OK = "ok", "ok"
        ERROR = "error", "error"
        RUNNING = "running", "running"
        WAITING = "waiting", "waiting"

    class CostFrom(models.TextChoices):
        UNKNOWN = "", "not known"
        REPORTED = "reported", "reported by the source"
        COMPUTED = "computed", "computed from the price table"

    pk = models.CompositePrimaryKey("session_id", "span_id", "start_ns")
    session = models.ForeignKey(Session, models.CASCADE, related_name="spans")
    span_id = models.CharField(max_length=16, help_text="16 hex digits.")
    parent_id = models.CharField(max_length=16, blank=True)
    kind = models.CharField(max_length=20, choices=Kind)
    name = models.CharField(max_length=200)
    start_ns = models.BigIntegerField(help_text="Nanoseconds since 1970, UTC.")
    duration_ns = models.BigIntegerField(default=0)
    status = models.CharField(max_length=20, choices=Status, default=Status.OK)
    status_message = models.TextField(blank=True)
    model = models.CharField(max_length=120, blank=True)
    input_tokens = models.IntegerField(null=True, blank=True)
    output_tokens = models.IntegerField(null=True, blank=True)
    cached_tokens = models.IntegerField(null=True, blank=True)
    reasoning_tokens = models.IntegerField(null=True, blank=True)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=8, null=True, blank=True)
    cost_from = models.CharField(
        max_length=10, choices=CostFrom, default=CostFrom.UNKNOWN, db_default="", blank=True
    )
    heard = models.TextField(
        blank=True,
        db_default="",
        default="",
        help_text="What people newly said in the input of this span, for search.",
    )
    input = models.JSONField(null=True, blank=True)
    output = models.JSONField(null=True, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    trace_id = models.UUIDField(null=True, blank=True, help_text="OpenTelemetry's, 128 bits.")
    emitter_id = models.BigIntegerField(
        null=True, blank=True, help_text="`Emitter` that sent it; not held by the database."
    )
    otel = models.JSONField(
        null=True, blank=True, help_text="What else OpenTelemetry keeps of it: events, links, …"
    )
    masked = models.JSONField(null=True, blank=True, help_text="How much was masked, by kind.")

    class Meta:
        db_table = "traces_span"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
