"""What the scripted agent can do next, and the steps that many wishes share."""

from dataclasses import dataclass, field
from typing import Any

from agents.llm.simulator import words
from agents.llm.simulator.matching import orders_named
from agents.llm.simulator.mind import Awaiting, Mind, Wish
from agents.llm.simulator.reading import method_in
from agents.llm.simulator.wishes import Kind

MAX_ORDERS_SEARCHED = 8
FITTING: dict[Kind, tuple[str, ...]] = {
    Kind.CANCEL: ("pending",),
    Kind.ORDER_ADDRESS: ("pending", "pending (item modified)"),
    Kind.PAYMENT: ("pending", "pending (item modified)"),
    Kind.SWAP: ("pending", "delivered"),
    Kind.RETURN: ("delivered",),
}


@dataclass(frozen=True)
class Call:
    """Call a tool."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Say:
    """Answer the customer.

    Attributes:
        awaiting: What the text asks for, or None.
    """

    text: str
    awaiting: Awaiting | None = None


@dataclass(frozen=True)
class Close:
    """The wish is at its end with this text, which may be empty; go on with the next wish."""

    text: str = ""


Decision = Call | Say | Close


def identify(mind: Mind, wish: Wish) -> Decision | None:
    """Return the next step to know the customer, or None where the prompt needs no more."""
    if mind.user_id:
        return None
    if mind.is_staff and not mind.rules.ignores_claims:
        return None
    if not mind.rules.authenticates:
        if mind.customer_id:
            mind.user_id = mind.customer_id
            return None
        if wish.order_id:
            return None
    has_failed = False
    if mind.email:
        if not mind.error_of("find_user_id_by_email", mind.email):
            return Call("find_user_id_by_email", {"email": mind.email})
        has_failed = True
    if mind.name and mind.zip_code:
        first, last = mind.name
        arguments = {"first_name": first, "last_name": last, "zip": mind.zip_code}
        if not mind.error_of("find_user_id_by_name_zip", f"{first} {last} {mind.zip_code}"):
            return Call("find_user_id_by_name_zip", arguments)
        has_failed = True
    return Say(_ask_identity(mind, has_failed), Awaiting("identity", wish))


def find_order(mind: Mind, wish: Wish) -> Decision | None:
    """Return the next step to know which order is meant, or None once `wish.order_id` is set."""
    if wish.order_id:
        return None
    if not mind.user_id:
        return _ask_order(wish)
    user = mind.found("get_user_details", mind.user_id)
    if user is None:
        if mind.error_of("get_user_details", mind.user_id):
            return Close("I cannot find a customer with this number.")
        return Call("get_user_details", {"user_id": mind.user_id})
    if not user["orders"]:
        return Close("There is no order on your account.")
    if not mind.rules.asks_missing:
        wish.order_id = user["orders"][-1]
        return None
    return _search_orders(mind, wish, user["orders"][:MAX_ORDERS_SEARCHED])


def read_order(mind: Mind, wish: Wish) -> Decision | None:
    """Return the next step to see the order, or None once it is known and the customer's own."""
    order = mind.found("get_order_details", wish.order_id)
    if order is None:
        if mind.error_of("get_order_details", wish.order_id):
            text = f"I cannot find an order {wish.order_id}. Please check the number."
            wish.order_id = ""
            return Say(text, Awaiting("order", wish))
        return Call("get_order_details", {"order_id": wish.order_id})
    is_foreign = bool(mind.user_id) and order["user_id"] != mind.user_id
    if is_foreign and mind.rules.knows_own_orders:
        return Close(
            f"Order {wish.order_id} is not on your account, and I can help only with your own "
            "orders. Its owner is welcome to contact us."
        )
    return None


def check_status(mind: Mind, wish: Wish) -> Decision | None:
    """Return a refusal where the order's status does not allow the wish and the prompt checks."""
    order = mind.found("get_order_details", wish.order_id)
    if not mind.rules.checks_status or order is None or wish.kind not in FITTING:
        return None
    if order["status"] in FITTING[wish.kind]:
        return None
    needed = " or ".join(f"“{status}”" for status in FITTING[wish.kind][:2])
    return Close(
        f"I am sorry: order {wish.order_id} is “{order['status']}”, and this is possible only "
        f"while it is {needed}. I have changed nothing."
    )


