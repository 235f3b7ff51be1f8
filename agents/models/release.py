"""Releases: how a version becomes the live one, on evidence, by another person's decision."""

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from agents.models.agent import Agent
from agents.models.evals import EvalRun
from agents.models.gate import Gate
from agents.models.version import Version


@pghistory.track()
class Release(models.Model):
    """A request to make a version live, or a roll back to one that was live before.

    `author` is the version's author, held equal to it by a trigger, so that the check constraint
    "author and requester never decide" cannot be talked around. A roll back is decided by whoever
    asks for it: it only returns to what another person has approved before.
    """

    class Kind(models.TextChoices):
        RELEASE = "release", "release"
        ROLLBACK = "rollback", "roll back"

    class Status(models.TextChoices):
        WAITING = "waiting", "waiting for approval"
        LIVE = "live", "live"
        SUPERSEDED = "superseded", "was live"
        ROLLED_BACK = "rolled_back", "rolled back"
        REFUSED = "refused", "refused"
        WITHDRAWN = "withdrawn", "withdrawn"
        VOID = "void", "void"

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="releases")
    version = models.ForeignKey(Version, models.PROTECT, related_name="releases")
    baseline = models.ForeignKey(Version, models.PROTECT, null=True, blank=True, related_name="+")
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.RELEASE)
    status = models.CharField(max_length=20, choices=Status, default=Status.WAITING)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(auto_now_add=True)
    reason = models.CharField(max_length=1000)
    eval_run = models.ForeignKey(
        EvalRun, models.PROTECT, null=True, blank=True, related_name="releases"
    )
    gate = models.ForeignKey(Gate, models.PROTECT, null=True, blank=True, related_name="releases")
    evidence_hash = models.CharField(max_length=64, blank=True)
    evidence_note = models.CharField(
        max_length=300, blank=True, help_text="Why there is no eval run, where there is none."
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by=None)
                | (
                    (Q(author=None) | ~Q(decided_by=F("author"))) & ~Q(decided_by=F("requested_by"))
                ),
                name="release_author_never_decides",
            ),
            models.CheckConstraint(
                condition=Q(kind="rollback")
                | ~Q(status__in=["live", "superseded", "rolled_back", "refused"])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="release_live_was_approved",
            ),
            models.CheckConstraint(
                condition=Q(kind="rollback") | Q(eval_run__isnull=False) | ~Q(evidence_note=""),
                name="release_has_evidence_or_says_why_not",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="release_has_reason"),
            models.UniqueConstraint(
                fields=["agent"], condition=Q(status="live"), name="release_one_live"
            ),
            models.UniqueConstraint(
                fields=["version"], condition=Q(status="waiting"), name="release_one_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.version}: {self.status}"
