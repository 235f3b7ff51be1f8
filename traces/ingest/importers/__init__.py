"""Readers of other systems' files; `FORMATS` names them for `manage.py import_sessions`."""

from collections.abc import Callable, Iterator

from traces.ingest.importers.agentdojo import read_agentdojo
from traces.ingest.importers.atif import read_atif
from traces.ingest.importers.inspect import read_inspect
from traces.ingest.importers.json_file import Found
from traces.ingest.importers.langfuse import read_langfuse
from traces.ingest.importers.openai import read_openai
from traces.ingest.importers.source import Source
from traces.ingest.importers.tau2 import read_tau2
from traces.ingest.importers.taubench import read_taubench

Reader = Callable[[Source], Iterator[Found]]

FORMATS: dict[str, Reader] = {
    "tau2": read_tau2,
    "taubench": read_taubench,
    "agentdojo": read_agentdojo,
    "openai": read_openai,
    "langfuse": read_langfuse,
    "atif": read_atif,
    "inspect": read_inspect,
}
