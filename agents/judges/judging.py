"""Judging what is due: read the session, ask the model outside any transaction, store what it says.

Nonsense is asked about once more and then it is a failure; an endpoint that is away is tried again
after a backoff, six times at most. A judgement that failed has no verdict. Before each ask it is
looked whether it may be made: what was taken back is let go, and what is stopped or over a budget
of the day waits, which is no attempt. What was asked is counted, whatever became of it.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from agents.errors import ModelError, ModelRefusedError, ModelUnavailableError, Usage
from agents.golden.outcome import events_of
from agents.judges.answer import Answer, NonsenseError, read_answer
from agents.judges.claim import JudgementClaim, held, judges_stop
from agents.judges.prompt import messages_for, response_format
from agents.judges.spending import agent_judged, budget_reached, look_again_at
from agents.llm.client import complete
from agents.llm.routing import endpoint_for
from agents.models import Judgement
from agents.runtime.claim import lend_connection
from agents.runtime.spending import Used, cost_of, count_for, used_by
from agents.tools.autonomy import database_now
from agents.tools.standing import hold_authority
from agents.tools.stops import name_of
from traces.clean import clean_text
from traces.models import Span

MOST_ATTEMPTS = 6
TIMEOUT_SECONDS = 60.0
_BACKOFF_SECONDS = 2.0
_LONGEST_BACKOFF = 120.0
_LONGEST_WAIT = 3600.0
_LONGEST_ERROR = 2_000
_AGAIN = (
    "That cannot be used: {problem}. Answer again with one JSON object that has a reason and one "
    "of the verdicts, and with nothing else."
)


@dataclass
class _Talk:
    """What was said with a model, what it used, and the agent whom it is counted for."""

    claim: JudgementClaim
    agent_id: int | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)
    milliseconds: int = 0


class _WaitingError(Exception):
    """The judge may not be asked now; says why, and whether a budget is what it waits for."""

    def __init__(self, why: str, *, is_for_budget: bool) -> None:
        super().__init__(why)
        self.is_for_budget = is_for_budget


class _TakenBackError(Exception):
    """The judgement is not this worker's any more."""


def judge_claimed(claim: JudgementClaim) -> None:
    """Judge what was claimed, and write the outcome if it is still this worker's to write."""
    with transaction.atomic():
        row = held(claim)
    if row is None:
        return
    talk = _Talk(claim, agent_judged(row))
    if row.num_attempts > MOST_ATTEMPTS:
        _fail(row, talk, f"Given up: its worker was lost {MOST_ATTEMPTS} times.")
        return
    try:
        talk.messages = _question(row)
        answer = _ask(row, talk)
    except _TakenBackError:
        _count_lost(row, talk)
    except _WaitingError as error:
        _wait(row, talk, error)
    except ModelUnavailableError as error:
        _put_off(row, talk, error)
    except (ModelError, NonsenseError) as error:
        _fail(row, talk, str(error))
    else:
        _store(row, talk, answer)


def _question(row: Judgement) -> list[dict[str, Any]]:
    """Return what is asked; the session as the trace has it, masked where the trace is."""
    spans = Span.objects.filter(session=row.session_id).order_by("start_ns")
    events, _ = events_of(spans)
    version = row.version
    return messages_for(
        rubric=version.rubric, verdicts=version.verdicts, events=events, subject=row.subject
    )


def _ask(row: Judgement, talk: _Talk) -> Answer:
    """Ask once, and once more where the answer is nonsense."""
    try:
        return _said(row, talk)
    except NonsenseError as error:
        talk.messages = [
            *talk.messages,
            {"role": "assistant", "content": error.said[:_LONGEST_ERROR]},
            {"role": "user", "content": _AGAIN.format(problem=error)},
        ]
    try:
        return _said(row, talk)
    except NonsenseError as error:
        raise NonsenseError(f"No verdict, asked twice: {error}.") from error


def _check_may_ask(row: Judgement, talk: _Talk) -> None:
    """Make sure that a judge may be asked now, under the authority that holds as it begins.

    Raises:
        _TakenBackError: Another worker has it, or it was taken back.
        _WaitingError: It is stopped, or a budget of the day is used up.
    """
    project_id = row.version.judge.project_id
    with transaction.atomic():
        hold_authority()
        if held(talk.claim) is None:
            raise _TakenBackError
        if (switch := judges_stop(project_id)) is not None:
            why = f"Waits: {name_of(switch)} is stopped ({switch.reason})."
            raise _WaitingError(why, is_for_budget=False)
        if why := budget_reached(project_id=project_id, agent_id=talk.agent_id):
            raise _WaitingError(why, is_for_budget=True)


