"""Golden tests and their versions: what must not come back, and how it is known."""

import pghistory
import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q, Value

from agents.models.agent import Agent
from traces.models import Label, Session


@pghistory.track()
class GoldenTest(models.Model):
    """A failure that must not come back: the customer's part, and checks on what the agent does.

    `input` is a run's input. `fixtures` are `[{tool, arguments, result | error}]`. `checks` are
    `[{kind, …}]` (see `agents/golden/checks.py`). `expectations` are `[{kind: must | must_not,
    text}]`, in plain words, for a judge. `customer` says who speaks after `input`: `{kind: turns}`,
    `{kind: scripted, lines: [{when, say}]}` or `{kind: simulated, goal, model, max_turns}`.
    `rules` are `[{tool, where, result | error}]`, for calls without a fixture where `on_missing`
    is `simulate`. `content_hash` covers all of these; each content is a `GoldenTestVersion`.
    """

    class Suite(models.TextChoices):
        COMMON = "common", "common"
        EDGE = "edge", "edge"
        AMBIGUOUS = "ambiguous", "ambiguous"
        ADVERSARIAL = "adversarial", "adversarial"
        REGRESSION = "regression", "regression"

    class OnMissing(models.TextChoices):
        FAIL = "fail", "fail the call"
        READ = "read", "ask the real tool if it only reads"
        SIMULATE = "simulate", "answer by the test's rules"

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
    expectations = models.JSONField(
        default=list, blank=True, db_default=Value([], models.JSONField())
    )
    customer = models.JSONField(default=dict, blank=True, db_default=Value({}, models.JSONField()))
    on_missing = models.CharField(
        max_length=20, choices=OnMissing, default=OnMissing.FAIL, db_default=OnMissing.FAIL
    )
    rules = models.JSONField(default=list, blank=True, db_default=Value([], models.JSONField()))
    content_hash = models.CharField(max_length=64)
    severity = models.CharField(max_length=20, choices=Severity, default=Severity.MAJOR)
    suite = models.CharField(
        max_length=20, choices=Suite, default=Suite.REGRESSION, db_default=Suite.REGRESSION
    )
    is_critical = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Every one of its repeats must pass, five or more.",
    )
    tags = models.JSONField(default=list, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    quarantined_until = models.DateField(
        null=True, blank=True, help_text="Until then its results are shown and not counted."
    )
    quarantine_reason = models.CharField(max_length=1000, blank=True, default="", db_default="")
    number = models.PositiveIntegerField(default=1, db_default=1, help_text="Of its content.")
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
            models.CheckConstraint(
                condition=Q(quarantined_until=None) | ~Q(quarantine_reason=""),
                name="golden_test_quarantine_has_reason",
            ),
        ]
        indexes = [models.Index(fields=["agent", "suite"], name="golden_test_suite")]

    def __str__(self) -> str:
        return self.slug


class GoldenTestVersion(models.Model):
    """One content of a golden test; the database refuses to change a written one.

    `content` is `{input, fixtures, checks, expectations, customer, on_missing, rules}`.
    """

    test = models.ForeignKey(GoldenTest, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    content_hash = models.CharField(max_length=64)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["test", "number"], name="golden_test_version_once"),
        ]
        triggers = [pgtrigger.Protect(name="immutable", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.test} version {self.number}"


class Intent(models.Model):
    """What customers come for: a group of sessions whose first words are alike.

    `terms` are `{word: weight}`, the centre of the group; `name` is made of them until a person
    names it.
    """

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="intents")
    name = models.CharField(max_length=120)
    is_named = models.BooleanField(default=False, help_text="By a person; kept when regrouped.")
    terms = models.JSONField()
    num_sessions = models.PositiveIntegerField(help_text="Of the sample.")
    num_sampled = models.PositiveIntegerField()
    example = models.ForeignKey(Session, models.SET_NULL, null=True, blank=True, related_name="+")
    examples = models.JSONField(
        default=list,
        blank=True,
        db_default=Value([], models.JSONField()),
        help_text="Ids of the sessions that show it best.",
    )
    counted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "name"], name="intent_name_once"),
        ]

    def __str__(self) -> str:
        return self.name
