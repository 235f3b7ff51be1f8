"""Keys with which programs reach one project: made, found and revoked.

A key is `rd_` and 40 URL-safe characters (240 random bits). Only its SHA-256 is stored: with that
much randomness a slow hash would add nothing, and the lookup is one index access.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from traces.clean import clean_text
from traces.errors import TracesError
from traces.models import ApiKey, Project

PREFIX = "rd_"
_RANDOM_BYTES = 30
_SHOWN = 9
_USED_AGAIN_AFTER = timedelta(minutes=1)


def create_key(*, project: Project, name: str, created_by: AbstractBaseUser | None = None) -> str:
    """Make a key and return it; it cannot be shown again.

    Raises:
        TracesError: It has no name.
    """
    name = clean_text(name).strip()[:120]
    if not name:
        raise TracesError("Give the key a name that says which program uses it.")
    key = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    with (
        transaction.atomic(),
        pghistory.context(user=created_by.pk if created_by else None, action="create API key"),
    ):
        ApiKey.objects.create(
            project=project,
            name=name,
            prefix=key[:_SHOWN],
            digest=_digest(key),
            created_by_id=created_by.pk if created_by else None,
        )
    return key


def project_for_key(key: str) -> ApiKey | None:
    """Return the key's row with its project, or None where it is unknown or revoked.

    Notes its use, at most once a minute.
    """
    digest = _digest(key)
    found = ApiKey.objects.select_related("project").filter(digest=digest).first()
    if found is None or found.revoked_at or not hmac.compare_digest(found.digest, digest):
        return None
    now = timezone.now()
    ApiKey.objects.filter(
        Q(last_used_at=None) | Q(last_used_at__lt=now - _USED_AGAIN_AFTER), pk=found.pk
    ).update(last_used_at=now)
    return found


def revoke_key(*, api_key: ApiKey, by: AbstractBaseUser | None = None) -> ApiKey:
    """Make a key useless at once; a key that is revoked already stays as it is."""
    with (
        transaction.atomic(),
        pghistory.context(user=by.pk if by else None, action="revoke API key"),
    ):
        row = ApiKey.objects.select_for_update().get(pk=api_key.pk)
        if row.revoked_at is None:
            row.revoked_at = timezone.now()
            row.save(update_fields=["revoked_at"])
    return row


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()
