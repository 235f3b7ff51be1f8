"""Small parts of pages that show spend against budgets."""

from decimal import Decimal

from django import template

from agents.runtime.spending import amount_words

register = template.Library()


@register.simple_tag
def amount_of_measure(measure: str, amount: Decimal) -> str:
    """Return an amount with its unit, as budgets say it."""
    return amount_words(measure, amount)
