"""What leaves the desk: mail and webhooks, written with what they tell, sent afterwards."""

import pghistory
from django.conf import settings
from django.db import models
from django.db.models import Q

from traces.models import Project


@pghistory.track()
class Webhook(models.Model):
    """An address that is told of a project's events, signed with a secret named here."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    name = models.CharField(max_length=120)
    url = models.URLField(max_length=500)
    event_names = models.JSONField(default=list, help_text="Empty: all.")
    secret_name = models.CharField(
        max_length=120, blank=True, help_text="Of the variable or file that signs the requests."
    )
    private_hosts = models.JSONField(
        default=list,
        blank=True,
        help_text="Addresses of the own network that it may reach; public ones need no entry.",
    )
    is_on = models.BooleanField(default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="webhook_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class MailSubscription(models.Model):
    """Which of a project's events a person is mailed about."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    event_names = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "project"], name="mail_subscription_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {', '.join(self.event_names)}"


class Message(models.Model):
    """One mail or webhook request that is due, was sent, or was given up (the outbox).

    It is written in the transaction of what it tells. `key` is unique: the same event is told
    once per recipient; it is sent as the request's idempotency key.
    """

    class Kind(models.TextChoices):
        MAIL = "mail", "mail"
        WEBHOOK = "webhook", "webhook"

    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=Kind)
    event = models.CharField(max_length=60)
    webhook = models.ForeignKey(
        Webhook, models.CASCADE, null=True, blank=True, related_name="messages"
    )
    address = models.CharField(max_length=254, blank=True)
    payload = models.JSONField()
    key = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    next_at = models.DateTimeField(null=True, blank=True, help_text="Null: sent or given up.")
    num_attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(
        null=True, blank=True, help_text="While it is being sent; then it is due again."
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    gave_up_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="mail", webhook=None) & ~Q(address="")
                | Q(kind="webhook", webhook__isnull=False),
                name="message_has_recipient",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at"], condition=Q(next_at__isnull=False), name="message_due"
            ),
            models.Index(fields=["project", "-created_at"], name="message_of_project"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.event}"
