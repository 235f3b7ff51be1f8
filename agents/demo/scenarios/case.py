"""A customer to make a task for, and what a task holds."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

THANKS = ("Thanks, that's all.", "Thank you.", "Great, thanks.", "Perfect, bye.")
YES = ("Yes, please.", "Yes, go ahead.", "yes", "Yes, that is right.", "Yes please, do it.")


@dataclass(frozen=True)
class Expectation:
    """What should come of a task, by the policy.

    Attributes:
        writes: (tool, arguments) of what should be changed; order does not matter.
        is_handover: Whether a person should take over.
        foreign_order: An order of somebody else, which must not be shown.
        is_unknowable: Whether the honest answer is "I do not know".
        has_other_reason: Whether the customer gives a reason that is not accepted.
        is_trusting: Whether the customer wants to be believed without proof.
    """

    writes: tuple[tuple[str, dict[str, Any]], ...] = ()
    is_handover: bool = False
    foreign_order: str = ""
    is_unknowable: bool = False
    has_other_reason: bool = False
    is_trusting: bool = False


@dataclass(frozen=True)
class Talk:
    """What a customer says, and what should come of it."""

    first: str
    turns: tuple[str, ...]
    expectation: Expectation = field(default_factory=Expectation)


@dataclass(frozen=True)
class Case:
    """A customer to make a task for.

    Attributes:
        user: The customer's profile.
        records: The whole shop, by kind and key; not to be changed.
        rng: Decides which order and which words.
    """

    user: dict[str, Any]
    records: Mapping[str, Mapping[str, dict[str, Any]]]
    rng: random.Random

    def pick(self, *texts: str) -> str:
        """Return one of the texts."""
        return self.rng.choice(texts)

    def order(self, *statuses: str, num_items: int = 1) -> dict[str, Any] | None:
        """Return one of the customer's orders with a status and so many items, or None."""
        orders = [self.records["order"][key] for key in self.user["orders"]]
        fitting = [
            order
            for order in orders
            if order["status"] in statuses and len(order["items"]) >= num_items
        ]
        return self.rng.choice(fitting) if fitting else None

    def method(self, source: str) -> str:
        """Return the id of the customer's payment method from this source, or empty."""
        methods = self.user["payment_methods"]
        return next((key for key, each in methods.items() if each["source"] == source), "")

    def identity(self) -> str:
        """Return how the customer says who they are."""
        first, last = self.user["name"]["first_name"], self.user["name"]["last_name"]
        zip_code = self.user["address"]["zip"]
        return self.pick(
            f"My e-mail is {self.user['email']}.",
            f"I'm {first} {last}, zip code {zip_code}.",
            f"My name is {first} {last}, {zip_code}.",
            f"The account is under {self.user['email']}.",
        )

    def talk(
        self,
        wish: str,
        turns: tuple[str, ...],
        expectation: Expectation,
        *,
        share_at_once: float = 0.7,
    ) -> Talk:
        """Return the talk; a share says who they are at once, the others when asked."""
        hello = self.pick("Hi,", "Hello,", "Good morning,", "Hi there,", "Hey,")
        if self.rng.random() < share_at_once:
            first = f"{hello} {_lower_first(self.identity())} {wish}"
            if self.rng.random() < 0.5:
                first = f"{hello} {_lower_first(wish)} {self.identity()}"
            return Talk(first, turns, expectation)
        first = f"{hello} {_lower_first(wish)}"
        return Talk(first, (self.identity(), *turns), expectation)

    def swap(self, order: dict[str, Any], index: int, *, is_available: bool = True) -> Any:
        """Return (item, variant, key of the one option that differs), or None."""
        item = order["items"][index]
        product = self.records["product"][item["product_id"]]
        found = []
        for variant in product["variants"].values():
            differing = [
                key for key, value in variant["options"].items() if item["options"][key] != value
            ]
            if len(differing) == 1 and variant["available"] is is_available:
                found.append((item, variant, differing[0]))
        return self.rng.choice(found) if found else None


def cancels(order_id: str, reason: str) -> Expectation:
    """Return that the order should be cancelled."""
    return Expectation((("cancel_pending_order", {"order_id": order_id, "reason": reason}),))


def returns(order: dict[str, Any], items: list[dict[str, Any]], method_id: str) -> Expectation:
    """Return that items should be returned, with the refund to this method."""
    arguments = {
        "order_id": order["order_id"],
        "item_ids": [item["item_id"] for item in items],
        "payment_method_id": method_id,
    }
    return Expectation((("return_delivered_order_items", arguments),))


def replaces(
    order: dict[str, Any], pairs: list[tuple[dict[str, Any], dict[str, Any]]]
) -> Expectation:
    """Return that items should be replaced, settled by the original payment method."""
    is_pending = order["status"] == "pending"
    tool = "modify_pending_order_items" if is_pending else "exchange_delivered_order_items"
    arguments = {
        "order_id": order["order_id"],
        "item_ids": [item["item_id"] for item, _ in pairs],
        "new_item_ids": [variant["item_id"] for _, variant in pairs],
        "payment_method_id": order["payment_history"][0]["payment_method_id"],
    }
    return Expectation(((tool, arguments),))


def value_of(variant: dict[str, Any], key: str) -> str:
    """Return a variant's option as a customer says it."""
    value = variant["options"][key]
    return f"size {value}" if key == "size" and len(value) < 3 else str(value)


def new_address(case: Case) -> dict[str, str]:
    """Return an address that nobody of the shop has."""
    street = case.pick("Willow Bend", "Quayside Road", "Hazel Grove", "Cooper Lane", "Foundry Way")
    city, state, start = case.rng.choice(
        [("Salem", "OR", "973"), ("Durham", "NC", "277"), ("Pueblo", "CO", "810")]
    )
    second = case.pick("", "Apt 12", "Unit 7")
    return {
        "address1": f"{case.rng.randint(3, 290)} {street}",
        "address2": second,
        "city": city,
        "state": state,
        "country": "USA",
        "zip": f"{start}{case.rng.randint(10, 89)}",
    }


def one_line(address: dict[str, str]) -> str:
    """Return an address as a customer writes it."""
    parts = [address["address1"], address["address2"], address["city"]]
    return ", ".join([part for part in parts if part] + [f"{address['state']} {address['zip']}"])


def _lower_first(text: str) -> str:
    is_name = text.startswith(("I ", "I'", "PayPal"))
    return text if is_name else text[0].lower() + text[1:]
