"""What a tool call would do, in words for the person who decides it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agents.demo.checks import CallCheck
from agents.tools.contract import ToolError
from agents.tools.registry import contracts_named
from agents.tools.world import World


@dataclass(frozen=True)
class CallSummary:
    """A tool call as people read it.

    Attributes:
        title: What it does, such as "Return 2 items of #W0000000".
        rows: (label, text) of what it touches; a text may have several lines.
        amount: US dollars that move to (or, negative, from) the customer; None: no money moves.
        afterwards: How things stand once it has run, or empty.
        about: What the tool says of itself, where nobody described what it leaves behind.
        checks: What the desk looked up about it.
    """

    title: str
    rows: tuple[tuple[str, str], ...]
    amount: Decimal | None = None
    afterwards: str = ""
    about: str = ""
    checks: tuple[CallCheck, ...] = ()


def describe_call(
    name: str, arguments: dict[str, Any], world: World, description: str | None = None
) -> CallSummary:
    """Describe the call by the shop's records; where they don't fit, by its arguments alone.

    `description` is the tool's; left out, that of the code's own tool of this name.
    """
    describe = _DESCRIPTIONS.get(name)
    if describe is not None:
        try:
            return describe(arguments, world)
        except (KeyError, TypeError, AttributeError, ToolError):
            return _plain(name, arguments, description)
    return _plain(name, arguments, description)


def payment_method_text(method: dict[str, Any]) -> str:
    """Return a payment method in words, such as "Gift card ··2206, balance $40.00"."""
    match method["source"]:
        case "gift_card":
            return f"Gift card ··{method['id'][-4:]}, balance {money(method['balance'])}"
        case "credit_card":
            return f"{method['brand'].capitalize()} ··{method['last_four']}"
        case _:
            return "PayPal account"


def money(amount: float | Decimal) -> str:
    """Return US dollars with two decimals, such as "$131.48" or "-$8.00"."""
    rounded = Decimal(str(amount)).quantize(Decimal("0.01"))
    return f"{'-' if rounded < 0 else ''}${abs(rounded):,}"


def options_text(options: dict[str, str]) -> str:
    """Return a variant's options in words, such as "brass, USB"."""
    return ", ".join(str(value) for value in options.values())


def address_text(address: dict[str, str]) -> str:
    """Return an address in one line."""
    keys = ("address1", "address2", "city", "state", "zip", "country")
    return ", ".join(address[key] for key in keys if address.get(key))


def _plain(name: str, arguments: dict[str, Any], description: str | None) -> CallSummary:
    if description is None:
        own = contracts_named([name], None).get(name)
        description = own.description if own else ""
    rows = tuple((_in_words(key), _value_text(value)) for key, value in arguments.items())
    return CallSummary(_in_words(name), rows, about=description)


def _in_words(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).capitalize()


