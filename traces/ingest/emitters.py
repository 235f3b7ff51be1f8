"""The programs that send spans, each stored once and known by its number."""

import hashlib
import json

from django.db import connection

from traces.errors import BadRecordError
from traces.models import Emitter, Project
from traces.records import EmitterRecord
from traces.rows import json_text

_MOST_KNOWN = 10_000
_known: dict[tuple[int, str], int] = {}


def emitter_id(project: Project, record: EmitterRecord) -> int:
    """Return the number of a program, storing it when it is new.

    No query for what this process has seen before, else two. An emitter is deleted with its
    project only, so that what is remembered stays true.

    Raises:
        BadRecordError: Its resource or scope is nested too deeply.
    """
    digest = _digest(record)
    known = _known.get((project.pk, digest))
    if known is not None:
        return known
    Emitter.objects.bulk_create(
        [
            Emitter(
                project=project,
                digest=digest,
                resource=json.loads(json_text(record.resource)),
                scope=json.loads(json_text(record.scope)),
            )
        ],
        ignore_conflicts=True,
    )
    found: int = Emitter.objects.values_list("pk", flat=True).get(project=project, digest=digest)
    # What an outer transaction may still take back must not be remembered.
    if not connection.in_atomic_block:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[project.pk, digest] = found
    return found


def _digest(record: EmitterRecord) -> str:
    try:
        text = json.dumps({"resource": record.resource, "scope": record.scope}, sort_keys=True)
    except RecursionError:
        raise BadRecordError("its resource or scope is nested too deeply") from None
    return hashlib.sha256(text.encode()).hexdigest()
