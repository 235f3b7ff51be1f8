"""What a project masks, how long it keeps its traces, and whose were erased."""

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import Q

from traces.models.project import Project


@pghistory.track(exclude=["pseudonym_key"])
class TracePolicy(models.Model):
    """A project's rules for what it stores. A project without a row has the defaults.

    `masking` maps a kind of value (`traces/redaction.py` names them) to whether it is masked; a
    kind that is not in it is masked.
    """

    project = models.OneToOneField(Project, models.CASCADE, related_name="trace_policy")
    masking = models.JSONField(default=dict, blank=True)
    keep_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Sessions that ended before are deleted; empty: kept."
    )
    keeps_labelled = models.BooleanField(default=True)
    pseudonym_key = models.BinaryField(help_text="32 random bytes; what was masked links by it.")

    def __str__(self) -> str:
        return f"trace policy of {self.project_id}"


@pghistory.track()
class Erasure(models.Model):
    """That one person's data was deleted: by whom, when, why and how much of it."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="erasures")
    customer_digest = models.CharField(
        max_length=64, help_text="Keyed digest of the customer's id, which is itself not kept."
    )
    reason = models.CharField(max_length=500, blank=True)
    num_sessions = models.PositiveIntegerField()
    num_spans = models.PositiveIntegerField()
    num_labels = models.PositiveIntegerField(default=0)
    details = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="How many rows of what else."
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.num_sessions} sessions erased"


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class ModelPrice(models.Model):
    """What the models of one name cost from a day on, in US dollars per million tokens."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="model_prices")
    pattern = models.CharField(
        max_length=200, help_text="The model's whole name; * stands for anything."
    )
    starts_on = models.DateField(help_text="From this day (UTC) on, until a later row's.")
    input_usd = models.DecimalField(max_digits=12, decimal_places=6)
    cached_input_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    output_usd = models.DecimalField(max_digits=12, decimal_places=6)
    reasoning_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "pattern", "starts_on"], name="model_price_once_a_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.pattern} from {self.starts_on}"


class Repricing(models.Model):
    """Costs computed anew from a day on: how far it is. `traces/repricing.py` moves it on."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="repricings")
    since = models.DateField(help_text="Sessions that began on this day (UTC) or later.")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    num_sessions = models.PositiveIntegerField(help_text="To look at, when it was asked for.")
    num_done = models.PositiveIntegerField(default=0)
    num_changed = models.PositiveIntegerField(default=0, help_text="Spans with another cost now.")
    last_started_at = models.DateTimeField(null=True, blank=True)
    last_id = models.UUIDField(null=True, blank=True, help_text="The last session that is done.")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=Q(finished_at=None), name="repricing_one_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"costs since {self.since}"
