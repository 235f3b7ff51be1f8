"""Which kinds a project masks, with which key."""

import secrets
import time

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction

from traces.models import Project, TracePolicy
from traces.redaction.kinds import KIND_KEYS
from traces.redaction.masker import Masker

# For how long another process may go on with the rules as they were.
CACHE_SECONDS = 2.0
_cache: dict[int, tuple[float, Masker]] = {}


def masker_for(project: Project | int) -> Masker:
    """Return the masking of a project (or of its id), as of two seconds ago at most.

    One query when it is read.
    """
    project_id = project if isinstance(project, int) else project.pk
    known = _cache.get(project_id)
    if known is not None and known[0] > time.monotonic():
        return known[1]
    policy = TracePolicy.objects.filter(project_id=project_id).first()
    is_new = policy is None
    policy = policy or ensure_policy(project_id)
    masker = Masker(bytes(policy.pseudonym_key), kinds_of(policy))
    # A key made in a transaction that is rolled back was never there.
    if not (is_new and connection.in_atomic_block):
        _cache[project_id] = (time.monotonic() + CACHE_SECONDS, masker)
    return masker


def ensure_policy(project_id: int) -> TracePolicy:
    """Return the project's policy, made with a new key where it has none."""
    policy, _ = TracePolicy.objects.get_or_create(
        project_id=project_id, defaults={"pseudonym_key": secrets.token_bytes(32)}
    )
    return policy


def kinds_of(policy: TracePolicy) -> frozenset[str]:
    """Return the kinds that are masked: all that are not switched off."""
    return frozenset(key for key in KIND_KEYS if policy.masking.get(key, True))


def set_masking(
    *, project: Project, kinds: frozenset[str], by: AbstractBaseUser | None, reason: str
) -> TracePolicy:
    """Mask these kinds from now on, here at once and in other processes two seconds later."""
    context = {"user": by.pk if by else None, "reason": reason, "action": "set_masking"}
    with transaction.atomic(), pghistory.context(**context):
        ensure_policy(project.pk)
        policy = TracePolicy.objects.select_for_update().get(project=project)
        policy.masking = {key: key in kinds for key in KIND_KEYS}
        policy.save(update_fields=["masking"])
    _cache.pop(project.pk, None)
    return policy
