"""The scripted agent's steps for wishes that change an order or a profile."""

from typing import Any

from agents.llm.simulator import words
from agents.llm.simulator.decisions import (
    Call,
    Close,
    Decision,
    Say,
    act,
    check_status,
    chosen_method,
    find_order,
    identify,
    read_order,
    read_user,
)
from agents.llm.simulator.matching import items_meant
from agents.llm.simulator.mind import Awaiting, Mind, Wish
from agents.llm.simulator.reading import reason_in

_REASONS = "an order can be cancelled if it is no longer needed or was ordered by mistake"


def cancel(mind: Mind, wish: Wish) -> Decision:
    """Cancel an order for one of the two reasons."""
    if step := identify(mind, wish) or find_order(mind, wish):
        return step
    looks_first = mind.rules.checks_status or mind.rules.knows_own_orders
    if looks_first and (step := read_order(mind, wish) or check_status(mind, wish)):
        return step
    reason = reason_in(wish.text)
    if not reason and (mind.rules.knows_reasons or mind.rules.asks_missing):
        question = f"May I ask why? With us {_REASONS}."
        return Say(question, Awaiting("reason", wish))
    if reason == "other" and mind.rules.knows_reasons:
        return Close(
            f"I am sorry, I cannot cancel order {wish.order_id} for that reason: {_REASONS}, and "
            "for nothing else."
        )
    reason = reason if reason in {"no longer needed", "ordered by mistake"} else "no longer needed"
    order = mind.found("get_order_details", wish.order_id)
    items = f" with {words.items_text(order['items'])}" if order else ""
    proposal = (
        f"I would cancel order {wish.order_id}{items}; reason: {reason}. What you have paid goes "
        "back to how you paid it."
    )
    arguments = {"order_id": wish.order_id, "reason": reason}
    return act(mind, wish, "cancel_pending_order", arguments, proposal)


def send_back(mind: Mind, wish: Wish) -> Decision:
    """Return items of a delivered order; the refund goes where the rules let it go."""
    if step := _to_order(mind, wish):
        return step
    order = mind.found("get_order_details", wish.order_id)
    items = items_meant(order, wish.text)
    if not items:
        if mind.rules.asks_missing or mind.rules.collects_items:
            question = f"Which items would you like to return? The order has {_list(order)}."
            return Say(question, Awaiting("items", wish))
        items = order["items"][:1]
    if step := read_user(mind, order):
        return step
    user = mind.found("get_user_details", mind.user_id or order["user_id"])
    method_id = str(order["payment_history"][0]["payment_method_id"])
    if mind.rules.asks_refund:
        destination = _refund_destination(mind, wish, order, user)
        if isinstance(destination, Say):
            return destination
        method_id = destination
    total = sum(item["price"] for item in items)
    if mind.rules.adds_up and len(items) > 1 and "calculate" in mind.tools:
        expression = " + ".join(f"{item['price']:.2f}" for item in items)
        if mind.found("calculate", expression) is None:
            return Call("calculate", {"expression": expression})
    amount = f" of {words.money(total)}" if mind.rules.adds_up else ""
    proposal = (
        f"From order {wish.order_id} I would take back {words.items_text(items)}. The refund"
        f"{amount} goes to {_method(user, method_id)}."
    )
    arguments = {
        "order_id": wish.order_id,
        "item_ids": [item["item_id"] for item in items],
        "payment_method_id": method_id,
    }
    return act(mind, wish, "return_delivered_order_items", arguments, proposal)


def order_address(mind: Mind, wish: Wish) -> Decision:
    """Send a pending order to another address."""
    if step := _to_order(mind, wish):
        return step
    if wish.address is None:
        question = "What is the new address: street, unit if any, city, state and zip code?"
        return Say(question, Awaiting("address", wish))
    proposal = f"I would send order {wish.order_id} to {words.address_text(wish.address)}."
    arguments = {"order_id": wish.order_id, **wish.address}
    return act(mind, wish, "modify_pending_order_address", arguments, proposal)


def profile_address(mind: Mind, wish: Wish) -> Decision:
    """Change the default address."""
    if step := identify(mind, wish):
        return step
    if not mind.user_id:
        return Say("Whose account is this about?", Awaiting("identity", wish))
    if wish.address is None:
        question = "What is the new address: street, unit if any, city, state and zip code?"
        return Say(question, Awaiting("address", wish))
    proposal = f"I would make {words.address_text(wish.address)} the default address."
    arguments = {"user_id": mind.user_id, **wish.address}
    return act(mind, wish, "modify_user_address", arguments, proposal)


def payment(mind: Mind, wish: Wish) -> Decision:
    """Pay a pending order by another method."""
    if step := _to_order(mind, wish):
        return step
    order = mind.found("get_order_details", wish.order_id)
    if step := read_user(mind, order):
        return step
    user = mind.found("get_user_details", mind.user_id or order["user_id"])
    method_id, is_named = chosen_method(mind, wish, order, user)
    if not is_named:
        original = str(order["payment_history"][0]["payment_method_id"])
        others = [key for key in user["payment_methods"] if key != original]
        if not others:
            return Close("There is no other payment method on your account to change to.")
        if mind.rules.asks_missing:
            listed = words.joined([_method(user, key) for key in sorted(others)])
            question = f"Which payment method shall it be: {listed}?"
            return Say(question, Awaiting("payment", wish))
        method_id = sorted(others)[0]
    proposal = (
        f"I would charge order {wish.order_id} to {_method(user, method_id)} and refund the first "
        "payment."
    )
    arguments = {"order_id": wish.order_id, "payment_method_id": method_id}
    return act(mind, wish, "modify_pending_order_payment", arguments, proposal)


def _to_order(mind: Mind, wish: Wish) -> Decision | None:
    return (
        identify(mind, wish)
        or find_order(mind, wish)
        or read_order(mind, wish)
        or check_status(mind, wish)
    )


def _refund_destination(
    mind: Mind, wish: Wish, order: dict[str, Any], user: dict[str, Any]
) -> str | Say:
    """Return the method that receives the refund, or the question for it."""
    original = str(order["payment_history"][0]["payment_method_id"])
    method_id, is_named = chosen_method(mind, wish, order, user)
    methods = user["payment_methods"]
    is_allowed = method_id == original or methods[method_id]["source"] == "gift_card"
    if is_named and is_allowed:
        return method_id
    cards = [
        key
        for key, method in sorted(methods.items())
        if method["source"] == "gift_card" and key != original
    ]
    if is_named:
        choice = " or ".join(_method(user, key) for key in [original, *cards])
        return Say(
            f"A refund can go only to the original payment method or to a gift card: {choice}. "
            "Which may it be?",
            Awaiting("refund", wish),
        )
    if not cards or not mind.rules.asks_missing:
        return original
    return Say(
        f"Where shall the refund go: to {_method(user, original)}, with which you paid, or to "
        f"{_method(user, cards[0])}?",
        Awaiting("refund", wish),
    )


def _method(user: dict[str, Any], method_id: str) -> str:
    return words.method_text(user["payment_methods"][method_id])


def _list(order: dict[str, Any]) -> str:
    return words.items_text(order["items"])
