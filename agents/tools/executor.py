"""Doing one tool call: the arguments checked, the tool or its recorded answer asked."""

from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from agents.demo.shop import DatabaseWorld
from agents.golden.play import play_of, rule_for
from agents.golden.replay import Fixture, fixture_for
from agents.models import GoldenTest, Run, ShopWrite
from agents.tools.contract import ToolContract, ToolError
from agents.tools.results import argument_problems, result_problems
from traces.clean import clean_json

__all__ = [
    "CallResult",
    "answer_by_rule",
    "answer_nothing",
    "answer_recorded",
    "argument_problems",
    "execute",
    "failed",
    "may_ask_real",
]


@dataclass(frozen=True)
class CallResult:
    """What a call came to.

    Attributes:
        response: `{"result": JSON}` or `{"error": str}`, as the journal keeps it.
        attributes: For the span: where the answer came from.
    """

    response: dict[str, Any]
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def is_failed(self) -> bool:
        """Say whether the call failed."""
        return "error" in self.response


class _BadResultError(ToolError):
    """A tool of ours returned what its contract does not allow."""


def failed(message: str, **attributes: Any) -> CallResult:
    """Return a call that came to an error."""
    return CallResult({"error": message}, attributes)


def execute(
    *, run: Run, contract: ToolContract, arguments: dict[str, Any], effect_key: str
) -> CallResult:
    """Do the call in the running transaction, so that its effect commits with its step.

    A tool that fails, or whose result breaks its contract, leaves nothing behind: it runs under a
    savepoint. In a golden test a tool that only reads is answered by what was recorded, or as the
    test says, until the run has written.
    """
    if recorded := _recorded(run, contract, arguments):
        return recorded
    world = DatabaseWorld(
        run=run, dataset=run.agent.dataset, tool=contract.name, effect_key=effect_key
    )
    try:
        with transaction.atomic():
            result = clean_json(contract.run_inside(world, arguments))
            if problems := result_problems(contract, result):
                raise _BadResultError("; ".join(problems))
    except _BadResultError as error:
        text = f"{contract.name} is defective, and nothing was changed: {error}"
        return failed(text, is_invalid_result=True)
    except ToolError as error:
        return failed(str(error))
    return CallResult({"result": result})


def answer_recorded(run: Run, tool: str, arguments: dict[str, Any]) -> CallResult | None:
    """Return the recorded answer to this very call, or None."""
    fixture = fixture_for(run.fixtures, tool, arguments)
    return _answered(fixture, "recording") if fixture else None


def answer_by_rule(run: Run, tool: str, arguments: dict[str, Any]) -> CallResult | None:
    """Return what the first rule of a golden test that fits says to this call, or None."""
    rule = rule_for(play_of(run), tool, arguments)
    return _answered(rule, "rule", is_missing=True) if rule else None


def may_ask_real(run: Run, contract: ToolContract) -> bool:
    """Say whether a golden test lets a tool outside be asked for what was not recorded."""
    reads = contract.is_read and not contract.withdrawn
    return reads and play_of(run).on_missing == GoldenTest.OnMissing.READ


def answer_nothing(run: Run, tool: str) -> CallResult:
    """Return the failure of a call for which there is no answer."""
    return failed(
        f"{tool} was not called: a {Run.Kind(run.kind).label} changes nothing outside, and no "
        "answer to this call is recorded",
        answered_by="nothing",
        is_missing=True,
    )


def _answered(fixture: Fixture, by: str, **attributes: Any) -> CallResult:
    response = {"result": fixture.result} if fixture.error is None else {"error": fixture.error}
    return CallResult(response, {"answered_by": by, **attributes})


def _recorded(run: Run, contract: ToolContract, arguments: dict[str, Any]) -> CallResult | None:
    """Answer a read before the first write; from then on only the run's own copy knows."""
    if not (run.fixtures or run.play) or not contract.is_read:
        return None
    if ShopWrite.objects.filter(run=run).exists():
        return None
    name = contract.name
    return answer_recorded(run, name, arguments) or answer_by_rule(run, name, arguments)
