"""Schedules: runs that start by the clock."""

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import Q

from agents.models.agent import Agent
from agents.models.version import Version
from traces.models import Project


@pghistory.track(exclude=["next_at", "last_due_at", "last_error"])
class Schedule(models.Model):
    """Starts a run of an agent at the times of a cron expression, or every so many seconds.

    Times are those of `time_zone`. `next_at` is when it is due; each due time starts one run at
    most, whatever number of schedulers there are (the run's idempotency key names the time). One
    that is no longer wanted is archived: it never starts again, and its runs keep what began them.
    """

    class Kind(models.TextChoices):
        CRON = "cron", "cron expression"
        INTERVAL = "interval", "interval"

    class Overlap(models.TextChoices):
        SKIP = "skip", "leave it out"
        START = "start", "start another"

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="schedules")
    version = models.ForeignKey(
        Version,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Null: the live one at that time.",
    )
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, choices=Kind)
    cron = models.CharField(max_length=120, blank=True)
    every_seconds = models.PositiveIntegerField(null=True, blank=True)
    time_zone = models.CharField(max_length=60, default="UTC")
    input = models.JSONField()
    customer = models.CharField(max_length=200, blank=True)
    overlap = models.CharField(max_length=20, choices=Overlap, default=Overlap.SKIP)
    is_on = models.BooleanField(default=True)
    next_at = models.DateTimeField(null=True, blank=True)
    last_due_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=Q(archived_at=None),
                name="schedule_name_once",
            ),
            models.CheckConstraint(
                condition=Q(archived_at=None) | Q(is_on=False), name="archived_schedule_is_off"
            ),
            models.CheckConstraint(
                condition=(Q(kind="cron", every_seconds=None) & ~Q(cron=""))
                | Q(kind="interval", cron="", every_seconds__gte=1),
                name="schedule_has_its_times",
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(is_on=True), name="schedule_due"),
        ]

    def __str__(self) -> str:
        return self.name
