"""Statements that come with every step of a run: planned once per connection, not each time."""

import json
from collections.abc import Container, Iterator
from itertools import islice
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.backends.utils import CursorWrapper
from django.db.models import JSONField, Model
from psycopg import Cursor

_Model = TypeVar("_Model", bound=Model)


class _PreparedCursor(Cursor[tuple[Any, ...]]):
    def execute(self, query: Any, params: Any = None, **_: Any) -> Any:
        return super().execute(query, params, prepare=True)


def prepared_cursor() -> CursorWrapper:
    """Return a cursor whose statements the server keeps, for those whose text never changes.

    Values are bound by the server: where it cannot tell a parameter's type, the text casts it.
    A plain cursor inside `pghistory.context`, which puts a statement of its own before each, and
    where queries are counted.
    """
    if connection.execute_wrappers or connection.queries_logged:
        return connection.cursor()
    connection.ensure_connection()
    cursor: Any = _PreparedCursor(connection.connection)
    return connection.make_cursor(cursor)


class Columns(Generic[_Model]):
    """A model's columns in the text of a SELECT, and the instance that their values make.

    Composing and reading a query by the ORM takes several times as long as answering it.

    Attributes:
        sql: The columns, for the text.
    """

    def __init__(self, model: type[_Model], alias: str, *, without: Container[str] = ()) -> None:
        fields = [each for each in model._meta.concrete_fields if each.attname not in without]
        self._model = model
        self._names = [field.attname for field in fields]
        self._json = [place for place, each in enumerate(fields) if isinstance(each, JSONField)]
        self.sql = ", ".join(f'{alias}."{field.column}"' for field in fields)

    def instance(self, values: Iterator[Any]) -> _Model:
        """Return an instance of the next of a row's values; other columns are deferred."""
        own = list(islice(values, len(self._names)))
        for place in self._json:
            if own[place] is not None:
                own[place] = json.loads(own[place])
        return self._model.from_db(DEFAULT_DB_ALIAS, self._names, own)
