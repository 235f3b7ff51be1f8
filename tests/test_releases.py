"""Versions and their releases: what may go live, on what evidence, and by whose decision."""

import threading
from dataclasses import replace

import pytest
from django.db import IntegrityError, connection, transaction

from agents.config import Limits, VersionConfig
from agents.errors import ReleaseError
from agents.golden.runner import evidence_hash_of
from agents.models import EvalResult, EvalRun, GoldenTest, Level, Release
from agents.releases.errors import (
    EvidenceError,
    EvidenceVoidError,
    InvalidVersionError,
    OwnReleaseError,
    StaleReleaseError,
)
from agents.releases.propose import (
    approve_release,
    create_version,
    refuse_release,
    request_release,
    roll_back,
    withdraw_release,
)
from tests.factories import make_agent, make_live, make_user, make_version

pytestmark = pytest.mark.django_db
CONFIG = VersionConfig(
    system_prompt="Help the customer.\nAsk before a refund.",
    model="desk-model",
    parameters={"temperature": 0.2},
    tools=("get_order_details",),
)


def make_test(agent, slug="asks-before-refund", content_hash="a" * 64):
    return GoldenTest.objects.create(
        agent=agent, slug=slug, title=slug, input={}, checks=[], content_hash=content_hash
    )


def make_eval_run(version, status=EvalRun.Status.PASSED):
    """Make an eval run of all active tests, each with one repeat that passed."""
    tests = list(GoldenTest.objects.filter(agent=version.agent, archived_at=None))
    run = EvalRun.objects.create(
        agent=version.agent,
        version=version,
        status=status,
        evidence_hash=evidence_hash_of(version, [test.content_hash for test in tests], 1),
    )
    for test in tests:
        EvalResult.objects.create(
            eval_run=run, test=test, test_hash=test.content_hash, status="passed"
        )
    return run


def make_waiting(agent=None, author=None, by=None):
    """Make a release that waits, with a passed eval run of one golden test."""
    agent = agent or make_agent()
    if not GoldenTest.objects.filter(agent=agent).exists():
        make_test(agent)
    version = make_version(agent, author=author or make_user())
    run = make_eval_run(version)
    return request_release(
        version=version, eval_run=run, reason="Refunds went wrong.", by=by or make_user()
    )


def test_version_is_numbered_and_keeps_its_author_and_note():
    agent, author = make_agent(), make_user()
    version = create_version(agent=agent, config=CONFIG, note=" Asks first ", author=author)
    assert (version.number, version.note, version.author) == (2, "Asks first", author)
    assert version.content_hash == CONFIG.content_hash


def test_same_content_is_the_version_that_exists():
    agent = make_agent()
    first = create_version(agent=agent, config=CONFIG, note="", author=None)
    windows = replace(CONFIG, system_prompt=CONFIG.system_prompt.replace("\n", "\r\n"))
    again = create_version(agent=agent, config=windows, note="Again", author=make_user())
    assert again == first


def test_whole_temperature_has_one_hash_however_it_is_written():
    agent = make_agent()
    whole = replace(CONFIG, parameters={"temperature": 0})
    first = create_version(agent=agent, config=whole, note="", author=None)
    point = replace(CONFIG, parameters={"temperature": 0.0})
    assert create_version(agent=agent, config=point, note="", author=None) == first


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"system_prompt": " \n"}, "system_prompt", "is empty"),
        ({"model": ""}, "model", "1 to 120"),
        ({"tools": ("teleport",)}, "tools", "No such tool: teleport"),
        ({"parameters": {"temperature": 3}}, "parameters.temperature", "from 0 to 2"),
        ({"parameters": {"temprature": 1}}, "parameters.temprature", "not a known parameter"),
        ({"parameters": {"temperature": True}}, "parameters.temperature", "must be a number"),
        ({"parameters": {"messages": []}}, "parameters.messages", "not a known parameter"),
        ({"parameters": {"stop": [1]}}, "parameters.stop", "a text or a list of texts"),
        ({"limits": Limits(max_steps=0)}, "limits.max_steps", "from 1 to 1000"),
        ({"limits": Limits(max_cost_usd=float("nan"))}, "limits.max_cost_usd", "must be a number"),
    ],
)
def test_configuration_that_cannot_be_run_is_refused(change, field, words):
    with pytest.raises(InvalidVersionError) as caught:
        create_version(agent=make_agent(), config=replace(CONFIG, **change), note="", author=None)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert words in str(caught.value)


