"""What stands in the log, and what does not."""

import logging

_PROBES = frozenset({"/healthz", "/readyz"})


def is_no_probe(record: logging.LogRecord) -> bool:
    """Say whether a record is about anything but a probe: a 503 there is its answer, no failure."""
    return getattr(getattr(record, "request", None), "path", "") not in _PROBES
