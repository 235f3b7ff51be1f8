"""A project's rules of decision: when two people must agree, how often reading is tested."""

from decimal import Decimal

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import Q

from traces.models import Project

TWO_PEOPLE_FROM_USD = Decimal(200)
PLANTED_PER_WEEK = 2


@pghistory.track(exclude=["next_canary_at"])
class ApprovalRules(models.Model):
    """A project's rules for waiting calls; without a row the defaults hold."""

    project = models.OneToOneField(Project, models.CASCADE, related_name="+")
    two_people_from_usd = models.DecimalField(
        max_digits=10,
        decimal_places=2,
        default=TWO_PEOPLE_FROM_USD,
        help_text="A call that moves at least so much money needs two people.",
    )
    canaries_per_week = models.PositiveSmallIntegerField(
        default=PLANTED_PER_WEEK, help_text="Known-bad requests planted; 0: none."
    )
    next_canary_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(two_people_from_usd__gte=0), name="two_people_from_some_amount"
            ),
            models.CheckConstraint(condition=Q(canaries_per_week__lte=50), name="canaries_are_few"),
            models.CheckConstraint(
                condition=Q(changed_by=None) | ~Q(reason=""), name="approval_rules_have_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"approval rules of {self.project}"
