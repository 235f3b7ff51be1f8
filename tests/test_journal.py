"""What comes next is decided by the journal alone, whatever was recorded in whatever order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agents.models import Step
from agents.runtime.journal import Action, CallModel, CallTool, Finish, TellCustomer, next_action

SETTLED = (Step.Status.DONE, Step.Status.FAILED)
turns_of_calls = st.lists(st.integers(0, 4), min_size=1, max_size=5)


def calls_of(turn: int, num: int) -> list[dict[str, Any]]:
    return [
        {"id": f"c{turn}-{place}", "name": "pay", "arguments": {}, "raw_arguments": "{}"}
        for place in range(num)
    ]


def step_for(action: Action, turns: list[int], num_models: int) -> Step:
    """Return the step that doing `action` leaves behind."""
    step = Step(index=getattr(action, "index", 0), status=Step.Status.DONE)
    if isinstance(action, CallModel):
        num = turns[num_models] if num_models < len(turns) else 0
        step.kind = Step.Kind.MODEL
        step.response = {"content": "x", "tool_calls": calls_of(num_models, num)}
    elif isinstance(action, CallTool):
        step.kind, step.call_id, step.response = Step.Kind.TOOL, action.call_id, {"result": 1}
    elif isinstance(action, TellCustomer):
        step.kind, step.response = Step.Kind.CUSTOMER, {"content": action.content}
    return step


@given(turns_of_calls, st.lists(st.text(min_size=1), max_size=2))
def test_every_call_is_done_once_in_the_models_order(turns: list[int], said: list[str]) -> None:
    steps: list[Step] = []
    while not isinstance(action := next_action({"turns": said}, steps), Finish):
        num_models = sum(step.kind == Step.Kind.MODEL for step in steps)
        steps.append(step_for(action, turns, num_models))
        assert len(steps) < 60
    assert [step.index for step in steps] == list(range(len(steps)))
    num_models = sum(step.kind == Step.Kind.MODEL for step in steps)
    wanted = [
        call["id"]
        for turn in range(num_models)
        for call in calls_of(turn, turns[turn] if turn < len(turns) else 0)
    ]
    assert [step.call_id for step in steps if step.kind == Step.Kind.TOOL] == wanted


@given(st.lists(st.sampled_from([None, *Step.Status]), min_size=1, max_size=6))
def test_first_call_that_is_not_settled_comes_next(states: list[Step.Status | None]) -> None:
    calls = calls_of(0, len(states))
    model = Step(index=0, kind="model", status="done", response={"tool_calls": calls})
    begun = [
        Step(index=place, kind="tool", status=state, call_id=call["id"], response={"result": 1})
        for place, (state, call) in enumerate(zip(states, calls, strict=True), 1)
        if state is not None
    ]
    action = next_action({}, [model, *begun])
    open_places = [place for place, state in enumerate(states, 1) if state not in SETTLED]
    if not open_places:
        assert action == CallModel(len(states) + 1, None)
        return
    assert isinstance(action, CallTool)
    assert action.index == open_places[0]
    later = [place for place in open_places[1:] if states[place - 1] is None]
    assert [each.index for each in action.later] == later


@given(turns_of_calls, st.integers(0, 30))
def test_a_journal_cut_anywhere_goes_on_as_it_did(turns: list[int], cut: int) -> None:
    steps: list[Step] = []
    actions: list[Action] = []
    while not isinstance(action := next_action({}, steps), Finish):
        actions.append(action)
        num_models = sum(step.kind == Step.Kind.MODEL for step in steps)
        steps.append(step_for(action, turns, num_models))
    kept = steps[:cut]
    assert next_action({}, kept) == (actions[cut] if cut < len(actions) else Finish())


def test_model_call_that_was_started_is_asked_again() -> None:
    model = Step(index=0, kind="model", status="started")
    assert next_action({}, [model]) == CallModel(0, model)


def test_run_without_steps_begins_with_the_model() -> None:
    assert next_action({}, []) == CallModel(0, None)
