"""Level arithmetic: which of seven limits holds, and what it says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models import KillSwitch, Level, Tier
from agents.tools.contract import CallPolicy, ToolContract
from agents.tools.levels import Held, Lift, RunFacts, Standing, Switch, weigh

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FREE = Standing(
    level=Level.AUTONOMOUS,
    reason="Trusted.",
    contract_version="1",
    candidate_since=None,
    candidate_why="",
    ceiling=Level.AUTONOMOUS,
    agent="shop",
    live_version_id=7,
)
CLEAN = RunFacts(version_id=7, version="v7", is_serious=True, taint=None)
TAINTED = replace(CLEAN, taint={"step": 3, "tool": "get_notes", "why": "strangers wrote it"})
levels, tiers = st.sampled_from(Level), st.sampled_from(Tier)


def contract(tier: Tier = Tier.WRITE_REVERSIBLE, undo: str = "take_back") -> ToolContract:
    policy = CallPolicy(undo_tool="" if tier in {Tier.READ, Tier.READ_SENSITIVE} else undo)
    return ToolContract("tool", "1", "A tool.", {}, tier, policy=policy)


def level_of(standing: Standing, tool: ToolContract | None = None, **values: Any) -> Level:
    return weigh(standing, tool or contract(), **{"now": NOW, "run": CLEAN, **values}).level


@given(levels, tiers, levels)
def test_lowest_limit_holds_and_is_marked(tool: Level, tier: Tier, agent: Level) -> None:
    standing = replace(FREE, level=tool, ceiling=agent)
    found = weigh(standing, contract(tier), now=NOW, run=CLEAN)
    assert found.level.rank == min(limit.level.rank for limit in found.limits)
    assert found.binding
    assert all(limit.level == found.level for limit in found.binding)
    assert [limit.name for limit in found.limits] == [
        "tool", "tier", "agent", "taint", "incident", "candidate", "stop",
    ]  # fmt: skip


@given(levels, tiers, levels, st.booleans(), st.booleans(), st.booleans())
def test_nothing_that_holds_back_ever_raises(
    tool: Level, tier: Tier, agent: Level, is_tainted: bool, is_candidate: bool, is_held: bool
) -> None:
    free = replace(FREE, level=tool, ceiling=agent)
    held = replace(
        free,
        candidate_since=NOW if is_candidate else None,
        incidents=(Held(1, "Wrong orders", Level.SUGGEST),) if is_held else (),
    )
    run = TAINTED if is_tainted else CLEAN
    assert level_of(held, contract(tier), run=run).rank <= level_of(free, contract(tier)).rank


@given(levels)
def test_taint_lowers_what_writes_by_one_and_never_below_suggest(level: Level) -> None:
    clean = level_of(replace(FREE, level=level))
    tainted = level_of(replace(FREE, level=level), run=TAINTED)
    expected = clean if clean.rank <= Level.SUGGEST.rank else clean.below
    assert tainted is expected


@pytest.mark.parametrize("tier", [Tier.READ, Tier.READ_SENSITIVE])
def test_taint_leaves_reads_as_they_are(tier: Tier) -> None:
    assert level_of(FREE, contract(tier), run=TAINTED) is Level.AUTONOMOUS


def test_taint_lowers_below_the_lowest_of_the_others() -> None:
    assert level_of(FREE, contract(Tier.MONEY), run=TAINTED) is Level.SUGGEST


def test_write_without_undo_is_held_at_approve_and_says_so() -> None:
    found = weigh(replace(FREE, level=Level.ACT_WITH_UNDO), contract(undo=""), now=NOW)
    assert found.level is Level.APPROVE
    assert found.is_held_back
    assert "nothing undoes it" in found.limit("tool").note


def test_read_at_act_with_undo_is_simply_made() -> None:
    found = weigh(replace(FREE, level=Level.ACT_WITH_UNDO), contract(Tier.READ), now=NOW)
    assert found.level is Level.AUTONOMOUS
    assert "nothing to undo" in found.limit("tool").note


def test_lift_holds_until_it_expires() -> None:
    lift = Lift(Tier.MONEY, Level.AUTONOMOUS, "Watched.", NOW + timedelta(days=1))
    standing = replace(FREE, lifts=(lift,))
    assert level_of(standing, contract(Tier.MONEY)) is Level.AUTONOMOUS
    assert level_of(standing, contract(Tier.MONEY), now=NOW + timedelta(days=2)) is Level.APPROVE


def test_lowest_open_incident_binds_with_its_number() -> None:
    incidents = (Held(30, "Slow", Level.APPROVE), Held(31, "Wrong card", Level.OFF))
    found = weigh(replace(FREE, incidents=incidents), contract(), now=NOW)
    assert (found.level, found.why) == (Level.OFF, "incident 31")


@pytest.mark.parametrize(
    ("standing", "why"),
    [
        (replace(FREE, live_version_id=8), "v7 is not the live version"),
        (replace(FREE, contract_version="0"), "granted for contract 0; it is at 1 now"),
        (replace(FREE, candidate_since=NOW, candidate_why="v8 went live"), "v8 went live"),
    ],
)
def test_candidate_acts_on_approval_alone(standing: Standing, why: str) -> None:
    found = weigh(standing, contract(), now=NOW, run=CLEAN)
    assert (found.level, found.why) == (Level.APPROVE, "a candidate")
    assert why in found.limit("candidate").note
    assert level_of(standing, contract(Tier.READ)) is Level.AUTONOMOUS


def test_golden_tests_and_replays_may_run_any_version() -> None:
    run = replace(CLEAN, version_id=9, is_serious=False)
    assert level_of(FREE, run=run) is Level.AUTONOMOUS


@pytest.mark.parametrize(
    ("stops", "tier", "level"),
    [
        (KillSwitch.Stops.WRITES, Tier.WRITE_REVERSIBLE, Level.OFF),
        (KillSwitch.Stops.WRITES, Tier.READ, Level.AUTONOMOUS),
        (KillSwitch.Stops.ALL, Tier.READ, Level.OFF),
    ],
)
def test_kill_switch_turns_off_what_it_stops(
    stops: KillSwitch.Stops, tier: Tier, level: Level
) -> None:
    switch = Switch(1, KillSwitch.Scope.PROJECT, stops, "Wrong prices.", NOW)
    found = weigh(replace(FREE, switches=(switch,)), contract(tier), now=NOW)
    assert found.level is level
    assert found.is_offered
