"""Labels: drafts, completion, undo, blindness of the totals, disagreement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewdesk.people.roles import Role
from tests.factories import make_label, make_session, make_user, sample_spans
from traces.errors import InvalidAnswersError, LabelCompletedError
from traces.label_sets import default_questions, questions_of
from traces.labels import (
    check_answers,
    completed_labels,
    disagreed,
    labelled_as,
    outcome_of,
    reopen_label,
    save_answers,
    unlabelled,
)
from traces.models import Label, LabelSet, Session

QUESTIONS = questions_of(LabelSet(questions=default_questions()))
FAILED = {
    "outcome": "not_resolved",
    "severity": "major",
    "fault_owner": "agent",
    "primary_cause": "T5",
}


def save(session, author, answers, **more):
    return save_answers(session=session, author=author, answers=answers, **more)


@pytest.fixture
def session(db):
    return make_session()


@pytest.fixture
def author(session):
    return make_user(Role.REVIEWER, session.project)


def test_draft_keeps_single_answers_and_does_not_count(session, author):
    label = save(session, author, {"outcome": "partly"})
    assert (label.answers, label.completed_at) == ({"outcome": "partly"}, None)
    assert outcome_of(session).num_labels == 0


def test_saving_again_changes_the_one_label(session, author):
    save(session, author, {"outcome": "partly"})
    save(session, author, {"outcome": "harmful"})
    assert [label.outcome for label in Label.objects.all()] == ["harmful"]


def test_completed_label_has_outcome_and_cause(session, author):
    label = save(session, author, FAILED, is_complete=True)
    assert (label.outcome, label.cause) == ("not_resolved", "T5")
    assert label.completed_at is not None


def test_completing_names_what_is_missing(session, author):
    with pytest.raises(InvalidAnswersError) as caught:
        save(session, author, {"outcome": "partly", "severity": "minor"}, is_complete=True)
    assert caught.value.by_question == {
        "fault_owner": "Fault owner has no answer yet.",
        "primary_cause": "Primary cause has no answer yet.",
    }
    assert not Label.objects.exists()


def test_resolved_needs_nothing_else_and_drops_the_severity(session, author):
    answers = {"outcome": "resolved", "severity": "major"}
    assert save(session, author, answers, is_complete=True).answers == {"outcome": "resolved"}


def test_unknown_answer_is_refused_by_name(session, author):
    with pytest.raises(InvalidAnswersError, match="Primary cause: 'Z9' is not one"):
        save(session, author, {"primary_cause": "Z9"})


def test_primary_cause_is_not_secondary_too(session, author):
    answers = {**FAILED, "secondary_causes": ["T2", "T5", "T2"]}
    assert save(session, author, answers).answers["secondary_causes"] == ["T2"]


def test_first_wrong_step_must_be_in_the_session(session, author):
    spans = sample_spans()
    foreign = make_session(session.project, spans)
    with pytest.raises(InvalidAnswersError, match="not in this session"):
        save(session, author, FAILED, first_wrong_span_id=spans[1].span_id)
    label = save(foreign, author, FAILED, first_wrong_span_id=spans[1].span_id)
    assert label.first_wrong_span_id == spans[1].span_id


def test_comment_has_a_limit(session, author):
    with pytest.raises(InvalidAnswersError, match="5,001 characters"):
        save(session, author, FAILED, comment="x" * 5001)


def test_late_draft_does_not_take_a_completed_label_back(session, author):
    save(session, author, FAILED, is_complete=True)
    with pytest.raises(LabelCompletedError):
        save(session, author, {"outcome": "resolved"})
    assert outcome_of(session).outcome == "not_resolved"


def test_undo_makes_it_a_draft_again(session, author):
    save(session, author, FAILED, is_complete=True)
    label = reopen_label(session=session, author=author)
    assert (label.completed_at, label.answers) == (None, FAILED)
    assert outcome_of(session).outcome is None
    assert reopen_label(session=session, author=make_user()) is None


def test_verdict_is_the_last_label_and_says_when_reviewers_disagree(session):
    make_label(session, outcome="resolved")
    assert not outcome_of(session).disagrees
    make_label(session, outcome="harmful", severity="critical", primary_cause="C2")
    verdict = outcome_of(session)
    assert (verdict.outcome, verdict.cause, verdict.severity) == ("harmful", "C2", "critical")
    assert (verdict.num_labels, verdict.disagrees) == (2, True)


def test_labels_of_many_sessions_take_one_query(session, django_assert_num_queries):
    others = [make_session(session.project) for _ in range(3)]
    for each in others:
        make_label(each)
    with django_assert_num_queries(1):
        found = completed_labels([session, *others])
        assert {label.author.name for each in others for label in found[each.pk]}
    assert session.pk not in found


def test_finding_by_label(session):
    draft = make_session(session.project)
    make_label(draft, is_completed=False, outcome="harmful")
    both = make_session(session.project)
    make_label(both, outcome="resolved")
    make_label(both, outcome="not_resolved", primary_cause="T5")
    everything = Session.objects.all()
    assert set(unlabelled(everything)) == {session, draft}
    assert list(disagreed(everything)) == [both]
    assert list(labelled_as(everything, cause="T5")) == [both]
    assert not labelled_as(everything, outcome="harmful").exists()


@given(
    st.dictionaries(
        st.sampled_from([question.key for question in QUESTIONS]),
        st.one_of(
            st.none(),
            st.sampled_from(["resolved", "partly", "major", "agent", "T5", "T2", "nonsense"]),
            st.lists(st.sampled_from(["T5", "T2", "U1"])),
        ),
    )
)
def test_what_is_kept_is_always_kept_again(answers):
    try:
        kept = check_answers(QUESTIONS, answers, is_complete=False)
    except InvalidAnswersError:
        return
    assert check_answers(QUESTIONS, kept, is_complete=False) == kept
    assert not (kept.get("outcome") == "resolved" and "severity" in kept)