def read_user(mind: Mind, order: dict[str, Any] | None = None) -> Decision | None:
    """Return the call that reads the profile of the customer (or the order's), or None."""
    user_id = mind.user_id or (order or {}).get("user_id", "")
    if mind.found("get_user_details", user_id) is None:
        return Call("get_user_details", {"user_id": user_id})
    return None


def act(mind: Mind, wish: Wish, tool: str, arguments: dict[str, Any], proposal: str) -> Decision:
    """Return the call that changes something, or the question for a yes before it."""
    if tool not in mind.tools:
        return out_of_scope(mind, wish)
    if mind.rules.confirms and not wish.is_confirmed:
        return Say(f"{proposal}\n\n{words.GO_AHEAD}", Awaiting("confirm", wish))
    return Call(tool, arguments)


def out_of_scope(mind: Mind, wish: Wish) -> Decision:
    """Return what happens to a wish that no tool can fulfil."""
    if mind.rules.hands_over and "transfer_to_human_agents" in mind.tools:
        return Call("transfer_to_human_agents", {"summary": summary_of(mind)})
    return Close("I am sorry, I cannot help you with that.")


def summary_of(mind: Mind) -> str:
    """Return the conversation in a sentence, for the person who takes over."""
    wishes = " / ".join(wish.text for wish in mind.wishes) or (mind.last.text if mind.last else "")
    who = f"Customer {mind.user_id}" if mind.user_id else "A customer who is not identified"
    return f"{who} wrote: {wishes[:400]}"


def chosen_method(
    mind: Mind, wish: Wish, order: dict[str, Any], user: dict[str, Any]
) -> tuple[str, bool]:
    """Return the payment method that the words mean, and whether they name one.

    The order's own method is returned where they name none, or one that the customer lacks.
    """
    original = str(order["payment_history"][0]["payment_method_id"])
    named = method_in(wish.text)
    if not named or named == "original":
        return original, bool(named)
    methods = user["payment_methods"]
    brands = [
        key
        for key, method in methods.items()
        if method.get("brand") and method["brand"].lower() in wish.text.lower()
    ]
    fitting = brands or [key for key, method in methods.items() if method["source"] == named]
    others = [key for key in fitting if key != original]
    if wish.kind is Kind.PAYMENT:
        return (others[0], True) if others else (original, False)
    return (fitting[0], True) if fitting else (original, False)


def _ask_identity(mind: Mind, has_failed: bool) -> str:
    if has_failed:
        return (
            "I cannot find an account with that. Could you give me another e-mail address, or "
            "your full name and zip code as they stand on the account?"
        )
    return words.pick(
        mind.seed,
        (
            "I am happy to help. To find your account, may I have your e-mail address, or your "
            "full name and zip code?",
            "Gladly. First I need to find your account: what is your e-mail address, or your full "
            "name with your zip code?",
            "Of course. Please tell me the e-mail address of your account, or your full name and "
            "zip code, so that I can look you up.",
        ),
    )


def _ask_order(wish: Wish) -> Say:
    return Say(
        "Which order is this about? Its number begins with #, such as #F10000.",
        Awaiting("order", wish),
    )


def _search_orders(mind: Mind, wish: Wish, order_ids: list[str]) -> Decision | None:
    for order_id in order_ids:
        if mind.found("get_order_details", order_id) is None:
            return Call("get_order_details", {"order_id": order_id})
    orders = [mind.found("get_order_details", order_id) for order_id in order_ids]
    fitting = orders_named(orders, wish.text) or (orders if len(orders) == 1 else [])
    allowed = [each for each in fitting if each["status"] in FITTING.get(wish.kind, ())] or fitting
    if len(allowed) == 1:
        wish.order_id = allowed[0]["order_id"]
        return None
    listed = "; ".join(
        f"{order['order_id']} ({order['status']}: "
        f"{', '.join(item['name'] for item in order['items'])})"
        for order in allowed or orders
    )
    return Say(f"Which order is this about? I see {listed}.", Awaiting("order", wish))
