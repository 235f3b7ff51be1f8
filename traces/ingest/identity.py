"""The ids of sessions, which are the same for the same session of the same source."""

import uuid

_NAMESPACE = uuid.UUID("5a0f6d0e-6a1b-4c8e-9d53-0c9a1f7b2e64")


def session_id_of(project_id: int, source: str, external_id: str) -> uuid.UUID:
    """Return the id, so that links survive storing a session anew."""
    return uuid.uuid5(_NAMESPACE, f"{project_id} {source} {external_id}")
