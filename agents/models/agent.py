"""Agents, and how much each may do alone, tool by tool."""

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from traces.models import Project


class Level(models.TextChoices):
    """How much a tool may do without a person; ordered from least to most (see `rank`)."""

    OFF = "off", "off"
    SUGGEST = "suggest", "suggest"
    APPROVE = "approve", "approve"
    ACT_WITH_UNDO = "act_with_undo", "act with undo"
    AUTONOMOUS = "autonomous", "autonomous"

    @property
    def rank(self) -> int:
        """Return the number of filled steps, 0-4."""
        return list(type(self)).index(self)

    @property
    def is_acting(self) -> bool:
        """Say whether calls are executed without asking a person first."""
        return self.rank > Level.APPROVE.rank

    @property
    def below(self) -> "Level":
        """Return the next lower level; `off` has none below it."""
        return list(type(self))[max(self.rank - 1, 0)]


class Tier(models.TextChoices):
    """What a tool could break; the last two are capped at `approve` unless a lead lifts them."""

    READ = "read", "read"
    READ_SENSITIVE = "read_sensitive", "sensitive read"
    WRITE_REVERSIBLE = "write_reversible", "write that can be undone"
    WRITE_IRREVERSIBLE = "write_irreversible", "write that cannot be undone"
    MONEY = "money", "money"

    @property
    def ceiling(self) -> Level:
        """Return the highest level of this tier without a lift."""
        capped = {Tier.WRITE_IRREVERSIBLE, Tier.MONEY}
        return Level.APPROVE if self in capped else Level.AUTONOMOUS


@pghistory.track(exclude=["description", "created_at"])
class Agent(models.Model):
    """An agent of a project. What it does stands in its versions; one of them is live."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    dataset = models.CharField(
        max_length=60, default="demo", help_text="The shop data that its tools work on."
    )
    ceiling = models.CharField(max_length=20, choices=Level, default=Level.AUTONOMOUS)
    model_base_url = models.URLField(
        blank=True, help_text="An OpenAI-compatible endpoint; empty: the installation's."
    )
    live_version = models.ForeignKey(
        "agents.Version", models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "slug"], name="agent_slug_once"),
            models.CheckConstraint(
                condition=Q(ceiling__in=Level.values), name="agent_ceiling_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class AgentTool(models.Model):
    """A tool that an agent is given, and its level. The reason is the last change's."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="tools")
    name = models.CharField(max_length=80)
    level = models.CharField(max_length=20, choices=Level, default=Level.APPROVE)
    reason = models.CharField(max_length=500)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    changed_at = models.DateTimeField(auto_now=True)
    contract_version = models.CharField(
        max_length=20, blank=True, help_text="The contract that the level was given for, if acting."
    )
    candidate_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when it has to prove itself again: at most approve."
    )
    candidate_why = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "name"], name="agent_tool_once"),
            models.CheckConstraint(condition=Q(level__in=Level.values), name="tool_level_known"),
            models.CheckConstraint(condition=~Q(reason=""), name="tool_level_has_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.level}"


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class CeilingLift(models.Model):
    """A lead's leave for one tier of one agent to go above `approve`, until a date."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="ceiling_lifts")
    tier = models.CharField(max_length=20, choices=Tier)
    level = models.CharField(max_length=20, choices=Level, default=Level.AUTONOMOUS)
    reason = models.CharField(max_length=500)
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "tier"], name="ceiling_lift_once"),
            models.CheckConstraint(condition=~Q(reason=""), name="ceiling_lift_has_reason"),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="ceiling_lift_expires_later"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tier} up to {self.level}"
