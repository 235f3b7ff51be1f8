"""Runs and their journal: what was asked, what was done, and what waits for a person."""

import uuid

import pghistory
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
        WAITING = "waiting", "waiting for approval"
        COMPLETED = "completed", "completed"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    class Kind(models.TextChoices):
        LIVE = "live", "live"
        GOLDEN = "golden", "golden test"
        REPLAY = "replay", "replay of a recording"

    class Failure(models.TextChoices):
        NONE = "", "none"
        LIMIT = "limit", "over a limit"
        MODEL = "model", "model endpoint"
        DEFECT = "defect", "defect of a tool or of the runtime"
        LOST = "lost", "lost too often"

    OPEN = (Status.QUEUED, Status.RUNNING, Status.WAITING)

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
    num_retries = models.PositiveIntegerField(default=0, help_text="Of the current model call.")
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="run_idempotency_key_once",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "waiting"], finished_at=None)
                | Q(status__in=["completed", "failed", "cancelled"], finished_at__isnull=False),
                name="run_finished_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(status="queued"), name="run_due"),
            models.Index(fields=["lease_until"], condition=Q(status="running"), name="run_leased"),
            models.Index(fields=["agent", "-created_at"], name="run_of_agent"),
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


@pghistory.track()
class ToolApproval(models.Model):
    """A call that a person decides (`approval`), or that was only proposed (`suggestion`).

    The decision binds to tool, tool version, canonical arguments, run and step; it is consumed
    once. `decided_arguments` are what runs: the proposed ones, or the person's edit. A trigger
    keeps a decided row as it is, except that a granted call is consumed or becomes void.
    """

    class Kind(models.TextChoices):
        APPROVAL = "approval", "approval"
        SUGGESTION = "suggestion", "suggestion"

    class Status(models.TextChoices):
        WAITING = "waiting", "waiting"
        APPROVED = "approved", "approved"
        EDITED = "edited", "approved with edits"
        REJECTED = "rejected", "rejected"
        EXPIRED = "expired", "expired"
        VOID = "void", "void"

    run = models.ForeignKey(Run, models.CASCADE, related_name="approvals")
    step = models.OneToOneField(Step, models.CASCADE, related_name="approval")
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.APPROVAL)
    status = models.CharField(max_length=20, choices=Status, default=Status.WAITING)
    tool = models.CharField(max_length=80)
    tool_version = models.CharField(max_length=20)
    arguments = models.JSONField()
    arguments_hash = models.CharField(max_length=64)
    decided_arguments = models.JSONField(null=True, blank=True)
    why = models.CharField(max_length=300, help_text="What made the level bind.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    message = models.CharField(max_length=1000, blank=True)
    consumed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["waiting", "expired", "void"])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="approval_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(status="rejected") | ~Q(message=""), name="rejection_has_message"
            ),
            models.CheckConstraint(
                condition=~Q(kind="approval", status__in=["approved", "edited"])
                | Q(decided_arguments__isnull=False),
                name="granted_call_has_its_arguments",
            ),
            models.CheckConstraint(
                condition=Q(consumed_at__isnull=True)
                | Q(kind="approval", status__in=["approved", "edited"]),
                name="only_a_granted_call_is_consumed",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=Q(status="waiting"), name="approval_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool}: {self.status}"


class WorkerHeartbeat(models.Model):
    """A worker process and when it was last seen; it renews the leases of its runs by this."""

    worker = models.CharField(max_length=64, primary_key=True)
    hostname = models.CharField(max_length=200)
    process = models.PositiveIntegerField(help_text="Process id.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.worker
