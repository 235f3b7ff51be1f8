"""Eval runs: golden tests run against one version, repeat by repeat."""

from django.conf import settings
from django.db import models
from django.db.models import Value

from agents.models.agent import Agent
from agents.models.golden import GoldenTest, GoldenTestVersion
from agents.models.run import Run
from agents.models.version import Version


class EvalRun(models.Model):
    """Golden tests run against one version; its plan is the `EvalResult` rows, made at start.

    `evidence_hash` covers version and tests by content, so that evidence is void when either
    changes.
    """

    class Status(models.TextChoices):
        RUNNING = "running", "running"
        PASSED = "passed", "passed"
        FAILED = "failed", "failed"
        INCONCLUSIVE = "inconclusive", "inconclusive"
        VOID = "void", "void"
        CANCELLED = "cancelled", "cancelled"

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="eval_runs")
    version = models.ForeignKey(Version, models.PROTECT, related_name="eval_runs")
    status = models.CharField(max_length=20, choices=Status, default=Status.RUNNING)
    num_repeats = models.PositiveIntegerField(default=1)
    options = models.JSONField(
        default=dict,
        blank=True,
        db_default=Value({}, models.JSONField()),
        help_text="What was asked for: {suites, tests, tags, seed}.",
    )
    estimate = models.JSONField(
        default=dict,
        blank=True,
        db_default=Value({}, models.JSONField()),
        help_text="Before it began: {seconds, cost_usd, runs, from}; left out where unknown.",
    )
    ended_because = models.CharField(max_length=1000, blank=True, default="", db_default="")
    is_partial = models.BooleanField(
        default=False, help_text="Some of the agent's tests only: never evidence for a release."
    )
    evidence_hash = models.CharField(max_length=64)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["version", "-created_at"], name="eval_run_of_version")]

    def __str__(self) -> str:
        return f"eval run {self.pk}"


class EvalResult(models.Model):
    """One repeat of one test: its run, and what each check found.

    `checks` are `[{kind, title, passed, found}]`. Two kinds of result say nothing of the agent and
    are no failure: an infrastructure error (a worker, model or tool failed the run) and one that
    is not judged (the run is whole, and neither a check nor a judge that is trusted decided it).
    """

    class Status(models.TextChoices):
        PENDING = "pending", "not run yet"
        PASSED = "passed", "passed"
        FAILED = "failed", "failed"
        INFRA_ERROR = "infra_error", "infrastructure error"
        NOT_JUDGED = "not_judged", "not judged"

    eval_run = models.ForeignKey(EvalRun, models.CASCADE, related_name="results")
    test = models.ForeignKey(GoldenTest, models.PROTECT, related_name="results")
    test_hash = models.CharField(max_length=64)
    test_version = models.ForeignKey(
        GoldenTestVersion, models.PROTECT, null=True, blank=True, related_name="results"
    )
    repeat = models.PositiveIntegerField(default=1)
    run = models.OneToOneField(
        Run, models.SET_NULL, null=True, blank=True, related_name="eval_result"
    )
    status = models.CharField(max_length=20, choices=Status, default=Status.PENDING)
    checks = models.JSONField(default=list)
    error = models.TextField(blank=True)
    hard = models.JSONField(
        default=list,
        blank=True,
        db_default=Value([], models.JSONField()),
        help_text="Hard gates it broke: [{gate, found, span_id}].",
    )
    num_missing = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Calls for which there was no fixture."
    )
    cost_usd = models.DecimalField(max_digits=14, decimal_places=8, null=True, blank=True)
    working_ms = models.PositiveIntegerField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["eval_run", "test", "repeat"], name="eval_result_once"),
        ]

    def __str__(self) -> str:
        return f"{self.test} #{self.repeat}: {self.status}"
