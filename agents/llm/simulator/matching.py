"""Which items and variants a customer's words mean, given an order and its products."""

import re
from dataclasses import dataclass
from typing import Any

from agents.llm.simulator.reading import means_everything

_SIZES = {"small": "S", "medium": "M", "large": "L", "extra large": "XL", "extra small": "XS"}
_SEGMENT_END = re.compile(
    r"(?:,| and| also)\s+(?:also\s+)?(?:the|my)\b|\brefund\b|\bpay\b", re.IGNORECASE
)
_TOO = re.compile(r"\btoo \w+\b|\binstead of (?:the )?[\w-]+\b", re.IGNORECASE)


@dataclass(frozen=True)
class Swap:
    """An item that is to be replaced.

    Attributes:
        variant: What takes its place, or None where the words name none that exists.
        wanted: The options that were named.
        is_available: Whether the variant can be had.
    """

    item: dict[str, Any]
    variant: dict[str, Any] | None
    wanted: dict[str, str]
    is_available: bool


def product_named(text: str, names: list[str]) -> str:
    """Return the one product that the text names, or empty."""
    found = [name for name in names if _mention(text, name, names) is not None]
    return found[0] if found else ""


def orders_named(orders: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Return the orders that hold a product which the text names, by its full name if it can."""
    names = [item["name"] for order in orders for item in _items(order)]
    return [
        order
        for order in orders
        if any(_mention(text, item["name"], names) is not None for item in _items(order))
    ]


def items_meant(order: dict[str, Any], text: str) -> list[dict[str, Any]]:
    """Return the items that the text means; none if it does not say."""
    items = _items(order)
    if means_everything(text):
        return items
    names = [item["name"] for item in items]
    meant = [item for item in items if _mention(text, item["name"], names) is not None]
    if not meant:
        return items if len(items) == 1 else []
    return [item for item in meant if not _is_other_variant(item, meant, text)]


def swaps_meant(
    order: dict[str, Any], products: dict[str, dict[str, Any]], text: str
) -> list[Swap]:
    """Return the replacements that the text asks for, in the order's order.

    Args:
        order: Its items are replaced.
        products: By id; those of the items meant are needed.
        text: The customer's words.
    """
    items = items_meant(order, text)
    names = [item["name"] for item in _items(order)]
    starts = {item["item_id"]: _mention(text, item["name"], names) for item in items}
    swaps = []
    for item in items:
        product = products.get(item["product_id"])
        if product is None:
            continue
        start = starts[item["item_id"]] or 0
        ends = [other for other in starts.values() if other is not None and other > start]
        segment = text[start : min(ends, default=len(text))]
        cut = _SEGMENT_END.search(segment, len(item["name"]))
        segment = segment[: cut.start()] if cut and ends else segment
        swaps.append(_swap(item, product, segment))
    return swaps


def _items(order: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the items that can be meant: what a tool returned may be anything."""
    return [item for item in order.get("items", ()) if "name" in item]


def closest_available(item: dict[str, Any], product: dict[str, Any], wanted: dict[str, str]) -> Any:
    """Return the available variant that differs least from what is wanted, or None."""
    target = {**item["options"], **wanted}
    others = [
        variant
        for variant in product["variants"].values()
        if variant["available"] and variant["item_id"] != item["item_id"]
    ]
    return min(
        others,
        key=lambda each: (
            sum(each["options"].get(key) != value for key, value in target.items()),
            each["item_id"],
        ),
        default=None,
    )


def _swap(item: dict[str, Any], product: dict[str, Any], segment: str) -> Swap:
    wanted = _wanted_options(item, product, segment)
    if not wanted:
        return Swap(item, None, {}, False)
    target = {**item["options"], **wanted}
    for variant in product["variants"].values():
        if variant["options"] == target:
            return Swap(item, variant, wanted, variant["available"])
    return Swap(item, None, wanted, False)


def _wanted_options(item: dict[str, Any], product: dict[str, Any], segment: str) -> dict[str, str]:
    """Return the option values named that differ from the item's; the last named counts."""
    words = _TOO.sub(" ", segment)
    wanted: dict[str, tuple[int, str]] = {}
    for variant in product["variants"].values():
        for key, value in variant["options"].items():
            if value == item["options"].get(key):
                continue
            position = _value_position(words, value)
            if position >= 0 and position > wanted.get(key, (-1, ""))[0]:
                wanted[key] = (position, value)
    return {key: value for key, (_, value) in wanted.items()}


def _value_position(words: str, value: str) -> int:
    """Return where the value is named last, or -1."""
    if len(value) <= 3 and value.isupper():
        pattern = re.compile(rf"(?<![\w'-]){re.escape(value)}(?![\w'-])")
        long = next((word for word, size in _SIZES.items() if size == value), "")
        found = [match.start() for match in pattern.finditer(words)]
        if long:
            found += [
                match.start() for match in re.finditer(rf"(?<!extra ){long}\b", words.lower())
            ]
        return max(found, default=-1)
    pattern = re.compile(rf"(?<![\w-]){re.escape(value)}(?![\w-])", re.IGNORECASE)
    return max((match.start() for match in pattern.finditer(words)), default=-1)


def _mention(text: str, name: str, names: list[str]) -> int | None:
    """Return where the product is named: in full, or by its last word if no other ends so."""
    if match := _find(text, name):
        return match.start()
    for other in names:
        if other != name and (match := _find(text, other)):
            text = text[: match.start()] + " " * len(match.group(0)) + text[match.end() :]
    last = name.split()[-1]
    if len({other for other in names if other.split()[-1] == last}) > 1:
        return None
    match = _find(text, last)
    return match.start() if match else None


def _find(text: str, words: str) -> re.Match[str] | None:
    return re.search(rf"(?<!\w){re.escape(words)}(?:s|es)?(?!\w)", text, re.IGNORECASE)


def _is_other_variant(item: dict[str, Any], meant: list[dict[str, Any]], text: str) -> bool:
    """Say whether the text singles out another variant of the same product in the order."""
    twins = [other for other in meant if other["product_id"] == item["product_id"]]
    if len(twins) < 2:
        return False
    named = [
        twin
        for twin in twins
        if any(_value_position(text, value) >= 0 for value in twin["options"].values())
    ]
    return bool(named) and item not in named
