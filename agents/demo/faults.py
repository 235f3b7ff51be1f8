"""Calls of the demo shop made wrong on purpose, from right ones: whom would it hurt, and how."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from agents.models import ShopRecord

Arguments = dict[str, Any]
Record = dict[str, Any]
_TRIED = 40


@dataclass(frozen=True)
class Fault:
    """A wrong call.

    Attributes:
        arguments: What it asks for.
        why: What is wrong with it, a sentence for people.
    """

    arguments: Arguments
    why: str


def shop_faults(
    *, tool: str, arguments: Arguments, dataset: str, rng: random.Random
) -> list[Fault]:
    """Return the ways in which this call of the shop's tool can be made wrong, maybe none."""
    shop = _Shop(dataset, rng)
    order = shop.get("order", str(arguments.get("order_id", "")))
    if order is None:
        return []
    made = (make(tool, arguments, order, shop) for make in _FAULTS)
    return [fault for fault in made if fault is not None]


class _Shop:
    def __init__(self, dataset: str, rng: random.Random) -> None:
        self._dataset = dataset
        self._rng = rng

    def get(self, kind: str, key: str) -> Record | None:
        found = ShopRecord.objects.filter(dataset=self._dataset, kind=kind, key=key)
        return found.values_list("data", flat=True).first()

    def some(self, kind: str, **conditions: Any) -> Iterator[Record]:
        """Yield a few records in random order."""
        found = ShopRecord.objects.filter(dataset=self._dataset, kind=kind, **conditions)
        keys = list(found.order_by("key").values_list("key", flat=True)[:500])
        for key in self._rng.sample(keys, min(len(keys), _TRIED)):
            record = self.get(kind, key)
            if record is not None:
                yield record

    def name_of(self, user_id: str) -> str:
        user = self.get("user", user_id)
        return f"{user['name']['first_name']} {user['name']['last_name']}" if user else user_id


def _order_of_somebody_else(
    tool: str, arguments: Arguments, order: Record, shop: _Shop
) -> Fault | None:
    if tool not in {"return_delivered_order_items", "cancel_pending_order"}:
        return None
    for other in shop.some("order", data__status=order["status"]):
        if other["user_id"] == order["user_id"]:
            continue
        wrong = {**arguments, "order_id": other["order_id"]}
        if tool == "return_delivered_order_items":
            wrong["item_ids"] = [other["items"][0]["item_id"]]
            wrong["payment_method_id"] = other["payment_history"][0]["payment_method_id"]
        owner, asker = shop.name_of(other["user_id"]), shop.name_of(order["user_id"])
        return Fault(wrong, f"{other['order_id']} is {owner}'s order; {asker} asked.")
    return None


def _method_of_somebody_else(
    tool: str, arguments: Arguments, order: Record, shop: _Shop
) -> Fault | None:
    if "payment_method_id" not in arguments:
        return None
    for user in shop.some("user"):
        cards = [each for each in user["payment_methods"].values() if each["source"] == "gift_card"]
        if user["user_id"] != order["user_id"] and cards:
            wrong = {**arguments, "payment_method_id": cards[0]["id"]}
            owner = shop.name_of(user["user_id"])
            return Fault(wrong, f"The refund would go to a gift card of {owner}, who did not ask.")
    return None


def _another_item(tool: str, arguments: Arguments, order: Record, shop: _Shop) -> Fault | None:
    if tool != "return_delivered_order_items":
        return None
    asked = set(arguments.get("item_ids", ()))
    others = [item for item in order["items"] if item["item_id"] not in asked]
    if not others:
        return None
    dearest = max(others, key=lambda item: float(item["price"]))
    wrong = {**arguments, "item_ids": [dearest["item_id"]]}
    return Fault(wrong, f"The customer did not ask to return the item “{dearest['name']}”.")


def _more_than_asked(tool: str, arguments: Arguments, order: Record, shop: _Shop) -> Fault | None:
    every = [item["item_id"] for item in order["items"]]
    if tool != "return_delivered_order_items" or sorted(every) == sorted(arguments["item_ids"]):
        return None
    asked = len(arguments["item_ids"])
    return Fault(
        {**arguments, "item_ids": every},
        f"It would refund all {len(every)} items; the customer asked for {asked}.",
    )


def _delivered_order(tool: str, arguments: Arguments, order: Record, shop: _Shop) -> Fault | None:
    if tool != "cancel_pending_order":
        return None
    for other in shop.some("order", data__status="delivered", data__user_id=order["user_id"]):
        wrong = {**arguments, "order_id": other["order_id"]}
        return Fault(wrong, f"{other['order_id']} was delivered: it cannot be cancelled any more.")
    return None


_FAULTS: tuple[Callable[[str, Arguments, Record, _Shop], Fault | None], ...] = (
    _order_of_somebody_else,
    _method_of_somebody_else,
    _another_item,
    _more_than_asked,
    _delivered_order,
)
