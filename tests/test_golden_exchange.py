"""Golden tests as files: the round trip, and what is refused before anything is written."""

import json
from typing import Any

import pytest
from django.conf import settings as django_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.golden.edit import archive_test
from agents.golden.exchange import Bounds, entry_of, export_tests, import_tests, plan_import
from agents.golden.files import BadFileError, Format, read_entries, write_entries
from agents.models import Agent, GoldenTest
from tests.factories import make_user
from tests.golden import INPUT, make_test
from tests.shop import CANCEL, LOOK, ORDER, make_shop_agent

HARD_TEXTS = ["yes", "12:30", "1e5", "010", "2026-01-01", "null", "- a", "a\n b ", "#", "*a", "|"]
TEXTS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"))
NUMBERS = st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | st.sampled_from(HARD_TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
FIXTURE = {"tool": LOOK[0], "arguments": LOOK[1], "result": ORDER}


def entry(**changes: Any) -> dict[str, Any]:
    data = {
        "slug": "asks-first",
        "title": "Asks first",
        "reason": "It did not ask.",
        "input": INPUT,
        "checks": [{"kind": "tool_not_called", "tool": CANCEL[0], "arguments": {}}],
        **changes,
    }
    return {name: value for name, value in data.items() if value is not None}


def line(**changes: Any) -> str:
    return json.dumps(entry(**changes)) + "\n"


def refused(agent: Agent, text: str, **more: Any) -> list[tuple[str, str]]:
    """Return what is said against the file, of which nothing may be written."""
    with pytest.raises(BadFileError) as caught:
        import_tests(agent=agent, text=text, by=make_user(), **more)
    assert not GoldenTest.objects.filter(title="Asks first").exists()
    return [(problem.place, problem.text) for problem in caught.value.problems]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=3), min_size=1, max_size=3),
    st.sampled_from(list(Format)),
)
def test_what_is_written_is_read_as_it_was(entries: list[dict[str, Any]], form: Format) -> None:
    back = [entry.data for entry in read_entries(write_entries(entries, form))]
    assert repr(back) == repr(entries)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "The file", "no test in it"),
        ("- 5", "Entry 1 (line 1)", "must be an object"),
        ("a: &x [1]\nb: *x", "Line 2, column 4", "an alias"),
        ("- a: 1\n  a: 2", "Line 2, column 3", "comes twice"),
        ("a: !!python/name:os.system x", "Line 1, column 4", "a tag (tag:yaml.org"),
        ('{"a": 1}\n{b}', "Line 2", "not JSON"),
        ('{"a": NaN}', "Line 1", "NaN"),
        ("[" * 200_000, "Line 1, column 61", "nested over 60 levels"),
        ("- " * 200_000, "Line 1, column 121", "nested over 60 levels"),
        ('{"a":' * 200_000, "Line 1", "nested too deeply"),
    ],
)
def test_file_that_cannot_be_read_is_told_by_line(text: str, place: str, words: str) -> None:
    with pytest.raises(BadFileError) as caught:
        read_entries(text)
    assert (caught.value.problems[0].place, words in str(caught.value)) == (place, True)


@pytest.mark.django_db
@pytest.mark.parametrize("form", list(Format))
def test_export_and_import_into_another_project_are_the_identity(form: Format) -> None:
    agent, _ = make_shop_agent()
    make_test(agent, slug="plain", fixtures=[FIXTURE])
    make_test(
        agent,
        slug="all",
        suite="adversarial",
        is_critical=True,
        severity="critical",
        tags=["t5", "yes"],
        input={"messages": INPUT["messages"], "turns": []},
        expectations=[{"kind": "must", "text": "Ask first:\n- always"}],
        customer={"kind": "simulated", "goal": "A refund", "model": "m", "max_turns": 4},
        on_missing="simulate",
        rules=[{"tool": LOOK[0], "where": {"order_id": "#T*"}, "error": "It is away"}],
    )
    text = export_tests(agent.golden_tests.order_by("pk"), form)
    other, _ = make_shop_agent()
    plan = import_tests(agent=other, text=text, by=make_user())
    assert (len(plan.new), plan.num_same) == (2, 0)
    assert export_tests(other.golden_tests.order_by("pk"), form) == text
    assert [test.versions.count() for test in other.golden_tests.all()] == [1, 1]
    again = import_tests(agent=other, text=text, by=make_user())
    assert (again.num_written, again.num_same) == (0, 2)


HEAVY = r"(?i)[\pL\pN]{1,30}"


def patterns(num: int, number: int) -> list[dict[str, Any]]:
    return [{"kind": "answer_lacks", "text": "a"}] + [
        {"kind": "answer_never_matches", "pattern": f"{HEAVY}{number}x{n}"} for n in range(num)
    ]


@pytest.mark.django_db
def test_file_that_would_keep_a_page_waiting_is_sent_to_the_command() -> None:
    agent, _ = make_shop_agent()
    heavy = "".join(line(slug=f"t{n}", checks=patterns(6, n)) for n in range(3))
    for text, said in (
        ("".join(line(slug=f"t{n}") for n in range(4)), "it has 4 tests, and a page takes 3"),
        (heavy, "too large together for a page"),
    ):
        found = refused(agent, text, bounds=Bounds(tests=3, weight=500_000))
        assert [place for place, _ in found] == ["The file"]
        assert said in found[0][1]
        assert "manage.py golden_tests import" in found[0][1]
    assert len(plan_import(agent=agent, text=heavy).new) == 3


