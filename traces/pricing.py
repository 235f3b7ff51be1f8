"""What a model call costs, from a table of prices by model name."""

import re
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens, for models whose name matches `pattern` from its start."""

    pattern: str
    input_usd: Decimal
    output_usd: Decimal


# Published list prices per million tokens, as of November 2025; the demo's are invented. The
# first match counts, so the longer names stand first.
PRICES = (
    Price(r"shop-demo", Decimal("0.40"), Decimal("1.60")),
    Price(r"ft:gpt-4\.1", Decimal("3.00"), Decimal("12.00")),
    Price(r"gpt-4\.1-nano", Decimal("0.10"), Decimal("0.40")),
    Price(r"gpt-4\.1-mini", Decimal("0.40"), Decimal("1.60")),
    Price(r"gpt-4\.1", Decimal("2.00"), Decimal("8.00")),
    Price(r"gpt-4o-mini", Decimal("0.15"), Decimal("0.60")),
    Price(r"gpt-4o", Decimal("2.50"), Decimal("10.00")),
    Price(r"gpt-5-nano", Decimal("0.05"), Decimal("0.40")),
    Price(r"gpt-5-mini", Decimal("0.25"), Decimal("2.00")),
    Price(r"gpt-5", Decimal("1.25"), Decimal("10.00")),
)


def cost_of(model: str, input_tokens: int | None, output_tokens: int | None) -> Decimal | None:
    """Return US dollars, or None where the model or the tokens are unknown."""
    if input_tokens is None or output_tokens is None:
        return None
    for price in PRICES:
        if re.match(price.pattern, model):
            total = input_tokens * price.input_usd + output_tokens * price.output_usd
            return total / 1_000_000
    return None
