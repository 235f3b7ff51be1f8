"""How changes are read from the audit trail: a kind of change, and the query of its events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import BigIntegerField, F, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce

from reviewdesk.audit_lines import Line, Row
from traces.models import Project

Rows = Callable[[Project], "QuerySet[Any, Row]"]


@dataclass(frozen=True)
class Kind:
    """A sort of change.

    Attributes:
        key: As it stands in addresses.
        title: As the filter says it.
        icon: In the sprite.
        rows: The project's events as dicts with `at`, `event_id`, `who_id`, `given_reason` and
            what the line needs.
        line: Makes the line of one of them.
        is_default: Whether it is shown without being asked for.
    """

    key: str
    title: str
    icon: str
    rows: Rows
    line: Callable[[Row, Project], Line]
    is_default: bool = True

    def why(self, row: Row) -> str:
        """Return the reason that was given, or an empty string."""
        return str(row["given_reason"] or "")


def events(
    model: Any,
    *,
    project: str,
    values: tuple[str, ...],
    before: Mapping[str, str] | None = None,
    who: str = "",
    reason: str = "",
    only: Q | None = None,
    also: Q | None = None,
) -> Rows:
    """Return how a tracked model's events are read.

    Args:
        model: The tracked model.
        project: Path from its event to the project.
        values: Columns, and columns of related rows, that the line needs.
        before: Columns of the same row's event before this one, by the name they get.
        who: Column that holds who did it, for changes made outside of a context.
        reason: Likewise.
        only: Which events are told.
        also: Which are told of every project.
    """
    found = model.pgh_event_model.objects
    meta = F("pgh_context__metadata")
    user = Cast(KeyTextTransform("user", meta), BigIntegerField())
    why = KeyTextTransform("reason", meta)
    earlier = found.filter(
        pgh_obj_id=OuterRef("pgh_obj_id"), pgh_id__lt=OuterRef("pgh_id")
    ).order_by("-pgh_id")

    def rows(of: Project) -> "QuerySet[Any, Row]":
        is_theirs = Q(**{project: of.pk})
        events = found.filter(is_theirs | also if also else is_theirs)
        named = {name: Subquery(earlier.values(path)[:1]) for name, path in (before or {}).items()}
        nothing = Value("", output_field=TextField())
        events = events.annotate(
            at=F("pgh_created_at"),
            event_id=Cast("pgh_id", BigIntegerField()),
            obj_id=F("pgh_obj_id"),
            label=F("pgh_label"),
            who_id=Coalesce(user, F(who), output_field=BigIntegerField()) if who else user,
            # An empty reason in the context is none, and the row may still hold one.
            given_reason=Coalesce(why, F(reason) if reason else nothing, output_field=TextField()),
            **named,
        )
        if only is not None:
            events = events.filter(only)
        names = ("at", "event_id", "obj_id", "label", "who_id", "given_reason", *values, *named)
        told: QuerySet[Any, Row] = events.values(*names)
        return told

    return rows