def _said(row: Judgement, talk: _Talk) -> Answer:
    version = row.version
    _check_may_ask(row, talk)
    lend_connection()
    began = time.monotonic()
    try:
        completion = complete(
            endpoint=endpoint_for(model=version.model, agent_base_url=version.model_base_url),
            model=version.model,
            messages=talk.messages,
            tools=[],
            parameters=version.parameters,
            response_format=response_format(version.verdicts),
            timeout_seconds=TIMEOUT_SECONDS,
        )
    except ModelRefusedError as error:
        if error.usage is None:
            raise
        # It did answer, and that cost something: without words, or without a choice.
        talk.usages.append(error.usage)
        raise NonsenseError("it answered without words") from error
    finally:
        talk.milliseconds += round((time.monotonic() - began) * 1000)
    usage = Usage(completion.model, completion.input_tokens, completion.output_tokens)
    talk.usages.append(usage)
    return read_answer(completion.content, [each["key"] for each in version.verdicts])


def _store(row: Judgement, talk: _Talk, answer: Answer) -> None:
    with _written(row, talk) as own:
        if own is not None:
            own.verdict, own.reason, own.error = answer.verdict, answer.reason, ""
            _close(own, Judgement.Status.DONE)


def _fail(row: Judgement, talk: _Talk, error: str) -> None:
    with _written(row, talk) as own:
        if own is not None:
            own.error = clean_text(error)[:_LONGEST_ERROR]
            _close(own, Judgement.Status.FAILED)


def _wait(row: Judgement, talk: _Talk, error: _WaitingError) -> None:
    """Leave it as due as it was, once it may be asked; this was no attempt."""
    with _written(row, talk) as own:
        if own is not None:
            now = database_now()
            own.error = clean_text(str(error))[:_LONGEST_ERROR]
            own.num_attempts = max(own.num_attempts - 1, 0)
            own.status, own.lease_until = Judgement.Status.PENDING, None
            own.next_at = look_again_at(now) if error.is_for_budget else now


def _put_off(row: Judgement, talk: _Talk, error: ModelUnavailableError) -> None:
    """Try again later: after a backoff, and not before the endpoint wants to be asked."""
    wait = error.retry_after or 0.0
    with _written(row, talk) as own:
        if own is None:
            return
        own.error = clean_text(str(error))[:_LONGEST_ERROR]
        if own.num_attempts >= MOST_ATTEMPTS or wait > _LONGEST_WAIT:
            _close(own, Judgement.Status.FAILED)
            return
        backoff = min(_LONGEST_BACKOFF, _BACKOFF_SECONDS * 2 ** (own.num_attempts - 1))
        seconds = max(wait, random.uniform(backoff / 2, backoff))  # noqa: S311
        own.status, own.lease_until = Judgement.Status.PENDING, None
        own.next_at = database_now() + timedelta(seconds=seconds)


def _count_lost(row: Judgement, talk: _Talk) -> None:
    """Count what was asked for a judgement that others have taken."""
    with _written(row, talk):
        pass


@contextmanager
def _written(row: Judgement, talk: _Talk) -> Iterator[Judgement | None]:
    """Yield the judgement, locked, if it is still this worker's, and save it with what was used.

    What was used counts into the day's budget in any case.
    """
    with transaction.atomic():
        own = held(talk.claim)
        yield own
        used = _count(row, own, talk)
        if own is not None:
            own.save()
        if talk.agent_id is not None:
            for each in used:
                count_for(talk.agent_id, **each)


def _close(row: Judgement, status: Judgement.Status) -> None:
    row.status, row.finished_at = status, database_now()
    row.next_at = row.lease_until = None


def _count(row: Judgement, own: Judgement | None, talk: _Talk) -> list[Used]:
    """Add what the calls used to the judgement, and return it for the day's budget, by call.

    A price that nobody knows makes the whole cost of a judgement unknown.
    """
    project_id = row.version.judge.project_id
    in_all: list[Used] = [{"milliseconds": talk.milliseconds}] if talk.milliseconds else []
    for usage in talk.usages:
        cost = cost_of(usage, project_id=project_id, at=database_now().date())
        in_all.append(used_by(usage, cost, 0))
        if own is None:
            continue
        own.model = usage.model[:200]
        is_first = own.input_tokens is None and own.output_tokens is None
        own.cost_usd = _sum(own.cost_usd, cost, is_first=is_first)
        own.input_tokens = (own.input_tokens or 0) + (usage.input_tokens or 0)
        own.output_tokens = (own.output_tokens or 0) + (usage.output_tokens or 0)
    return in_all


def _sum(before: Decimal | None, cost: Decimal | None, *, is_first: bool) -> Decimal | None:
    if cost is None or (before is None and not is_first):
        return None
    return (before or Decimal(0)) + cost
