"""Versions: an agent's configuration, immutable and named by its content."""

import pgtrigger
from django.conf import settings
from django.db import models

from agents.models.agent import Agent


class Version(models.Model):
    """One configuration of an agent. The database refuses to change a written one.

    `config` has the form of `agents.config.VersionConfig`; `content_hash` is the SHA-256 of its
    canonical JSON and what evidence is bound to.
    """

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    config = models.JSONField()
    content_hash = models.CharField(max_length=64)
    note = models.CharField(max_length=500, blank=True, help_text="What this version is for.")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "number"], name="version_number_once"),
            models.UniqueConstraint(fields=["agent", "content_hash"], name="version_content_once"),
        ]
        triggers = [pgtrigger.Protect(name="immutable", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"v{self.number}"
