"""What agents may spend in a day, what they have spent, and who was warned."""

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import Q

from agents.models.agent import Agent
from traces.models import Project


@pghistory.track()
class Budget(models.Model):
    """Limits per day (UTC) of one agent, or of all of a project's together; null is no limit.

    `max_seconds` is time worked, waits for people left out. The limits of one run stand in its
    version (`agents.config.Limits`).
    """

    MEASURES = ("cost_usd", "tokens", "steps", "tool_calls", "seconds", "runs")

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, models.CASCADE, null=True, blank=True, related_name="budgets")
    max_cost_usd = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    max_tokens = models.BigIntegerField(null=True, blank=True)
    max_steps = models.BigIntegerField(null=True, blank=True)
    max_tool_calls = models.BigIntegerField(null=True, blank=True)
    max_seconds = models.BigIntegerField(null=True, blank=True)
    max_runs = models.BigIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=500)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "agent"], nulls_distinct=False, name="budget_once"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="budget_has_reason"),
        ]

    def __str__(self) -> str:
        return f"budget of {self.agent or self.project}"


class Spend(models.Model):
    """What an agent used on one day (UTC), in shards so that runs do not wait for each other.

    A transaction adds to a shard that nobody else holds; there are as many as were ever written at
    the same moment of that day.
    """

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="spend")
    day = models.DateField()
    shard = models.PositiveSmallIntegerField()
    cost_usd = models.DecimalField(max_digits=16, decimal_places=8, default=0)
    tokens = models.BigIntegerField(default=0)
    steps = models.BigIntegerField(default=0)
    tool_calls = models.BigIntegerField(default=0)
    milliseconds = models.BigIntegerField(default=0)
    runs = models.BigIntegerField(default=0)
    over_budget = models.BigIntegerField(default=0, help_text="Runs that ended over a limit.")
    num_unpriced = models.BigIntegerField(
        default=0,
        db_default=0,
        help_text="Model calls of unknown cost: with any, the cost is “at least” what stands here.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "day", "shard"], name="spend_shard_once"),
        ]

    def __str__(self) -> str:
        return f"{self.agent} on {self.day}"


class BudgetWarning(models.Model):
    """A budget that came to 80 or 100 per cent on a day; said once."""

    budget = models.ForeignKey(Budget, models.CASCADE, related_name="warnings")
    day = models.DateField()
    measure = models.CharField(max_length=20)
    percent = models.PositiveSmallIntegerField()
    used = models.DecimalField(max_digits=20, decimal_places=4)
    limit = models.DecimalField(max_digits=20, decimal_places=4)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "day", "measure", "percent"], name="budget_warning_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.budget}: {self.percent} % of {self.measure} on {self.day}"