def test_request_needs_a_passed_eval_run_of_exactly_this_version():
    agent = make_agent()
    make_test(agent)
    version, other = make_version(agent), make_version(agent)
    failed = make_eval_run(version, status=EvalRun.Status.FAILED)
    for run, words in [
        (None, "has 1 golden test"),
        (failed, "is failed; a release needs one that passed"),
        (make_eval_run(other), "tested v3, not v2"),
    ]:
        with pytest.raises(EvidenceError, match=words):
            request_release(version=version, eval_run=run, reason="Better.", by=make_user())


def test_passed_eval_run_in_which_something_leaked_is_no_evidence():
    agent = make_agent()
    version = make_version(agent)
    make_test(agent)
    eval_run = make_eval_run(version)
    finding = {"gate": "leak", "found": "step 2 told a card number", "span_id": ""}
    eval_run.results.update(hard=[finding])
    with pytest.raises(ReleaseError, match="what is never allowed happened: the agent told"):
        request_release(version=version, eval_run=eval_run, reason="Better.", by=make_user())
    eval_run.results.update(hard=[{**finding, "gate": "schema"}])
    request_release(version=version, eval_run=eval_run, reason="Better.", by=make_user())


def test_request_without_any_golden_test_says_so():
    version = make_version(make_agent())
    release = request_release(version=version, eval_run=None, reason="First.", by=make_user())
    assert release.evidence_note.startswith("No golden test exists")
    assert release.status == Release.Status.WAITING


def test_request_is_refused_once_a_test_was_added():
    agent = make_agent()
    make_test(agent)
    version = make_version(agent)
    run = make_eval_run(version)
    make_test(agent, slug="returns-twice", content_hash="b" * 64)
    with pytest.raises(EvidenceError, match="golden test new: returns-twice"):
        request_release(version=version, eval_run=run, reason="Better.", by=make_user())


def test_second_request_of_a_version_is_refused():
    release = make_waiting()
    with pytest.raises(StaleReleaseError, match="waits for approval already"):
        request_release(
            version=release.version, eval_run=release.eval_run, reason="Again.", by=make_user()
        )


def test_approval_makes_the_version_live_and_the_one_before_superseded():
    release, lead = make_waiting(), make_user()
    agent, before = release.agent, release.agent.live_version
    approve_release(release=release, by=lead, reason="8 of 9 is enough", seen_live=before)
    agent.refresh_from_db()
    release.refresh_from_db()
    assert agent.live_version == release.version
    assert (release.status, release.decided_by, release.baseline) == ("live", lead, before)
    assert before.releases.get().status == Release.Status.SUPERSEDED


@pytest.mark.parametrize("role", ["author", "requested_by"])
def test_author_and_requester_cannot_decide(role):
    release = make_waiting()
    person = getattr(release, role)
    with pytest.raises(OwnReleaseError, match="another person decides it"):
        approve_release(release=release, by=person)
    with pytest.raises(OwnReleaseError):
        refuse_release(release=release, by=person, reason="Not so.")
    assert Release.objects.get(pk=release.pk).status == Release.Status.WAITING


