"""What the scripted agent knows at a point of the conversation, gathered message by message."""

import json
from dataclasses import dataclass, field
from typing import Any

from agents.llm.simulator.reading import Reading, read_message
from agents.llm.simulator.rules import Rules
from agents.llm.simulator.wishes import Ask, Kind

ACTIONS = {
    "cancel_pending_order": Kind.CANCEL,
    "return_delivered_order_items": Kind.RETURN,
    "exchange_delivered_order_items": Kind.SWAP,
    "modify_pending_order_items": Kind.SWAP,
    "modify_pending_order_address": Kind.ORDER_ADDRESS,
    "modify_pending_order_payment": Kind.PAYMENT,
    "modify_user_address": Kind.PROFILE_ADDRESS,
}
NOT_EXECUTED = "Not executed"


@dataclass
class Wish:
    """Something the customer wants, and how far it has come.

    Attributes:
        text: All words that belong to it.
        is_closed: Done, refused or dropped.
        attempts: Actions tried for it.
    """

    kind: Kind
    text: str
    order_id: str = ""
    address: dict[str, str] | None = None
    is_confirmed: bool = False
    is_closed: bool = False
    attempts: list["Attempt"] = field(default_factory=list)


@dataclass(frozen=True)
class Attempt:
    """An action that was called, and its result or error."""

    tool: str
    arguments: dict[str, Any]
    result: Any = None
    error: str = ""

    @property
    def is_proposal(self) -> bool:
        """Say whether the desk kept the call as a proposal instead of doing it."""
        return isinstance(self.result, str) and self.result.startswith(NOT_EXECUTED)


@dataclass(frozen=True)
class Awaiting:
    """What the agent asked last: `identity`, `order`, `confirm`, …, and for which wish."""

    what: str
    wish: Wish | None = None


@dataclass
class Mind:
    """The agent's picture of the conversation.

    Attributes:
        rules: Of its prompt.
        tools: Names of the tools that it is offered.
        seed: Decides between wordings.
        lookups: Results of reading calls by (tool, argument).
        failed_lookups: Errors of reading calls by (tool, argument).
        unreported: Actions done since the agent last spoke.
        trusted_id: A customer id taken without proof.
    """

    rules: Rules
    tools: frozenset[str]
    seed: str = ""
    wishes: list[Wish] = field(default_factory=list)
    awaiting: Awaiting | None = None
    last: Reading | None = None
    num_unclear: int = 0
    email: str = ""
    name: tuple[str, str] | None = None
    zip_code: str = ""
    customer_id: str = ""
    is_staff: bool = False
    is_upset: bool = False
    user_id: str = ""
    is_handed_over: bool = False
    has_told_handover: bool = False
    lookups: dict[tuple[str, str], Any] = field(default_factory=dict)
    failed_lookups: dict[tuple[str, str], str] = field(default_factory=dict)
    unreported: list[Attempt] = field(default_factory=list)

    def hear(self, text: str) -> None:
        """Take in a message of the customer."""
        reading = read_message(text)
        self.last = reading
        self.is_upset = reading.is_upset
        self.is_staff = self.is_staff or reading.is_staff
        self.email = reading.email or self.email
        self.name = reading.name or self.name
        self.zip_code = reading.zip_code or self.zip_code
        self.customer_id = reading.customer_id or self.customer_id
        asked = self.awaiting.wish if self.awaiting else None
        if self.awaiting and asked and not asked.is_closed:
            self._hear_answer(self.awaiting.what, asked, reading)
        asks = reading.asks if self.rules.does_all_requests else reading.asks[:1]
        for ask in asks:
            self._hear_ask(ask, reading, asked)
        if not reading.asks and not asked:
            self._hear_order_id(reading)
        self.awaiting = None

    def learn(self, name: str, arguments: dict[str, Any], content: str) -> None:
        """Take in a tool's result, as the runtime words it."""
        error = content.removeprefix("Error:").strip() if content.startswith("Error") else ""
        result = None if error else _parsed(content)
        if name == "transfer_to_human_agents":
            self.is_handed_over = not error and not _is_proposal(result)
            return
        if name in ACTIONS:
            attempt = Attempt(name, arguments, result, error)
            self.unreported.append(attempt)
            self._attribute(attempt)
            return
        key = (name, _key(arguments))
        if error:
            self.failed_lookups[key] = error
            return
        self.lookups[key] = result
        if name.startswith("find_user_id"):
            self.user_id = str(result)

    def open_wishes(self) -> list[Wish]:
        """Return the wishes that are not closed, oldest first."""
        return [wish for wish in self.wishes if not wish.is_closed]

    def found(self, tool: str, argument: str = "") -> Any:
        """Return what a reading call answered, or None."""
        return self.lookups.get((tool, argument))

    def error_of(self, tool: str, argument: str = "") -> str:
        """Return why a reading call failed, or empty."""
        return self.failed_lookups.get((tool, argument), "")

    def _hear_answer(self, what: str, wish: Wish, reading: Reading) -> None:
        is_new = any(ask.kind is not wish.kind for ask in reading.asks) and not reading.is_yes
        if reading.is_no and not reading.is_informative:
            wish.is_closed = True
            return
        if what == "confirm" and reading.is_yes and not reading.has_but:
            wish.is_confirmed = True
        if is_new and not reading.order_ids:
            return
        wish.text = f"{wish.text} {reading.text}"
        if reading.order_ids and what == "order":
            wish.order_id = reading.order_ids[0]
        if reading.address:
            wish.address = reading.address

    def _hear_ask(self, ask: Ask, reading: Reading, asked: Wish | None) -> None:
        if asked and not asked.is_closed and _fits(asked, ask):
            return
        for wish in self.wishes:
            if not wish.is_closed and _fits(wish, ask):
                wish.text = f"{wish.text} {ask.text}"
                wish.order_id = wish.order_id or ask.order_id
                wish.address = reading.address or wish.address
                return
        takes_address = ask.kind in {Kind.ORDER_ADDRESS, Kind.PROFILE_ADDRESS}
        address = reading.address if takes_address else None
        self.wishes.append(Wish(ask.kind, ask.text, ask.order_id, address))

    def _hear_order_id(self, reading: Reading) -> None:
        lacking = [wish for wish in self.open_wishes() if not wish.order_id]
        if reading.order_ids and lacking:
            lacking[0].order_id = reading.order_ids[0]

    def _attribute(self, attempt: Attempt) -> None:
        kind = ACTIONS[attempt.tool]
        order_id = attempt.arguments.get("order_id", "")
        for wish in self.open_wishes():
            if wish.kind is kind and wish.order_id in {"", order_id}:
                wish.order_id = order_id
                wish.attempts.append(attempt)
                wish.is_closed = kind is not Kind.SWAP
                return


def _fits(wish: Wish, ask: Ask) -> bool:
    same_order = not wish.order_id or not ask.order_id or wish.order_id == ask.order_id
    return wish.kind is ask.kind and same_order


def _is_proposal(result: Any) -> bool:
    return isinstance(result, str) and result.startswith(NOT_EXECUTED)


def _parsed(content: str) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError:
        return content


def _key(arguments: dict[str, Any]) -> str:
    """Return the one argument of a reading call, or all of them joined."""
    return " ".join(str(arguments[key]) for key in sorted(arguments))
