"""Tools that find users, orders and products."""

from typing import Any

from agents.demo.tools.records import (
    ORDER,
    ORDER_ID,
    PRODUCT,
    PRODUCT_IDS,
    TEXT,
    USER,
    described,
    object_schema,
    order_of,
    product_of,
    user_of,
)
from agents.models import Effect, Tier
from agents.tools.contract import ToolContract, ToolError
from agents.tools.world import World


def find_user_id_by_email(world: World, *, email: str) -> str:
    """Return the id of the user with this e-mail address."""
    user_id = world.find_user(email=email) if email.strip() else None
    if user_id is None:
        raise ToolError("User not found")
    return user_id


def find_user_id_by_name_zip(world: World, *, first_name: str, last_name: str, zip: str) -> str:
    """Return the id of the user with this name and zip code."""
    user_id = world.find_user(first_name=first_name, last_name=last_name, zip_code=zip)
    if user_id is None:
        raise ToolError("User not found")
    return user_id


def get_user_details(world: World, *, user_id: str) -> dict[str, Any]:
    """Return a user's profile: name, e-mail, address, payment methods, order ids."""
    return user_of(world, user_id)


def get_order_details(world: World, *, order_id: str) -> dict[str, Any]:
    """Return an order: items, status, address, payments."""
    return order_of(world, order_id)


def get_product_details(world: World, *, product_id: str) -> dict[str, Any]:
    """Return a product with its variants."""
    return product_of(world, product_id)


def list_all_product_types(world: World) -> dict[str, str]:
    """Return the product ids by name."""
    return world.products()


CONTRACTS = (
    ToolContract(
        name="find_user_id_by_email",
        version="1",
        description="Find a customer's user id by e-mail address.",
        parameters=object_schema(
            email=described(TEXT, "The e-mail address, such as 'name@example.com'.")
        ),
        tier=Tier.READ,
        returns=TEXT,
        effect=Effect.READ,
        function=find_user_id_by_email,
    ),
    ToolContract(
        name="find_user_id_by_name_zip",
        version="1",
        description=(
            "Find a customer's user id by first name, last name and zip code. Use it when the "
            "customer does not know the e-mail address, or no user has it."
        ),
        parameters=object_schema(
            first_name=described(TEXT, "First name."),
            last_name=described(TEXT, "Last name."),
            zip=described(TEXT, "Zip code."),
        ),
        tier=Tier.READ,
        returns=TEXT,
        effect=Effect.READ,
        function=find_user_id_by_name_zip,
    ),
    ToolContract(
        name="get_user_details",
        version="1",
        description="Get a customer's profile: address, e-mail, payment methods, order ids.",
        parameters=object_schema(user_id=described(TEXT, "The user id.")),
        tier=Tier.READ_SENSITIVE,
        returns=USER,
        effect=Effect.READ,
        function=get_user_details,
    ),
    ToolContract(
        name="get_order_details",
        version="1",
        description="Get an order: its items, status, address, deliveries and payments.",
        parameters=object_schema(order_id=ORDER_ID),
        tier=Tier.READ,
        returns=ORDER,
        effect=Effect.READ,
        function=get_order_details,
    ),
    ToolContract(
        name="get_product_details",
        version="1",
        description="Get a product's variants: item ids, options, prices, availability.",
        parameters=object_schema(
            product_id=described(TEXT, "The product id (an item id is something else).")
        ),
        tier=Tier.READ,
        returns=PRODUCT,
        effect=Effect.READ,
        function=get_product_details,
    ),
    ToolContract(
        name="list_all_product_types",
        version="1",
        description="List the names and product ids of all products of the shop.",
        parameters=object_schema(),
        tier=Tier.READ,
        returns=PRODUCT_IDS,
        effect=Effect.READ,
        function=list_all_product_types,
    ),
)
