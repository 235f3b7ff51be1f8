"""Advancing a run: one step after the other, each written under the claim before the next."""

import json
import logging
import uuid
from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, InterfaceError, OperationalError

from agents.config import config_from_json
from agents.errors import ClaimLostError
from agents.models import Run
from agents.runtime.claim import Claim, claim_due_run, fenced, let_go
from agents.runtime.customer_step import begin_customer, tell_customer
from agents.runtime.ending import complete_run, end_run, queue_later
from agents.runtime.entry import read_entries
from agents.runtime.hermetic import play
from agents.runtime.journal import (
    AskCustomer,
    CallModel,
    CallTool,
    TellCustomer,
    next_action,
)
from agents.runtime.model_step import begin_model_call
from agents.runtime.tool_step import begin_tool_call
from agents.runtime.under_way import is_ending

_logger = logging.getLogger(__name__)


def advance(run_id: uuid.UUID | None = None) -> bool:
    """Claim a due run (or this one) and advance it until it ends or parks; False if none is due."""
    claim = claim_due_run(run_id)
    if claim is None:
        return False
    advance_claimed(claim)
    return True


def advance_claimed(claim: Claim) -> None:
    """Advance a claimed run until it ends or parks, or this worker ends: then others go on.

    The first time that a golden run is claimed, it is played in memory as far as that goes. A lost
    claim ends the loop without a trace. A database that is away interrupts the run: what
    was begun is rolled back, and the run goes on from its journal when its lease has ended. Any
    other error is stored as the run's failure and raised.
    """
    try:
        is_open = play(claim) if claim.is_first_of_golden else advance_step(claim)
        while is_open:
            if is_ending():
                _leave_to_others(claim)
                break
            is_open = advance_step(claim)
    except ClaimLostError as error:
        _logger.info("%s", error)
    except (InterfaceError, OperationalError) as error:
        _logger.warning("Run %s is interrupted and will go on: %s", claim.run_id, error)
    except Exception as error:
        _store_defect(claim, error)
        raise
    finally:
        let_go(claim)


def advance_step(claim: Claim) -> bool:
    """Do what comes next in a claimed run; False if the run has ended or parked with it.

    What is done in our own database is done in one transaction; a model, or a tool outside, is
    begun in it and waited for after it. A call in our database and the model call that follows
    it take one transaction together: both or neither, under the same authority.

    Raises:
        ClaimLostError: Another worker holds the run now.
    """
    with fenced(claim, starts_effect=True) as run:
        after = _begin(run, claim)
    return after() if callable(after) else after


def _begin(run: Run, claim: Claim) -> bool | Callable[[], bool]:
    """Do what comes next, or begin it and return what waits for it."""
    steps = read_entries(run)
    config = config_from_json(run.version.config)
    customer = (run.play or {}).get("customer")
    action = next_action(run.input, steps, customer)
    if isinstance(action, CallTool):
        after = begin_tool_call(run, claim, action, steps, config)
        if after is not True or is_ending():
            return after
        action = next_action(run.input, steps, customer)
        if not isinstance(action, CallModel):
            return True
    if isinstance(action, CallModel):
        return begin_model_call(run, claim, action, steps, config) or False
    if isinstance(action, TellCustomer):
        return _tell_customer(run, claim, action)
    if isinstance(action, AskCustomer):
        return begin_customer(run, claim, action, steps) or False
    complete_run(run, steps)
    return False


def _tell_customer(run: Run, claim: Claim, action: TellCustomer) -> bool:
    if run.cancel_requested_at:
        end_run(run, Run.Status.CANCELLED, error=run.error)
        return False
    tell_customer(run, claim, action)
    return True


def _leave_to_others(claim: Claim) -> None:
    with fenced(claim) as run:
        queue_later(run, timedelta(0))


def _store_defect(claim: Claim, error: Exception) -> None:
    try:
        with fenced(claim) as run:
            text = f"{type(error).__name__}: {error}"
            end_run(run, Run.Status.FAILED, failure=Run.Failure.DEFECT, error=text[:2000])
    except (ClaimLostError, IntegrityError, json.JSONDecodeError):
        _logger.warning("The failure of run %s could not be stored.", claim.run_id)