@pytest.mark.django_db
def test_patterns_of_one_check_have_a_limit_and_reading_ends_at_a_hundred_problems() -> None:
    agent, _ = make_shop_agent()
    where = [f"reason matches {HEAVY}{n}" for n in range(9)]
    check = {"kind": "tool_not_called", "tool": CANCEL[0], "where": where}
    found = refused(agent, "".join(line(slug=f"t{n}", checks=[check]) for n in range(2)))
    assert "its patterns are too large together" in found[0][1]
    assert len(refused(agent, "".join(line(slug=f"t{n}", checks=[]) for n in range(150)))) == 100


@pytest.mark.django_db
def test_changed_entry_is_a_new_version_of_its_test() -> None:
    agent, _ = make_shop_agent()
    by = make_user()
    import_tests(agent=agent, text=line(), by=by)
    check = {"kind": "handed_over", "expected": True}
    plan = import_tests(agent=agent, text=line(checks=[check], suite="edge"), by=by)
    test = GoldenTest.objects.get()
    assert (len(plan.changed), test.number, test.suite) == (1, 2, "edge")
    assert test.versions.get(number=2).content["checks"] == [check]
    assert (test.promoted_by_id, test.owner_id) == (by.pk, by.pk)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"checks": []}, "needs at least one check"),
        ({"checks": None}, "“checks” is missing"),
        ({"checks": [{"kind": "flies"}]}, "no check called 'flies'"),
        ({"fixtures": [{**FIXTURE, "tool": "fly"}]}, "fixture 1: there is no tool called 'fly'"),
        ({"fixtures": [{"tool": LOOK[0]}]}, "needs either a “result” or an “error”"),
        ({"input": {"messages": []}}, "messages"),
        ({"color": "red"}, "“color”, which no test has"),
        ({"slug": "a b"}, "the slug 'a b' may have"),
        ({"suite": "odd"}, "the suite is 'odd'"),
        ({"is_critical": "yes"}, "must be true or false"),
        ({"on_missing": "simulate"}, "there is none"),
        ({"customer": {"kind": "scripted", "lines": []}}, "no lines"),
        ({"expectations": [{"kind": "may", "text": "Ask"}]}, "write must or must_not"),
    ],
)
def test_bad_entry_is_told_by_line_and_nothing_is_written(
    changes: dict[str, Any], words: str
) -> None:
    agent, _ = make_shop_agent()
    ((place, text),) = refused(agent, line(slug="good", title="Good") + line(**changes))
    assert (place, words in text) == ("Line 2", True), text
    assert not GoldenTest.objects.exists()


@pytest.mark.django_db
def test_every_bad_entry_is_told_at_once() -> None:
    agent, _ = make_shop_agent()
    found = refused(agent, line(checks=[]) + line() + line() + line(title=""))
    assert [place for place, _ in found] == ["Line 1", "Line 3", "Line 4"]
    assert "stands in line 2 already" in found[1][1]


@pytest.mark.django_db
def test_fixture_of_an_unknown_tool_is_taken_where_that_is_wanted() -> None:
    agent, _ = make_shop_agent()
    text = line(fixtures=[{**FIXTURE, "tool": "ask_the_oracle"}])
    assert "no tool called" in refused(agent, text)[0][1]
    import_tests(agent=agent, text=text, by=make_user(), with_unknown_tools=True)
    assert plan_import(agent=agent, text=text).num_same == 1


@pytest.mark.django_db
def test_slug_of_an_archived_test_is_refused() -> None:
    agent, _ = make_shop_agent()
    test = archive_test(test=make_test(agent), reason="Old.", by=make_user())
    assert "is archived under this slug" in refused(agent, line(slug=test.slug))[0][1]


@pytest.mark.django_db
def test_file_names_nobody() -> None:
    agent, _ = make_shop_agent()
    by = make_user(name="Quinn Abara")
    import_tests(agent=agent, text=line(), by=by)
    data = entry_of(GoldenTest.objects.get())
    assert "owner" not in data
    assert by.email not in json.dumps(data)


@pytest.mark.django_db
def test_example_of_the_documentation_can_be_imported() -> None:
    agent, _ = make_shop_agent()
    page = (django_settings.BASE_DIR / "docs" / "golden.md").read_text()
    text = page.partition("```yaml\n")[2].partition("```")[0]
    (data,) = plan_import(agent=agent, text=text).new
    assert (data["slug"], data["suite"]) == ("asks-before-it-cancels", "regression")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"checks": [{"kind": ["tool_called"]}]}, "no check called"),
        ({"checks": [{"kind": "tool_called", "tool": CANCEL[0], "arguments": [1]}]}, "JSON object"),
        ({"expectations": [{"kind": ["must"], "text": "be kind"}]}, "write must or must_not"),
        ({"customer": {"kind": {"a": 1}}}, "it must be one of"),
    ],
)
def test_values_of_another_type_are_refused_with_a_message(part: Any, said: str) -> None:
    agent, _ = make_shop_agent()
    ((place, text),) = refused(agent, line(**part))
    assert place == "Line 1"
    assert said in text


@pytest.mark.parametrize(
    "value", ["!!timestamp 2020-99-99", "!!timestamp 2020-01-01", "!!bool zz", "!!binary eA=="]
)
def test_tags_make_no_other_types_of_yaml(value: str) -> None:
    with pytest.raises(BadFileError, match="stands here; leave it out"):
        read_entries(f"title: {value}")
