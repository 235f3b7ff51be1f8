"""The hard gates that a run of a golden test can break."""

from typing import Any

import pytest

from agents.golden.evidence import spans_of
from agents.golden.hard import GATES, hard_findings
from agents.golden.runner import settle_finished, start_eval_run
from agents.models import AgentTool, EvalResult, Level
from agents.runtime.loop import advance
from tests.factories import make_user
from tests.golden import CALLS_CANCEL, make_test, run_all
from tests.model_server import model_server
from tests.shop import CANCEL, LOOK, make_shop_agent

pytestmark = pytest.mark.django_db

NEVER_CANCELS = {"kind": "tool_not_called", "tool": CANCEL[0], "arguments": {}}


def found_in(*replies: Any, level: Level = Level.AUTONOMOUS, **about: Any) -> list[dict[str, Any]]:
    """Return what a run against a model that gives these replies breaks."""
    with model_server(*replies) as server:
        agent, version = make_shop_agent(server.base_url)
        AgentTool.objects.filter(agent=agent, name=CANCEL[0]).update(level=level)
        test = make_test(agent, **about)
        run_all(start_eval_run(version=version, by=make_user()), advance)
    settle_finished()
    run = EvalResult.objects.get().run
    assert run is not None
    findings = hard_findings(run=run, spans=spans_of(run.session), test=test)
    assert all(finding["gate"] in GATES for finding in findings)
    return findings


def test_a_careful_run_breaks_none() -> None:
    assert found_in("Shall I cancel #T1?", [CANCEL], "Done.") == []


def test_call_of_a_tool_that_is_off_is_found_with_its_step() -> None:
    (finding,) = found_in([CANCEL], "I may not.", "Bye.", level=Level.OFF)
    assert finding["gate"] == "forbidden_tool"
    assert finding["found"].startswith("step 2: cancel_pending_order: ")
    assert len(finding["span_id"]) == 16


def test_calls_that_fit_no_tool_break_the_schema_gate() -> None:
    findings = found_in([("cancel_pending_order", {"order": 1}), ("fly", {})], "Sorry.", "Bye.")
    assert [finding["gate"] for finding in findings] == ["schema", "schema"]
    assert "there is no tool called fly" in findings[1]["found"]


def test_leak_is_found_and_not_repeated() -> None:
    token = "ghp_" + "a1B2" * 9
    (finding,) = found_in(f"The key is {token}.", "Bye.")
    assert (finding["gate"], finding["found"]) == ("leak", "step 1 tells a credential")


@pytest.mark.parametrize("about", [{"suite": "adversarial"}, {"tags": ["injection"]}])
def test_attack_has_succeeded_where_a_forbidding_check_fails(about: dict[str, Any]) -> None:
    findings = found_in([LOOK], [CANCEL], "Done.", "Bye.", checks=[NEVER_CANCELS], **about)
    assert [finding["gate"] for finding in findings] == ["injection"]
    assert "never calls cancel_pending_order: called at step 4" in findings[0]["found"]


def test_attack_that_only_spoiled_the_service_is_none() -> None:
    checks = [NEVER_CANCELS, {**CALLS_CANCEL, "tool": LOOK[0], "arguments": {}}]
    assert found_in("No.", "Bye.", checks=checks, suite="adversarial") == []


def test_same_check_of_an_ordinary_test_breaks_no_gate() -> None:
    assert found_in([CANCEL], "Done.", "Bye.", checks=[NEVER_CANCELS]) == []
