"""What the logs signal brings: verdicts of machines, and events that wait for their span."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from traces.models.project import Project
from traces.models.session import Session


class Score(models.Model):
    """What an evaluator, a program, says of a session or of one of its spans.

    It is no `Label`: that is a person's, and what counts. A score belongs to a trace, and to the
    session that the trace belongs to once its spans have come; sent twice it is one row.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    session = models.ForeignKey(
        Session,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="scores",
        db_constraint=False,
        help_text="Empty until a span of its trace has come. The database cascades.",
    )
    trace_id = models.UUIDField(null=True, blank=True)
    span_id = models.CharField(max_length=16, blank=True, help_text="Empty: the whole session.")
    name = models.CharField(max_length=200, help_text="What was evaluated, such as relevance.")
    value = models.FloatField(null=True, blank=True)
    label = models.CharField(max_length=200, blank=True, help_text="What the value means.")
    explanation = models.TextField(blank=True)
    evaluator = models.CharField(max_length=200, blank=True, help_text="Which program said it.")
    at = models.DateTimeField()
    attributes = models.JSONField(default=dict, blank=True, help_text="What else was said of it.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of what was sent.")
    received_at = models.DateTimeField(auto_now_add=True, db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "digest"], name="score_once"),
            models.CheckConstraint(
                condition=Q(session__isnull=False) | Q(trace_id__isnull=False),
                name="score_of_something",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "trace_id"], name="score_trace"),
            models.Index(fields=["project", "name", "session"], name="score_name"),
            models.Index(fields=["received_at"], condition=Q(session=None), name="score_unclaimed"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.label or self.value}"


class WaitingEvent(models.Model):
    """A log record with words of a span, until that span has come and takes it in."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    trace_id = models.UUIDField()
    span_id = models.CharField(max_length=16)
    event = models.JSONField(help_text="name, time_ns, attributes, body; masked.")
    masked = models.JSONField(null=True, blank=True, help_text="How much was masked, by kind.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of what was sent.")
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "digest"], name="waiting_event_once")
        ]
        indexes = [models.Index(fields=["project", "trace_id"], name="waiting_event_trace")]

    def __str__(self) -> str:
        return f"{self.event.get('name')} of {self.span_id}"
