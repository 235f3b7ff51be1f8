"""Incidents: something went wrong that people must look at, and what it holds back meanwhile."""

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import Q

from agents.models.agent import Agent, Level
from traces.models import Project, Session


@pghistory.track()
class Incident(models.Model):
    """One incident of a project; while it is open it may hold an agent's tools down.

    `ceiling` is the highest level of `tool` (or of all the agent's tools, or of the project's)
    until it is mitigated; empty holds nothing back. `source` and `source_key` name what opened it
    by itself, once per cause.
    """

    class Severity(models.TextChoices):
        MINOR = "minor", "minor"
        MAJOR = "major", "major"
        CRITICAL = "critical", "critical"

    class Status(models.TextChoices):
        OPEN = "open", "open"
        MITIGATED = "mitigated", "mitigated"
        CLOSED = "closed", "closed"

    class Source(models.TextChoices):
        PERSON = "person", "a person"
        DEAD_LETTER = "dead_letter", "a run lost too often"
        BREAKER = "breaker", "a circuit breaker"
        BUDGET = "budget", "a budget"
        LABEL = "label", "a critical label"

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=300)
    summary = models.TextField(blank=True)
    severity = models.CharField(max_length=20, choices=Severity, default=Severity.MAJOR)
    status = models.CharField(max_length=20, choices=Status, default=Status.OPEN)
    agent = models.ForeignKey(
        Agent, models.CASCADE, null=True, blank=True, related_name="incidents"
    )
    tool = models.CharField(max_length=80, blank=True)
    ceiling = models.CharField(max_length=20, choices=Level, blank=True)
    session = models.ForeignKey(Session, models.SET_NULL, null=True, blank=True, related_name="+")
    source = models.CharField(max_length=20, choices=Source, default=Source.PERSON)
    source_key = models.CharField(max_length=120, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    opened_at = models.DateTimeField(auto_now_add=True)
    mitigated_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    closing_note = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="incident_number_once"),
            models.UniqueConstraint(
                fields=["project", "source", "source_key"],
                condition=~Q(source_key=""),
                name="incident_source_once",
            ),
            models.CheckConstraint(
                condition=~Q(status="closed")
                | (Q(closed_by__isnull=False, closed_at__isnull=False) & ~Q(closing_note="")),
                name="incident_closed_has_who_when_why",
            ),
        ]
        indexes = [
            models.Index(fields=["project"], condition=Q(status="open"), name="incident_open"),
        ]

    def __str__(self) -> str:
        return f"incident {self.number}"


class IncidentNote(models.Model):
    """One entry of an incident's log: a person's words, or what the desk saw (`by` is null)."""

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="notes")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    text = models.CharField(max_length=2000)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.text[:60]
