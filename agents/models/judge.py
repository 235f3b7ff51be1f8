"""Judges: versioned rubrics that a model answers, and what they said."""

import pghistory
import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import MD5

from agents.models.evals import EvalResult
from traces.models import Project, Session


@pghistory.track()
class Judge(models.Model):
    """A question about a session that a model answers with one of a few verdicts.

    `question` names the question of the label set that people answer alike, and `passes` the
    answers of theirs that mean "pass"; that is what the judge is calibrated against. Empty where
    people have no such question: such a judge is advisory for ever.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="judges")
    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=120)
    question = models.CharField(max_length=80, blank=True)
    passes = models.JSONField(default=list, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "slug"], name="judge_slug_once"),
        ]

    def __str__(self) -> str:
        return self.name


class JudgeVersion(models.Model):
    """A rubric, a model and the verdicts it may give; the database refuses to change a written one.

    `verdicts` are `[{key, title, passes: bool | null}]`; null says nothing either way.
    """

    judge = models.ForeignKey(Judge, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    rubric = models.TextField()
    model = models.CharField(max_length=200)
    model_base_url = models.CharField(max_length=500, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    verdicts = models.JSONField()
    content_hash = models.CharField(max_length=64)
    note = models.CharField(max_length=500, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["judge", "number"], name="judge_version_once"),
            models.UniqueConstraint(fields=["judge", "content_hash"], name="judge_content_once"),
        ]
        triggers = [pgtrigger.Protect(name="immutable", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.judge} v{self.number}"


class Judgement(models.Model):
    """One answer of a judge about a session, or about a result of an eval run.

    One that failed has no verdict: it says nothing. `subject` is the text that was judged by, the
    rubric or an expectation of a test, so that one result may hold several. A worker claims it as
    it claims a run: `next_at`, `claim_token` and `lease_until`, all on the database's clock.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "not judged yet"
        RUNNING = "running", "being judged"
        DONE = "done", "judged"
        FAILED = "failed", "failed"

    version = models.ForeignKey(JudgeVersion, models.PROTECT, related_name="judgements")
    session = models.ForeignKey(Session, models.CASCADE, related_name="+")
    eval_result = models.ForeignKey(
        EvalResult, models.CASCADE, null=True, blank=True, related_name="judgements"
    )
    subject = models.CharField(max_length=2000, blank=True)
    status = models.CharField(max_length=20, choices=Status, default=Status.PENDING)
    verdict = models.CharField(max_length=80, blank=True)
    reason = models.TextField(blank=True)
    error = models.TextField(blank=True)
    model = models.CharField(max_length=200, blank=True, help_text="As the endpoint named it.")
    input_tokens = models.IntegerField(null=True, blank=True)
    output_tokens = models.IntegerField(null=True, blank=True)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=8, null=True, blank=True)
    num_attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True)
    claim_token = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "session"],
                condition=Q(eval_result=None),
                name="judgement_of_session_once",
            ),
            # By digest: an index row holds 2,704 bytes, a subject up to 8,000.
            models.UniqueConstraint(
                "version", "eval_result", MD5("subject"), name="judgement_of_subject_once"
            ),
            models.CheckConstraint(
                condition=Q(status="done") & ~Q(verdict="") | ~Q(status="done") & Q(verdict=""),
                name="judgement_failed_is_no_verdict",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at"],
                condition=Q(status__in=["pending", "running"]),
                name="judgement_due",
            ),
            models.Index(fields=["version", "status"], name="judgement_of_version"),
        ]

    def __str__(self) -> str:
        return f"{self.version} on {self.session_id}: {self.verdict or self.status}"
