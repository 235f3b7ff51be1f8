"""What customers come for: the groups, the names that people give, and which have a test."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents.errors import GoldenError
from agents.golden.alike import cosine, group_texts, likeness, words_in
from agents.golden.coverage import coverage_of, coverage_of_run, intent_of
from agents.golden.intents import regroup_due, regroup_intents, rename_intent
from agents.models import Agent, Intent
from reviewdesk.people.roles import Role
from tests.factories import client_as, make_agent
from tests.golden import make_eval_run, make_test
from tests.shop import make_shop_agent
from traces.models import Session

WISHES = {
    "cancel": [
        "I want to cancel my order {n}",
        "Please cancel order {n}, I no longer need it",
        "Cancel the order {n} please",
    ],
    "return": [
        "I'd like to return the lamp that arrived broken",
        "The lamp arrived broken, can I return it?",
        "How do I return a broken lamp?",
    ],
    "address": [
        "Please change the address, I moved to Hamburg",
        "I moved, change my address to Hamburg",
        "My address changed, I moved last week",
    ],
}
TEXTS = [text.format(n=n) for n in range(6) for texts in WISHES.values() for text in texts]


def told(agent: Agent, texts: list[str] = TEXTS, **overrides: Any) -> list[Session]:
    now = timezone.now()
    return Session.objects.bulk_create(
        Session(
            project=agent.project,
            source=Session.Source.RUNTIME,
            agent_name=agent.slug,
            title=text,
            **{"started_at": now - timedelta(minutes=n), "first_ns": 0, "last_ns": 0, **overrides},
        )
        for n, text in enumerate(texts)
    )


def asking(agent: Agent, words: str, **more: Any) -> Any:
    run_input = {"messages": [{"role": "user", "content": words}], "turns": []}
    return make_test(agent, input=run_input, **more)


def url(name: str, agent: Agent, *args: Any) -> str:
    return reverse(f"golden:{name}", args=[agent.project.slug, *args])


def test_words_tell_what_a_text_is_about() -> None:
    assert words_in("Hello! I'd like to return 2 watches and the batteries, please.") == [
        "return",
        "watch",
        "battery",
    ]


def test_texts_that_are_alike_are_grouped_always_the_same_way() -> None:
    groups = group_texts(TEXTS)
    assert groups == group_texts(TEXTS)
    kinds = [{number // 3 % 3 for number in group.members} for group in groups]
    assert all(len(kind) == 1 for kind in kinds)
    assert set.union(*kinds) == {0, 1, 2}


@pytest.mark.parametrize("texts", [[], ["one"], ["", "  "], ["same"] * 40, ["a b", "c d"]])
def test_texts_that_cannot_be_told_apart_do_not_fail(texts: list[str]) -> None:
    assert len(group_texts(texts)) <= 1


def test_likeness_is_one_for_the_same_and_none_for_nothing() -> None:
    terms = {"cancel": 1.0, "order": 1.0}
    assert likeness(["cancel", "order", "unknown"], terms, terms) == pytest.approx(1)
    assert likeness(["unknown"], terms, terms) == 0
    assert cosine(terms, {}) == 0


@pytest.mark.django_db
def test_recent_sessions_are_grouped_and_others_are_not() -> None:
    agent, _ = make_shop_agent()
    told(agent)
    told(agent, ["gift card lost"] * 20, started_at=timezone.now() - timedelta(days=91))
    told(agent, ["gift card lost"] * 20, is_golden=True)
    assert regroup_intents(agent=agent) == Intent.objects.count() > 2
    first = Intent.objects.order_by("-num_sessions").first()
    assert first is not None
    assert (first.num_sampled, len(first.examples) > 1) == (len(TEXTS), True)
    assert str(first.example_id) == first.examples[0]
    assert not any("gift" in intent.terms for intent in Intent.objects.all())


@pytest.mark.django_db
def test_sessions_of_another_agent_of_the_project_are_not_its_own() -> None:
    agent, _ = make_shop_agent()
    other = make_agent(agent.project)
    told(agent)
    assert regroup_intents(agent=other) == 0
    assert not Intent.objects.exists()


@pytest.mark.django_db
def test_name_of_a_person_survives_and_its_group_keeps_its_row() -> None:
    agent, _ = make_shop_agent()
    told(agent)
    regroup_intents(agent=agent)
    intent = intent_of("I moved, change my address", agent.intents.all())
    assert intent is not None
    rename_intent(intent=intent, name=" Moving  house ")
    told(agent, ["Where is my parcel, the tracking says nothing"] * 9)
    regroup_intents(agent=agent)
    again = agent.intents.get(name="Moving house")
    assert (again.pk, again.is_named, "address" in again.terms) == (intent.pk, True, True)


@pytest.mark.django_db
def test_bad_names_are_refused() -> None:
    agent, _ = make_shop_agent()
    told(agent)
    regroup_intents(agent=agent)
    first, second = agent.intents.order_by("pk")[:2]
    for name, words in (("", "Give the"), ("x" * 121, "121 characters"), (second.name, "Another")):
        with pytest.raises(GoldenError, match=words):
            rename_intent(intent=first, name=name)
    Intent.objects.all().delete()
    with pytest.raises(GoldenError, match="grouped anew"):
        rename_intent(intent=first, name="Moving")


@pytest.mark.django_db
def test_agents_are_grouped_once_a_day() -> None:
    agent, _ = make_shop_agent()
    told(agent)
    regroup_due()
    counted_at = agent.intents.first().counted_at
    regroup_due()
    assert agent.intents.first().counted_at == counted_at
    agent.intents.update(counted_at=counted_at - timedelta(hours=25))
    regroup_due()
    assert agent.intents.first().counted_at > counted_at


@pytest.mark.django_db
def test_intent_is_covered_by_a_test_whose_first_words_are_nearest() -> None:
    agent, version = make_shop_agent()
    told(agent)
    regroup_intents(agent=agent)
    assert coverage_of(agent).num_covered == 0
    test = asking(agent, "Hi, please cancel order 77")
    asking(agent, "What is the meaning of life?")
    asking(agent, "I moved, change my address", suite="adversarial")
    coverage = coverage_of(agent)
    assert (coverage.num_covered, coverage.num_other) == (1, 1)
    assert not any("cancel" in intent.name for intent in coverage.missing[:1])
    test.archived_at = timezone.now()
    test.save()
    assert coverage_of(agent).num_covered == 0
    assert coverage_of_run(make_eval_run(version, [test])).num_covered == 1


@pytest.mark.django_db
def test_board_and_eval_run_tell_what_is_missing() -> None:
    agent, version = make_shop_agent()
    told(agent)
    client = client_as(Role.VIEWER, agent.project)
    assert "not grouped yet" in client.get(url("index", agent)).content.decode()
    regroup_intents(agent=agent)
    test = asking(agent, "Please cancel order 77")
    num = agent.intents.count()
    page = client.get(url("index", agent)).content.decode()
    assert f"1 of {num} top intents has a test." in page
    assert "?q=id%3A" in page
    run_page = client.get(url("run", agent, make_eval_run(version, [test]).pk)).content.decode()
    assert f"1 of {num} top intents has a test in this run." in run_page


@pytest.mark.django_db
def test_link_of_an_intent_finds_its_example_sessions() -> None:
    agent, _ = make_shop_agent()
    told(agent)
    regroup_intents(agent=agent)
    intent = agent.intents.first()
    address = reverse("sessions:index", args=[agent.project.slug])
    page = client_as(Role.VIEWER, agent.project).get(
        address, {"q": f"id:{','.join(intent.examples)}"}
    )
    assert all(example in page.content.decode() for example in intent.examples)


@pytest.mark.django_db
def test_page_lists_renames_and_groups_anew() -> None:
    agent, _ = make_shop_agent()
    client = client_as(Role.REVIEWER, agent.project)
    assert "Not grouped yet" in client.get(url("intents", agent)).content.decode()
    few = client.post(url("regroup_intents", agent), {"agent": agent.slug})
    assert (few.status_code, "too few sessions" in few.content.decode()) == (409, True)
    told(agent)
    assert client.post(url("regroup_intents", agent), {"agent": agent.slug}).status_code == 303
    intent = agent.intents.order_by("-num_sessions").first()
    renamed = client.post(url("rename_intent", agent, intent.pk), {"name": "Cancelling"})
    assert renamed.status_code == 303
    page = client.get(url("intents", agent)).content.decode()
    assert "Cancelling" in page
    assert f"of {len(TEXTS)}</span>" in page
    wrong = client.post(url("rename_intent", agent, intent.pk), {"name": " "})
    assert (wrong.status_code, "Give the intent a name" in wrong.content.decode()) == (422, True)


@pytest.mark.django_db
def test_viewer_reads_and_changes_nothing_and_others_find_nothing() -> None:
    agent, _ = make_shop_agent()
    told(agent)
    regroup_intents(agent=agent)
    intent = agent.intents.first()
    viewer = client_as(Role.VIEWER, agent.project)
    fragment = viewer.get(url("intents", agent), headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert "Rename" not in fragment
    assert viewer.post(url("rename_intent", agent, intent.pk), {"name": "X"}).status_code == 403
    assert viewer.post(url("regroup_intents", agent)).status_code == 403
    assert viewer.get(url("regroup_intents", agent)).status_code == 405
    other, _ = make_shop_agent()
    reviewer = client_as(Role.REVIEWER, other.project)
    assert reviewer.post(url("rename_intent", other, intent.pk), {"name": "X"}).status_code == 404


@pytest.mark.django_db
def test_page_asks_no_more_for_more_intents_and_tests() -> None:
    agent, _ = make_shop_agent()
    told(agent)
    client = client_as(Role.VIEWER, agent.project)
    regroup_intents(agent=agent)
    client.get(url("intents", agent))
    with CaptureQueriesContext(connection) as few:
        client.get(url("intents", agent))
    for number in range(5):
        asking(agent, f"Cancel {number}")
    told(agent, [f"{word} parcel tracking {word}" for word in ("late", "lost", "wet") * 6])
    regroup_intents(agent=agent)
    with CaptureQueriesContext(connection) as many:
        client.get(url("intents", agent))
    assert len(many) == len(few)
