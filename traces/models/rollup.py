"""Sums per day, so that pages which count months need not read every session."""

from django.db import models

from traces.models.project import Project


class CountedDay(models.Model):
    """A day (UTC) whose sums are there, in `SessionDay` and `ToolDay`."""

    pk = models.CompositePrimaryKey("project_id", "day")
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    day = models.DateField()

    def __str__(self) -> str:
        return f"{self.day} of {self.project_id}"


class DayDue(models.Model):
    """A day on which sessions began that have changed since. Rows are only added and deleted.

    A trigger of the session table adds them, so that no writer can forget it.
    """

    project_id = models.BigIntegerField()
    day = models.DateField()

    def __str__(self) -> str:
        return f"{self.day} of {self.project_id}"


class SessionDay(models.Model):
    """An agent's sessions that began on a day, golden tests' runs left out.

    Attributes `mean_cost` and `deviation_cost` are of the ended sessions of known cost, in US
    dollars; the deviation of fewer than two is None.
    """

    pk = models.CompositePrimaryKey("project_id", "day", "agent_name")
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    day = models.DateField()
    agent_name = models.CharField(max_length=120, blank=True)
    num_sessions = models.PositiveIntegerField()
    num_ended = models.PositiveIntegerField()
    num_with_errors = models.PositiveIntegerField()
    num_costs = models.PositiveIntegerField()
    mean_cost = models.FloatField(null=True)
    deviation_cost = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"{self.num_sessions} sessions of {self.agent_name} on {self.day}"


class ToolDay(models.Model):
    """How often an agent's sessions that began on a day called a tool."""

    pk = models.CompositePrimaryKey("project_id", "day", "agent_name", "tool")
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    day = models.DateField()
    agent_name = models.CharField(max_length=120, blank=True)
    tool = models.CharField(max_length=200)
    num_calls = models.PositiveIntegerField()
    num_failed = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.num_calls} calls of {self.tool} on {self.day}"


class MaskedDay(models.Model):
    """How many values of a kind were masked in the sessions that began on a day."""

    pk = models.CompositePrimaryKey("project_id", "day", "kind")
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    day = models.DateField()
    kind = models.CharField(max_length=60)
    num_values = models.PositiveBigIntegerField()

    def __str__(self) -> str:
        return f"{self.num_values} of {self.kind} on {self.day}"


class UnpricedDay(models.Model):
    """How often a model was called on a day, by its session's start, whose cost is not known."""

    pk = models.CompositePrimaryKey("project_id", "day", "model")
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    day = models.DateField()
    model = models.CharField(max_length=120)
    num_calls = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.num_calls} calls of {self.model} on {self.day}"
