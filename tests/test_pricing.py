"""Prices: which row holds, what a call costs, and costs computed anew."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command

from reviewdesk.people.roles import Role
from tests.factories import make_project, make_session, make_user, model_span
from traces.errors import PriceError
from traces.models import ModelPrice, Project, Repricing, Session, Span
from traces.prices import remove_price, set_price, unpriced_models
from traces.pricing import BUILT_IN, Price, PriceTable, cost_of, price_table
from traces.repricing import advance_repricings, reprice, start_repricing

pytestmark = pytest.mark.django_db

DAY = date(2026, 11, 16)
LONG_AGO = date(2020, 1, 1)


def price(pattern: str, usd: str = "1", **overrides: Any) -> Price:
    values = {"input_usd": Decimal(usd), "output_usd": Decimal(usd)}
    return Price(pattern, **{**values, **overrides})


def set_own(project: Project, pattern: str = "desk-model", **overrides: Any) -> ModelPrice:
    values: dict[str, Any] = {
        "starts_on": LONG_AGO,
        "input_usd": Decimal(10),
        "output_usd": Decimal(20),
        "by": None,
    }
    return set_price(project=project, pattern=pattern, **{**values, **overrides})


def make_priced(project: Project, **overrides: Any) -> Session:
    """Make a session of one model call: 100 tokens in, 20 out."""
    span = model_span("Hello.", **{"cost_usd": None, **overrides})
    return make_session(project, spans=[span], source=Session.Source.OTLP)


@pytest.mark.parametrize(
    ("pattern", "model", "is_match"),
    [
        ("gpt-4.1", "gpt-4.1", True),
        ("gpt-4.1", "gpt-4.1-mini", False),
        ("gpt-4.1", "GPT-4.1", True),
        ("gpt-4.1", "gpt-401", False),
        ("gpt-4.1", "openai/gpt-4.1", True),
        ("gpt-4.1*", "gpt-4.1-2025-04-14", True),
        ("*sonnet*", "us.anthropic.claude-sonnet-9", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("ab*ba", "aba", False),
    ],
)
def test_pattern_is_the_whole_name(pattern: str, model: str, is_match: bool) -> None:
    assert price(pattern).matches(model) is is_match


def test_many_stars_cost_one_pass() -> None:
    assert not price("a*" * 60 + "b").matches("a" * 5_000)


def test_longer_pattern_comes_before_a_shorter_one() -> None:
    table = PriceTable([price("desk*", "1"), price("desk-model-mini*", "2"), price("desk-model*")])
    found = table.find("desk-model-mini-3", DAY)
    assert found is not None
    assert found.pattern == "desk-model-mini*"


def test_row_of_the_day_holds() -> None:
    table = PriceTable(
        [
            price("desk", "1", starts_on=date(2026, 1, 1)),
            price("desk", "2", starts_on=date(2026, 6, 1)),
        ]
    )
    days = (date(2025, 12, 31), date(2026, 1, 1), date(2026, 5, 31), date(2026, 6, 1))
    found = [table.find("desk", day) for day in days]
    assert [each and each.input_usd for each in found] == [None, 1, 1, 2]


def test_projects_row_comes_before_a_built_in_one() -> None:
    project = make_project()
    set_own(project, "gpt*")
    found = price_table(project).find("gpt-4.1", DAY)
    assert found is not None
    assert found.pattern == "gpt*"
    other = price_table(make_project()).find("gpt-4.1", DAY)
    assert other is not None
    assert other.pk is None


def test_cached_and_reasoning_tokens_have_their_own_price() -> None:
    table = PriceTable(
        [
            Price(
                "desk",
                input_usd=Decimal(2),
                output_usd=Decimal(8),
                cached_input_usd=Decimal("0.5"),
                reasoning_usd=Decimal(10),
            )
        ]
    )
    cost = table.cost(
        model="desk",
        input_tokens=1_000,
        output_tokens=100,
        cached_tokens=400,
        reasoning_tokens=60,
        at=DAY,
    )
    # (600 * 2 + 400 * 0.5 + 40 * 8 + 60 * 10) / 1,000,000
    assert cost == Decimal("0.00232")


def test_without_prices_of_their_own_they_cost_like_the_others() -> None:
    table = PriceTable([price("desk", "2")])
    values = {"model": "desk", "input_tokens": 10, "output_tokens": 10, "at": DAY}
    assert table.cost(**values, cached_tokens=5, reasoning_tokens=5) == table.cost(**values)


def test_more_cached_tokens_than_input_do_not_make_a_cost_negative() -> None:
    table = PriceTable([price("desk", "2", cached_input_usd=Decimal(1))])
    cost = table.cost(model="desk", input_tokens=10, output_tokens=0, cached_tokens=99, at=DAY)
    assert cost == Decimal("0.00001")


@pytest.mark.parametrize(("num_in", "num_out"), [(None, 1), (1, None), (None, None)])
def test_unknown_tokens_have_no_cost(num_in: int | None, num_out: int | None) -> None:
    assert cost_of("gpt-4.1", num_in, num_out) is None


def test_unknown_model_has_no_cost() -> None:
    assert cost_of("somebody-elses-model", 1, 1) is None


def test_built_in_names_are_written_once() -> None:
    rows = [(row.pattern, row.starts_on) for row in BUILT_IN]
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("pattern", ["*", "**", "gpt-4\\.1", "(a+)+$", "gpt 4", "*" * 9 + "a"])
def test_pattern_that_is_no_name_is_refused(pattern: str) -> None:
    with pytest.raises(PriceError):
        set_own(make_project(), pattern)


def test_same_name_and_day_again_corrects_the_price() -> None:
    project = make_project()
    set_own(project)
    set_own(project, input_usd=Decimal(3))
    assert [row.input_usd for row in ModelPrice.objects.all()] == [3]


def test_change_of_a_price_is_in_the_trail() -> None:
    project, lead = make_project(), make_user(Role.LEAD)
    row = set_own(project, by=lead, reason="New contract")
    remove_price(price=row, by=lead, reason="It ended")
    events = ModelPrice.pgh_event_model.objects.order_by("pgh_id")
    assert [(each.pgh_label, each.pgh_context.metadata["reason"]) for each in events] == [
        ("insert", "New contract"),
        ("delete", "It ended"),
    ]


def test_models_without_a_price_are_listed_by_calls() -> None:
    project, now = make_project(), datetime(2026, 11, 17, tzinfo=UTC)
    make_priced(project, model="unheard-of")
    make_priced(project, model="gpt-4.1")
    found = unpriced_models(project=project, now=now)
    assert [(each.name, each.num_spans) for each in found] == [("unheard-of", 1)]


def test_recomputing_prices_unknown_costs_and_totals() -> None:
    project = make_project()
    session = make_priced(project)
    set_own(project)
    counts = reprice(project=project, since=LONG_AGO)
    session.refresh_from_db()
    # (100 * 10 + 20 * 20) / 1,000,000
    assert (counts.spans, session.cost_usd) == (1, Decimal("0.0014"))
    assert Span.objects.get(session=session, kind="model").cost_from == Span.CostFrom.COMPUTED


def test_reported_cost_is_never_touched() -> None:
    project = make_project()
    session = make_priced(project, cost_usd=Decimal("0.5"), cost_from=Span.CostFrom.REPORTED)
    set_own(project)
    reprice(project=project, since=LONG_AGO)
    session.refresh_from_db()
    assert session.cost_usd == Decimal("0.5")


def test_cost_of_an_import_that_does_not_say_where_from_is_left() -> None:
    project = make_project()
    session = make_priced(project, cost_usd=Decimal("0.5"))
    set_own(project)
    reprice(project=project, since=LONG_AGO)
    session.refresh_from_db()
    assert session.cost_usd == Decimal("0.5")


def test_dry_run_changes_nothing() -> None:
    project = make_project()
    session = make_priced(project)
    set_own(project)
    counts = reprice(project=project, since=LONG_AGO, is_dry_run=True)
    session.refresh_from_db()
    assert (counts.spans, session.cost_usd) == (1, None)


def test_recomputing_again_changes_nothing() -> None:
    project = make_project()
    make_priced(project)
    set_own(project)
    reprice(project=project, since=LONG_AGO)
    assert reprice(project=project, since=LONG_AGO).spans == 0


def test_taking_a_price_away_makes_its_costs_unknown_again() -> None:
    project = make_project()
    session = make_priced(project)
    row = set_own(project)
    reprice(project=project, since=LONG_AGO)
    remove_price(price=row, by=None)
    reprice(project=project, since=LONG_AGO)
    session.refresh_from_db()
    assert session.cost_usd is None


def test_recomputing_in_the_background_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project()
    for _ in range(5):
        make_priced(project)
    set_own(project)
    monkeypatch.setattr("traces.repricing.BATCH_SESSIONS", 2)
    start_repricing(project=project, since=LONG_AGO, by=None)
    advance_repricings(seconds=30)
    job = Repricing.objects.get()
    assert (job.num_sessions, job.num_done, job.num_changed) == (5, 5, 5)
    assert job.finished_at is not None


def test_one_recomputing_at_a_time() -> None:
    project = make_project()
    start_repricing(project=project, since=LONG_AGO, by=None)
    with pytest.raises(PriceError, match="already"):
        start_repricing(project=project, since=LONG_AGO, by=None)


def test_command_says_what_changed(capsys: pytest.CaptureFixture[str]) -> None:
    project = make_project()
    make_priced(project)
    set_own(project)
    call_command("recompute_costs", project=project.slug, since="2020-01-01")
    assert "1 spans got another cost: $0.0000 before, $0.0014 now." in capsys.readouterr().out
