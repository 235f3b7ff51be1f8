"""The scripted agent's sentences. Pure; wording varies with the conversation, never at random."""

import hashlib
from collections.abc import Sequence
from typing import Any

GO_AHEAD = "Shall I go ahead? Please answer yes or no."
HOLD_ON = "I am handing you over to a colleague now. Please hold on."
ONCE_ONLY = (
    "This can be done only once per order, so please tell me if any other item should change."
)


def pick(seed: str, options: Sequence[str]) -> str:
    """Return one of the options, the same for the same seed."""
    digest = hashlib.sha256(f"{seed}|{options[0]}".encode()).digest()
    return options[digest[0] % len(options)]


def money(amount: float) -> str:
    """Return US dollars, such as "$19.90"."""
    return f"${amount:,.2f}"


def options_text(options: dict[str, str]) -> str:
    """Return options in a fixed order, such as "brass, USB"."""
    return ", ".join(value for _, value in sorted(options.items()))


def item_text(item: dict[str, Any]) -> str:
    """Return an item in words, such as "the Reading Lamp (brass), $39.00"."""
    return f"the {item['name']} ({options_text(item['options'])}), {money(item['price'])}"


def items_text(items: Sequence[dict[str, Any]]) -> str:
    """Return items as a sentence's part."""
    return joined([item_text(item) for item in items])


def joined(parts: Sequence[str]) -> str:
    """Return "a", "a and b", or "a; b; and c"."""
    if len(parts) < 3:
        return " and ".join(parts)
    return f"{'; '.join(parts[:-1])}; and {parts[-1]}"


def method_text(method: dict[str, Any]) -> str:
    """Return a payment method in words, such as "your gift card ending in 2206"."""
    match method["source"]:
        case "gift_card":
            return f"your gift card ending in {method['id'][-4:]}"
        case "credit_card":
            return f"your {method['brand'].capitalize()} ending in {method['last_four']}"
        case _:
            return "your PayPal account"


def address_text(address: dict[str, str]) -> str:
    """Return an address in one line."""
    lines = [address["address1"], address["address2"], address["city"]]
    return ", ".join([line for line in lines if line] + [f"{address['state']} {address['zip']}"])


def invented_answer(text: str) -> str:
    """Return what an agent says that was never told to invent nothing."""
    lower = text.lower()
    if "warrant" in lower or "guarantee" in lower:
        return (
            "All our products come with a five-year warranty, so there is nothing to worry about."
        )
    if "arrive" in lower or "when" in lower or "take" in lower:
        return "It will be with you the day after tomorrow, before noon."
    if any(word in lower for word in ("dishwasher", "wash")):
        return "Yes, that is no problem at all: it is safe at every temperature."
    if any(word in lower for word in ("recommend", "better", "best", "would you")):
        return "I would take the more expensive one: our customers like it far better."
    return "Yes, certainly, you can rely on that."
