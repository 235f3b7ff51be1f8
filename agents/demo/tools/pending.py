"""Tools that cancel or change orders that are still pending."""

from typing import Any

from agents.demo.tools.records import (
    ADDRESS,
    ORDER,
    ORDER_ID,
    PAYMENT_METHOD_ID,
    TEXT,
    TEXTS,
    change_balance,
    check_balance,
    described,
    object_schema,
    order_of,
    payment_method_of,
    price_difference,
    replacements,
    user_of,
)
from agents.demo.tools.undo import UNDO
from agents.models import Tier
from agents.tools.contract import ToolContract, ToolError
from agents.tools.world import World

REASONS = ("no longer needed", "ordered by mistake")
ITEMS_MODIFIED = "pending (item modified)"


def cancel_pending_order(world: World, *, order_id: str, reason: str) -> dict[str, Any]:
    """Cancel the order and refund what each payment method has paid for it."""
    order = order_of(world, order_id)
    if order["status"] != "pending":
        raise ToolError("Non-pending order cannot be cancelled")
    if reason not in REASONS:
        raise ToolError("Invalid reason")
    for method_id, amount in _paid(order).items():
        order["payment_history"].append(_transaction("refund", amount, method_id))
        change_balance(world, order["user_id"], method_id, amount)
    order |= {"status": "cancelled", "cancel_reason": reason}
    world.put("order", order_id, order)
    return order


def modify_pending_order_address(
    world: World,
    *,
    order_id: str,
    address1: str,
    address2: str,
    city: str,
    state: str,
    country: str,
    zip: str,
) -> dict[str, Any]:
    """Send the order to another address."""
    order = _changeable_order(world, order_id)
    order["address"] = {
        "address1": address1,
        "address2": address2,
        "city": city,
        "country": country,
        "state": state,
        "zip": zip,
    }
    world.put("order", order_id, order)
    return order


def modify_pending_order_payment(
    world: World, *, order_id: str, payment_method_id: str
) -> dict[str, Any]:
    """Pay the order by another method and refund the first one."""
    order = _changeable_order(world, order_id)
    method = payment_method_of(user_of(world, order["user_id"]), payment_method_id)
    history = order["payment_history"]
    if len(history) != 1 or history[0]["transaction_type"] != "payment":
        raise ToolError("There should be exactly one payment for a pending order")
    amount, original_id = history[0]["amount"], history[0]["payment_method_id"]
    if payment_method_id == original_id:
        raise ToolError("The new payment method should be different from the current one")
    check_balance(method, amount, "order")
    history.append(_transaction("payment", amount, payment_method_id))
    history.append(_transaction("refund", amount, original_id))
    change_balance(world, order["user_id"], payment_method_id, -amount)
    change_balance(world, order["user_id"], original_id, amount)
    world.put("order", order_id, order)
    return order


def modify_pending_order_items(
    world: World,
    *,
    order_id: str,
    item_ids: list[str],
    new_item_ids: list[str],
    payment_method_id: str,
) -> dict[str, Any]:
    """Replace items by other variants of the same products; possible once per order."""
    order = order_of(world, order_id)
    if order["status"] != "pending":
        raise ToolError("Non-pending order cannot be modified")
    if any(old == new for old, new in zip(item_ids, new_item_ids, strict=False)):
        raise ToolError("The new item id should be different from the old item id")
    pairs = replacements(world, order, item_ids, new_item_ids)
    difference = price_difference(pairs)
    method = payment_method_of(user_of(world, order["user_id"]), payment_method_id)
    check_balance(method, difference, "price difference")
    order["payment_history"].append(
        _transaction("payment" if difference > 0 else "refund", abs(difference), payment_method_id)
    )
    for item, variant in pairs:
        item |= {key: variant[key] for key in ("item_id", "price", "options")}
    order["status"] = ITEMS_MODIFIED
    change_balance(world, order["user_id"], payment_method_id, -difference)
    world.put("order", order_id, order)
    return order


def _changeable_order(world: World, order_id: str) -> dict[str, Any]:
    """Return the order if its address or payment may still change: also after its items have."""
    order = order_of(world, order_id)
    if order["status"] not in {"pending", ITEMS_MODIFIED}:
        raise ToolError("Non-pending order cannot be modified")
    return order


def _transaction(kind: str, amount: float, payment_method_id: str) -> dict[str, Any]:
    return {
        "transaction_type": kind,
        "amount": amount,
        "payment_method_id": payment_method_id,
    }


def _paid(order: dict[str, Any]) -> dict[str, float]:
    """Return what is paid and not refunded, by payment method (US dollars, more than 0)."""
    paid: dict[str, float] = {}
    for entry in order["payment_history"]:
        sign = 1 if entry["transaction_type"] == "payment" else -1
        method_id = entry["payment_method_id"]
        paid[method_id] = round(paid.get(method_id, 0) + sign * entry["amount"], 2)
    return {method_id: amount for method_id, amount in paid.items() if amount > 0}


CONTRACTS = (
    ToolContract(
        name="cancel_pending_order",
        version="1",
        description=(
            "Cancel a pending order; its payment is refunded. Cannot be undone. List what will "
            "happen and get the customer's yes before calling it."
        ),
        parameters=object_schema(
            order_id=ORDER_ID,
            reason={"type": "string", "enum": list(REASONS), "description": "The reason."},
        ),
        tier=Tier.WRITE_IRREVERSIBLE,
        returns=ORDER,
        function=cancel_pending_order,
    ),
    ToolContract(
        name="modify_pending_order_address",
        version="1",
        description=(
            "Change the shipping address of a pending order. List the new address and get the "
            "customer's yes before calling it."
        ),
        parameters=object_schema(order_id=ORDER_ID, **ADDRESS),
        tier=Tier.WRITE_REVERSIBLE,
        returns=ORDER,
        function=modify_pending_order_address,
        policy=UNDO,
    ),
    ToolContract(
        name="modify_pending_order_payment",
        version="1",
        description=(
            "Pay a pending order by another of the customer's payment methods. Say which and get "
            "the customer's yes before calling it."
        ),
        parameters=object_schema(order_id=ORDER_ID, payment_method_id=PAYMENT_METHOD_ID),
        tier=Tier.WRITE_REVERSIBLE,
        returns=ORDER,
        function=modify_pending_order_payment,
        policy=UNDO,
    ),
    ToolContract(
        name="modify_pending_order_items",
        version="1",
        description=(
            "Replace items of a pending order by other variants of the same products. Works once "
            "per order, so collect all items first, list them and get the customer's yes."
        ),
        parameters=object_schema(
            order_id=ORDER_ID,
            item_ids=described(TEXTS, "Item ids to replace; twice where it was ordered twice."),
            new_item_ids=described(TEXTS, "The new item ids, in the same order."),
            payment_method_id=described(TEXT, "Pays or receives the price difference."),
        ),
        tier=Tier.WRITE_REVERSIBLE,
        returns=ORDER,
        function=modify_pending_order_items,
        policy=UNDO,
    ),
)
