"""The demo's scripted customer: from a goal and a conversation to the customer's next words. Pure.

It reads what any model that plays a customer is sent (see `agents/golden/customer.py`): it says yes
to what it is asked to confirm, gives the facts that its goal names, and leaves when the agent says
that it is done, or asks a second time for what the goal does not say.
"""

import re
from typing import Any

CUSTOMER_MODEL = "shop-demo-customer"
DONE = "DONE"
_GOAL = re.compile(r"What you want:\n(.*?)\n\nSay what", re.DOTALL)
_OVER = re.compile(
    r"\b(anything else|has been (cancelled|changed|updated|returned|exchanged|refunded)"
    r"|is (cancelled|done|updated)|transferr?ed|cannot|can't|unable)\b",
    re.IGNORECASE,
)
_CONFIRMS = re.compile(
    r"\b(yes|confirm|go ahead|proceed|shall i|should i|correct)\b", re.IGNORECASE
)
# What the agent may ask for, and how the goal states it.
_FACTS = (
    (re.compile(r"e-?mail", re.IGNORECASE), re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")),
    (re.compile(r"\border\b", re.IGNORECASE), re.compile(r"#\w+")),
    (re.compile(r"\b(zip|post ?code)\b", re.IGNORECASE), re.compile(r"\b\d{5}\b")),
    (re.compile(r"\buser id\b", re.IGNORECASE), re.compile(r"\b[a-z]+_[a-z]+_\d+\b")),
    (re.compile(r"\bname\b", re.IGNORECASE), re.compile(r"\b[A-Z]\w+ [A-Z]\w+\b")),
    (re.compile(r"\breason\b", re.IGNORECASE), re.compile(r"because [^.]+", re.IGNORECASE)),
)
_UNKNOWN = "I'm sorry, I don't have that."


def play_customer(request: dict[str, Any]) -> str:
    """Return what the customer says next, or the mark that it has left.

    Raises:
        LookupError, TypeError, ValueError: It is no such request.
    """
    messages = request["messages"]
    found = _GOAL.search(messages[0]["content"])
    if found is None:
        raise ValueError("there is no goal in the first message")
    goal = found.group(1)
    answer = next(each["content"] for each in reversed(messages) if each["role"] == "user")
    said = [each["content"] for each in messages if each["role"] == "assistant"]
    if _OVER.search(answer):
        return DONE
    if facts := _facts(goal, answer):
        words = " ".join(facts)
        return words if words not in said else DONE
    if _CONFIRMS.search(answer):
        return "Yes, please."
    return DONE if _UNKNOWN in said else _UNKNOWN


def _facts(goal: str, answer: str) -> list[str]:
    """Return the facts that a question asks for and the goal names, each once."""
    is_question = "?" in answer or "please" in answer.casefold()
    if not is_question or _CONFIRMS.search(answer):
        return []
    stated = [states.search(goal) for asks, states in _FACTS if asks.search(answer)]
    return list(dict.fromkeys(fact.group(0) for fact in stated if fact))
