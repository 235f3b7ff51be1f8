"""Runs and their journal: what was asked, what was done, and what waits for a person."""

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q

from agents.models.agent import Agent
from agents.models.version import Version
from traces.models import ApiKey, Project, Session


class Run(models.Model):
    """A job of an agent, advanced step by step by whichever worker holds its claim.

    `input` is `{"messages": [{role, content}], "turns": [str]}`: the conversation so far and what
    the customer says next, one turn after each of the agent's answers. Every write of a worker
    carries the `claim_token` it was given and must hit one row. All times are the database's.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        WAITING = "waiting", "waiting"
        NEEDS_REVIEW = "needs_review", "needs review"
        COMPLETED = "completed", "completed"
        OVER_BUDGET = "over_budget", "over budget"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    class Kind(models.TextChoices):
        LIVE = "live", "live"
        GOLDEN = "golden", "golden test"
        REPLAY = "replay", "replay of a recording"
        CANARY = "canary", "planted request"

    class Failure(models.TextChoices):
        NONE = "", "none"
        LIMIT = "limit", "over a limit"
        MODEL = "model", "model endpoint"
        DEFECT = "defect", "defect of a tool or of the runtime"
        LOST = "lost", "lost too often"

    class Parked(models.TextChoices):
        NOT = "", "not parked"
        APPROVAL = "approval", "waiting for approval"
        STOP = "stop", "stopped by a kill switch"
        EFFECT = "effect", "unknown whether a call happened"

    OPEN = (Status.QUEUED, Status.RUNNING, Status.WAITING, Status.NEEDS_REVIEW)
    PARKED = (Status.WAITING, Status.NEEDS_REVIEW)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="runs")
    version = models.ForeignKey(Version, models.PROTECT, related_name="runs")
    session = models.OneToOneField(Session, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.LIVE)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    input = models.JSONField()
    fixtures = models.JSONField(
        default=list, blank=True, help_text="Recorded tool results that answer instead of the tool."
    )
    play = models.JSONField(
        null=True,
        blank=True,
        help_text="Of a golden test: {on_missing, rules, customer}; null: as a live run.",
    )
    error = models.TextField(blank=True)
    failure = models.CharField(max_length=20, choices=Failure, blank=True, default=Failure.NONE)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    api_key = models.ForeignKey(ApiKey, models.PROTECT, null=True, blank=True, related_name="+")
    idempotency_key = models.CharField(max_length=200, blank=True)
    next_at = models.DateTimeField(null=True, blank=True, help_text="When it is due; null: parked.")
    claim_token = models.BigIntegerField(default=0, help_text="Fencing token, grows at each claim.")
    claimed_by = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    num_recoveries = models.PositiveIntegerField(default=0)
    num_lost_in_row = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Recoveries since a step was last done."
    )
    lost_since = models.DateTimeField(
        null=True, blank=True, help_text="When the first of those workers was lost."
    )
    num_retries = models.PositiveIntegerField(default=0, help_text="Of the current step.")
    parked_for = models.CharField(max_length=20, choices=Parked, blank=True, default=Parked.NOT)
    taint = models.JSONField(
        null=True,
        blank=True,
        help_text="The first untrusted content it read: {step, tool, why}; null: none.",
    )
    retried_from = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="retries"
    )
    retried_from_index = models.PositiveIntegerField(null=True, blank=True)
    retry_reason = models.CharField(max_length=1000, blank=True, default="", db_default="")
    schedule = models.ForeignKey(
        "agents.Schedule", models.SET_NULL, null=True, blank=True, related_name="runs"
    )
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # No columns: what `agents.runtime.claim.fenced` read with the row, the database's clock and
    # whether there is any kill switch on.
    read_at: datetime
    is_any_stop_on: bool

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="run_idempotency_key_once",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=["queued", "running", "waiting", "needs_review"], finished_at=None
                )
                | Q(
                    status__in=["completed", "over_budget", "failed", "cancelled"],
                    finished_at__isnull=False,
                ),
                name="run_finished_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(kind="canary")
                | (
                    Q(claim_token=0, next_at=None)
                    & Q(status__in=["waiting", "completed", "cancelled"])
                ),
                name="canary_run_never_starts",
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(status="queued"), name="run_due"),
            models.Index(fields=["lease_until"], condition=Q(status="running"), name="run_leased"),
            models.Index(fields=["agent", "-created_at"], name="run_of_agent"),
            models.Index(fields=["finished_at"], name="run_finished"),
            models.Index(
                fields=["parked_for"],
                condition=Q(status__in=["waiting", "needs_review"]),
                name="run_parked",
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.id}"


class Step(models.Model):
    """One entry of a run's journal; together they are all that a run has done.

    `request` and `response`: for a customer's turn `{content}` in `response`; for a model call the
    parameters without the messages, and the assistant message it answered with; for a tool call
    `{arguments}`, and `{result}` or `{error}`.
    """

    class Kind(models.TextChoices):
        CUSTOMER = "customer", "customer"
        MODEL = "model", "model"
        TOOL = "tool", "tool"

    class Status(models.TextChoices):
        STARTED = "started", "started"
        WAITING = "waiting", "waiting"
        UNKNOWN = "unknown", "unknown whether it happened"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    run = models.ForeignKey(Run, models.CASCADE, related_name="steps")
    index = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=Kind)
    status = models.CharField(max_length=20, choices=Status)
    name = models.CharField(max_length=120, blank=True)
    call_id = models.CharField(max_length=120, blank=True, help_text="The model's id of the call.")
    request = models.JSONField(default=dict)
    response = models.JSONField(null=True, blank=True)
    effect_key = models.CharField(
        max_length=120, blank=True, help_text="Idempotency key, the same at every attempt."
    )
    tool_version = models.CharField(max_length=20, blank=True)
    num_attempts = models.PositiveSmallIntegerField(default=1)
    claim_token = models.BigIntegerField()
    span_id = models.CharField(max_length=16)
    start_ns = models.BigIntegerField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    input_tokens = models.IntegerField(null=True, blank=True)
    output_tokens = models.IntegerField(null=True, blank=True)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=8, null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "index"], name="step_index_once"),
        ]

    def __str__(self) -> str:
        return f"{self.index}: {self.kind} {self.name} {self.status}"


class WorkerHeartbeat(models.Model):
    """A worker process and when it was last seen; it renews the leases of its runs by this."""

    worker = models.CharField(max_length=64, primary_key=True)
    hostname = models.CharField(max_length=200)
    process = models.PositiveIntegerField(help_text="Process id.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.worker
