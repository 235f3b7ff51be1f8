"""Tools that take back or exchange items of delivered orders."""

from typing import Any

from agents.demo.tools.records import (
    ORDER,
    ORDER_ID,
    TEXT,
    TEXTS,
    check_balance,
    check_items,
    described,
    is_gift_card,
    object_schema,
    order_of,
    payment_method_of,
    price_difference,
    replacements,
    user_of,
)
from agents.models import Tier
from agents.tools.contract import ToolContract, ToolError
from agents.tools.world import World


def return_delivered_order_items(
    world: World, *, order_id: str, item_ids: list[str], payment_method_id: str
) -> dict[str, Any]:
    """Start the return of items; the refund goes to the original method or a gift card."""
    order = order_of(world, order_id)
    if order["status"] != "delivered":
        raise ToolError("Non-delivered order cannot be returned")
    method = payment_method_of(user_of(world, order["user_id"]), payment_method_id)
    original_id = order["payment_history"][0]["payment_method_id"]
    if payment_method_id != original_id and not is_gift_card(method):
        raise ToolError("Payment method should be the original payment method")
    if not item_ids:
        raise ToolError("No items to return")
    check_items(order, item_ids)
    order |= {
        "status": "return requested",
        "return_items": sorted(item_ids),
        "return_payment_method_id": payment_method_id,
    }
    world.put("order", order_id, order)
    return order


def exchange_delivered_order_items(
    world: World,
    *,
    order_id: str,
    item_ids: list[str],
    new_item_ids: list[str],
    payment_method_id: str,
) -> dict[str, Any]:
    """Start the exchange of items for other variants of the same products; once per order."""
    order = order_of(world, order_id)
    if order["status"] != "delivered":
        raise ToolError("Non-delivered order cannot be exchanged")
    difference = round(price_difference(replacements(world, order, item_ids, new_item_ids)), 2)
    method = payment_method_of(user_of(world, order["user_id"]), payment_method_id)
    check_balance(method, difference, "price difference")
    order |= {
        "status": "exchange requested",
        "exchange_items": sorted(item_ids),
        "exchange_new_items": sorted(new_item_ids),
        "exchange_payment_method_id": payment_method_id,
        "exchange_price_difference": difference,
    }
    world.put("order", order_id, order)
    return order


CONTRACTS = (
    ToolContract(
        name="return_delivered_order_items",
        version="1",
        description=(
            "Start the return of items of a delivered order and refund them. List the items and "
            "the refund and get the customer's yes before calling it."
        ),
        parameters=object_schema(
            order_id=ORDER_ID,
            item_ids=described(TEXTS, "Item ids to return; twice where it was ordered twice."),
            payment_method_id=described(
                TEXT, "Receives the refund: the order's payment method, or a gift card."
            ),
        ),
        tier=Tier.MONEY,
        returns=ORDER,
        function=return_delivered_order_items,
    ),
    ToolContract(
        name="exchange_delivered_order_items",
        version="1",
        description=(
            "Exchange items of a delivered order for other variants of the same products. Works "
            "once per order, so collect all items first, list them and get the customer's yes."
        ),
        parameters=object_schema(
            order_id=ORDER_ID,
            item_ids=described(TEXTS, "Item ids to exchange; twice where it was ordered twice."),
            new_item_ids=described(TEXTS, "The new item ids, in the same order."),
            payment_method_id=described(TEXT, "Pays or receives the price difference."),
        ),
        tier=Tier.WRITE_IRREVERSIBLE,
        returns=ORDER,
        function=exchange_delivered_order_items,
    ),
)
