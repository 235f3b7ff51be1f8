"""The scripted agent: from a conversation and the tools offered to its next message. Pure.

The whole conversation is read anew each time, so the same messages always get the same answer.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

from agents.llm.simulator import answers, changes, swaps, words
from agents.llm.simulator.decisions import Call, Close, Decision, Say, out_of_scope, summary_of
from agents.llm.simulator.mind import Attempt, Mind, Wish
from agents.llm.simulator.rules import rules_of
from agents.llm.simulator.wishes import Kind

MAX_UNCLEAR = 2
_STEPS: dict[Kind, Callable[[Mind, Wish], Decision]] = {
    Kind.CANCEL: changes.cancel,
    Kind.RETURN: changes.send_back,
    Kind.SWAP: swaps.swap,
    Kind.ORDER_ADDRESS: changes.order_address,
    Kind.PROFILE_ADDRESS: changes.profile_address,
    Kind.PAYMENT: changes.payment,
    Kind.STATUS: answers.status,
    Kind.PRODUCT: answers.product,
    Kind.BALANCE: answers.balance,
    Kind.UNKNOWABLE: answers.unknowable,
    Kind.PERSON: answers.person,
    Kind.OUTSIDE: answers.outside,
}
_DONE = {
    "cancel_pending_order": "Order {order_id} is cancelled, and the refund is on its way.",
    "return_delivered_order_items": (
        "The return from order {order_id} is registered; you will get an e-mail on how to send "
        "the items back."
    ),
    "exchange_delivered_order_items": (
        "The exchange in order {order_id} is registered; you will get an e-mail on how to send "
        "the old items back."
    ),
    "modify_pending_order_items": "The items of order {order_id} are changed.",
    "modify_pending_order_address": "Order {order_id} goes to the new address.",
    "modify_pending_order_payment": "The payment of order {order_id} is changed.",
    "modify_user_address": "Your default address is changed.",
}


def answer(messages: Sequence[dict[str, Any]], tools: Collection[str]) -> dict[str, Any]:
    """Return the assistant's next message, in the form of the chat-completions protocol.

    Args:
        messages: The conversation, the system prompt first.
        tools: Names of the tools that are offered.
    """
    decision = _decide(_mind_after(messages, tools))
    if isinstance(decision, Say):
        return {"role": "assistant", "content": decision.text}
    call = {
        "id": _call_id(messages, decision),
        "type": "function",
        "function": {
            "name": decision.tool,
            "arguments": json.dumps(decision.arguments, ensure_ascii=False),
        },
    }
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _mind_after(messages: Sequence[dict[str, Any]], tools: Collection[str]) -> Mind:
    prompt = "\n\n".join(
        _text(each) for each in messages if each["role"] in {"system", "developer"}
    )
    heard = [_text(message) for message in messages if message["role"] == "user"]
    mind = Mind(rules_of(prompt), frozenset(tools), seed=heard[0] if heard else "")
    asked: dict[str, tuple[str, dict[str, Any]]] = {}
    for message in messages:
        match message["role"]:
            case "user":
                mind.hear(_text(message))
            case "assistant" if message.get("tool_calls"):
                asked |= {call["id"]: _called(call) for call in message["tool_calls"]}
            case "assistant":
                _speak(mind)
            case "tool" if message.get("tool_call_id") in asked:
                name, arguments = asked[message["tool_call_id"]]
                mind.learn(name, arguments, _text(message))
    return mind


def _speak(mind: Mind) -> None:
    """Bring the mind to where it was after it gave this answer."""
    decision = _decide(mind) if mind.last else None
    mind.awaiting = decision.awaiting if isinstance(decision, Say) else None
    mind.unreported = []
    mind.has_told_handover = mind.is_handed_over


def _decide(mind: Mind) -> Call | Say:
    if mind.is_handed_over:
        later = "A colleague will answer you here shortly."
        return Say(later if mind.has_told_handover else words.HOLD_ON)
    reports = [_report(mind, attempt) for attempt in mind.unreported]
    loose = mind.rules.hands_over and not mind.rules.hands_over_when_out_of_scope
    if mind.is_upset and loose and not mind.unreported:
        return Call("transfer_to_human_agents", {"summary": summary_of(mind)})
    texts: list[str] = []
    for wish in mind.open_wishes():
        decision = _STEPS[wish.kind](mind, wish)
        if isinstance(decision, Call):
            return decision
        if isinstance(decision, Say):
            return Say("\n\n".join([*reports, *texts, decision.text]), decision.awaiting)
        wish.is_closed = True
        texts += [decision.text] if decision.text else []
    return _closing(mind, [*reports, *texts])


def _closing(mind: Mind, texts: list[str]) -> Call | Say:
    last = mind.last
    if texts:
        more = "" if mind.rules.does_all_requests else " Goodbye."
        ending = words.pick(
            mind.seed,
            (
                "Is there anything else I can do for you?",
                "Can I help you with anything else?",
                "Is there something else you need?",
            ),
        )
        return Say("\n\n".join([*texts, f"Thank you.{more}" if more else ending]))
    if last and (last.is_thanks or last.is_no or (last.is_yes and mind.wishes)):
        return Say(
            words.pick(mind.seed, ("You are welcome. Have a nice day.", "My pleasure. Goodbye."))
        )
    if mind.wishes:
        return Say("Is there anything else I can do for you?")
    mind.num_unclear += 1
    if mind.num_unclear > MAX_UNCLEAR:
        decision = out_of_scope(mind, Wish(Kind.OUTSIDE, ""))
        return Say(decision.text) if isinstance(decision, Close) else decision
    return Say(
        "What can I do for you? I can cancel or change an order that is still pending, take back "
        "or exchange what was delivered, change an address, and tell you about your orders and "
        "our products."
    )


def _report(mind: Mind, attempt: Attempt) -> str:
    """Say what came of an action; without the rule to be honest, an error counts as done."""
    if attempt.is_proposal and mind.rules.tells_errors:
        return "I have passed this on to a colleague, who decides it; nothing is changed yet."
    if attempt.error and mind.rules.tells_errors:
        return f"I am sorry, that did not work: {attempt.error.rstrip('.')}. Nothing was changed."
    return _DONE[attempt.tool].format(order_id=attempt.arguments.get("order_id", ""))


def _called(call: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    function = call["function"]
    try:
        arguments = json.loads(function["arguments"] or "{}")
    except json.JSONDecodeError:
        arguments = {}
    return function["name"], arguments if isinstance(arguments, dict) else {}


def _call_id(messages: Sequence[dict[str, Any]], call: Call) -> str:
    text = json.dumps([len(messages), call.tool, call.arguments, _text(messages[-1])])
    return f"call_{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content or ""