def _value_text(value: Any) -> str:
    """Return an argument as a person reads it: plain values a line each, what is nested as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "\n".join(value) or "none"
    return json.dumps(value, ensure_ascii=False)


def _cancel(arguments: dict[str, Any], world: World) -> CallSummary:
    order = _order(world, arguments["order_id"])
    paid = _paid(order)
    refunds = [
        f"{money(amount)} to {_method(world, order, method_id)}"
        for method_id, amount in paid.items()
        if amount
    ]
    return CallSummary(
        f"Cancel order {order['order_id']}",
        (
            ("Order", _order_text(order)),
            ("Items", _items_text(order["items"])),
            ("Reason", arguments["reason"]),
            ("Refund", "\n".join(refunds) or "nothing was paid"),
        ),
        sum(paid.values(), Decimal(0)),
        "Order “cancelled”; this cannot be undone.",
    )


def _return(arguments: dict[str, Any], world: World) -> CallSummary:
    order = _order(world, arguments["order_id"])
    items = _items(order, arguments["item_ids"])
    amount = sum((_price(item) for item in items), Decimal(0))
    return CallSummary(
        f"Return {_count(items)} of {order['order_id']}",
        (
            ("Order", _order_text(order)),
            ("Items", _items_text(items)),
            ("Refund to", _method(world, order, arguments["payment_method_id"])),
            ("Paid by", _method(world, order, order["payment_history"][0]["payment_method_id"])),
        ),
        amount,
        "Order “return requested”; the customer gets an e-mail on how to send the items back.",
    )


def _exchange(arguments: dict[str, Any], world: World) -> CallSummary:
    rows, amount, items = _swap(arguments, world)
    return CallSummary(
        f"Exchange {_count(items)} of {arguments['order_id']}",
        rows,
        amount,
        "Order “exchange requested”; it cannot be exchanged a second time.",
    )


def _modify_items(arguments: dict[str, Any], world: World) -> CallSummary:
    rows, amount, items = _swap(arguments, world)
    return CallSummary(
        f"Change {_count(items)} of {arguments['order_id']}",
        rows,
        amount,
        "Order “pending (item modified)”; its items cannot be changed a second time.",
    )


def _modify_payment(arguments: dict[str, Any], world: World) -> CallSummary:
    order = _order(world, arguments["order_id"])
    first = order["payment_history"][0]
    return CallSummary(
        f"Change the payment of {order['order_id']}",
        (
            ("Order", _order_text(order)),
            ("Paid by now", _method(world, order, first["payment_method_id"])),
            ("Pay by", _method(world, order, arguments["payment_method_id"])),
            ("Order total", money(first["amount"])),
        ),
        None,
        "The first payment is refunded.",
    )


def _modify_order_address(arguments: dict[str, Any], world: World) -> CallSummary:
    order = _order(world, arguments["order_id"])
    return CallSummary(
        f"Send {order['order_id']} to another address",
        (
            ("Order", _order_text(order)),
            ("Address now", address_text(order["address"])),
            ("New address", address_text(arguments)),
        ),
        None,
        "The customer's default address stays as it is.",
    )


def _modify_user_address(arguments: dict[str, Any], world: World) -> CallSummary:
    user = _record(world, "user", arguments["user_id"])
    name = f"{user['name']['first_name']} {user['name']['last_name']}"
    return CallSummary(
        f"Change the default address of {name}",
        (
            ("Customer", f"{name}, {user['email']}"),
            ("Address now", address_text(user["address"])),
            ("New address", address_text(arguments)),
        ),
        None,
        "Orders already placed keep their address.",
    )


def _transfer(arguments: dict[str, Any], world: World) -> CallSummary:
    return CallSummary(
        "Hand the customer over to a person",
        (("Summary", str(arguments["summary"])),),
        None,
        "The session ends as handed over.",
    )


def _swap(
    arguments: dict[str, Any], world: World
) -> tuple[tuple[tuple[str, str], ...], Decimal, list[dict[str, Any]]]:
    """Return rows, what the customer gets back (negative: pays), and the items replaced."""
    order = _order(world, arguments["order_id"])
    items = _items(order, arguments["item_ids"])
    lines, difference = [], Decimal(0)
    for item, new_id in zip(items, arguments["new_item_ids"], strict=False):
        new = _record(world, "product", item["product_id"])["variants"][new_id]
        difference += _price(new) - _price(item)
        lines.append(
            f"{item['name']}: {options_text(item['options'])} ({money(item['price'])}) → "
            f"{options_text(new['options'])} ({money(new['price'])})"
        )
    way = "pays" if difference > 0 else "receives"
    rows = (
        ("Order", _order_text(order)),
        ("Items", "\n".join(lines)),
        (
            "Difference",
            f"{money(abs(difference))}; the customer {way} it" if difference else "none",
        ),
        ("Settled by", _method(world, order, arguments["payment_method_id"])),
    )
    return rows, -difference, items


def _record(world: World, kind: str, key: str) -> dict[str, Any]:
    record = world.get(kind, key)
    if record is None:
        raise KeyError(key)
    return record


def _order(world: World, order_id: str) -> dict[str, Any]:
    return _record(world, "order", order_id)


def _order_text(order: dict[str, Any]) -> str:
    total = sum((_price(item) for item in order["items"]), Decimal(0))
    return f"{order['order_id']}, {order['status']}, total {money(total)}"


def _items(order: dict[str, Any], item_ids: list[str]) -> list[dict[str, Any]]:
    by_id = {item["item_id"]: item for item in order["items"]}
    return [by_id[item_id] for item_id in item_ids]


def _items_text(items: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"{item['name']}, {options_text(item['options'])} ({item['item_id']}), "
        f"{money(item['price'])}"
        for item in items
    )


def _method(world: World, order: dict[str, Any], method_id: str) -> str:
    user = _record(world, "user", order["user_id"])
    method = user["payment_methods"].get(method_id)
    return payment_method_text(method) if method else method_id


def _paid(order: dict[str, Any]) -> dict[str, Decimal]:
    paid: dict[str, Decimal] = {}
    for entry in order["payment_history"]:
        amount = Decimal(str(entry["amount"])).quantize(Decimal("0.01"))
        sign = 1 if entry["transaction_type"] == "payment" else -1
        method_id = entry["payment_method_id"]
        paid[method_id] = paid.get(method_id, Decimal(0)) + sign * amount
    return {method_id: max(amount, Decimal(0)) for method_id, amount in paid.items()}


def _price(item: dict[str, Any]) -> Decimal:
    return Decimal(str(item["price"])).quantize(Decimal("0.01"))


def _count(items: list[dict[str, Any]]) -> str:
    return f"{len(items)} item{'' if len(items) == 1 else 's'}"


_DESCRIPTIONS: dict[str, Callable[[dict[str, Any], World], CallSummary]] = {
    "cancel_pending_order": _cancel,
    "return_delivered_order_items": _return,
    "exchange_delivered_order_items": _exchange,
    "modify_pending_order_items": _modify_items,
    "modify_pending_order_payment": _modify_payment,
    "modify_pending_order_address": _modify_order_address,
    "modify_user_address": _modify_user_address,
    "transfer_to_human_agents": _transfer,
}
