"""Taking a call back: within its window, once, unless something was built on it."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from agents.errors import ToolUnavailableError, UndoError
from agents.models import Agent, Effect, Level, Run, ShopWrite, Tier, UndoableCall
from agents.runtime.loop import advance
from agents.runtime.start import continue_run, start_run
from agents.tools import registry
from agents.tools.autonomy import database_now
from agents.tools.contract import CallPolicy, ToolContract, ToolError, ToolKind
from agents.tools.undo import settle_undo_windows, undo_arguments, undo_call
from tests.authority import INPUT, make_run, make_step
from tests.factories import make_user
from tests.model_server import ModelServer, model_server
from tests.shop import make_shop_agent
from traces.models import Span

ADDRESS = "modify_pending_order_address"
PLACE = {
    "address1": "1 Main Street", "address2": "", "city": "Ulm", "state": "BW",
    "country": "Germany", "zip": "89073",
}  # fmt: skip
CHANGE = (ADDRESS, {"order_id": "#T1", **PLACE})


def act(server: ModelServer) -> tuple[Agent, Run, UndoableCall]:
    """Run an agent that changes an address at `act_with_undo`."""
    agent, _ = make_shop_agent(server.base_url, **{ADDRESS: Level.ACT_WITH_UNDO})
    run = start_run(agent=agent, run_input=INPUT)
    advance(run.pk)
    run.refresh_from_db()
    return agent, run, UndoableCall.objects.select_related("run", "step").get()


def address_of(run: Run) -> Any:
    return ShopWrite.objects.filter(run=run, kind="order").order_by("-id")[0].data["address"]


@pytest.mark.django_db
def test_database_settles_an_undo_once() -> None:
    with model_server([CHANGE], "Done.") as server:
        _, _, call = act(server)
    undo_call(call=call, reason="The old one was right.", by=make_user())
    for status in ("open", "failed", "kept"):
        with pytest.raises(IntegrityError, match="it is settled once"), transaction.atomic():
            UndoableCall.objects.update(status=status)


@pytest.mark.django_db
def test_call_is_made_at_once_and_taken_back_to_what_was_before() -> None:
    with model_server([CHANGE], "Done.") as server:
        _, run, call = act(server)
    assert run.status == Run.Status.COMPLETED
    assert address_of(run)["city"] == "Ulm"
    assert call.until > database_now() + timedelta(minutes=59)
    by = make_user(name="Ada")
    undone = undo_call(call=call, reason="The old one was right.", by=by)
    assert address_of(run) == {}
    assert (undone.status, undone.undone_by_id) == ("undone", by.pk)
    span = Span.objects.get(session=run.session, name="restore_records")
    assert span.attributes["undo_of"] == call.step.span_id
    assert span.attributes["reason"] == "The old one was right."


@pytest.mark.django_db
def test_model_is_told_at_its_next_turn() -> None:
    with model_server([CHANGE], "Done.", "I see.") as server:
        _, run, call = act(server)
        undo_call(call=call, reason="The old one was right.", by=make_user())
        continue_run(run=run, content="And now?")
        advance(run.pk)
        told = [each for each in server.requests[-1]["messages"] if each["role"] == "tool"]
    assert "A person has undone this call since" in told[0]["content"]
    assert "The old one was right." in told[0]["content"]


@pytest.mark.django_db
def test_it_is_refused_too_late_and_without_a_reason() -> None:
    with model_server([CHANGE], "Done.") as server:
        _, run, call = act(server)
    with pytest.raises(UndoError, match="reason of at least 3"):
        undo_call(call=call, reason=" ", by=make_user())
    UndoableCall.objects.update(until=database_now() - timedelta(seconds=1))
    with pytest.raises(UndoError, match="It is too late"):
        undo_call(call=call, reason="Wrong.", by=make_user())
    assert settle_undo_windows() == 1
    call.refresh_from_db()
    assert call.status == "kept"
    assert ShopWrite.objects.filter(run=run).count() == 1


@pytest.mark.django_db
def test_call_that_was_undone_is_not_undone_again() -> None:
    with model_server([CHANGE], "Done.") as server:
        _, run, call = act(server)
    undo_call(call=call, reason="Wrong.", by=make_user(name="Ada"))
    with pytest.raises(UndoError, match="Ada undid this call already"):
        undo_call(call=call, reason="Wrong.", by=make_user())
    assert ShopWrite.objects.filter(run=run).count() == 2


@pytest.mark.django_db
def test_it_is_refused_where_a_later_call_wrote_to_the_same_record() -> None:
    later = (ADDRESS, {"order_id": "#T1", **PLACE, "city": "Bonn"})
    with model_server([CHANGE], [later], "Done.") as server:
        agent, _ = make_shop_agent(server.base_url, **{ADDRESS: Level.ACT_WITH_UNDO})
        run = start_run(agent=agent, run_input=INPUT)
        advance(run.pk)
    first, second = UndoableCall.objects.order_by("pk")
    with pytest.raises(UndoError, match="a later call has written to the same records"):
        undo_call(call=first, reason="Wrong.", by=make_user())
    assert address_of(run)["city"] == "Bonn"
    undo_call(call=second, reason="Wrong.", by=make_user())
    assert address_of(run)["city"] == "Ulm"


@pytest.mark.django_db(transaction=True)
def test_two_people_at_once_undo_once() -> None:
    with model_server([CHANGE], "Done.") as server:
        _, run, call = act(server)
    people = [make_user(), make_user()]
    outcomes: list[str] = []

    def undo(number: int) -> None:
        try:
            undo_call(call=call, reason="Wrong.", by=people[number])
            outcomes.append("undone")
        except UndoError:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=undo, args=[number]) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(outcomes) == ["refused", "undone"]
    assert ShopWrite.objects.filter(run=run).count() == 2


def test_arguments_of_the_undo_are_mapped_from_the_call() -> None:
    policy = CallPolicy(
        undo_tool="cancel_return",
        undo_arguments={
            "id": "result.returns.0.id", "order": "arguments.order_id", "key": "call.effect_key",
            "why": "undone", "gone": "result.nothing",
        },
    )  # fmt: skip
    contract = ToolContract("start_return", "1", "", {}, Tier.MONEY, policy=policy)
    found = undo_arguments(contract, {"order_id": "#1"}, {"returns": [{"id": 7}]}, "run:3")
    assert found == {"id": 7, "order": "#1", "key": "run:3", "why": "undone"}


def outside_call(monkeypatch: pytest.MonkeyPatch, function: Any, effect: Effect) -> UndoableCall:
    """Return a call whose undo tool is a function outside of our database."""
    contract = ToolContract(
        "take_back", "1", "Take back.", {"type": "object"}, Tier.WRITE_REVERSIBLE,
        function=function, kind=ToolKind.FUNCTION, effect=effect,
    )  # fmt: skip
    monkeypatch.setitem(registry._BY_NAME, contract.name, contract)
    agent, _ = make_shop_agent()
    tool = agent.tools.first()
    run = make_run(tool)
    return UndoableCall.objects.create(
        run=run,
        step=make_step(run, tool, 1),
        agent_tool=tool,
        undo_tool=contract.name,
        until=database_now() + timedelta(hours=1),
    )


@pytest.mark.django_db(transaction=True)
def test_outside_tool_is_called_with_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[str] = []
    call = outside_call(monkeypatch, lambda each: keys.append(each.effect_key), Effect.KEYED)
    undone = undo_call(call=call, reason="Wrong.", by=make_user())
    assert undone.status == "undone"
    assert keys == [f"{call.run_id}:1:undo"]


@pytest.mark.django_db(transaction=True)
def test_outside_tool_that_refuses_ends_the_undo(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(each: Any) -> None:
        raise ToolError("it was shipped")

    call = outside_call(monkeypatch, refuse, Effect.KEYED)
    with pytest.raises(UndoError, match="refused: it was shipped"):
        undo_call(call=call, reason="Wrong.", by=make_user())
    call.refresh_from_db()
    assert call.status == "failed"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("effect", "status"), [(Effect.KEYED, "open"), (Effect.UNKEYED, "failed")])
def test_undo_without_an_answer_is_repeated_only_where_it_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, effect: Effect, status: str
) -> None:
    def vanish(each: Any) -> None:
        raise ToolUnavailableError("no answer", is_sent=True)

    call = outside_call(monkeypatch, vanish, effect)
    with pytest.raises(UndoError, match="did not answer"):
        undo_call(call=call, reason="Wrong.", by=make_user())
    call.refresh_from_db()
    assert call.status == status
