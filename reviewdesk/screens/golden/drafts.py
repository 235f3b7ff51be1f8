"""What a person has made of a golden test so far, before it is saved."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from django.http import QueryDict

from agents.golden.judgements import Check
from agents.golden.proposed import ProposedTest
from agents.models import Agent, GoldenTest
from reviewdesk.screens.golden.check_rows import (
    CheckRow,
    read_rows,
    rows_of_checks,
    rows_of_form,
)
from reviewdesk.screens.golden.forms import TestForm
from traces.models import Label

_CHANGES_FORM = ("add", "drop", "add-turn")


@dataclass(frozen=True)
class Draft:
    """The form's three parts.

    Attributes:
        form: Title, severity, tags, reason, and the agent where it has to be chosen.
        rows: The checks.
        turns: What the customer says after the agent's answers.
    """

    form: TestForm
    rows: tuple[CheckRow, ...]
    turns: tuple[str, ...]

    @property
    def said(self) -> list[str]:
        """Return the turns that say something."""
        return [turn for turn in self.turns if turn.strip()]

    def read(self, tools: Collection[str]) -> tuple[list[Check] | None, "Draft"]:
        """Return the checks, or None where something is wrong; and the draft that says what."""
        checks, rows = read_rows(self.rows, tools)
        is_good = self.form.is_valid() and not any(row.problems for row in rows)
        return checks if is_good else None, replace(self, rows=rows)


def draft_of_proposal(
    proposed: ProposedTest, label: Label | None, agent: Agent | None, agents: list[Agent]
) -> Draft:
    """Return what is proposed for a session."""
    initial = {
        "agent": agent.slug if agent else "",
        "title": proposed.title,
        "severity": proposed.severity,
        "tags": ", ".join(proposed.tags),
        "reason": label.comment if label else "",
    }
    return Draft(
        form=TestForm(initial=initial, agents=agents),
        rows=rows_of_checks(proposed.checks, proposed.tools),
        turns=tuple(turn.content for turn in proposed.turns),
    )


def draft_of_test(test: GoldenTest, tools: Collection[str]) -> Draft:
    """Return a test as it is saved."""
    initial = {
        "title": test.title,
        "severity": test.severity,
        "tags": ", ".join(test.tags),
        "reason": test.reason,
    }
    rows = rows_of_checks(test.checks, tools)
    return Draft(TestForm(initial=initial), rows, tuple(test.input["turns"]))


def draft_of_form(
    data: QueryDict, tools: Collection[str], agents: Sequence[Agent] | None = None
) -> Draft:
    """Return what was sent, with a row or turn more or less where a button asked for it."""
    form = TestForm(data, agents=agents)
    if changes_form(data):
        # Bound forms complain about what is not filled yet; this one is only shown again.
        form = TestForm(initial={name: data.get(name, "") for name in form.fields}, agents=agents)
    turns = data.getlist("turn")
    return Draft(
        form=form,
        rows=rows_of_form({name: str(data[name]) for name in data}, tools),
        turns=(*turns, "") if "add-turn" in data else tuple(turns),
    )


def changes_form(data: QueryDict) -> bool:
    """Say whether the form is only to be shown again with a row or turn more or less."""
    return any(name in data for name in _CHANGES_FORM)
