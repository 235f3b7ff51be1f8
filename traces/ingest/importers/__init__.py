"""Readers of other systems' files, by the name that `manage.py import_sessions` knows them by.

`FORMATS` hold whole sessions, `SPAN_FORMATS` spans that find their sessions when they are stored.
"""

from collections.abc import Callable, Iterator

from traces.ingest.importers.agentdojo import read_agentdojo
from traces.ingest.importers.atif import read_atif
from traces.ingest.importers.inspect import read_inspect
from traces.ingest.importers.json_file import BadRow, Found, Row
from traces.ingest.importers.langfuse import read_langfuse
from traces.ingest.importers.openai import read_openai
from traces.ingest.importers.otlp import Request, read_otlp
from traces.ingest.importers.reviewdesk import read_reviewdesk
from traces.ingest.importers.source import Source
from traces.ingest.importers.tau2 import read_tau2
from traces.ingest.importers.taubench import read_taubench

Reader = Callable[[Source], Iterator[Found]]
SpanReader = Callable[[Source], Iterator[tuple[Row, Request | BadRow]]]

FORMATS: dict[str, Reader] = {
    "tau2": read_tau2,
    "taubench": read_taubench,
    "agentdojo": read_agentdojo,
    "openai": read_openai,
    "langfuse": read_langfuse,
    "atif": read_atif,
    "inspect": read_inspect,
    "reviewdesk": read_reviewdesk,
}
SPAN_FORMATS: dict[str, SpanReader] = {"otlp": read_otlp}
NAMES = sorted([*FORMATS, *SPAN_FORMATS])
