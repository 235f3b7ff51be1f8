"""Readers of other systems' files; `FORMATS` names them for `manage.py import_sessions`."""

from collections.abc import Callable, Iterator

from traces.ingest.importers.json_file import BadRow, Row
from traces.ingest.importers.tau2 import read_tau2
from traces.records import SessionRecord

Reader = Callable[[str], Iterator[tuple[Row, SessionRecord | BadRow]]]

FORMATS: dict[str, Reader] = {"tau2": read_tau2}
