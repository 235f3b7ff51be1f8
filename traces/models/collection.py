"""What people make of sessions beside labels: queues to work through, and views to come back to."""

from django.conf import settings
from django.db import models

from traces.models.project import Project
from traces.models.session import Session


class Queue(models.Model):
    """A named list of sessions that somebody is to look at."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="queues")
    name = models.CharField(max_length=60)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="queue_name_once")]

    def __str__(self) -> str:
        return self.name


class QueueItem(models.Model):
    """A session in a queue, until somebody has completed a label of it or takes it out."""

    queue = models.ForeignKey(Queue, models.CASCADE, related_name="items")
    session = models.ForeignKey(Session, models.CASCADE, related_name="queue_items")
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    added_at = models.DateTimeField(auto_now_add=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "session"], name="queue_item_once")]

    def __str__(self) -> str:
        return f"{self.session_id} in {self.queue_id}"


class SavedView(models.Model):
    """A filter of the session list under a name, a person's own or the whole project's."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="saved_views")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whose it is; empty: everybody's in the project.",
    )
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000, blank=True, help_text="In the filter language.")
    columns = models.JSONField(default=list, blank=True, help_text="Empty: the usual ones.")
    sort = models.CharField(max_length=30, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "owner", "name"],
                name="saved_view_name_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return self.name
