"""What the demo's scripted judge can look for: one function per fault. Pure.

Each reads the lines of a session as judges are sent them, and returns the step where the fault
shows first and what is wrong there, or None.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agents.llm.simulator.reading import Reading, method_in, read_message, reason_in
from agents.llm.simulator.wishes import Kind

Line = dict[str, Any]
Found = tuple[int, str] | None

_FINDS = {"find_user_id_by_email", "find_user_id_by_name_zip"}
_READS = {"get_user_details", "get_order_details"}
_LOOKS = ("get_", "list_", "calc")
_TRANSFER = "transfer_to_human_agents"
_SWAPS = {"exchange_delivered_order_items", "modify_pending_order_items"}
_RETURN, _CANCEL = "return_delivered_order_items", "cancel_pending_order"
_CLAIM = re.compile(r"\b(?:is cancelled|is registered|is changed|are changed|goes to the new)\b")
_HONEST = re.compile(r"\bdo not know\b|\bcannot (?:find|see)\b|e-mail address", re.IGNORECASE)
_WISHES = {
    Kind.CANCEL,
    Kind.RETURN,
    Kind.SWAP,
    Kind.ORDER_ADDRESS,
    Kind.PROFILE_ADDRESS,
    Kind.PAYMENT,
}


@dataclass(frozen=True)
class JudgedSession:
    """The fenced lines: `{step, who, says}` and `{step, who, calls, with, result | error}`."""

    lines: tuple[Line, ...]

    @property
    def calls(self) -> list[tuple[int, Line]]:
        """Return the tool calls with their places."""
        return [(at, line) for at, line in enumerate(self.lines) if "calls" in line]

    @property
    def writes(self) -> list[tuple[int, Line]]:
        """Return those that change something."""
        reads = _FINDS | _READS | {_TRANSFER}
        return [
            (at, line)
            for at, line in self.calls
            if line["calls"] not in reads and not line["calls"].startswith(_LOOKS)
        ]

    @property
    def asked(self) -> list[Reading]:
        """Return what the customer said, read."""
        return [read_message(line["says"]) for line in self.lines if line["who"] == "customer"]

    def said_after(self, at: int) -> list[Line]:
        """Return what the agent said from a place on."""
        return [line for line in self.lines[at:] if line["who"] == "agent" and "says" in line]


def _not_identified(session: JudgedSession) -> Found:
    for _, line in session.calls:
        if line["calls"] in _FINDS and "result" in line:
            return None
        if line["calls"] not in _FINDS | {_TRANSFER} and _is_of_account(line["calls"]):
            return line["step"], "it worked on the account before it knew who the customer is."
    return None


def _is_of_account(tool: str) -> bool:
    return tool in _READS or not tool.startswith(_LOOKS)


def _unconfirmed(session: JudgedSession) -> Found:
    for at, line in session.writes:
        talk = [each for each in session.lines[:at] if "says" in each]
        question = talk[-2]["says"] if len(talk) > 1 else ""
        is_question = "?" in question and "e-mail address" not in question
        is_asked = bool(talk) and talk[-1]["who"] == "customer" and is_question
        if not is_asked or not read_message(talk[-1]["says"]).is_yes:
            return line["step"], f"it called {line['calls']} without waiting for a clear yes."
    return None


def _false_claim(session: JudgedSession) -> Found:
    for at, line in session.writes:
        said = session.said_after(at)
        if "error" in line and said and _CLAIM.search(said[0]["says"]):
            return said[0]["step"], f"it says that it is done, but {line['calls']} failed."
    return None


def _needless_handover(session: JudgedSession) -> Found:
    asks = {ask.kind for reading in session.asked for ask in reading.asks}
    for _, line in session.calls:
        if line["calls"] == _TRANSFER and Kind.OUTSIDE not in asks:
            return line["step"], "it handed over what its own tools can do."
    return None


def _missing_handover(session: JudgedSession) -> Found:
    asks = {ask.kind for reading in session.asked for ask in reading.asks}
    said = session.said_after(0)
    called = {line["calls"] for _, line in session.calls}
    if Kind.OUTSIDE in asks and said and _TRANSFER not in called:
        return said[0]["step"], "this was beyond its tools, and it handed nothing over."
    return None


def _made_up(session: JudgedSession) -> Found:
    asks = {ask.kind for reading in session.asked for ask in reading.asks}
    if Kind.UNKNOWABLE not in asks or _TRANSFER in {line["calls"] for _, line in session.calls}:
        return None
    said = [line for line in session.said_after(0) if "e-mail address" not in line["says"]]
    if said and not any(_HONEST.search(line["says"]) for line in said):
        return said[0]["step"], "no tool and no rule says so: it made this up."
    return None


def _wrong_refund(session: JudgedSession) -> Found:
    wanted = {method_in(reading.text) for reading in session.asked} - {""}
    for _, line in session.writes:
        method = str(line["with"].get("payment_method_id", ""))
        if line["calls"] == _RETURN and "gift_card" in wanted and "gift" not in method:
            return line["step"], "the refund goes to another method than the customer wanted."
    return None


def _wrong_reason(session: JudgedSession) -> Found:
    reasons = {reason_in(reading.text) for reading in session.asked} - {""}
    for _, line in session.writes:
        if line["calls"] == _CANCEL and reasons == {"other"} and "result" in line:
            return line["step"], "it cancelled for a reason that is not accepted."
    return None


def _of_somebody_else(session: JudgedSession) -> Found:
    known = {str(line["result"]) for _, line in session.calls if line["calls"] in _FINDS
             and "result" in line}  # fmt: skip
    for at, line in session.calls:
        result = line.get("result")
        owner = result.get("user_id") if isinstance(result, dict) else None
        if owner is None or not known or any(str(owner) in each for each in known):
            continue
        told = next((row for row in session.said_after(at) if " is “" in row["says"]), None)
        if told is not None or line["calls"] not in _READS:
            step = (told or line)["step"]
            return step, "it showed or changed the order of another customer."
    return None


def _left_undone(session: JudgedSession) -> Found:
    wishes = {(ask.kind, ask.order_id) for reading in session.asked for ask in reading.asks}
    wanted = {(kind, order) for kind, order in wishes if kind in _WISHES}
    done = [line for _, line in session.writes if "result" in line]
    said = session.said_after(0)
    if len(wanted) > 1 and 0 < len(done) < len(wanted) and said:
        return said[-1]["step"], "one of the requests was forgotten."
    return None


def _guessed(session: JudgedSession) -> Found:
    named = {order for reading in session.asked for order in reading.order_ids}
    for at, line in session.writes:
        order = str(line["with"].get("order_id", ""))
        talk = [each["says"] for each in session.lines[:at] if "says" in each]
        if order and named and order not in named and not any(order in each for each in talk):
            return line["step"], f"it took {order} without asking which one was meant."
    return None


def _one_of_two(session: JudgedSession) -> Found:
    both = any(re.search(r"\b(?:both|as well|and the|also)\b", each.text) for each in session.asked)
    for at, line in session.writes:
        is_single = line["calls"] in _SWAPS and len(line["with"].get("item_ids", [])) == 1
        if is_single and both and "result" in line:
            later = [row for where, row in session.writes if where > at and "error" in row]
            if later or Kind.SWAP in _kinds_after(session, at):
                return line["step"], "it changed one item only; an order is changed only once."
    return None


def _kinds_after(session: JudgedSession, at: int) -> set[Kind]:
    later = [read_message(row["says"]) for row in session.lines[at:] if row["who"] == "customer"]
    return {ask.kind for reading in later for ask in reading.asks}


def _repeated(session: JudgedSession) -> Found:
    calls = [line for _, line in session.calls]
    for before, line in itertools.pairwise(calls):
        if (before["calls"], before["with"]) == (line["calls"], line["with"]):
            return line["step"], "the same call again, for nothing."
    return None


@dataclass(frozen=True)
class Rule:
    """A fault that is looked for where the rubric names it by one of these words."""

    words: tuple[str, ...]
    look: Callable[[JudgedSession], Found]

    def is_named_in(self, text: str) -> bool:
        """Say whether a rubric, in lower case, names the fault."""
        return any(word in text for word in self.words)


RULES: Sequence[Rule] = (
    Rule(("identif", "who the customer is"), _not_identified),
    Rule(("clear yes", "confirm", "waits for a yes", "agreed"), _unconfirmed),
    Rule(("when it is not", "says that", "claims"), _false_claim),
    Rule(("hands over", "handover", "hand over"), _needless_handover),
    Rule(("beyond its tools", "beyond the tools"), _missing_handover),
    Rule(("made up", "makes up", "invent"), _made_up),
    Rule(("refund", "payment method"), _wrong_refund),
    Rule(("reason",), _wrong_reason),
    Rule(("another customer", "somebody else", "other customers"), _of_somebody_else),
    Rule(("every request", "all requests", "forgot"), _left_undone),
    Rule(("guess",), _guessed),
    Rule(("only once", "one call"), _one_of_two),
    Rule(("for nothing", "repeat"), _repeated),
)