@pytest.mark.parametrize("role", ["author", "requested_by"])
def test_database_refuses_a_decision_by_author_or_requester(role):
    release = make_waiting()
    person = getattr(release, role)
    with pytest.raises(IntegrityError, match="release_author_never_decides"), transaction.atomic():
        Release.objects.filter(pk=release.pk).update(status="live", decided_by=person)
    with (
        pytest.raises(IntegrityError, match="release_author_never_decides"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "UPDATE agents_release SET decided_by_id = %s, decided_at = now() WHERE id = %s",
            [person.pk, release.pk],
        )


def test_database_refuses_to_forget_or_swap_the_author():
    release = make_waiting()
    for other in (None, make_user()):
        with pytest.raises(IntegrityError, match="is not the author"), transaction.atomic():
            Release.objects.filter(pk=release.pk).update(author=other)


def test_requester_stays_who_asked():
    release = make_waiting()
    lead = make_user()
    with pytest.raises(IntegrityError, match="who asked for it"), transaction.atomic():
        Release.objects.filter(pk=release.pk).update(requested_by=lead)


def test_database_refuses_a_live_version_that_nobody_approved():
    release = make_waiting()
    release.agent.live_version = release.version
    with pytest.raises(IntegrityError, match="was not approved by another person"):
        release.agent.save(update_fields=["live_version"])


def test_changed_test_voids_the_release_at_approval():
    release = make_waiting()
    live = release.agent.live_version_id
    GoldenTest.objects.filter(agent=release.agent).update(content_hash="c" * 64)
    with pytest.raises(EvidenceVoidError, match="golden test changed: asks-before-refund"):
        approve_release(release=release, by=make_user())
    release.refresh_from_db()
    assert release.status == Release.Status.VOID
    assert "asks-before-refund" in release.decision_reason
    assert release.agent.__class__.objects.get(pk=release.agent_id).live_version_id == live


def test_first_golden_test_voids_a_release_that_had_none():
    version = make_version(make_agent())
    release = request_release(version=version, eval_run=None, reason="First.", by=make_user())
    make_test(version.agent)
    with pytest.raises(EvidenceVoidError, match="1 golden test exists now"):
        approve_release(release=release, by=make_user())


def test_approval_is_refused_when_another_version_went_live_meanwhile():
    release = make_waiting()
    seen = release.agent.live_version
    make_live(make_version(release.agent))
    with pytest.raises(StaleReleaseError, match=r"v3 of .* is live now; you compared with v1"):
        approve_release(release=release, by=make_user(), seen_live=seen)


def test_refusal_needs_a_reason_and_allows_a_new_request():
    release, lead = make_waiting(), make_user()
    with pytest.raises(ReleaseError, match="takes a reason"):
        refuse_release(release=release, by=lead, reason=" ")
    assert refuse_release(release=release, by=lead, reason="Too risky.").status == "refused"
    again = request_release(
        version=release.version, eval_run=release.eval_run, reason="Calmer.", by=make_user()
    )
    assert again.status == Release.Status.WAITING


def test_withdrawal_is_open_to_author_and_requester_only():
    release = make_waiting()
    with pytest.raises(ReleaseError, match="may withdraw it"):
        withdraw_release(release=release, by=make_user())
    assert withdraw_release(release=release, by=release.author).status == "withdrawn"


def test_decided_release_cannot_be_decided_again():
    release, lead = make_waiting(), make_user()
    approve_release(release=release, by=lead)
    with pytest.raises(StaleReleaseError, match="decided already: live by"):
        refuse_release(release=release, by=make_user(), reason="Too late.")


def test_roll_back_returns_to_what_was_live_before():
    release, lead = make_waiting(), make_user()
    agent, before = release.agent, release.agent.live_version
    approve_release(release=release, by=lead)
    back = roll_back(agent=agent, to_version=before, by=release.author, reason="Refunds failed.")
    agent.refresh_from_db()
    release.refresh_from_db()
    assert agent.live_version == before
    assert (back.kind, back.status, release.status) == ("rollback", "live", "rolled_back")


def test_roll_back_only_reaches_versions_that_were_live():
    release = make_waiting()
    with pytest.raises(ReleaseError, match="was never live"):
        roll_back(agent=release.agent, to_version=release.version, by=make_user(), reason="Hurry.")
    live = release.agent.live_version
    with pytest.raises(StaleReleaseError, match="is live already"):
        roll_back(agent=release.agent, to_version=live, by=make_user(), reason="Hurry.")


@pytest.mark.django_db(transaction=True)
def test_of_two_approvals_at_once_one_is_told_that_it_came_late():
    agent = make_agent(tools={"get_order_details": Level.APPROVE})
    releases = [make_waiting(agent)] * 2
    barrier, told = threading.Barrier(2), []

    def approve(release, lead):
        barrier.wait()
        try:
            told.append(approve_release(release=release, by=lead).status)
        except StaleReleaseError as error:
            told.append(str(error))
        finally:
            connection.close()

    leads = [make_user(), make_user()]
    threads = [
        threading.Thread(target=approve, args=pair) for pair in zip(releases, leads, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "live" in told
    assert sum("decided already" in text for text in told) == 1
    assert Release.objects.filter(agent=agent, status="live").count() == 1


def test_every_decision_is_recorded_with_who_and_why():
    release, lead = make_waiting(), make_user()
    approve_release(release=release, by=lead, reason="Good enough.")
    event = Release.pgh_event_model.objects.filter(pgh_obj_id=release.pk).order_by("pgh_id").last()
    assert event.status == "live"
    assert event.pgh_context.metadata == {
        "user": lead.pk,
        "reason": "Good enough.",
        "action": "approve release",
    }
