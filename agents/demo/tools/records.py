"""What the shop's tools share: fetching records or saying that there are none, and money."""

from collections import Counter
from typing import Any

from agents.tools.contract import ToolError
from agents.tools.world import World

ORDER_EXTRAS = (
    "cancel_reason",
    "exchange_items",
    "exchange_new_items",
    "exchange_payment_method_id",
    "exchange_price_difference",
    "return_items",
    "return_payment_method_id",
)
TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
TEXTS: dict[str, Any] = {"type": "array", "items": TEXT}


def object_schema(**properties: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of an arguments object in which every property is required."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def described(schema: dict[str, Any], description: str) -> dict[str, Any]:
    """Return the schema with a description for the model."""
    return {**schema, "description": description}


ORDER_ID = described(TEXT, "The order's id, with its '#', such as '#W0000000'.")
PAYMENT_METHOD_ID = described(
    TEXT, "Id of one of the customer's payment methods, from the profile."
)


def record_schema(**properties: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of a record: it has these properties, and may have more."""
    return {"type": "object", "properties": properties, "required": list(properties)}


_OBJECT: dict[str, Any] = {"type": "object"}
ORDER = record_schema(
    order_id=TEXT,
    user_id=TEXT,
    status=TEXT,
    address=_OBJECT,
    items={
        "type": "array",
        "items": record_schema(item_id=TEXT, product_id=TEXT, price={"type": "number"}),
    },
    payment_history={
        "type": "array",
        "items": record_schema(
            transaction_type={"enum": ["payment", "refund"]},
            amount={"type": "number"},
            payment_method_id=TEXT,
        ),
    },
)
USER = record_schema(
    user_id=TEXT,
    name=_OBJECT,
    address=_OBJECT,
    email=TEXT,
    payment_methods={
        "type": "object",
        "additionalProperties": record_schema(source=TEXT, id=TEXT),
    },
    orders={"type": "array", "items": TEXT},
)
PRODUCT = record_schema(
    name=TEXT,
    product_id=TEXT,
    variants={
        "type": "object",
        "additionalProperties": record_schema(
            item_id=TEXT,
            options=_OBJECT,
            available={"type": "boolean"},
            price={"type": "number"},
        ),
    },
)
PRODUCT_IDS: dict[str, Any] = {"type": "object", "additionalProperties": TEXT}
ADDRESS: dict[str, dict[str, Any]] = {
    "address1": described(TEXT, "First line of the address, such as '12 Main Street'."),
    "address2": described({"type": "string"}, "Second line, such as 'Apt 4', or an empty text."),
    "city": described(TEXT, "City."),
    "state": described(TEXT, "State, two letters."),
    "country": described(TEXT, "Country, such as 'USA'."),
    "zip": described(TEXT, "Zip code."),
}


def order_of(world: World, order_id: str) -> dict[str, Any]:
    """Return the order with every optional attribute present (None where it has no value).

    Raises:
        ToolError: There is no such order.
    """
    order = world.get("order", order_id)
    if order is None:
        raise ToolError("Order not found")
    return {**dict.fromkeys(ORDER_EXTRAS), **order}


def user_of(world: World, user_id: str) -> dict[str, Any]:
    """Return the user.

    Raises:
        ToolError: There is no such user.
    """
    user = world.get("user", user_id)
    if user is None:
        raise ToolError("User not found")
    return user


def product_of(world: World, product_id: str) -> dict[str, Any]:
    """Return the product.

    Raises:
        ToolError: There is no such product.
    """
    product = world.get("product", product_id)
    if product is None:
        raise ToolError("Product not found")
    return product


def payment_method_of(user: dict[str, Any], payment_method_id: str) -> dict[str, Any]:
    """Return one of the user's payment methods.

    Raises:
        ToolError: The user has no such method.
    """
    method: dict[str, Any] | None = user["payment_methods"].get(payment_method_id)
    if method is None:
        raise ToolError("Payment method not found")
    return method


def is_gift_card(method: dict[str, Any]) -> bool:
    """Say whether the payment method is a gift card, which has a balance."""
    return bool(method["source"] == "gift_card")


def change_balance(world: World, user_id: str, payment_method_id: str, amount: float) -> None:
    """Add `amount` (US dollars, may be negative) to a gift card; other methods have no balance."""
    user = user_of(world, user_id)
    method = payment_method_of(user, payment_method_id)
    if is_gift_card(method):
        method["balance"] = round(method["balance"] + amount, 2)
        world.put("user", user_id, user)


def check_items(order: dict[str, Any], item_ids: list[str]) -> None:
    """Check that the order holds each of the items as often as it is named.

    Raises:
        ToolError: An item is not in the order, or not so often.
    """
    ordered = Counter(item["item_id"] for item in order["items"])
    for item_id, count in Counter(item_ids).items():
        if count > ordered[item_id]:
            raise ToolError(f"Item {item_id} not found in the order {count} times")


def replacements(
    world: World, order: dict[str, Any], item_ids: list[str], new_item_ids: list[str]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return (item of the order, variant that takes its place), in the order given.

    Raises:
        ToolError: The lists do not match, an item is not in the order, or a variant is of
            another product or not available.
    """
    check_items(order, item_ids)
    if not item_ids or len(item_ids) != len(new_item_ids):
        raise ToolError("The number of items to be exchanged should match")
    left = list(order["items"])
    pairs = []
    for item_id, new_item_id in zip(item_ids, new_item_ids, strict=True):
        item = next(item for item in left if item["item_id"] == item_id)
        left.remove(item)
        variant = product_of(world, item["product_id"])["variants"].get(new_item_id)
        if variant is None or not variant["available"]:
            raise ToolError(f"New item {new_item_id} not found or available")
        pairs.append((item, variant))
    return pairs


def price_difference(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> float:
    """Return what the new items cost more than the old ones (US dollars; negative: less)."""
    return float(sum(variant["price"] - item["price"] for item, variant in pairs))


def check_balance(method: dict[str, Any], amount: float, purpose: str) -> None:
    """Check that a gift card covers `amount`.

    Raises:
        ToolError: The method is a gift card with a lower balance.
    """
    if is_gift_card(method) and method["balance"] < amount:
        raise ToolError(f"Insufficient gift card balance to pay for the {purpose}")
