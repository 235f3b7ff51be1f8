"""Raising, lowering and taking back: proposals, demotions by rule, calls that can be undone."""

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from agents.models.agent import Agent, AgentTool, Level
from agents.models.run import Run, Step
from traces.models import Project


@pghistory.track()
class LevelProposal(models.Model):
    """A request to raise a tool's level, with the evidence as it was; another person decides.

    `evidence` is the JSON of `agents.tools.evidence.Evidence`, frozen; `evidence_hash` its hash.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "waiting"
        GRANTED = "granted", "granted"
        REFUSED = "refused", "refused"
        WITHDRAWN = "withdrawn", "withdrawn"
        VOID = "void", "void"

    agent_tool = models.ForeignKey(AgentTool, models.CASCADE, related_name="proposals")
    from_level = models.CharField(max_length=20, choices=Level)
    to_level = models.CharField(max_length=20, choices=Level)
    contract_version = models.CharField(max_length=20)
    reason = models.CharField(max_length=1000)
    evidence = models.JSONField()
    evidence_hash = models.CharField(max_length=64)
    status = models.CharField(max_length=20, choices=Status, default=Status.WAITING)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(status__in=["granted", "refused"])
                | (
                    Q(decided_by__isnull=False, decided_at__isnull=False)
                    & ~Q(decided_by=F("proposed_by"))
                ),
                name="level_proposer_never_decides",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="level_proposal_has_reason"),
            models.UniqueConstraint(
                fields=["agent_tool"], condition=Q(status="waiting"), name="level_proposal_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_tool.name}: {self.from_level} to {self.to_level}"


class Demotion(models.Model):
    """A tool's level lowered by rule, once per cause; the level's own history tells the rest.

    `source` names the cause, e.g. `label:812` or `undo:2026-11-21`.
    """

    class Rule(models.TextChoices):
        LABEL = "label", "critical label"
        INCIDENT = "incident", "incident"
        UNDO = "undo", "repeated undo"
        REJECTION = "rejection", "repeated rejection"
        BREAKER = "breaker", "circuit breaker open"

    agent_tool = models.ForeignKey(AgentTool, models.CASCADE, related_name="demotions")
    rule = models.CharField(max_length=20, choices=Rule)
    source = models.CharField(max_length=120)
    from_level = models.CharField(max_length=20, choices=Level)
    to_level = models.CharField(max_length=20, choices=Level)
    why = models.CharField(max_length=500)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent_tool", "rule", "source"], name="demotion_once_per_cause"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_tool.name}: {self.from_level} to {self.to_level} ({self.rule})"


@pghistory.track()
class UndoableCall(models.Model):
    """A call that was made at `act_with_undo`: until when it may be taken back, and if it was."""

    class Status(models.TextChoices):
        OPEN = "open", "may be undone"
        UNDONE = "undone", "undone"
        FAILED = "failed", "could not be undone"
        KEPT = "kept", "kept"

    run = models.ForeignKey(Run, models.CASCADE, related_name="undoable_calls")
    step = models.OneToOneField(Step, models.CASCADE, related_name="undoable")
    agent_tool = models.ForeignKey(AgentTool, models.CASCADE, related_name="undoable_calls")
    status = models.CharField(max_length=20, choices=Status, default=Status.OPEN)
    undo_tool = models.CharField(max_length=80)
    undo_arguments = models.JSONField(default=dict)
    until = models.DateTimeField()
    reason = models.CharField(max_length=1000, blank=True)
    result = models.JSONField(null=True, blank=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    undone_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="undone")
                | (Q(undone_by__isnull=False, undone_at__isnull=False) & ~Q(reason="")),
                name="undo_has_who_when_why",
            ),
        ]
        indexes = [
            models.Index(fields=["until"], condition=Q(status="open"), name="undoable_until"),
        ]

    def __str__(self) -> str:
        return f"{self.step}: {self.status}"


@pghistory.track()
class KillSwitch(models.Model):
    """A stop of a tool, an agent, a project or everything; on until it is lifted.

    `writes` stops every call that is not a read; `all` stops reads and model calls too. A stopped
    run is parked before its next stopped step and goes on when the stop is lifted.
    """

    class Scope(models.TextChoices):
        TOOL = "tool", "tool"
        AGENT = "agent", "agent"
        PROJECT = "project", "project"
        EVERYTHING = "everything", "everything"

    class Stops(models.TextChoices):
        WRITES = "writes", "every write"
        ALL = "all", "every call and every model"

    scope = models.CharField(max_length=20, choices=Scope)
    stops = models.CharField(max_length=20, choices=Stops, default=Stops.WRITES)
    project = models.ForeignKey(Project, models.CASCADE, null=True, blank=True, related_name="+")
    agent = models.ForeignKey(
        Agent, models.CASCADE, null=True, blank=True, related_name="kill_switches"
    )
    tool = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=500)
    stopped_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    stopped_at = models.DateTimeField(auto_now_add=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True, blank=True)
    lift_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(scope="everything", project=None, agent=None, tool="")
                | Q(scope="project", project__isnull=False, agent=None, tool="")
                | Q(scope="agent", project__isnull=False, agent__isnull=False, tool="")
                | (Q(scope="tool", project__isnull=False) & ~Q(tool="")),
                name="kill_switch_has_its_scope",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="kill_switch_has_reason"),
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_by=None)
                | (Q(lifted_at__isnull=False, lifted_by__isnull=False) & ~Q(lift_reason="")),
                name="lift_has_who_when_why",
            ),
            models.UniqueConstraint(
                fields=["scope", "project", "agent", "tool"],
                condition=Q(lifted_at=None),
                nulls_distinct=False,
                name="kill_switch_on_once",
            ),
        ]

    def __str__(self) -> str:
        return f"stop of {self.tool or self.agent or self.project or 'everything'}"
