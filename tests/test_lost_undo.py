"""Undos outside whose process was lost in the middle: finished once, or said to be unknown."""

from datetime import timedelta
from typing import Any

import pytest

from agents.errors import ToolUnavailableError, UndoError
from agents.models import Effect, UndoableCall
from agents.tools.autonomy import database_now
from agents.tools.contract import ToolError
from agents.tools.undo import finish_lost_undos, undo_call
from tests.factories import make_user
from tests.test_undo import outside_call

pytestmark = pytest.mark.django_db(transaction=True)


def begun(call: UndoableCall, *, minutes_ago: float) -> UndoableCall:
    """Claim the undo as a process does that is then lost."""
    UndoableCall.objects.filter(pk=call.pk).update(
        undone_by=make_user(),
        undone_at=database_now() - timedelta(minutes=minutes_ago),
        reason="Wrong.",
    )
    return call


def status_of(call: UndoableCall) -> str:
    call.refresh_from_db()
    return call.status


def test_keyed_undo_is_sent_again_with_the_same_key_once(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[str] = []
    call = outside_call(monkeypatch, lambda each: keys.append(each.effect_key), Effect.KEYED)
    begun(call, minutes_ago=5)
    assert (finish_lost_undos(), finish_lost_undos()) == (1, 0)
    assert (status_of(call), keys) == ("undone", [f"{call.run_id}:1:undo"])
    assert (call.reason, call.undone_by is not None) == ("Wrong.", True)


def test_unkeyed_undo_is_not_sent_again_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[str] = []
    call = outside_call(monkeypatch, lambda each: keys.append(each.effect_key), Effect.UNKEYED)
    begun(call, minutes_ago=5)
    assert finish_lost_undos() == 1
    assert (status_of(call), keys) == ("failed", [])
    assert call.result
    assert call.result["error"].startswith("Nobody knows whether take_back undid this call at")


def test_undo_in_progress_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    call = outside_call(monkeypatch, lambda each: None, Effect.KEYED)
    begun(call, minutes_ago=0.1)
    assert finish_lost_undos() == 0
    assert status_of(call) == "open"


@pytest.mark.parametrize(("hours", "status"), [(1, "open"), (-30, "failed")])
def test_tool_that_stays_away_is_tried_for_a_day(
    monkeypatch: pytest.MonkeyPatch, hours: int, status: str
) -> None:
    def vanish(each: Any) -> None:
        raise ToolUnavailableError("no answer", is_sent=True)

    call = begun(outside_call(monkeypatch, vanish, Effect.KEYED), minutes_ago=5)
    UndoableCall.objects.update(until=database_now() + timedelta(hours=hours))
    finish_lost_undos()
    assert status_of(call) == status
    assert finish_lost_undos() == 0, "it is not tried again at once"


def overtaken(monkeypatch: pytest.MonkeyPatch, effect: Effect, ends: Any) -> UndoableCall:
    """Return a call whose first undo takes so long that another attempt settles it meanwhile."""
    attempts: list[str] = []

    def take_long(each: Any) -> None:
        attempts.append(each.effect_key)
        if len(attempts) == 1:
            UndoableCall.objects.update(undone_at=database_now() - timedelta(minutes=5))
            assert finish_lost_undos() == 1
            ends()

    return outside_call(monkeypatch, take_long, effect)


def refuse() -> None:
    raise ToolError("it is undone already")


def vanish() -> None:
    raise ToolUnavailableError("no answer", is_sent=True)


@pytest.mark.parametrize("ends", [lambda: None, refuse, vanish])
def test_slow_undo_that_another_attempt_overtook_is_what_the_row_says(
    monkeypatch: pytest.MonkeyPatch, ends: Any
) -> None:
    call = overtaken(monkeypatch, Effect.KEYED, ends)
    found = undo_call(call=call, reason="Wrong.", by=make_user())
    assert (found.status, status_of(call)) == ("undone", "undone")


def test_slow_undo_that_was_given_up_meanwhile_is_undone_after_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = overtaken(monkeypatch, Effect.UNKEYED, lambda: None)
    assert undo_call(call=call, reason="Wrong.", by=make_user()).status == "undone"
    assert status_of(call) == "undone"


def test_slow_undo_of_a_call_that_was_noted_as_kept_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def keep(each: Any) -> None:
        UndoableCall.objects.update(undone_by=None, undone_at=None, status="kept")

    call = outside_call(monkeypatch, keep, Effect.KEYED)
    with pytest.raises(UndoError, match="noted as kept already"):
        undo_call(call=call, reason="Wrong.", by=make_user())
    assert status_of(call) == "kept"


def test_attempt_that_fails_leaves_the_claim_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_it(each: Any) -> None:
        UndoableCall.objects.update(undone_at=database_now() + timedelta(seconds=1))
        vanish()

    call = outside_call(monkeypatch, lose_it, Effect.KEYED)
    with pytest.raises(UndoError, match="did not answer"):
        undo_call(call=call, reason="Wrong.", by=make_user())
    call.refresh_from_db()
    assert call.undone_at is not None
