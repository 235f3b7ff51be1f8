"""A tool call of a session as a chip: what it was asked, what came of it, who decided it."""

import json
import zlib
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from agents.models import ToolApproval
from reviewdesk.screens.sessions.values import Pairs, cut, pairs_of, short_arguments, short_result
from reviewdesk.screens.sessions.words import Call, Turn
from traces.models import Span

_STATES = {
    Span.Status.ERROR: "failed",
    Span.Status.WAITING: "waiting",
    Span.Status.RUNNING: "running",
}


@dataclass(frozen=True)
class Detail:
    """A span with as much of its contents as the page shows at once.

    Attributes:
        said: Text of a customer or model span, cut at `reading.MAX_SAID`.
        is_cut: Whether there is more of it.
        input: None where it is large; then `input_start` has its first characters.
        output: Likewise.
        reasoning: A model's, where it was told.
        answer: Text that an agent's span ended with.
        turns: Messages that are new in a model's input.
        calls: Those that a model asked for: id, name, arguments (None where they are large) and
            then their first characters.
    """

    span_id: str
    kind: str
    name: str
    start_ns: int
    duration_ns: int
    status: str
    status_message: str = ""
    said: str = ""
    is_cut: bool = False
    model: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    input: Any = None
    output: Any = None
    input_start: str = ""
    output_start: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    reasoning: str = ""
    answer: str = ""
    turns: tuple[Turn, ...] = ()
    calls: tuple[Call, ...] = ()

    @property
    def end_ns(self) -> int:
        """Return the end, nanoseconds since 1970."""
        return self.start_ns + self.duration_ns


@dataclass(frozen=True)
class Item:
    """A part of the conversation, known by the span it begins with."""

    span_id: str

    @property
    def span_ids(self) -> tuple[str, ...]:
        """Return the spans that have their place in it."""
        return (self.span_id,)

    @property
    def rev(self) -> str:
        """Return a digest that changes when what is shown of it does."""
        return f"{zlib.crc32(repr(self).encode()):08x}"


@dataclass(frozen=True)
class Chip(Item):
    """A tool call.

    Attributes:
        state: ok, failed, waiting, running, suggested, rejected or expired.
        note: What a person should know of it, a sentence, or empty.
        arguments: Those that it was made with, as names and values; None where they are loaded
            when they are opened.
        proposed: What the model had asked for, where a person changed it.
        result: Likewise; None also where there is none yet.
        is_whole: Whether `arguments` and `result` are all there is to show.
        approval_id: Of the approval that decides it, or None.
        step: Its index in the journal of a run here, or None.
        is_unknown: Whether nobody knows that it happened.
        place: Its own place on the page, where its span has another.
        duration_ns: None where the call has no span of its own.
    """

    name: str
    short: str
    outcome: str
    duration_ns: int | None
    state: str
    note: str
    arguments: Pairs | None
    proposed: Pairs | None
    result: Pairs | None
    is_whole: bool
    is_customers: bool
    approval_id: int | None
    place: str = ""
    step: int | None = None
    is_unknown: bool = False

    @property
    def anchor(self) -> str:
        """Return the place on the page, which no other item has."""
        return self.place or self.span_id


def asked_chip(detail: Detail, call: Call, result: str | None, place: str) -> Chip:
    """Return a call that has no span of its own as a chip, from what the model said and heard.

    Args:
        detail: The model's span.
        call: What it asked for.
        result: What a later message answers; None where none does.
        place: The chip's place on the page.
    """
    _, name, arguments, start = call
    answer = _json_or_text(result)
    return Chip(
        span_id=detail.span_id,
        name=name,
        short=start or short_arguments(arguments or {}),
        outcome=_short_or_nothing(answer),
        duration_ns=None,
        state="ok",
        note="" if result is not None else "Asked for by the model; nothing tells what came of it.",
        arguments=pairs_of(arguments) if arguments else None,
        proposed=None,
        result=_result_pairs(answer, ""),
        is_whole=not start,
        is_customers=False,
        approval_id=None,
        place=place,
    )


