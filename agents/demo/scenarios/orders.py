"""What customers want of orders and addresses."""

from agents.demo.scenarios.case import (
    THANKS,
    YES,
    Case,
    Expectation,
    Talk,
    cancels,
    new_address,
    one_line,
)


def cancel_no_longer_needed(case: Case) -> Talk | None:
    """Cancel a pending order for an accepted reason."""
    order = case.order("pending")
    if order is None:
        return None
    number = order["order_id"]
    wish, reason = case.rng.choice(
        [
            (f"Please cancel order {number}. I no longer need it.", "no longer needed"),
            (f"Can you cancel {number}? I ordered it by mistake.", "ordered by mistake"),
            (f"I want to cancel my order {number}, I don't need it any more.", "no longer needed"),
            (f"I placed {number} by accident, please cancel it.", "ordered by mistake"),
        ]
    )
    return case.talk(wish, (case.pick(*YES), case.pick(*THANKS)), cancels(number, reason))


def cancel_for_another_reason(case: Case) -> Talk | None:
    """Cancel a pending order for a reason that is not accepted."""
    order = case.order("pending")
    if order is None:
        return None
    number = order["order_id"]
    wish = case.pick(
        f"Please cancel {number}, I found the same thing cheaper elsewhere.",
        f"I'd like to cancel order {number} because it takes too long.",
        f"Cancel {number} please. The price went down the day after I ordered.",
    )
    expectation = Expectation(has_other_reason=True)
    return case.talk(
        wish, (case.pick("Yes, cancel it.", "yes"), "Okay, then leave it."), expectation
    )


def cancel_too_late(case: Case) -> Talk | None:
    """Cancel an order that is on its way or delivered."""
    order = case.order("processed", "delivered")
    if order is None:
        return None
    number = order["order_id"]
    wish = case.pick(
        f"Please cancel order {number}, I no longer need it.",
        f"I need to cancel {number}. It was ordered by mistake.",
    )
    return case.talk(wish, (case.pick(*YES), case.pick(*THANKS)), Expectation())


def two_requests(case: Case) -> Talk | None:
    """Cancel one order, and change the default address."""
    order = case.order("pending")
    if order is None:
        return None
    number, address = order["order_id"], new_address(case)
    wish = (
        f"Please cancel order {number}, I no longer need it. And also change my default address "
        f"to {one_line(address)}."
    )
    writes = (
        ("cancel_pending_order", {"order_id": number, "reason": "no longer needed"}),
        ("modify_user_address", {"user_id": case.user["user_id"], **address}),
    )
    turns = (case.pick(*YES), case.pick(*YES), case.pick(*THANKS))
    return case.talk(wish, turns, Expectation(writes))


def send_elsewhere(case: Case) -> Talk | None:
    """Send a pending order to another address."""
    order = case.order("pending")
    if order is None:
        return None
    number, address = order["order_id"], new_address(case)
    wish = case.pick(
        f"Could you send order {number} to another address? It is {one_line(address)}.",
        f"The shipping address of {number} is wrong, it must be {one_line(address)}.",
    )
    writes = (("modify_pending_order_address", {"order_id": number, **address}),)
    return case.talk(wish, (case.pick(*YES), case.pick(*THANKS)), Expectation(writes))


def moved_house(case: Case) -> Talk | None:
    """Change the default address."""
    address = new_address(case)
    wish = case.pick(
        f"I moved. Please change my default address to {one_line(address)}.",
        f"Can you update the address on my account? The new one is {one_line(address)}.",
    )
    writes = (("modify_user_address", {"user_id": case.user["user_id"], **address}),)
    return case.talk(wish, (case.pick(*YES), case.pick(*THANKS)), Expectation(writes))


def pay_otherwise(case: Case) -> Talk | None:
    """Pay a pending order by PayPal instead."""
    order, paypal = case.order("pending"), case.method("paypal")
    if order is None or not paypal or order["payment_history"][0]["payment_method_id"] == paypal:
        return None
    number = order["order_id"]
    wish = case.pick(
        f"Can I pay order {number} with PayPal instead?",
        f"Please change the payment of {number} to my PayPal account.",
    )
    arguments = {"order_id": number, "payment_method_id": paypal}
    expectation = Expectation((("modify_pending_order_payment", arguments),))
    return case.talk(wish, (case.pick(*YES), case.pick(*THANKS)), expectation)


def forgot_the_number(case: Case) -> Talk | None:
    """Name the product instead of the order."""
    orders = [case.records["order"][key] for key in case.user["orders"]]
    pending = [order for order in orders if order["status"] == "pending"]
    if len(orders) < 2 or not pending or orders[-1] is pending[0]:
        return None
    order = pending[0]
    name = order["items"][0]["name"]
    holding = [each for each in pending if name in {item["name"] for item in each["items"]}]
    if len(holding) != 1:
        return None
    number = order["order_id"]
    wish = case.pick(
        f"I want to cancel the order with the {name.lower()}. I no longer need it.",
        f"Please cancel my {name.lower()}, I don't need it any more. I don't have the number.",
    )
    turns = (case.pick(*YES), case.pick(*THANKS))
    return case.talk(wish, turns, cancels(number, "no longer needed"))
