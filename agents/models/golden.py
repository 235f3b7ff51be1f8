"""Golden tests, and their runs against a version."""

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import Q

from agents.models.agent import Agent
from agents.models.run import Run
from agents.models.version import Version
from traces.models import Label, Session


@pghistory.track()
class GoldenTest(models.Model):
    """A failure that must not come back: the customer's part, and checks on what the agent does.

    `input` is a run's input. `fixtures` are `[{tool, arguments, result | error}]`. `checks` are
    `[{kind, …}]` (see `agents/golden/checks.py`). `content_hash` covers the three.
    """

    class Severity(models.TextChoices):
        MINOR = "minor", "minor"
        MAJOR = "major", "major"
        CRITICAL = "critical", "critical"

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="golden_tests")
    slug = models.SlugField(max_length=80)
    title = models.CharField(max_length=300)
    input = models.JSONField()
    fixtures = models.JSONField(default=list)
    checks = models.JSONField()
    content_hash = models.CharField(max_length=64)
    severity = models.CharField(max_length=20, choices=Severity, default=Severity.MAJOR)
    tags = models.JSONField(default=list, blank=True)
    source_session = models.ForeignKey(
        Session, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    source_label = models.ForeignKey(
        Label, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    source_span_id = models.CharField(max_length=16, blank=True)
    reason = models.CharField(max_length=1000, blank=True)
    promoted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "slug"], name="golden_test_slug_once"),
            models.UniqueConstraint(
                fields=["agent", "source_session"],
                condition=Q(archived_at=None),
                name="golden_test_session_once",
            ),
        ]

    def __str__(self) -> str:
        return self.slug


class EvalRun(models.Model):
    """Golden tests run against one version; its plan is the `EvalResult` rows, made at start.

    `evidence_hash` covers version and tests by content, so that evidence is void when either
    changes.
    """

    class Status(models.TextChoices):
        RUNNING = "running", "running"
        PASSED = "passed", "passed"
        FAILED = "failed", "failed"
        VOID = "void", "void"
        CANCELLED = "cancelled", "cancelled"

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="eval_runs")
    version = models.ForeignKey(Version, models.PROTECT, related_name="eval_runs")
    status = models.CharField(max_length=20, choices=Status, default=Status.RUNNING)
    num_repeats = models.PositiveIntegerField(default=1)
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

    `checks` are `[{kind, title, passed, found}]`; an infrastructure error is not a failure.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "not run yet"
        PASSED = "passed", "passed"
        FAILED = "failed", "failed"
        INFRA_ERROR = "infra_error", "infrastructure error"

    eval_run = models.ForeignKey(EvalRun, models.CASCADE, related_name="results")
    test = models.ForeignKey(GoldenTest, models.PROTECT, related_name="results")
    test_hash = models.CharField(max_length=64)
    repeat = models.PositiveIntegerField(default=1)
    run = models.OneToOneField(
        Run, models.SET_NULL, null=True, blank=True, related_name="eval_result"
    )
    status = models.CharField(max_length=20, choices=Status, default=Status.PENDING)
    checks = models.JSONField(default=list)
    error = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["eval_run", "test", "repeat"], name="eval_result_once"),
        ]

    def __str__(self) -> str:
        return f"{self.test} #{self.repeat}: {self.status}"
