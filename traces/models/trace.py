"""OpenTelemetry's traces, where their spans belong and belonged before, and who sent them."""

from django.db import models

from traces.models.project import Project
from traces.models.session import Session


class Trace(models.Model):
    """Which session a trace's spans belong to.

    Spans arrive in any order, and often only one of them names the session: until then the trace
    has a session of its own. `session_key` is the smallest key that any of its spans named, so
    that the order of arrival does not matter. For the same reason `known` keeps with each fact the
    rank of the span that said it (roots before others, then by start): the lowest rank wins.
    """

    pk = models.CompositePrimaryKey("project_id", "trace_id")
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    trace_id = models.UUIDField()
    session = models.ForeignKey(Session, models.CASCADE, related_name="traces")
    session_key = models.CharField(max_length=200, null=True, blank=True)
    known = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        help_text="What its spans say of the session: name of the fact -> [rank, value].",
    )

    def __str__(self) -> str:
        return self.trace_id.hex


class MovedSession(models.Model):
    """Where the spans of a session went that is no more, so that its address still leads there.

    Looked up only where no session has the id: one may come to be under it again.
    """

    id = models.UUIDField(primary_key=True, help_text="The session that is no more.")
    session = models.ForeignKey(Session, models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"{self.id} -> {self.session_id}"


class Emitter(models.Model):
    """A program and library that sends spans: OpenTelemetry's resource and scope."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64, help_text="SHA-256 of what follows, as JSON.")
    resource = models.JSONField(default=dict)
    scope = models.JSONField(default=dict, help_text="name, version, attributes")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "digest"], name="emitter_once")]

    def __str__(self) -> str:
        return str(self.scope.get("name", "")) or self.digest[:12]


class TotalsDue(models.Model):
    """A session whose totals have to be computed anew. Rows are only added and deleted.

    Adding a row never waits for anybody, which a flag on the session's own row would.
    """

    session_id = models.UUIDField()
    added_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.session_id)
