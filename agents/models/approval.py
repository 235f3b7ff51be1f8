"""What waits for a person: calls to decide, the votes on them, and calls of unknown outcome."""

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import Q

from agents.models.agent import Level, Tier
from agents.models.run import Run, Step


@pghistory.track()
class ToolApproval(models.Model):
    """A call that a person decides (`approval`), or that was only proposed (`suggestion`).

    The decision binds to tool, contract, canonical arguments, run and step; it is consumed once.
    `decided_arguments` are what runs: the proposed ones, or the person's edit. Until `leaves_at`
    a decision may be taken back and no effect starts. A trigger keeps a decided row as it is,
    except that a granted call is consumed or becomes void, and another one that a call which needs
    several people is granted only with as many votes.
    """

    class Kind(models.TextChoices):
        APPROVAL = "approval", "approval"
        SUGGESTION = "suggestion", "suggestion"

    class Status(models.TextChoices):
        WAITING = "waiting", "waiting"
        APPROVED = "approved", "approved"
        EDITED = "edited", "approved with edits"
        REJECTED = "rejected", "rejected"
        RESPONDED = "responded", "answered instead"
        EXPIRED = "expired", "expired"
        VOID = "void", "void"

    run = models.ForeignKey(Run, models.CASCADE, related_name="approvals")
    step = models.OneToOneField(Step, models.CASCADE, related_name="approval")
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.APPROVAL)
    status = models.CharField(max_length=20, choices=Status, default=Status.WAITING)
    tool = models.CharField(max_length=80)
    tool_version = models.CharField(max_length=20)
    tier = models.CharField(max_length=20, choices=Tier, blank=True)
    level = models.CharField(max_length=20, choices=Level, blank=True)
    contract_hash = models.CharField(
        max_length=64, blank=True, help_text="Of the contract and its policy when it was asked."
    )
    arguments = models.JSONField()
    arguments_hash = models.CharField(max_length=64)
    decided_arguments = models.JSONField(null=True, blank=True)
    why = models.CharField(max_length=300, help_text="What made the level bind.")
    num_needed = models.PositiveSmallIntegerField(default=1, help_text="People who must agree.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    escalated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    escalation_note = models.CharField(max_length=1000, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    leaves_at = models.DateTimeField(
        null=True, blank=True, help_text="Until then the decision may be taken back."
    )
    message = models.CharField(max_length=1000, blank=True)
    consumed_at = models.DateTimeField(null=True, blank=True)
    is_canary = models.BooleanField(
        default=False, help_text="A known-bad request, planted to see whether people read."
    )
    canary_why = models.CharField(max_length=300, blank=True, help_text="What is wrong with it.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["waiting", "expired", "void"])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="approval_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["rejected", "responded"]) | ~Q(message=""),
                name="rejection_has_message",
            ),
            models.CheckConstraint(
                condition=~Q(kind="approval", status__in=["approved", "edited"])
                | Q(decided_arguments__isnull=False),
                name="granted_call_has_its_arguments",
            ),
            models.CheckConstraint(
                condition=Q(consumed_at__isnull=True)
                | Q(kind="approval", status__in=["approved", "edited"]),
                name="only_a_granted_call_is_consumed",
            ),
            models.CheckConstraint(
                condition=Q(is_canary=False) | (~Q(canary_why="") & Q(consumed_at=None)),
                name="canary_is_never_consumed",
            ),
            models.CheckConstraint(condition=Q(num_needed__gte=1), name="approval_needs_somebody"),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=Q(status="waiting"), name="approval_waiting"
            ),
            models.Index(fields=["tool", "-decided_at"], name="approval_of_tool"),
        ]

    def __str__(self) -> str:
        return f"{self.tool}: {self.status}"


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class ApprovalVote(models.Model):
    """One person's yes to a call that needs several; bound to the arguments it was given for.

    A trigger refuses a vote of the person who started the run, and any vote after the decision. A
    vote that is taken back before is deleted; the trail keeps both.
    """

    approval = models.ForeignKey(ToolApproval, models.CASCADE, related_name="votes")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    arguments_hash = models.CharField(max_length=64)
    message = models.CharField(max_length=1000, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["approval", "by"], name="approval_vote_once"),
        ]

    def __str__(self) -> str:
        return f"{self.by} agrees to {self.approval}"


@pghistory.track()
class EffectReview(models.Model):
    """A call whose worker was lost in the middle of it, and what a person found out about it.

    Its run is parked as `needs_review` until `verdict` is set; `result` is what the call returned
    where it happened. A trigger keeps a settled review as it is; a call that was tried again and
    whose worker was lost once more has another one.
    """

    class Verdict(models.TextChoices):
        WAITING = "", "not known yet"
        HAPPENED = "happened", "it happened"
        DID_NOT = "did_not", "it did not, try again"
        ABANDONED = "abandoned", "abandoned"

    run = models.ForeignKey(Run, models.CASCADE, related_name="effect_reviews")
    step = models.ForeignKey(Step, models.CASCADE, related_name="effect_reviews")
    why = models.CharField(max_length=500)
    verdict = models.CharField(max_length=20, choices=Verdict, blank=True, default=Verdict.WAITING)
    result = models.JSONField(null=True, blank=True)
    reason = models.CharField(max_length=1000, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(verdict="")
                | (Q(decided_by__isnull=False, decided_at__isnull=False) & ~Q(reason="")),
                name="effect_review_has_who_when_why",
            ),
            models.UniqueConstraint(
                fields=["step"], condition=Q(verdict=""), name="effect_review_open_once"
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(verdict=""), name="effect_unknown"),
        ]

    def __str__(self) -> str:
        return f"{self.step}: {self.get_verdict_display()}"
