"""Golden runs played in memory, and written down in one transaction (docs/decisions/032).

A golden run asks the model and is answered by what was recorded: until it writes to its own copy
of the shop it changes nothing, so its steps need not be in the journal before the next one begins.
They are kept, and written together when the play ends, or leaves memory: when a call takes more
than a recording, the model fails, a model plays the customer, somebody cancels or stops the run,
the worker ends, or it has lasted `MOST_SECONDS`. From there `agents.runtime.loop` goes on by the
journal. A play whose worker is lost has written nothing, and starts over in the journal.
"""

import time
from collections.abc import Callable
from datetime import timedelta

from agents.config import config_from_json
from agents.errors import ModelError
from agents.golden.play import play_of
from agents.models import GoldenTest, Run, Step
from agents.runtime.budgets import run_limit_passed
from agents.runtime.calls import answer_unwritten
from agents.runtime.claim import Claim, fenced, lend_connection, read_claimed
from agents.runtime.customer_step import tell_customer
from agents.runtime.ending import complete_played
from agents.runtime.entry import Entry, write_entries
from agents.runtime.glance import levels_at_a_glance, looked_after, may_go_on
from agents.runtime.journal import (
    Action,
    AskCustomer,
    CallModel,
    CallTool,
    Finish,
    next_action,
)
from agents.runtime.model_step import (
    ask_model,
    offered,
    since,
    store_completion,
    store_failure,
    write_start,
)
from agents.runtime.spending import Used, added
from agents.runtime.tool_step import write_answer
from agents.runtime.under_way import is_ending
from traces.records import SpanRecord

MOST_SECONDS = 15.0
# What follows in the transaction that writes a play down; whether the run goes on then.
After = Callable[[Run], bool]


def play(claim: Claim) -> bool:
    """Play a golden run that has done nothing yet; False if it has ended or parked with it.

    Raises:
        ClaimLostError: Another worker holds the run now; nothing was written.
    """
    run = read_claimed(claim)
    lend_connection()
    if run.cancel_requested_at or play_of(run).on_missing == GoldenTest.OnMissing.READ:
        return True
    return _Play(run, claim).go()


class _Play:
    """A play and, by the index of their steps, the entries that are not in its journal yet."""

    def __init__(self, run: Run, claim: Claim) -> None:
        self._run, self._claim = run, claim
        self._config = config_from_json(run.version.config)
        self._began, self._began_at = time.monotonic(), run.read_at
        self._steps: list[Step] = []
        self._entries: dict[int, Entry] = {}

    def go(self) -> bool:
        """Play and write down what was played; say whether the run goes on from its journal."""
        after: After = _go_on
        try:
            with looked_after(self._claim):
                after = self._play()
        finally:
            # Where an error is raised, too: what was done before it is in the journal, as always.
            is_open = self._write(after)
        return is_open

    def _play(self) -> After:
        customer = (self._run.play or {}).get("customer")
        while True:
            action = next_action(self._run.input, self._steps, customer)
            if isinstance(action, Finish):
                return self._complete
            if isinstance(action, AskCustomer) or self._is_over(action):
                return _go_on
            self._run.read_at = self._began_at + timedelta(seconds=self._lasted())
            if isinstance(action, CallModel):
                after = self._ask_model(action)
            elif isinstance(action, CallTool):
                after = self._answer_call(action)
            else:
                self._steps.append(tell_customer(self._run, self._claim, action, write=self._keep))
                after = None
            if after:
                return after

    def _is_over(self, action: Action) -> bool:
        """Say whether the play leaves memory here, for one of the reasons that any may have."""
        return (
            is_ending()
            or self._lasted() > MOST_SECONDS
            or not may_go_on(self._claim)
            or bool(run_limit_passed(self._run, self._steps, self._config, action))
        )

    def _ask_model(self, action: CallModel) -> After | None:
        run, config = self._run, self._config
        levels = levels_at_a_glance(run, config.tools)
        tools = offered(levels)
        step = write_start(run, self._claim, action, config, tools, write=self._keep)
        lend_connection()
        began = time.monotonic()
        try:
            completion = ask_model(run, step, self._steps, config, tools)
        except ModelError as error:
            failure, milliseconds = error, since(began)
            return lambda run: store_failure(run, step, config, failure, milliseconds)
        run.read_at = self._began_at + timedelta(seconds=self._lasted())
        store_completion(run, step, config, completion, since(began), write=self._keep)
        self._steps.append(step)
        return None

    def _answer_call(self, action: CallTool) -> After | None:
        levels = levels_at_a_glance(self._run, self._config.tools)
        known = {contract.name: (contract, level) for contract, level in levels}
        if action.name not in known:
            return _go_on
        contract, level = known[action.name]
        outcome = answer_unwritten(run=self._run, action=action, contract=contract, level=level)
        if outcome is None:
            return _go_on
        step = write_answer(self._run, self._claim, action, contract, outcome, write=self._keep)
        self._steps.append(step)
        return None

    def _keep(
        self,
        *,
        run: Run,
        step: Step,
        span: SpanRecord,
        used: Used | None = None,
        are_totals_due: bool = True,
    ) -> None:
        """Take an entry as `write_entry` does; one of the same step is replaced."""
        before = self._entries.get(step.index)
        both = added(before.used, used or {}) if before else used or {}
        self._entries[step.index] = Entry(step, span, both)
        if step.finished_at is not None and step.kind != Step.Kind.CUSTOMER:
            # What a limit of time worked looks at.
            run.session.working_ns += span.duration_ns

    def _write(self, after: After) -> bool:
        if not self._entries and after is _go_on:
            return True
        with fenced(self._claim, known=self._run) as run:
            write_entries(run=run, entries=[*self._entries.values()], are_totals_due=True)
            return after(run)

    def _complete(self, run: Run) -> bool:
        complete_played(run, self._steps)
        return False

    def _lasted(self) -> float:
        return time.monotonic() - self._began


def _go_on(run: Run) -> bool:
    return True
