"""Settings of masking, retention and prices: pages, rights, forms, and what they set off."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from reviewdesk.people.roles import Role
from reviewdesk.templatetags.masking import mask_chips, masked_text
from tests.factories import (
    client_as,
    customer_span,
    make_project,
    make_session,
    make_user,
    model_span,
    sign_in,
)
from traces.models import Erasure, ModelPrice, Project, Repricing, Session, TracePolicy
from traces.prices import set_price
from traces.redaction import masker_for, set_masking

pytestmark = pytest.mark.django_db

PAGES = ("masking", "retention", "prices")
PRICE = {"pattern": "desk-*", "starts_on": "2026-01-01", "input_usd": "2", "output_usd": "8"}
ERASE = {"customer": "quinn_7", "typed": "quinn_7", "reason": "They asked for it."}
ACTIONS = [
    ("set_masking", {"kinds": ["email"], "reason": "As agreed."}, Role.ADMIN),
    ("preview_retention", {"keep_days": "30", "reason": "As agreed."}, Role.ADMIN),
    ("set_retention", {"keep_days": "30", "reason": "As agreed."}, Role.ADMIN),
    ("find_customer", {"customer": "quinn_7"}, Role.ADMIN),
    ("erase_customer", ERASE, Role.ADMIN),
    ("set_price", PRICE, Role.LEAD),
    ("recompute_costs", {"since": "2026-01-01"}, Role.LEAD),
]


def url(project: Project, name: str, *args: Any) -> str:
    return reverse(f"settings:{name}", args=[project.slug, *args])


def text_of(response: HttpResponse) -> str:
    return response.content.decode()


def of_quinn(project: Project) -> Session:
    return make_session(project, source=Session.Source.OTLP, customer="quinn_7")


@pytest.mark.parametrize("name", PAGES)
def test_page_is_read_by_every_member(name: str) -> None:
    project = make_project()
    page = client_as(Role.VIEWER, project).get(url(project, name))
    assert page.status_code == 200
    assert "<html" in text_of(page)


@pytest.mark.parametrize("name", PAGES)
def test_fragment_is_the_page_without_its_frame(name: str) -> None:
    project = make_project()
    page = client_as(Role.ADMIN, project).get(url(project, name), headers={"HX-Request": "true"})
    assert text_of(page).lstrip().startswith('<div id="settings"')


@pytest.mark.parametrize("name", PAGES)
def test_stranger_finds_nothing(name: str) -> None:
    project = make_project()
    assert client_as(Role.ADMIN, make_project()).get(url(project, name)).status_code == 404
    assert Client().get(url(project, name)).status_code == 302


@pytest.mark.parametrize("name", PAGES)
def test_viewer_is_offered_no_form_that_changes_anything(name: str) -> None:
    project = make_project()
    page = text_of(client_as(Role.VIEWER, project).get(url(project, name)))
    for action, _, _ in ACTIONS:
        assert f'action="{url(project, action)}"' not in page


@pytest.mark.parametrize(("name", "data", "role"), ACTIONS)
def test_actions_take_their_role(name: str, data: dict[str, Any], role: Role) -> None:
    project = make_project()
    of_quinn(project)
    refused = Role.ENGINEER if role == Role.LEAD else Role.LEAD
    assert client_as(refused, project).post(url(project, name), data).status_code == 403
    assert client_as(role, project).post(url(project, name), data).status_code in {200, 303}
    assert client_as(role, make_project()).post(url(project, name), data).status_code == 404


@pytest.mark.parametrize(("name", "data", "role"), ACTIONS)
def test_actions_are_posts(name: str, data: dict[str, Any], role: Role) -> None:
    project = make_project()
    assert client_as(role, project).get(url(project, name)).status_code == 405


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("set_masking", {"kinds": ["email"]}),
        ("set_masking", {"kinds": ["shoe size"], "reason": "x"}),
        ("try_masking", {"text": ""}),
        ("preview_retention", {"keep_days": "0", "reason": "x"}),
        ("set_retention", {"keep_days": "soon", "reason": "x"}),
        ("find_customer", {"customer": ""}),
        ("erase_customer", {**ERASE, "typed": "quinn_8"}),
        ("erase_customer", {**ERASE, "reason": ""}),
        ("set_price", {**PRICE, "pattern": "gpt-(4|5)"}),
        ("set_price", {**PRICE, "input_usd": "-1"}),
        ("set_price", {**PRICE, "output_usd": ""}),
        ("recompute_costs", {"since": "yesterday"}),
    ],
)
def test_invalid_form_says_so_and_changes_nothing(name: str, data: dict[str, Any]) -> None:
    project = make_project()
    of_quinn(project)
    page = client_as(Role.ADMIN, project).post(url(project, name), data)
    assert page.status_code == 422
    assert "desk-error" in text_of(page)
    assert Session.objects.count() == 1
    assert not ModelPrice.objects.exists()


def test_rules_hold_at_once() -> None:
    project = make_project()
    client_as(Role.ADMIN, project).post(
        url(project, "set_masking"), {"kinds": ["card"], "reason": "Mail is public."}
    )
    assert masker_for(project).text("ann@mail.example") == "ann@mail.example"
    assert "⟦card-" in masker_for(project).text("4111 1111 1111 1111")


def test_change_of_the_rules_is_in_the_trail_with_who_and_why() -> None:
    project = make_project()
    admin = make_user(Role.ADMIN, project)
    sign_in(admin).post(url(project, "set_masking"), {"kinds": [], "reason": "A test desk."})
    event = TracePolicy.pgh_event_model.objects.order_by("-pgh_id")[0]
    assert event.pgh_context.metadata["reason"] == "A test desk."
    assert event.pgh_context.metadata["user"] == admin.pk


def test_trying_a_text_shows_it_masked_and_stores_nothing() -> None:
    project = make_project()
    page = client_as(Role.VIEWER, project).post(
        url(project, "try_masking"), {"text": "<b>ann@mail.example</b>"}
    )
    assert "1 masked: 1 e-mail address" in text_of(page)
    assert '&lt;b&gt;<span class="desk-mask"' in text_of(page)
    assert not Session.objects.exists()


def test_masked_values_of_the_last_days_are_counted() -> None:
    project = make_project()
    spans = [customer_span("ann@mail.example or bob@mail.example")]
    make_session(project, spans=spans, source=Session.Source.OTLP)
    page = text_of(client_as(Role.VIEWER, project).get(url(project, "masking")))
    assert '<td class="num">2</td>' in page


def test_preview_says_how_many_would_go_and_sets_nothing() -> None:
    project = make_project()
    of_quinn(project)
    Session.objects.update(last_ns=1_700_000_000_000_000_000, started_at="2023-11-14T22:13:20Z")
    page = client_as(Role.ADMIN, project).post(
        url(project, "preview_retention"), {"keep_days": "30", "reason": "As agreed."}
    )
    assert "About 1 sessions would be deleted" in text_of(page)
    assert not TracePolicy.objects.filter(keep_days=30).exists()


def test_retention_is_set() -> None:
    project = make_project()
    client_as(Role.ADMIN, project).post(
        url(project, "set_retention"),
        {"keep_days": "30", "keeps_labelled": "on", "reason": "As agreed."},
    )
    policy = TracePolicy.objects.get()
    assert (policy.keep_days, policy.keeps_labelled) == (30, True)


def test_customer_is_shown_before_anything_is_deleted() -> None:
    project = make_project()
    of_quinn(project)
    page = client_as(Role.ADMIN, project).post(
        url(project, "find_customer"), {"customer": "quinn_7"}
    )
    assert "1 session of" in text_of(page)
    assert Session.objects.exists()


def test_customer_is_deleted_and_stands_in_the_list_without_a_name() -> None:
    project = make_project()
    of_quinn(project)
    client = client_as(Role.ADMIN, project)
    client.post(url(project, "erase_customer"), ERASE)
    page = text_of(client.get(url(project, "retention")))
    assert not Session.objects.exists()
    assert Erasure.objects.get().customer_digest[:12] in page
    assert "quinn_7" not in page


def test_price_is_set_and_shown_and_taken_away() -> None:
    project = make_project()
    client = client_as(Role.LEAD, project)
    client.post(url(project, "set_price"), {**PRICE, "reason": "Contract"})
    row = ModelPrice.objects.get()
    assert (row.input_usd, row.starts_on) == (Decimal(2), date(2026, 1, 1))
    assert "desk-*" in text_of(client.get(url(project, "prices")))
    client.post(url(project, "remove_price", row.pk))
    assert not ModelPrice.objects.exists()


def test_price_of_another_project_is_not_found() -> None:
    project, other = make_project(), make_project()
    values: dict[str, Any] = {"input_usd": Decimal(1), "output_usd": Decimal(1), "by": None}
    row = set_price(project=other, pattern="desk", starts_on=date(2026, 1, 1), **values)
    page = client_as(Role.LEAD, project).post(url(project, "remove_price", row.pk))
    assert page.status_code == 404


def test_edit_link_fills_the_form() -> None:
    project = make_project()
    values: dict[str, Any] = {"input_usd": Decimal(3), "output_usd": Decimal(4), "by": None}
    row = set_price(project=project, pattern="desk", starts_on=date(2026, 1, 1), **values)
    page = client_as(Role.LEAD, project).get(f"{url(project, 'prices')}?edit={row.pk}")
    assert 'value="2026-01-01"' in text_of(page)


def test_recomputing_shows_how_far_it_is() -> None:
    project = make_project()
    make_session(project, spans=[model_span("Hello")], source=Session.Source.OTLP)
    client = client_as(Role.LEAD, project)
    client.post(url(project, "recompute_costs"), {"since": "2020-01-01"})
    assert Repricing.objects.get().num_sessions == 1
    assert "0 of about 1" in text_of(client.get(url(project, "repricing")))
    again = client.post(url(project, "recompute_costs"), {"since": "2020-01-01"})
    assert "already" in text_of(again)


@pytest.mark.parametrize("name", PAGES)
def test_as_many_queries_for_many_rows_as_for_few(name: str) -> None:
    project = make_project()
    client = client_as(Role.ADMIN, project)
    values: dict[str, Any] = {"input_usd": Decimal(1), "output_usd": Decimal(1), "by": None}

    def grow(num: int) -> None:
        for _ in range(num):
            of_quinn(project)
            set_price(project=project, pattern=f"m{num}", starts_on=date(2026, 1, 1), **values)
            Erasure.objects.create(project=project, num_sessions=1, num_spans=1, by=make_user())

    grow(1)
    client.get(url(project, name))  # rules and prices are read once in two seconds
    with CaptureQueriesContext(connection) as few:
        client.get(url(project, name))
    grow(8)
    client.get(url(project, name))
    with CaptureQueriesContext(connection) as many:
        client.get(url(project, name))
    assert len(many) == len(few)


def test_chip_stands_for_a_marker_and_the_rest_is_escaped() -> None:
    project = make_project()
    set_masking(project=project, kinds=frozenset({"email"}), by=None, reason="")
    masked = masker_for(project).text("<i>ann@mail.example</i>")
    chips = mask_chips(masked)
    assert chips.startswith('&lt;i&gt;<span class="desk-mask"')
    assert chips.endswith("</span>&lt;/i&gt;")


def test_something_that_only_looks_like_a_marker_is_text() -> None:
    assert mask_chips("⟦email-<script>⟧") == "⟦email-&lt;script&gt;⟧"


def test_counts_are_a_sentence() -> None:
    assert masked_text({"card": 1, "email": 2}) == ("3 masked: 2 e-mail addresses, 1 card number")
    assert masked_text({}) == ""


def test_changes_are_told_in_the_audit_trail() -> None:
    project = make_project()
    of_quinn(project)
    client = client_as(Role.ADMIN, project)
    for name, data, _ in ACTIONS:
        client.post(url(project, name), data)
    page = text_of(client.get(url(project, "audit")))
    assert "not masked: credentials" in page
    assert "kept 30 days" in page
    assert "person&#x27;s data deleted" in page
    assert "$2 in, $8 out" in page
    assert "quinn_7" not in page


def test_session_page_says_that_something_was_masked_to_those_with_the_right() -> None:
    project = make_project()
    spans = [customer_span("Write to ann@mail.example")]
    session = make_session(project, spans=spans, source=Session.Source.OTLP)
    address = reverse("sessions:detail", args=[project.slug, session.pk])
    seen = text_of(client_as(Role.REVIEWER, project).get(address))
    assert "1 masked: 1 e-mail address" in seen
    assert 'class="desk-mask"' in seen
    assert "1 masked" not in text_of(client_as(Role.SUPPORT, project).get(address))


def test_session_page_leads_an_admin_to_deleting_the_persons_data() -> None:
    project = make_project()
    address = reverse("sessions:detail", args=[project.slug, of_quinn(project).pk])
    link = f"{url(project, 'retention')}?customer=quinn_7#erase"
    assert link in text_of(client_as(Role.ADMIN, project).get(address))
    assert link not in text_of(client_as(Role.LEAD, project).get(address))
