"""The timeline of a session: one axis, waits as gaps, ticks, errors and the overview."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reviewdesk.people.roles import Role
from reviewdesk.screens.sessions import reading
from reviewdesk.screens.sessions.timeline import (
    MAX_TICKS,
    NUM_BUCKETS,
    WIDTH,
    Scale,
    lay_time,
    overview_of,
)
from reviewdesk.screens.sessions.tree import Outline, lay_out
from tests.factories import (
    SECOND,
    client_as,
    customer_span,
    make_label,
    make_project,
    make_session,
    make_span,
    make_user,
    model_span,
    tool_span,
)


def outline(span_id, start, duration=0, kind="model", parent="", status="ok"):
    return Outline(span_id, parent, kind, span_id, start, duration, status)


def test_a_long_wait_has_a_small_width_and_work_has_its_length():
    # 1,000 ns of work in two halves; the one gap takes 14 of 1,000, so a half takes 493.
    scale = Scale([(0, 500), (90_000, 90_500)])
    assert [round(scale.place(at)) for at in (0, 500, 5_000, 90_000, 90_500)] == [
        0,
        493,
        493,
        507,
        1000,
    ]
    (gap,) = scale.gaps()
    assert (gap.x, gap.width, gap.ns) == (493, 14, 89_500)


def test_a_short_pause_is_no_gap():
    scale = Scale([(0, 500), (520, 1000)])
    assert scale.gaps() == []
    assert scale.place(510) == 510


def test_ticks_stand_at_round_lengths_of_work():
    # 11 s: 2 s is the smallest of 1, 2, 5 that needs at most six parts.
    ticks = Scale([(0, 11 * SECOND)]).ticks()
    assert [tick.ns // SECOND for tick in ticks] == [0, 2, 4, 6, 8, 10]


def test_spans_around_the_window_are_cut_to_it():
    spans = [outline("root", 0, 10_000, "agent"), outline("m", 4000, 10, parent="root")]
    tree = lay_out(spans)
    rows = lay_time(tree, tree.rows, []).rows
    assert (rows["root"].bar.x, rows["root"].bar.width) == (0, WIDTH)
    assert (rows["m"].bar.x, rows["m"].bar.width) == (0, WIDTH)


def test_the_step_that_ends_a_wait_says_how_long_it_was():
    spans = [outline("a", 0, 100), outline("c", 5000, 0, "customer"), outline("b", 5000, 100)]
    tree = lay_out(spans)
    rows = lay_time(tree, tree.rows, []).rows
    assert [rows[name].waited_ns for name in ("a", "c", "b")].count(4900) == 1


def test_a_session_without_length_has_a_timeline():
    tree = lay_out([outline("a", 7), outline("b", 7, kind="tool")])
    timeline = lay_time(tree, tree.rows, [])
    assert timeline.length_ns == 0
    assert timeline.rows["a"].bar.width > 0
    assert lay_time(lay_out([]), [], []).rows == {}


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 2**40)), min_size=1, max_size=30
    )
)
def test_every_bar_gap_and_tick_is_on_the_axis(times):
    spans = [outline(str(n), start, length) for n, (start, length) in enumerate(times)]
    tree = lay_out(spans)
    timeline = lay_time(tree, tree.rows, [])
    for row in timeline.rows.values():
        assert row.bar.x >= 0
        assert row.bar.x + row.bar.width <= WIDTH + 0.2
    assert len(timeline.ticks) <= MAX_TICKS + 1
    for mark in (*timeline.ticks, *timeline.gaps):
        assert -0.2 <= mark.x <= WIDTH + 0.2


def test_the_overview_covers_every_line_and_counts_errors():
    spans = [outline(f"{n:05}", n, 1, status="error" if n % 500 == 0 else "ok") for n in range(999)]
    buckets = overview_of(lay_out(spans), 0, 200)
    assert len(buckets) <= NUM_BUCKETS
    assert sum(bucket.num_errors for bucket in buckets) == 2
    assert [bucket.is_shown for bucket in buckets].count(True) == 23


def test_strange_trees_are_laid_out_in_linear_time():
    # 20,000 pairs that are each other's parents: cutting each cycle must not look at all others.
    spans = []
    for n in range(20_000):
        spans += [outline(f"a{n}", n, 1, parent=f"b{n}"), outline(f"b{n}", n, 1, parent=f"a{n}")]
    assert len(lay_out(spans).order) == 40_000


def test_work_around_other_work_is_no_work_by_itself():
    spans = [
        outline("chain", 0, 10_000, "other"),
        outline("m", 0, 10, parent="chain"),
        outline("n", 9000, 10, parent="chain"),
    ]
    assert lay_out(spans).busy_ns == 20


@pytest.fixture
def project():
    return make_project(slug="shop")


@pytest.fixture
def client(project):
    return client_as(Role.REVIEWER, project)


def page(client, session, query="", **headers):
    answer = client.get(f"/p/shop/sessions/{session.pk}/{query}", headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.django_db
def test_timeline_shows_tokens_and_cost_of_each_step(client, project):
    session = make_session(project)
    text = page(client, session, "?view=timeline")
    assert "100 → 20" in text
    assert "$0.0010" in text
    assert "style=" not in text.split("</head>")[1]


@pytest.mark.django_db
def test_the_view_is_kept_for_the_next_session(client, project):
    first, second = make_session(project), make_session(project)
    page(client, first, "?view=timeline")
    assert "session-timeline" in page(client, second)
    assert "session-timeline" not in page(client, second, "?view=steps")
    assert "session-timeline" not in page(client, first, "?view=nonsense")


@pytest.mark.django_db
def test_steps_are_a_fragment_of_their_own(client, project):
    part = page(
        client, make_session(project), "?view=timeline&part=steps", **{"HX-Request": "true"}
    )
    assert part.strip().startswith("<section")
    assert 'id="talk"' not in part


@pytest.mark.django_db
def test_first_error_is_the_one_that_no_failed_step_below_explains(client, project):
    root = make_span("other", "chain", at=1, status="error", duration_ns=5 * SECOND)
    spans = [
        customer_span("Hi"),
        root,
        tool_span("fine", at=2, parent_id=root.span_id),
        tool_span("broken", error="away", at=3, parent_id=root.span_id),
    ]
    session = make_session(project, spans)
    text = page(client, session)
    assert client.get(f"/p/shop/sessions/{session.pk}/").context["reading"].errors.first == (
        spans[3].span_id
    )
    assert f"?span={spans[3].span_id}#span-{spans[3].span_id}" in text
    assert "2 errors" in text
    assert "First error of this session" in text


@pytest.mark.django_db
def test_errors_beyond_the_window_are_reached(client, project, monkeypatch):
    monkeypatch.setattr(reading, "WINDOW", 10)
    spans = [tool_span(f"t{n}", error="x" if n in (2, 30) else "", at=n) for n in range(40)]
    session = make_session(project, spans)
    assert f'data-next-failed="{spans[30].span_id}"' in page(client, session, "?first=0")
    later = page(client, session, "?first=15")
    assert f'data-previous-failed="{spans[2].span_id}"' in later
    assert "lines before these, 1 failed" in later


@pytest.mark.django_db
def test_first_wrong_step_of_a_label_is_marked(client, project):
    spans = [customer_span("Hi"), tool_span("refund", at=1), model_span("Done", at=2)]
    session = make_session(project, spans)
    own = make_user(Role.REVIEWER, project)
    make_label(session, own, first_wrong_span_id=spans[1].span_id)
    viewer = client_as(Role.VIEWER, project)
    text = page(viewer, session, "?view=timeline")
    assert "first wrong step" in text
    assert "desk-wrong" in text
    assert "first wrong step" not in page(client, session)  # blind until labelled
