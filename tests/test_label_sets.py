"""The default label set: complete, and mapped to what the taxonomies really contain."""

import re

import pytest

from tests.factories import make_project
from traces.causes import CAUSES, FIRST_NINE
from traces.label_sets import default_questions, ensure_label_set, questions_of
from traces.models import LabelSet

TRAIL = {
    "Language-only (hallucination)",
    "Tool-related (hallucination)",
    "Poor Information Retrieval",
    "Tool Output Misinterpretation",
    "Incorrect Problem Identification",
    "Tool Selection Errors",
    "Formatting Errors",
    "Instruction Non-compliance",
    "Tool Definition Issues",
    "Environment Setup Errors",
    "Rate Limiting",
    "Authentication Errors",
    "Service Errors",
    "Resource Not Found",
    "Resource Exhaustion",
    "Timeout Issues",
    "Context Handling Failures",
    "Resource Abuse",
    "Goal Deviation",
    "Task Orchestration",
}
MAST = {"1.1", "1.2", "1.3", "1.4", "1.5", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6"}
MAST |= {"3.1", "3.2", "3.3"}


def test_twenty_five_causes_each_told_apart_and_explained():
    assert len({cause["code"] for cause in CAUSES}) == len(CAUSES) == 25
    for cause in CAUSES:
        assert all(cause[part] for part in ("title", "short", "definition", "example"))
        assert re.fullmatch(r"[A-Z]\d", cause["code"])


def test_every_cause_is_mapped_to_categories_that_exist():
    for cause in CAUSES:
        taxonomies = cause["taxonomies"]
        assert set(taxonomies.get("TRAIL", [])) <= TRAIL, cause["code"]
        assert taxonomies["TRAIL"], cause["code"]
        assert {entry.split()[0] for entry in taxonomies.get("MAST", [])} <= MAST
        assert all(re.match(r"ASI(0\d|10) ", entry) for entry in taxonomies.get("OWASP", []))


def test_every_category_of_trail_and_mast_is_reached_by_some_cause():
    trail = {entry for cause in CAUSES for entry in cause["taxonomies"].get("TRAIL", [])}
    mast = {e.split()[0] for cause in CAUSES for e in cause["taxonomies"].get("MAST", [])}
    assert trail == TRAIL
    assert mast == MAST


def test_nine_causes_are_on_the_digits():
    assert len(set(FIRST_NINE)) == 9
    assert set(FIRST_NINE) <= {cause["code"] for cause in CAUSES}


@pytest.mark.django_db
def test_project_gets_the_default_set_once():
    project = make_project()
    first, second = ensure_label_set(project), ensure_label_set(project)
    assert first == second
    assert first.questions == default_questions()


@pytest.mark.django_db
def test_the_newest_set_is_the_current_one():
    project = make_project()
    ensure_label_set(project)
    newer = LabelSet.objects.create(project=project, version=2, questions=default_questions()[:1])
    assert ensure_label_set(project) == newer
    assert [question.key for question in questions_of(newer)] == ["outcome"]
