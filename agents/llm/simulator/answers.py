"""The scripted agent's steps for questions, and for wishes that a person must fulfil."""

import re
from typing import Any

from agents.llm.simulator import words
from agents.llm.simulator.decisions import (
    Call,
    Close,
    Decision,
    Say,
    find_order,
    identify,
    out_of_scope,
    read_order,
    read_user,
    summary_of,
)
from agents.llm.simulator.matching import product_named
from agents.llm.simulator.mind import Awaiting, Mind, Wish
from agents.llm.simulator.wishes import Kind

_ABOUT_DELIVERY = re.compile(r"\b(?:arrive|delivered|come|get here|be here)\b", re.IGNORECASE)


def status(mind: Mind, wish: Wish) -> Decision:
    """Say how an order stands."""
    if step := identify(mind, wish) or find_order(mind, wish) or read_order(mind, wish):
        return step
    order = mind.found("get_order_details", wish.order_id)
    text = (
        f"Order {wish.order_id} is “{order['status']}”. It has {words.items_text(order['items'])}."
    )
    numbers = [number for each in order["fulfillments"] for number in each["tracking_id"]]
    if numbers:
        text += f" Its tracking number is {', '.join(numbers)}."
    if re.search(r"\b(?:card|pay|paid|payment)\b", wish.text, re.IGNORECASE):
        if step := read_user(mind, order):
            return step
        user = mind.found("get_user_details", mind.user_id or order["user_id"])
        method = user["payment_methods"][order["payment_history"][0]["payment_method_id"]]
        text += f" You paid by {words.method_text(method).removeprefix('your ')}."
    return Close(text)


def product(mind: Mind, wish: Wish) -> Decision:
    """Say which variants of a product there are, and their prices."""
    names = mind.found("list_all_product_types")
    if names is None:
        return Call("list_all_product_types")
    name = product_named(wish.text, sorted(names))
    if not name:
        return Close(f"I do not find that in our shop. We have: {', '.join(sorted(names))}.")
    details = mind.found("get_product_details", names[name])
    if details is None:
        return Call("get_product_details", {"product_id": names[name]})
    available = [
        f"{words.options_text(variant['options'])} ({words.money(variant['price'])})"
        for _, variant in sorted(details["variants"].items())
        if variant["available"]
    ]
    if not available:
        return Close(f"The {name} is not available at the moment.")
    count = f"{len(available)} version{'' if len(available) == 1 else 's'}"
    return Close(f"Of the {name} there are {count} available: {'; '.join(available)}.")


def balance(mind: Mind, wish: Wish) -> Decision:
    """Say what is on the customer's gift cards."""
    if step := identify(mind, wish):
        return step
    if not mind.user_id:
        return Say("Whose gift card is this about?", Awaiting("identity", wish))
    if step := read_user(mind):
        return step
    cards = [
        f"{words.method_text(method)} has {words.money(method['balance'])}"
        for _, method in sorted(_methods(mind).items())
        if method["source"] == "gift_card"
    ]
    if not cards:
        return Close("There is no gift card on your account.")
    text = words.joined(cards)
    return Close(f"{text[0].upper()}{text[1:]} left.")


def unknowable(mind: Mind, wish: Wish) -> Decision:
    """Answer what neither tools nor policy tell: honestly, or by inventing something."""
    if not mind.rules.invents_nothing:
        return Close(words.invented_answer(wish.text))
    if _ABOUT_DELIVERY.search(wish.text):
        if step := identify(mind, wish) or find_order(mind, wish) or read_order(mind, wish):
            return step
        order = mind.found("get_order_details", wish.order_id)
        return Close(
            f"Order {wish.order_id} is “{order['status']}”. I do not know the day on which it "
            "will arrive, and I would rather not guess."
        )
    return Close(
        "I do not know that: our records say nothing about it, and I would rather not guess."
    )


def person(mind: Mind, wish: Wish) -> Decision:
    """Answer the wish for a person: by policy only where the agent cannot help itself."""
    if not mind.rules.hands_over:
        return Close("I am the one who helps here. What can I do for you?")
    beyond = {Kind.PERSON, Kind.OUTSIDE}
    can_help = any(other.kind not in beyond for other in mind.wishes)
    if mind.rules.hands_over_when_out_of_scope and can_help:
        return Close()
    return Call("transfer_to_human_agents", {"summary": summary_of(mind)})


def outside(mind: Mind, wish: Wish) -> Decision:
    """Pass on what no tool can do."""
    return out_of_scope(mind, wish)


def _methods(mind: Mind) -> dict[str, Any]:
    methods: dict[str, Any] = mind.found("get_user_details", mind.user_id)["payment_methods"]
    return methods
