"""What customers want of single items: return them, exchange them."""

from agents.demo.scenarios.case import (
    THANKS,
    YES,
    Case,
    Expectation,
    Talk,
    replaces,
    returns,
    value_of,
)


def return_one_item(case: Case) -> Talk | None:
    """Return an item; the refund goes back to how it was paid."""
    order = case.order("delivered", num_items=2)
    if order is None:
        return None
    item = case.rng.choice(order["items"])
    name, number = item["name"].lower(), order["order_id"]
    wish = case.pick(
        f"I would like to return the {name} from order {number}. Please refund it to the original "
        "payment method.",
        f"The {name} in {number} is not what I expected, I want to return it. The refund can go to "
        "how I paid.",
    )
    original = order["payment_history"][0]["payment_method_id"]
    turns = (case.pick(*YES), case.pick(*THANKS))
    return case.talk(wish, turns, returns(order, [item], original))


def return_to_gift_card(case: Case) -> Talk | None:
    """Return an item; the refund goes to a gift card that did not pay it."""
    order, card = case.order("delivered", num_items=2), case.method("gift_card")
    if order is None or not card or order["payment_history"][0]["payment_method_id"] == card:
        return None
    item = case.rng.choice(order["items"])
    name, number = item["name"].lower(), order["order_id"]
    wish = case.pick(
        f"I'd like to return the {name} from {number}, with the refund to my gift card please.",
        f"Please take back the {name} of order {number} and put the refund on my gift card.",
        f"Could I return the {name} from order {number}? I want the money on my gift card, not on "
        "the card I paid with.",
    )
    turns = (case.pick("Yes, to my gift card.", *YES), case.pick(*THANKS))
    return case.talk(wish, turns, returns(order, [item], card))


def return_two_items(case: Case) -> Talk | None:
    """Return two items at once."""
    order = case.order("delivered", num_items=3)
    if order is None:
        return None
    items = order["items"][:2]
    first, second = (item["name"].lower() for item in items)
    number = order["order_id"]
    wish = case.pick(
        f"The {first} and the {second} from order {number} should go back please. Refund to the "
        "original payment method.",
        f"I want to return two things from {number}: the {first} and the {second}. Refund it the "
        "same way I paid.",
    )
    original = order["payment_history"][0]["payment_method_id"]
    turns = (case.pick(*YES), case.pick(*THANKS))
    return case.talk(wish, turns, returns(order, items, original))


def exchange_two_items(case: Case) -> Talk | None:
    """Exchange two items of a delivered order."""
    order = case.order("delivered", num_items=2)
    swaps = [case.swap(order, 0), case.swap(order, 1)] if order else []
    if order is None or None in swaps:
        return None
    (first, one, one_key), (second, two, two_key) = swaps
    number = order["order_id"]
    wish = (
        f"I'd like to exchange two things from order {number}: the {first['name'].lower()} for "
        f"{value_of(one, one_key)} and the {second['name'].lower()} for {value_of(two, two_key)}. "
        "Any difference goes to the original payment method."
    )
    turns = (case.pick(*YES), case.pick(*THANKS))
    return case.talk(wish, turns, replaces(order, [(first, one), (second, two)]))


def change_one_item(case: Case) -> Talk | None:
    """Change an item of an order, before or after it was delivered."""
    order = case.order("pending", "delivered")
    swap = case.swap(order, 0) if order else None
    if order is None or swap is None:
        return None
    item, variant, key = swap
    name, number, value = item["name"].lower(), order["order_id"], value_of(variant, key)
    wish = case.pick(
        f"Can I swap the {name} in {number} for {value}? Use the original payment method for the "
        "difference.",
        f"I would like to exchange the {name} of order {number} for the version with {value}; the "
        "difference on the same card I paid with.",
    )
    turns = (case.pick(*YES), case.pick(*THANKS))
    return case.talk(wish, turns, replaces(order, [(item, variant)]))


def change_to_unavailable(case: Case) -> Talk | None:
    """Ask for a version that cannot be had; the customer then leaves it as it is."""
    order = case.order("pending", "delivered")
    swap = case.swap(order, 0, is_available=False) if order else None
    if order is None or swap is None:
        return None
    item, variant, key = swap
    wish = (
        f"Please exchange the {item['name'].lower()} in order {order['order_id']} for "
        f"{value_of(variant, key)}, difference to the original payment method."
    )
    turns = ("Oh. No, then leave it as it is.", case.pick(*THANKS))
    return case.talk(wish, turns, Expectation())
