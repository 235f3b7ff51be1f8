"""Keys with which programs reach one project: made, found and revoked.

A key is `rd_` and 40 URL-safe characters (240 random bits). Only its SHA-256 is stored: with that
much randomness a slow hash would add nothing, and the lookup is one index access.
"""

import hashlib
import hmac
import secrets
import time
from datetime import timedelta

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from traces.clean import clean_text
from traces.errors import TracesError
from traces.models import ApiKey, Project
from traces.patience import bounded_waits

PREFIX = "rd_"
_RANDOM_BYTES = 30
_SHOWN = 9
_USED_AGAIN_AFTER = timedelta(minutes=1)
# How long a process goes on taking a key that was revoked.
KNOWN_SECONDS = 10.0
_MAX_KNOWN = 1000
# Digest -> when it was looked up, and what was found: unknown keys too.
_known: dict[str, tuple[float, Project | None]] = {}


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


def known_project(key: str) -> Project | None:
    """Return the project of a key that is valid, or was less than `KNOWN_SECONDS` ago.

    For senders whose every request would else begin with a query. Waits for the database, where
    it has to, within the bounds of `traces/patience.py`.
    """
    digest = _digest(key)
    now = time.monotonic()
    known = _known.get(digest)
    if known is None or known[0] < now - KNOWN_SECONDS:
        with bounded_waits():
            found = project_for_key(key)
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        known = _known[digest] = (now, found.project if found else None)
    return known[1]


def revoke_key(*, api_key: ApiKey, by: AbstractBaseUser | None = None) -> ApiKey:
    """Make a key useless; a key that is revoked already stays as it is.

    The API refuses it at once, `/v1/traces` and `/v1/logs` within `KNOWN_SECONDS`.
    """
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