def chip_of(detail: Detail, approval: ToolApproval | None) -> Chip:
    """Return a tool call as a chip."""
    asked = detail.input
    if isinstance(asked, dict) and "arguments" in asked:
        asked = asked["arguments"]
    executed = _executed(detail, approval)
    arguments = asked if executed is None else executed
    result, error = _result(detail)
    state = _state(detail, approval)
    return Chip(
        span_id=detail.span_id,
        name=detail.name,
        short=(executed is None and detail.input_start) or short_arguments(arguments or {}),
        outcome=cut(error) or detail.output_start or _short_or_nothing(result),
        duration_ns=detail.duration_ns,
        state=state,
        note=_note(detail, approval, state),
        arguments=pairs_of(arguments) if arguments else None,
        proposed=pairs_of(asked) if asked and executed is not None else None,
        result=_result_pairs(result, error),
        is_whole=not (detail.input_start or detail.output_start),
        is_customers=detail.attributes.get("requestor") == "user",
        approval_id=approval.pk if approval else None,
        step=step_of(detail.attributes),
        is_unknown=bool(detail.attributes.get("is_unknown")),
    )


def step_of(attributes: dict[str, Any]) -> int | None:
    """Return the index in a run's journal that a span's attributes tell, or None."""
    step = attributes.get("step")
    return step if isinstance(step, int) and not isinstance(step, bool) and step >= 0 else None


def _executed(detail: Detail, approval: ToolApproval | None) -> Any:
    """Return the arguments that a person put in place of the proposed ones, or None."""
    if "executed_arguments" in detail.attributes:
        return detail.attributes["executed_arguments"]
    if approval and approval.status == ToolApproval.Status.EDITED:
        return approval.decided_arguments
    return None


def _result(detail: Detail) -> tuple[Any, str]:
    """Return the result and the error of a call; at most one of them is there."""
    output = detail.output
    if isinstance(output, dict) and "error" in output and "result" not in output:
        return None, str(output["error"])
    if detail.status == Span.Status.ERROR and detail.status_message:
        return None, detail.status_message
    return (output["result"] if isinstance(output, dict) and "result" in output else output), ""


def _json_or_text(text: str | None) -> Any:
    if text is None or text[:1] not in ("{", "["):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _short_or_nothing(result: Any) -> str:
    return "" if result is None else short_result(result)


def _result_pairs(result: Any, error: str) -> Pairs | None:
    if error:
        return pairs_of({"error": error})
    if result is None:
        return None
    return pairs_of(result if isinstance(result, dict) else {"": result})


def _state(detail: Detail, approval: ToolApproval | None) -> str:
    is_proposal = isinstance(detail.output, dict) and detail.output.get("is_suggestion")
    if is_proposal or (approval and approval.kind == ToolApproval.Kind.SUGGESTION):
        return "suggested"
    decision = detail.attributes.get("decision")
    if decision in ("rejected", "expired"):
        return str(decision)
    return _STATES.get(Span.Status(detail.status), "ok")


def _note(detail: Detail, approval: ToolApproval | None, state: str) -> str:
    decided = _decided(approval)
    match state:
        case "waiting" if detail.attributes.get("is_unknown"):
            return "Nobody knows whether it happened: it waits for a person to find out."
        case "running" if seconds := detail.attributes.get("waits_seconds"):
            return f"Waits {seconds} s for its next attempt; no worker is held meanwhile."
        case "waiting":
            why = f" ({approval.why})" if approval and approval.why else ""
            return f"Waits for approval by a person{why}."
        case "suggested" if approval and approval.decided_by:
            is_good = approval.status == ToolApproval.Status.APPROVED
            return f"Proposed, not executed; judged {'right' if is_good else 'wrong'}{decided}"
        case "suggested":
            return "Proposed, not executed."
        case "rejected":
            return f"Rejected{decided}"
        case "expired":
            return "Nobody decided in time, so it was not made."
        case _ if detail.attributes.get("is_policy_violation"):
            return "The agent may not use this tool: counted as a policy violation."
        case _ if approval and approval.status == ToolApproval.Status.EDITED:
            return f"Approved with changed arguments{decided}"
        case _ if approval and approval.consumed_at:
            return f"Approved{decided}"
        case _:
            return ""


def _decided(approval: ToolApproval | None) -> str:
    if approval is None:
        return ""
    who = f" by {approval.decided_by}" if approval.decided_by else ""
    return who + (f": “{approval.message}”" if approval.message else "")
