"""Calls that a model asked for, and the spans and messages that belong to them."""

from collections.abc import Iterable
from typing import Any

from reviewdesk.screens.sessions.chips import Detail
from reviewdesk.screens.sessions.words import Call
from traces.models import Span


class Pairing:
    """Which calls of a window have a span of their own, and what answers the others."""

    def __init__(self, details: Iterable[Detail]) -> None:
        self._by_id: set[str] = set()
        self._by_name: dict[str, list[Any]] = {}
        self._answers: dict[str, str] = {}
        self._loose: dict[str, list[str]] = {}
        for detail in details:
            if detail.kind == Span.Kind.TOOL:
                call_id = detail.attributes.get("call_id")
                if isinstance(call_id, str) and call_id:
                    self._by_id.add(call_id)
                asked = detail.input
                if isinstance(asked, dict) and "arguments" in asked:
                    asked = asked["arguments"]
                self._by_name.setdefault(detail.name, []).append(asked)
            for turn in detail.turns:
                if turn.role == "tool" and turn.call_id:
                    self._answers.setdefault(turn.call_id, turn.text)
                elif turn.role == "tool" and turn.name:
                    self._loose.setdefault(turn.name, []).append(turn.text)

    def has_span(self, call: Call) -> bool:
        """Say whether a tool's span shows this call; each span stands for one call only."""
        call_id, name, arguments, _ = call
        if call_id and call_id in self._by_id:
            return True
        spans = self._by_name.get(name, [])
        if arguments in spans:
            spans.remove(arguments)
            return True
        return False

    def result(self, call: Call) -> str | None:
        """Return what a later message answers to the call, None if nothing does."""
        call_id, name, _, _ = call
        if call_id and call_id in self._answers:
            return self._answers[call_id]
        loose = self._loose.get(name)
        return loose.pop(0) if loose else None
