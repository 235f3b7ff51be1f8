"""Export of sessions: all that is known of them, for another tool, or a spreadsheet."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from django.db.models import QuerySet

from traces.export.jsonl import export_jsonl
from traces.export.otlp import export_otlp
from traces.export.sight import EVERYTHING, Sight
from traces.export.table import export_csv
from traces.models import Session

__all__ = ["EXPORTS", "ExportForm", "Sight", "export_csv", "export_jsonl", "export_otlp"]


class Writer(Protocol):
    """Yields sessions as text, in pieces."""

    def __call__(
        self, sessions: QuerySet[Session], sight: Sight = EVERYTHING, /
    ) -> Iterator[str]: ...


@dataclass(frozen=True)
class ExportForm:
    """A form in which sessions leave.

    Attributes:
        title: For people.
        extension: Of a file of it; `filename` makes a whole name.
        write: Yields the text in pieces, however many sessions there are.
    """

    title: str
    content_type: str
    extension: str
    write: Writer

    def filename(self, stem: str) -> str:
        """Return a file's name, such as `shop-sessions.jsonl`."""
        return f"{stem}.{self.extension}"


EXPORTS: dict[str, ExportForm] = {
    "jsonl": ExportForm("JSON Lines", "application/x-ndjson", "jsonl", export_jsonl),
    "otlp": ExportForm(
        "OpenTelemetry (OTLP JSON)", "application/x-ndjson", "otlp.jsonl", export_otlp
    ),
    "csv": ExportForm("CSV of the table", "text/csv; charset=utf-8", "csv", export_csv),
}
