"""The programs that send spans, each stored once and known by its number."""

import hashlib
import json
from collections.abc import Iterable

from django.db import connection

from traces.errors import BadRecordError
from traces.models import Emitter, Project
from traces.records import EmitterRecord
from traces.rows import json_text

_MOST_KNOWN = 10_000
_known: dict[tuple[int, str], int] = {}

_ADD = """
INSERT INTO traces_emitter (project_id, digest, resource, scope)
SELECT %s, digest, resource, scope FROM jsonb_to_recordset(%s::jsonb)
    AS sent (digest text, resource jsonb, scope jsonb) ORDER BY digest
ON CONFLICT DO NOTHING
"""


def emitter_ids(project: Project, records: Iterable[EmitterRecord | None]) -> dict[int, int]:
    """Return the numbers of programs by the identity of their records; new ones are stored.

    Spans share a record, which is looked up once. No query for what this process has seen before,
    else two, however many there are. An emitter is deleted with its project only, so that what is
    remembered stays true. One that is nested too deeply has no number.
    """
    once = {id(record): record for record in records if record is not None}
    digests = {key: digest for key, record in once.items() if (digest := _digest(record))}
    known = {
        digest: number
        for digest in set(digests.values())
        if (number := _known.get((project.pk, digest))) is not None
    }
    missing = {digest: once[key] for key, digest in digests.items() if digest not in known}
    if missing:
        known |= _stored(project, missing)
    return {key: known[digest] for key, digest in digests.items() if digest in known}


def _stored(project: Project, records: dict[str, EmitterRecord]) -> dict[str, int]:
    """Store what is new of these, and return the numbers of all by their digests."""
    rows = []
    for digest, record in records.items():
        try:
            rows.append(
                f'{{"digest":"{digest}","resource":{json_text(record.resource)},'
                f'"scope":{json_text(record.scope)}}}'
            )
        except BadRecordError:
            continue
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [project.pk, f"[{','.join(rows)}]"])
    found = dict(
        Emitter.objects.filter(project=project, digest__in=list(records)).values_list(
            "digest", "pk"
        )
    )
    # What an outer transaction may still take back must not be remembered.
    if not connection.in_atomic_block:
        if len(_known) + len(found) > _MOST_KNOWN:
            _known.clear()
        _known.update({(project.pk, digest): number for digest, number in found.items()})
    return found


def _digest(record: EmitterRecord) -> str:
    """Return what a record is known by, empty where it is nested too deeply."""
    try:
        text = json.dumps({"resource": record.resource, "scope": record.scope}, sort_keys=True)
    except RecursionError:
        return ""
    return hashlib.sha256(text.encode()).hexdigest()
