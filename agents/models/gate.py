"""The gate: under which rules a candidate is compared with its baseline, and what came out."""

import pghistory
import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from agents.models.agent import Agent
from agents.models.evals import EvalRun
from agents.models.version import Version
from traces.models import Project


@pghistory.track()
class GatePolicy(models.Model):
    """A project's thresholds, one version of them. What they say is never changed once written.

    `config` has the form of `agents.gate.policy.GateConfig`. One is active at a time; where none
    is, the defaults hold. Nobody approves what they proposed.
    """

    class Status(models.TextChoices):
        PROPOSED = "proposed", "waiting for approval"
        ACTIVE = "active", "active"
        SUPERSEDED = "superseded", "was active"
        REFUSED = "refused", "refused"
        WITHDRAWN = "withdrawn", "withdrawn"

    project = models.ForeignKey(Project, models.CASCADE, related_name="gate_policies")
    number = models.PositiveIntegerField()
    config = models.JSONField()
    status = models.CharField(max_length=20, choices=Status, default=Status.PROPOSED)
    reason = models.CharField(max_length=1000)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="gate_policy_once"),
            models.UniqueConstraint(
                fields=["project"], condition=Q(status="active"), name="gate_policy_one_active"
            ),
            models.UniqueConstraint(
                fields=["project"], condition=Q(status="proposed"), name="gate_policy_one_proposed"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="gate_policy_has_reason"),
            models.CheckConstraint(
                condition=Q(status="withdrawn")
                | Q(decided_by=None)
                | ~Q(decided_by=F("proposed_by")),
                name="gate_policy_proposer_never_decides",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["active", "superseded", "refused"])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="gate_policy_active_was_approved",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="content_immutable",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange("config", "project", "number", "proposed_by"),
            )
        ]

    def __str__(self) -> str:
        return f"gate rules {self.number}"


class Gate(models.Model):
    """One comparison of a candidate with its baseline, look by look until it is decided.

    Both are run in the same window, as two eval runs whose runs begin in turns. `config` is the
    policy's as it was at the start. `result` has the form of `agents.gate.decision.Decision`.
    """

    class Status(models.TextChoices):
        RUNNING = "running", "running"
        PASSED = "passed", "passed"
        FAILED = "failed", "failed"
        INCONCLUSIVE = "inconclusive", "inconclusive"
        VOID = "void", "void"
        CANCELLED = "cancelled", "cancelled"

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="gates")
    candidate = models.ForeignKey(Version, models.PROTECT, related_name="gates")
    baseline = models.ForeignKey(Version, models.PROTECT, related_name="+")
    candidate_run = models.OneToOneField(EvalRun, models.PROTECT, related_name="gate")
    baseline_run = models.OneToOneField(EvalRun, models.PROTECT, related_name="gate_as_baseline")
    policy = models.ForeignKey(
        GatePolicy, models.PROTECT, null=True, blank=True, related_name="gates"
    )
    config = models.JSONField()
    seed = models.PositiveIntegerField()
    status = models.CharField(max_length=20, choices=Status, default=Status.RUNNING)
    look = models.PositiveSmallIntegerField(default=1)
    result = models.JSONField(null=True, blank=True)
    sentence = models.CharField(max_length=1000, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["candidate", "baseline"],
                condition=Q(status="running"),
                name="gate_one_running",
            ),
            models.CheckConstraint(
                condition=~Q(candidate=F("baseline")), name="gate_compares_two_versions"
            ),
            models.CheckConstraint(
                condition=Q(status="running", finished_at=None)
                | (~Q(status="running") & Q(finished_at__isnull=False)),
                name="gate_finished_has_time",
            ),
        ]
        indexes = [models.Index(fields=["agent", "-created_at"], name="gate_of_agent")]

    def __str__(self) -> str:
        return f"gate {self.pk}: {self.candidate} against {self.baseline}"
