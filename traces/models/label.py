"""Labels: what a person says of a session, under a versioned label set."""

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.fields.json import KT

from traces.models.project import Project
from traces.models.session import Session


class LabelSet(models.Model):
    """The questions a reviewer answers. A version is never edited: an edit makes the next one.

    `questions` is a list of `{key, title, hint, choices: [{key, title, code, definition, example,
    taxonomies}], multiple, unless}`; see `traces/label_sets.py` for the default.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="label_sets")
    version = models.PositiveIntegerField()
    questions = models.JSONField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "version"], name="label_set_version_once")
        ]

    def __str__(self) -> str:
        return f"label set {self.version}"


@pghistory.track()
class Label(models.Model):
    """One person's answers about one session; a draft until `completed_at` is set.

    `answers` maps a question's key to a choice's key (a list of keys where `multiple`).
    """

    session = models.ForeignKey(Session, models.CASCADE, related_name="labels")
    label_set = models.ForeignKey(LabelSet, models.PROTECT, related_name="labels")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    answers = models.JSONField(default=dict)
    first_wrong_span_id = models.CharField(max_length=16, blank=True)
    comment = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.GeneratedField(
        expression=KT("answers__outcome"),
        output_field=models.CharField(max_length=40, null=True),
        db_persist=True,
    )
    cause = models.GeneratedField(
        expression=KT("answers__primary_cause"),
        output_field=models.CharField(max_length=40, null=True),
        db_persist=True,
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "author"], name="label_once_per_person"),
            models.CheckConstraint(
                condition=Q(completed_at=None) | Q(completed_at__gte=F("created_at")),
                name="label_completed_after_created",
            ),
        ]
        indexes = [
            models.Index(
                fields=["outcome", "session"],
                condition=~Q(completed_at=None),
                name="label_outcome_completed",
            ),
            models.Index(
                fields=["completed_at"],
                condition=~Q(completed_at=None),
                name="label_completed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.outcome or 'draft'} by {self.author_id}"
