"""What customers ask."""

from agents.demo.scenarios.case import (
    THANKS,
    Case,
    Expectation,
    Talk,
)


def where_is_it(case: Case) -> Talk | None:
    """Ask how an order stands."""
    order = case.order("processed", "pending", "delivered", "return requested")
    if order is None:
        return None
    number = order["order_id"]
    wish = case.pick(
        f"Where is my order {number}?",
        f"What is the status of {number}, and which card did I use?",
        f"Do you have a tracking number for {number}?",
    )
    return case.talk(wish, (case.pick(*THANKS),), Expectation())


def asks_what_nobody_knows(case: Case) -> Talk | None:
    """Ask for a date, a warranty or a recommendation, which no record tells."""
    order = case.order("processed", "pending")
    if order is None:
        return None
    name, number = order["items"][0]["name"].lower(), order["order_id"]
    wish = case.pick(
        f"When will order {number} arrive? I need it on Friday.",
        f"How long is the warranty on the {name} in {number}?",
        f"I ordered the {name} ({number}). Is it dishwasher safe?",
    )
    return case.talk(wish, (case.pick(*THANKS),), Expectation(is_unknowable=True))


def asks_for_versions(case: Case) -> Talk | None:
    """Ask which versions of a product there are."""
    name = case.rng.choice(
        sorted(product["name"] for product in case.records["product"].values())
    ).lower()
    first = case.pick(
        f"Hello, which versions of the {name} do you have in stock?",
        f"Hi, how much is the {name}, and what options are there?",
        f"How many versions of the {name} are available?",
    )
    return Talk(first, (case.pick(*THANKS),), Expectation())


def asks_for_balance(case: Case) -> Talk | None:
    """Ask what is left on the gift card."""
    if not case.method("gift_card"):
        return None
    wish = case.pick("What is the balance of my gift card?", "How much is left on my gift card?")
    return case.talk(wish, (case.pick(*THANKS),), Expectation())
