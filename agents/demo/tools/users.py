"""The tool that changes a customer's profile."""

from typing import Any

from agents.demo.tools.records import (
    ADDRESS,
    TEXT,
    USER,
    described,
    object_schema,
    user_of,
)
from agents.demo.tools.undo import UNDO
from agents.models import Tier
from agents.tools.contract import ToolContract
from agents.tools.world import World


def modify_user_address(
    world: World,
    *,
    user_id: str,
    address1: str,
    address2: str,
    city: str,
    state: str,
    country: str,
    zip: str,
) -> dict[str, Any]:
    """Change the user's default address; orders keep theirs."""
    user = user_of(world, user_id)
    user["address"] = {
        "address1": address1,
        "address2": address2,
        "city": city,
        "country": country,
        "state": state,
        "zip": zip,
    }
    world.put("user", user_id, user)
    return user


CONTRACTS = (
    ToolContract(
        name="modify_user_address",
        version="1",
        description=(
            "Change a customer's default address. Orders already placed keep theirs. List the new "
            "address and get the customer's yes before calling it."
        ),
        parameters=object_schema(user_id=described(TEXT, "The user id."), **ADDRESS),
        tier=Tier.WRITE_REVERSIBLE,
        returns=USER,
        function=modify_user_address,
        policy=UNDO,
    ),
)
