"""People: users, and their role in each project."""

import pghistory
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Lower

from reviewdesk.people.roles import Role
from traces.models import Project


class User(AbstractUser):
    """Somebody who signs in, by e-mail address (kept in `username` too, lower case)."""

    class Theme(models.TextChoices):
        SYSTEM = "system", "as the system"
        LIGHT = "light", "light"
        DARK = "dark", "dark"

    name = models.CharField(max_length=120)
    theme = models.CharField(max_length=10, choices=Theme, default=Theme.SYSTEM)
    has_single_keys = models.BooleanField(
        default=True, help_text="Single-key shortcuts (WCAG 2.1.4 asks for a way to turn them off)."
    )

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def initials(self) -> str:
        """Return up to two letters, for narrow columns."""
        words = str(self).split()
        return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Membership(models.Model):
    """A user's one role in a project. Every change stands in the audit trail."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    role = models.CharField(max_length=20, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "project"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} as {self.role}"
