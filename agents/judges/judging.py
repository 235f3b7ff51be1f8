"""Judging what is due: read the session, ask the model outside any transaction, store what it says.

Nonsense is asked about once more and then it is a failure; an endpoint that is away is tried again
after a backoff, six times at most. A judgement that failed has no verdict.
"""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from agents.errors import ModelError, ModelRefusedError, ModelUnavailableError, Usage
from agents.golden.outcome import events_of
from agents.judges.answer import Answer, NonsenseError, read_answer
from agents.judges.claim import JudgementClaim, held
from agents.judges.prompt import messages_for, response_format
from agents.llm.client import complete
from agents.llm.routing import endpoint_for
from agents.models import Judgement
from agents.runtime.claim import lend_connection
from agents.tools.autonomy import database_now
from traces.clean import clean_text
from traces.models import Span
from traces.pricing import price_table

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
    """What was said with a model, and what it used."""

    messages: list[dict[str, Any]]
    usages: list[Usage] = field(default_factory=list)


def judge_claimed(claim: JudgementClaim) -> None:
    """Judge what was claimed, and write the outcome if it is still this worker's to write."""
    with transaction.atomic():
        row = held(claim)
    if row is None:
        return
    talk = _Talk([])
    if row.num_attempts > MOST_ATTEMPTS:
        _fail(claim, talk, f"Given up: its worker was lost {MOST_ATTEMPTS} times.")
        return
    try:
        talk.messages = _question(row)
        lend_connection()
        answer = _ask(row, talk)
    except ModelUnavailableError as error:
        _put_off(claim, talk, error)
    except (ModelError, NonsenseError) as error:
        _fail(claim, talk, str(error))
    else:
        _store(claim, talk, answer)


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


def _said(row: Judgement, talk: _Talk) -> Answer:
    version = row.version
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
    usage = Usage(completion.model, completion.input_tokens, completion.output_tokens)
    talk.usages.append(usage)
    return read_answer(completion.content, [each["key"] for each in version.verdicts])


def _store(claim: JudgementClaim, talk: _Talk, answer: Answer) -> None:
    with transaction.atomic():
        if (row := held(claim)) is None:
            return
        row.verdict, row.reason, row.error = answer.verdict, answer.reason, ""
        _close(row, talk, Judgement.Status.DONE)


def _fail(claim: JudgementClaim, talk: _Talk, error: str) -> None:
    with transaction.atomic():
        if (row := held(claim)) is None:
            return
        row.error = clean_text(error)[:_LONGEST_ERROR]
        _close(row, talk, Judgement.Status.FAILED)


def _put_off(claim: JudgementClaim, talk: _Talk, error: ModelUnavailableError) -> None:
    """Try again later: after a backoff, and not before the endpoint wants to be asked."""
    wait = error.retry_after or 0.0
    with transaction.atomic():
        if (row := held(claim)) is None:
            return
        row.error = clean_text(str(error))[:_LONGEST_ERROR]
        if row.num_attempts >= MOST_ATTEMPTS or wait > _LONGEST_WAIT:
            _close(row, talk, Judgement.Status.FAILED)
            return
        backoff = min(_LONGEST_BACKOFF, _BACKOFF_SECONDS * 2 ** (row.num_attempts - 1))
        seconds = max(wait, random.uniform(backoff / 2, backoff))  # noqa: S311
        row.status, row.lease_until = Judgement.Status.PENDING, None
        row.next_at = database_now() + timedelta(seconds=seconds)
        _count(row, talk)
        row.save()


def _close(row: Judgement, talk: _Talk, status: Judgement.Status) -> None:
    row.status, row.finished_at = status, database_now()
    row.next_at = row.lease_until = None
    _count(row, talk)
    row.save()


def _count(row: Judgement, talk: _Talk) -> None:
    """Add what the calls used; a price that nobody knows makes the whole cost unknown."""
    prices = price_table(row.version.judge.project_id)
    for usage in talk.usages:
        row.model = usage.model[:200]
        cost = prices.cost(
            model=usage.model,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            at=database_now().date(),
        )
        is_first = row.input_tokens is None and row.output_tokens is None
        row.cost_usd = _sum(row.cost_usd, cost, is_first=is_first)
        row.input_tokens = (row.input_tokens or 0) + (usage.input_tokens or 0)
        row.output_tokens = (row.output_tokens or 0) + (usage.output_tokens or 0)


def _sum(before: Decimal | None, cost: Decimal | None, *, is_first: bool) -> Decimal | None:
    if cost is None or (before is None and not is_first):
        return None
    return (before or Decimal(0)) + cost
