"""The scripted agent's steps for exchanging items, before or after delivery."""

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
from agents.llm.simulator.matching import Swap, closest_available, items_meant, swaps_meant
from agents.llm.simulator.mind import Awaiting, Mind, Wish


def swap(mind: Mind, wish: Wish) -> Decision:
    """Exchange items (delivered) or modify them (pending), together or, untold, one by one."""
    step = (
        identify(mind, wish)
        or find_order(mind, wish)
        or read_order(mind, wish)
        or (None if wish.attempts else check_status(mind, wish))
    )
    if step:
        return step
    order = mind.found("get_order_details", wish.order_id)
    swaps = _swaps(mind, wish, order)
    if not isinstance(swaps, list):
        return swaps
    if not swaps:
        return Close()
    if step := read_user(mind, order):
        return step
    user = mind.found("get_user_details", mind.user_id or order["user_id"])
    method_id, is_named = chosen_method(mind, wish, order, user)
    difference = round(sum(_variant(each)["price"] - each.item["price"] for each in swaps), 2)
    if difference and not is_named and mind.rules.asks_missing and len(user["payment_methods"]) > 1:
        return _ask_payment(wish, user, difference)
    is_pending = order["status"] == "pending"
    tool = "modify_pending_order_items" if is_pending else "exchange_delivered_order_items"
    arguments = {
        "order_id": wish.order_id,
        "item_ids": [each.item["item_id"] for each in swaps],
        "new_item_ids": [_variant(each)["item_id"] for each in swaps],
        "payment_method_id": method_id,
    }
    proposal = _proposal(mind, wish, swaps, difference, user["payment_methods"][method_id])
    return act(mind, wish, tool, arguments, proposal)


def _swaps(mind: Mind, wish: Wish, order: dict[str, Any]) -> list[Swap] | Decision:
    """Return the replacements to do now (none: all are tried), or what must come first."""
    items = items_meant(order, wish.text)
    if not items:
        if mind.rules.asks_missing or mind.rules.collects_items:
            question = (
                f"Which item should be changed? The order has {words.items_text(order['items'])}."
            )
            return Say(question, Awaiting("items", wish))
        items = order["items"][:1]
    tried = {item_id for attempt in wish.attempts for item_id in attempt.arguments["item_ids"]}
    left = [item for item in items if item["item_id"] not in tried]
    if wish.attempts and (mind.rules.collects_items or not left):
        return []
    for item in left:
        if mind.found("get_product_details", item["product_id"]) is None:
            return Call("get_product_details", {"product_id": item["product_id"]})
    products = {
        item["product_id"]: mind.found("get_product_details", item["product_id"]) for item in left
    }
    wanted = [
        each
        for each in swaps_meant(order, products, wish.text)
        if each.item["item_id"] not in tried
    ] or [Swap(left[0], None, {}, False)]
    done: list[Swap] = []
    for each in wanted if mind.rules.collects_items else wanted[:1]:
        settled = _settled(mind, wish, each, products[each.item["product_id"]])
        if not isinstance(settled, Swap):
            return settled
        done.append(settled)
    return done


def _settled(mind: Mind, wish: Wish, each: Swap, product: dict[str, Any]) -> Swap | Decision:
    """Return the replacement with a variant that can be had, or a question or refusal."""
    if each.variant and each.is_available:
        return each
    if not mind.rules.asks_missing:
        nearest = closest_available(each.item, product, each.wanted)
        if nearest is None:
            return Close(f"No other {product['name']} is available.")
        return Swap(each.item, nearest, each.wanted, True)
    others = [
        f"{words.options_text(variant['options'])} ({words.money(variant['price'])})"
        for _, variant in sorted(product["variants"].items())
        if variant["available"] and variant["item_id"] != each.item["item_id"]
    ]
    if not others:
        return Close(f"I am sorry, no other {product['name']} is available at the moment.")
    wish_text = words.options_text(each.wanted)
    reason = f"The {product['name']} in {wish_text} is not available. " if each.wanted else ""
    question = f"{reason}Which {product['name']} would you like? Available: {'; '.join(others)}."
    return Say(question, Awaiting("variant", wish))


def _proposal(
    mind: Mind, wish: Wish, swaps: list[Swap], difference: float, method: dict[str, Any]
) -> str:
    changes = words.joined(
        [
            f"{words.item_text(each.item)}, for {words.options_text(_variant(each)['options'])}, "
            f"{words.money(_variant(each)['price'])}"
            for each in swaps
        ]
    )
    text = f"In order {wish.order_id} I would change {changes}."
    if mind.rules.adds_up and difference:
        way = "is charged to" if difference > 0 else "goes back to"
        money = words.money(abs(difference))
        text += f" The difference of {money} {way} {words.method_text(method)}."
    else:
        text += f" Any difference is settled by {words.method_text(method)}."
    return f"{text} {words.ONCE_ONLY}" if mind.rules.collects_items else text


def _ask_payment(wish: Wish, user: dict[str, Any], difference: float) -> Say:
    methods = words.joined(
        [words.method_text(method) for _, method in sorted(user["payment_methods"].items())]
    )
    way = "pays" if difference > 0 else "receives"
    return Say(
        f"Which payment method {way} the difference of {words.money(abs(difference))}: {methods}?",
        Awaiting("payment", wish),
    )


def _variant(each: Swap) -> dict[str, Any]:
    if each.variant is None:
        raise ValueError(f"no variant was chosen for {each.item['item_id']}")
    return each.variant
