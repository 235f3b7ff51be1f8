"""What the desk itself checks about a call of the demo shop, for the person who decides it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agents.tools.world import World

_STATUS = {
    "cancel_pending_order": ("pending", "can still be cancelled"),
    "modify_pending_order_items": ("pending", "can still be changed"),
    "modify_pending_order_payment": ("pending", "can still be changed"),
    "modify_pending_order_address": ("pending", "can still be changed"),
    "return_delivered_order_items": ("delivered", "can be returned"),
    "exchange_delivered_order_items": ("delivered", "can be exchanged"),
}


@dataclass(frozen=True)
class CallCheck:
    """One thing that was looked up.

    Attributes:
        label: Row of the summary that it belongs to.
        is_ok: Whether it is as it should be.
        text: What was found, for people.
    """

    label: str
    is_ok: bool
    text: str


def checks_of(
    name: str, arguments: dict[str, Any], world: World, customer: str
) -> tuple[CallCheck, ...]:
    """Return what the shop's records say about a call.

    Args:
        name: The tool.
        arguments: What it would be called with.
        world: The shop as the run left it.
        customer: Whom the session is with, where that is known.
    """
    found: list[CallCheck] = []
    for check in (_order, _owner, _method, _amount):
        try:
            found += check(name, arguments, world, customer)
        except (KeyError, TypeError, AttributeError, IndexError):
            continue
    return tuple(found)


def _order(name: str, arguments: dict[str, Any], world: World, _: str) -> list[CallCheck]:
    if name not in _STATUS:
        return []
    wanted, can = _STATUS[name]
    order = world.get("order", arguments["order_id"])
    if order is None:
        return [CallCheck("Order", False, "there is no such order")]
    if order["status"].startswith(wanted):
        return [CallCheck("Order", True, can)]
    return [CallCheck("Order", False, f"is {order['status']}, not {wanted}")]


def _owner(name: str, arguments: dict[str, Any], world: World, customer: str) -> list[CallCheck]:
    label = "Order" if "order_id" in arguments else "Customer"
    user_id = arguments.get("user_id")
    if label == "Order":
        order = world.get("order", arguments["order_id"])
        user_id = order["user_id"] if order else None
    user = world.get("user", user_id) if user_id else None
    # A masked name says nothing about whose it is.
    if user is None or not customer or "[" in customer:
        return []
    owner = _name(user)
    if customer.casefold() in {owner.casefold(), user["email"].casefold(), user_id}:
        return [CallCheck(label, True, f"{user['name']['first_name']}’s own")]
    return [CallCheck(label, False, f"is {owner}’s; the session is with {customer}")]


def _method(name: str, arguments: dict[str, Any], world: World, _: str) -> list[CallCheck]:
    method_id = arguments.get("payment_method_id")
    order = world.get("order", arguments["order_id"]) if method_id else None
    if order is None:
        return []
    user = world.get("user", order["user_id"])
    if user is None:
        return []
    label = {"return_delivered_order_items": "Refund to", "modify_pending_order_payment": "Pay by"}
    row = label.get(name, "Settled by")
    if method_id in user["payment_methods"]:
        return [CallCheck(row, True, f"{user['name']['first_name']}’s own")]
    return [CallCheck(row, False, f"is not a payment method of {_name(user)}")]


def _amount(name: str, arguments: dict[str, Any], world: World, _: str) -> list[CallCheck]:
    if name != "return_delivered_order_items":
        return []
    order = world.get("order", arguments["order_id"])
    if order is None:
        return []
    left = [item["item_id"] for item in order["items"]]
    for item_id in arguments["item_ids"]:
        if item_id not in left:
            return [CallCheck("Items", False, f"{item_id} is not in this order")]
        left.remove(item_id)
    total = sum((Decimal(str(item["price"])) for item in order["items"]), Decimal(0))
    num = len(arguments["item_ids"])
    what = "the item" if num == 1 else f"the {num} items"
    return [CallCheck("Amount", True, f"= {what}; order total ${total:,.2f}")]


def _name(user: dict[str, Any]) -> str:
    return f"{user['name']['first_name']} {user['name']['last_name']}"
