"""A release that rests on a gate: requested on it, shown with it, void without it."""

from typing import Any

import pytest
from django.urls import reverse

from agents.gate.run import settle_gates
from agents.models import Gate, GoldenTest, Release
from reviewdesk.people.roles import Role
from tests.factories import client_as, make_user, sign_in
from tests.gate import answer, begin_gate

pytestmark = pytest.mark.django_db


def ended(now: Any, before: Any, num_tests: int = 6) -> Gate:
    """Run a gate to its end on these answers."""
    _, gate = begin_gate(num_tests=num_tests)
    for _ in range(5):
        answer(gate, now, before)
        settle_gates()
    gate.refresh_from_db()
    return gate


def version_url(gate: Gate, name: str = "version") -> str:
    agent = gate.agent
    return reverse(f"releases:{name}", args=[agent.project.slug, agent.slug, gate.candidate.number])


def request(gate: Gate, reason: str = "Fewer wrong refunds.") -> Release:
    """Request the candidate's release by the form of its page."""
    client = sign_in(make_user(Role.ENGINEER, gate.agent.project))
    data = {"gate": gate.pk, "reason": reason}
    response = client.post(version_url(gate, "request"), data)
    assert response.status_code == 303
    return Release.objects.exclude(status=Release.Status.LIVE).get()


def release_page(release: Release) -> str:
    project = release.agent.project
    address = reverse("releases:release", args=[project.slug, release.pk])
    return client_as(Role.LEAD, project).get(address).content.decode()


def test_version_page_shows_its_gate_and_offers_the_request_on_it() -> None:
    gate = ended("p", "f")
    client = client_as(Role.ENGINEER, gate.agent.project)
    text = client.get(version_url(gate)).content.decode()
    assert f'name="gate" value="{gate.pk}"' in text
    assert "its evidence holds" in text
    assert gate.sentence in text


def test_release_on_a_passed_gate_shows_its_picture_and_what_moved() -> None:
    gate = ended("p", "f")
    text = release_page(request(gate))
    assert gate.sentence in text
    assert reverse("golden:gate", args=[gate.agent.project.slug, gate.pk]) in text
    assert "Difference in points, with intervals." in text
    assert "6 better" in text
    assert "Cost of a run" in text


def test_undecided_gate_is_said_plainly_before_and_after_the_request() -> None:
    gate = ended(["p", "f"], ["f", "p"], num_tests=2)
    assert gate.status == Gate.Status.INCONCLUSIVE
    client = client_as(Role.ENGINEER, gate.agent.project)
    assert "The gate did not decide" in client.get(version_url(gate)).content.decode()
    text = release_page(request(gate))
    assert "The gate did not decide, a person does:" in text


def test_failed_gate_offers_no_request() -> None:
    gate = ended("f", "p")
    text = client_as(Role.ENGINEER, gate.agent.project).get(version_url(gate)).content.decode()
    assert f'name="gate" value="{gate.pk}"' not in text
    assert "a release needs a gate that passed" in text


@pytest.mark.parametrize("has_gate", [True, False])
def test_eval_run_that_a_request_would_refuse_is_not_offered(has_gate: bool) -> None:
    gate = ended("p", "f")
    assert gate.candidate_run.status == "passed"
    if has_gate:
        Gate.objects.update(status=Gate.Status.FAILED, sentence="Failed: it costs twice as much.")
    else:
        Gate.objects.all().delete()
        leak = [{"gate": "leak", "found": "step 2 tells a credential", "span_id": ""}]
        gate.candidate_run.results.update(hard=leak)
    client = client_as(Role.ENGINEER, gate.agent.project)
    text = client.get(version_url(gate)).content.decode()
    assert 'name="eval_run"' not in text
    assert "but its release cannot be requested" in text
    assert ("which is failed: without the gate" if has_gate else "tells a credential") in text
    data = {"eval_run": gate.candidate_run_id, "reason": "Why not."}
    assert client.post(version_url(gate, "request"), data).status_code == 409


def test_gate_is_void_once_a_test_was_edited() -> None:
    gate = ended("p", "f")
    release = request(gate)
    GoldenTest.objects.filter(slug="test-1").update(content_hash="1" * 64)
    text = release_page(release)
    assert "does not hold any more" in text
    assert "Since its gate:" in text
    page = client_as(Role.ENGINEER, gate.agent.project).get(version_url(gate)).content.decode()
    assert "void:" in page
