"""A project's own prices: set and taken away, with who and why in the audit trail."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from traces.counted import unpriced_since
from traces.errors import PriceError
from traces.models import ModelPrice, Project
from traces.pricing import forget_prices, price_table

MOST_STARS = 8
MOST_UNPRICED = 200


@dataclass(frozen=True)
class UnpricedModel:
    """A model that was called lately and that has no price today."""

    name: str
    num_spans: int


def set_price(
    *,
    project: Project,
    pattern: str,
    starts_on: date,
    input_usd: Decimal,
    output_usd: Decimal,
    cached_input_usd: Decimal | None = None,
    reasoning_usd: Decimal | None = None,
    by: AbstractBaseUser | None,
    reason: str = "",
) -> ModelPrice:
    """Set what models of a name cost from a day on; the same name and day again is a correction.

    Stored costs stay until they are recomputed.

    Raises:
        PriceError: The pattern cannot be used; the message says why.
    """
    check_pattern(pattern)
    context = {"user": by.pk if by else None, "reason": reason, "action": "set_price"}
    with transaction.atomic(), pghistory.context(**context):
        price, _ = ModelPrice.objects.update_or_create(
            project=project,
            pattern=pattern,
            starts_on=starts_on,
            defaults={
                "input_usd": input_usd,
                "output_usd": output_usd,
                "cached_input_usd": cached_input_usd,
                "reasoning_usd": reasoning_usd,
            },
        )
    forget_prices(project.pk)
    return price


def remove_price(*, price: ModelPrice, by: AbstractBaseUser | None, reason: str = "") -> None:
    """Take a price away: an earlier one of the project or the built-in one holds again."""
    context = {"user": by.pk if by else None, "reason": reason, "action": "remove_price"}
    with transaction.atomic(), pghistory.context(**context):
        price.delete()
    forget_prices(price.project_id)


def check_pattern(pattern: str) -> None:
    """Raise `PriceError` where the pattern names no model or every model."""
    if not pattern.replace("*", "").strip():
        raise PriceError("Name the model: a pattern of * alone would price every model alike.")
    if pattern.count("*") > MOST_STARS:
        raise PriceError(f"The pattern has {pattern.count('*')} stars; {MOST_STARS} are the most.")
    if any(each in pattern for each in "\\^$()[]{}|+?") or any(each.isspace() for each in pattern):
        raise PriceError(
            f"{pattern} cannot be a model's name: write it as it stands in the trace, with * for "
            "anything, such as gpt-4.1*. Regular expressions are not understood."
        )


def unpriced_models(
    *, project: Project, days: int = 30, now: datetime | None = None
) -> list[UnpricedModel]:
    """Return the models called in the last days that have no price, most called first.

    Their tokens are known, and no source told their cost.
    """
    now = now or timezone.now()
    table = price_table(project)
    first = (now - timedelta(days=days)).date()
    counts = unpriced_since(project.pk, first, today=now.date())
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))[:MOST_UNPRICED]
    return [UnpricedModel(name, num) for name, num in rows if table.find(name, now.date()) is None]
