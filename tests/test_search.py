"""The filter language: what it reads, what it says of mistakes, and what it finds."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import (
    customer_span,
    make_label,
    make_project,
    make_session,
    make_user,
    model_span,
    tool_span,
)
from traces.models import Queue, QueueItem, Score
from traces.redaction import masker_for
from traces.search import FIELDS, Term, Word, apply, parse

EVERYTHING = (
    'tool:refund cost>0.10 -label:resolved "exact words" agent:shop version:v6 status:failed '
    "outcome:not-resolved,harmful cause:T2 model:gpt-4* errors>0 took>30s tokens>10k steps>=5 "
    "customer:mia age<7d since:2026-11-01 source:otlp queue:weekly labelled-by:ada is:golden "
    "has:errors masked:email score:relevance<0.5"
)


def test_every_kind_of_term_is_read():
    query = parse(EVERYTHING)
    assert query.problems == ()
    assert len(query.terms) == 23
    assert query.words == (Word("exact words", is_phrase=True),)
    assert Term("outcome", ":", ("resolved",), is_negated=True) in query.terms
    assert Term("outcome", ":", ("not-resolved", "harmful")) in query.terms


def test_every_field_has_an_example_that_is_read():
    for field in FIELDS:
        query = parse(field.example)
        assert not query.problems
        assert [term.field for term in query.terms] == [field.name]


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("outcome:Not_Resolved", "outcome:not-resolved"),
        ("label:no-label", "outcome:none"),
        ("cost>$2", "cost>2"),
        ("tokens>10K", "tokens>10k"),
        ("status:handed_over", "status:handed-over"),
        ("cause:t2", "cause:T2"),
        ("age:7d", "age<7d"),
        ("agent!=shop", "-agent:shop"),
        ("labelled_by:ada", "labelled-by:ada"),
        ('agent:"My agent",other', 'agent:"My agent",other'),
        ("agent:a,a", "agent:a"),
        ("  refund   agent:a ", "agent:a refund"),
    ],
)
def test_terms_have_one_spelling(written, canonical):
    assert str(parse(written)) == canonical


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("colour:red", "there is no filter colour"),
        ("outcom:none", "did you mean outcome:"),
        ("cost>lots", "write for instance cost>0.10"),
        ("took>5", "a duration such as 500ms"),
        ("took>5parsec", "a duration such as 500ms"),
        ("status:broken", "'broken' is none of running, waiting"),
        ("agent>shop", "agent is not compared"),
        ("agent:", "a value is missing; write for instance agent:shop-*"),
        ("since:yesterday", "a day such as 2026-11-01"),
        ("since:2026-02-30", "a day such as 2026-11-01"),
        ('agent:"shop', "the quote has no end"),
        ('"exact words', "the quote has no end"),
        ("cost>1,2", "one value only"),
        ("errors>999999999999999999", "a number such as"),
    ],
)
def test_mistakes_name_the_term_and_how_to_write_it(written, said):
    query = parse(f"tool:refund {written}")
    assert [term.field for term in query.terms] == ["tool"]
    assert len(query.problems) == 1
    assert said in str(query.problems[0])
    assert str(query.problems[0]).startswith(written.split()[0])


def test_what_is_too_much_is_left_out_and_said():
    assert "at most 30 terms" in str(parse(" ".join(f"w{n}" for n in range(40))).problems[0])
    assert "at most 1,000 characters" in str(parse("x" * 1200).problems[0])


_PIECES = st.sampled_from(
    ["tool:", "cost>", "-", '"', ",", " ", "*", "a", "refund", "7d", "0.1", "\x00", "\ud800", ":"]
)
_TEXTS = st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=20).map("".join))


@settings(deadline=None)
@given(_TEXTS)
def test_any_text_is_read_and_written_back_the_same(text):
    query = parse(text)
    again = parse(str(query))
    assert (again.terms, again.words, again.problems) == (query.terms, query.words, ())


@pytest.fixture
def project():
    return make_project()


def found(project, text):
    sessions = apply(parse(text), project.sessions.all(), project, timezone.now())
    return sorted(sessions.values_list("title", flat=True))


def said(project, text, *spans, **more):
    return make_session(project, [customer_span(text), *spans], **more)


@pytest.mark.django_db
@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_field_can_be_asked_and_turned_around(project, field):
    said(project, "here")
    assert isinstance(found(project, field.example), list)
    assert isinstance(found(project, f"-{field.example}"), list)


@pytest.mark.django_db
@pytest.mark.parametrize("field", [f for f in FIELDS if f.choices], ids=lambda field: field.name)
def test_every_choice_can_be_asked(project, field):
    for choice in field.choices:
        assert found(project, f"{field.name}:{choice}") == []


@pytest.mark.django_db
@settings(max_examples=30, deadline=None)
@given(text=_TEXTS)
def test_any_text_can_be_asked(text):
    project = make_project()
    assert isinstance(found(project, text), list)


@pytest.fixture
def shop(project):
    said(
        project,
        "small",
        tool_span("return_items", at=1),
        model_span("Done.", at=2, model="gpt-4o", cost_usd=Decimal("0.05"), input_tokens=500),
        agent_name="shop-support",
        customer="Mia Okafor",
        started_at=timezone.now() - timedelta(hours=2),
    )
    said(
        project,
        "large",
        tool_span("refund", at=1, error="No."),
        model_span("Your kettle is on its way.", at=90, model="o9", cost_usd=Decimal("0.5")),
        agent_name="billing",
        version_name="v6",
        status="failed",
        customer="Ada Weiss",
        started_at=datetime(2026, 3, 4, 12, tzinfo=UTC),
    )
    return project


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tool:return_*", ["small"]),
        ("tool:return_items,refund", ["large", "small"]),
        ("-tool:refund", ["small"]),
        ("model:gpt-4*", ["small"]),
        ("agent:shop-*", ["small"]),
        ("agent:*-support", ["small"]),
        ("version:v6", ["large"]),
        ("cost>0.10", ["large"]),
        ("cost<=0.05", ["small"]),
        ("took>1min", ["large"]),
        ("took<30s", ["small"]),
        ("tokens>500", ["small"]),
        ("errors>0", ["large"]),
        ("has:errors", ["large"]),
        ("steps>=2", ["large", "small"]),
        ("customer:mia", ["small"]),
        ("customer:okaf", ["small"]),
        ("customer:*weiss", ["large"]),
        ("status:failed,completed", ["large", "small"]),
        ("age<1d", ["small"]),
        ("age>1d", ["large"]),
        ("since:2026-03-04 until:2026-03-04", ["large"]),
        ("kettle", ["large"]),
        ("-kettle", ["small"]),
        ('"is on its"', ["large"]),
        ('"on is its"', []),
        ("kettle cost>1", []),
        ("is:ended", ["large", "small"]),
        ("is:live", []),
        ("nonsense:x kettle", ["large"]),
    ],
)
def test_terms_find(shop, text, expected):
    assert found(shop, text) == expected


@pytest.mark.django_db
def test_labels_find(project):
    ada = make_user("reviewer", project, email="ada@desk.example", name="Ada Lindqvist")
    make_label(said(project, "bad"), author=ada, outcome="harmful", primary_cause="C2")
    make_label(said(project, "good"), outcome="resolved")
    said(project, "open")
    assert found(project, "outcome:failed") == ["bad"]
    assert found(project, "-outcome:resolved") == ["bad", "open"]
    assert found(project, "cause:C*") == ["bad"]
    assert found(project, "labelled-by:ada") == ["bad"]
    assert found(project, "labelled-by:lindqvist") == ["bad"]
    assert found(project, "outcome:none") == ["open"]
    assert found(project, "is:labelled") == ["bad", "good"]


@pytest.mark.django_db
def test_queue_finds_what_waits_in_it(project):
    queue = Queue.objects.create(project=project, name="Weekly review")
    QueueItem.objects.create(queue=queue, session=said(project, "waits"))
    QueueItem.objects.create(queue=queue, session=said(project, "done"), done_at=timezone.now())
    assert found(project, 'queue:"weekly review"') == ["waits"]
    assert found(project, "-queue:week*") == ["done"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("score:relevance", {"good", "bad"}),
        ("score:rel*", {"good", "bad"}),
        ("score:relevance<0.5", {"bad"}),
        ("score:relevance>=-1.5", {"good", "bad"}),
        ("score:relevance=0.9", {"good"}),
        ('score:"relevance=Not at all"', {"bad"}),
        ("-score:relevance<0.5", {"good", "none"}),
        ("score:tone", set()),
    ],
)
def test_scores_are_found_by_name_label_and_value(project, text, expected):
    for title, value, label in (("good", 0.9, "pass"), ("bad", 0.25, "not at all")):
        session = make_session(project, title=title)
        Score.objects.create(
            project=project, session=session, name="relevance", value=value, label=label,
            at=timezone.now(), digest=title,
        )  # fmt: skip
    make_session(project, title="none")
    found = apply(parse(text), project.sessions.all(), project, timezone.now())
    assert {session.title for session in found} == expected


@pytest.mark.django_db
def test_golden_runs_stay_out_unless_asked_for(project):
    said(project, "golden", is_golden=True)
    said(project, "other")
    assert found(project, "") == ["other"]
    assert found(project, "is:golden") == ["golden"]
    assert found(project, "golden:too") == ["golden", "other"]


@pytest.mark.django_db
def test_customer_of_just_that_name_comes_before_a_part_of_it(project):
    said(project, "hers", customer="Mia")
    said(project, "another's", customer="Mia Okafor")
    assert found(project, "customer:Mia") == ["hers"]
    assert found(project, "-customer:Mia") == ["another's"]
    assert found(project, "customer:mia") == ["another's", "hers"]


@pytest.mark.django_db
def test_customer_is_found_by_what_their_pseudonym_stands_for(project):
    pseudonym = masker_for(project).customer("ann@mail.example")
    said(project, "hers", customer=pseudonym)
    assert found(project, "customer:ann@mail.example") == ["hers"]
    assert found(project, "customer:bob@mail.example") == []
