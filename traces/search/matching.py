"""What conditions on sessions share: states that are an end, comparisons, and `*` in values."""

import re

from django.db.models import Q

from traces.models import Session

ENDED = (
    Session.Status.COMPLETED,
    Session.Status.HANDED_OVER,
    Session.Status.FAILED,
    Session.Status.CANCELLED,
)
LOOKUPS = {":": "exact", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def like(column: str, value: str) -> Q:
    """Return equality, or with `*` the pattern; a beginning alone can use a btree."""
    if "*" not in value:
        return Q(**{column: value})
    if value.endswith("*") and "*" not in value[:-1]:
        return Q(**{f"{column}__startswith": value[:-1]})
    return Q(**{f"{column}__regex": f"^{regex_of(value, '.*')}$"})


def regex_of(value: str, any_letters: str) -> str:
    """Return a regular expression in which `*` is `any_letters` and all else itself."""
    return any_letters.join(re.escape(part) for part in value.split("*"))
