"""What model calls hear and say: who speaks to whom, and whether it was shown before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reviewdesk.screens.sessions.tree import Outline
from traces.models import Span

# Longer words come twice only because a call was sent on; shorter ones people do repeat.
_MAX_REPEATED = 40
_MAX_ANCESTORS = 50

Call = tuple[str, str, Any, str]


@dataclass(frozen=True)
class Turn:
    """A message of a model's input.

    Attributes:
        call_id: Of a tool's message, the call that it answers, if that is known.
        has_parts: Whether it holds more than text, such as a picture.
    """

    role: str
    text: str
    is_cut: bool = False
    call_id: str = ""
    name: str = ""
    has_parts: bool = False


class Speakers:
    """Who speaks to whom, from where a model call stands in the tree.

    The first agent that is spoken to under a root is the customer's; what another one under the
    same root hears comes from an agent.
    """

    def __init__(self, outlines: Iterable[Outline] = ()) -> None:
        self._spans: Mapping[str, Outline] = {span.span_id: span for span in outlines}
        self._fronts: dict[str, str] = {}

    def of(self, span_id: str) -> str:
        """Return "Customer", or "To" and the agent that another agent speaks to."""
        root, agent = self._above(span_id)
        front = self._fronts.setdefault(root, agent)
        return "Customer" if agent == front or not agent else f"To {agent}"

    def is_root(self, span_id: str) -> bool:
        """Say whether no agent stands above this span."""
        span = self._spans.get(span_id)
        if span is None:
            return True
        _, agent = self._above(span.parent_id)
        return not agent

    def _above(self, span_id: str) -> tuple[str, str]:
        """Return the root above a span, and the name of the nearest agent at or above it."""
        agent = ""
        root = span_id
        for _ in range(_MAX_ANCESTORS):
            span = self._spans.get(span_id)
            if span is None:
                break
            root = span.span_id
            if not agent and span.kind == Span.Kind.AGENT:
                agent = span.name
            span_id = span.parent_id
        return root, agent


@dataclass
class Memory:
    """What the conversation has shown so far, so that nothing is shown twice."""

    instructions: set[str] = field(default_factory=set)
    heard: set[str] = field(default_factory=set)
    heard_since: set[str] = field(default_factory=set)
    answers: set[str] = field(default_factory=set)

    def hears(self, text: str) -> bool:
        """Say whether a user's words are new, and remember them."""
        key = _key(text)
        is_known = key in self.heard_since or (len(key) > _MAX_REPEATED and key in self.heard)
        if not key or is_known:
            return False
        self.heard.add(key)
        self.heard_since.add(key)
        return True

    def is_told(self, text: str) -> bool:
        """Say whether instructions are new, and remember them."""
        key = _key(text)
        is_new = bool(key) and key not in self.instructions
        self.instructions.add(key)
        return is_new

    def answers_anew(self, text: str) -> bool:
        """Say whether an agent's words are new since the last of the customer's; remember them."""
        key = _key(text)
        is_new = bool(key) and not (key in self.answers and not self.heard_since)
        if key:
            self.answers.add(key)
            self.heard_since.clear()
        return is_new


def _key(text: str) -> str:
    return " ".join(text.split())
