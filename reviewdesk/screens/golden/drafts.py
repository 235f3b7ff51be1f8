"""What a person has made of a golden test so far, before it is saved."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import QueryDict

from agents.golden.content import LATER, Parts, content_of
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
from reviewdesk.screens.golden.judge_choices import JudgeChoices
from reviewdesk.screens.golden.part_rows import (
    CHANGES,
    PartsDraft,
    parts_of,
    parts_of_form,
)
from traces.models import Label

_CHANGES_FORM = ("add", "drop", "add-turn", "take-rest", *CHANGES)
People = Sequence[tuple[int, str]]


@dataclass(frozen=True)
class Draft:
    """The form's three parts.

    Attributes:
        form: Title, severity, tags, reason, and the agent where it has to be chosen.
        rows: The checks.
        turns: What the customer says after the agent's answers.
        parts: Expectations, who the customer is, and calls that nothing was recorded for.
    """

    form: TestForm
    rows: tuple[CheckRow, ...]
    turns: tuple[str, ...]
    parts: PartsDraft = field(default_factory=PartsDraft)

    @property
    def said(self) -> list[str]:
        """Return the turns that say something; a customer who is played has none."""
        return [turn for turn in self.turns if turn.strip()] if self.parts.has_turns else []

    def read(self, tools: Collection[str]) -> tuple["Filled | None", "Draft"]:
        """Return what can be saved, or None where something is wrong; the draft says what."""
        checks, rows = read_rows(self.rows, tools)
        given, parts = self.parts.read(tools)
        is_good = self.form.is_valid() and not any(row.problems for row in rows)
        filled = Filled(checks, given) if is_good and given is not None else None
        return filled, replace(self, rows=rows, parts=parts)


@dataclass(frozen=True)
class Filled:
    """What a draft holds that can be saved, beside the fields of its form."""

    checks: list[Check]
    parts: Parts


@dataclass(frozen=True)
class Choices:
    """What may be chosen: agents (None where the agent is settled), owners by id and name, judges.

    Without `judges` any judge may be named.
    """

    agents: Sequence[Agent] | None
    people: People
    judges: JudgeChoices | None = None


def draft_of_proposal(
    proposed: ProposedTest, label: Label | None, agent: Agent | None, choices: Choices, by: int
) -> Draft:
    """Return what is proposed for a session; `by` is who promotes it, and owns the test."""
    initial = {
        "agent": agent.slug if agent else "",
        "title": proposed.title,
        "suite": proposed.suite,
        "severity": proposed.severity,
        "tags": ", ".join(proposed.tags),
        "owner_id": str(by),
        "reason": label.comment if label else "",
    }
    return Draft(
        form=_form(choices, initial=initial),
        rows=rows_of_checks(proposed.checks, proposed.tools, choices.judges),
        turns=tuple(turn.content for turn in proposed.turns),
        parts=parts_of(
            {
                **LATER,
                "expectations": proposed.expectations,
                "fixtures": [fixture.to_json() for fixture in proposed.fixtures],
            }
        ),
    )


def draft_of_test(test: GoldenTest, tools: Collection[str], choices: Choices) -> Draft:
    """Return a test as it is saved."""
    initial = {
        "title": test.title,
        "suite": test.suite,
        "severity": test.severity,
        "is_critical": test.is_critical,
        "tags": ", ".join(test.tags),
        "owner_id": str(test.owner_id or ""),
        "reason": test.reason,
    }
    return Draft(
        form=_form(choices, initial=initial),
        rows=rows_of_checks(test.checks, tools, choices.judges),
        turns=tuple(test.input["turns"]),
        parts=parts_of(content_of(test)),
    )


def draft_of_form(
    data: QueryDict, tools: Collection[str], choices: Choices, left_out: Sequence[str] = ()
) -> Draft:
    """Return what was sent, with a row or turn more or less where a button asked for it."""
    form = _form(choices, data=data)
    if changes_form(data):
        # Bound forms complain about what is not filled yet; this one is only shown again.
        form = _form(choices, initial={name: data.get(name, "") for name in form.fields})
    added = [*([""] if "add-turn" in data else []), *(left_out if "take-rest" in data else [])]
    return Draft(
        form=form,
        rows=rows_of_form({name: str(data[name]) for name in data}, tools, choices.judges),
        turns=(*data.getlist("turn"), *added),
        parts=parts_of_form(data),
    )


def changes_form(data: QueryDict) -> bool:
    """Say whether the form is only to be shown again with a row or turn more or less."""
    return any(name in data for name in _CHANGES_FORM)


def _form(choices: Choices, **options: Any) -> TestForm:
    return TestForm(agents=choices.agents, people=choices.people, **options)
