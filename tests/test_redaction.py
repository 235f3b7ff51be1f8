"""Masking: what is taken for a value and what stays readable, pseudonyms, and nothing left over."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.golden.evidence import spans_of
from agents.models import Run, Step
from tests.factories import (
    customer_span,
    make_agent,
    make_project,
    make_run,
    make_session,
    make_span,
    model_span,
)
from tests.importing import import_lines
from tests.test_import_reviewdesk import make_line
from traces.ingest.append import append_spans
from traces.ingest.take import take_logs
from traces.ingest.tally import DecodedLogs
from traces.ingest.wire import WireEvent, WireLog
from traces.models import Project, Score, Session, Span, TracePolicy, WaitingEvent
from traces.recorder import open_session, record_spans, set_status
from traces.records import EmitterRecord, IncomingSpan
from traces.redaction import KIND_KEYS, KINDS, MARKER, Masker, masker_for, set_masking
from traces.redaction import rules as masking_rules
from traces.refresh import drain

MASKER = Masker(b"a key of these tests, 32 bytes..")
LETTERS = "Zq7Xw2Rt9Yb4Nm6Kp1Ls8Dv3Fh5Gj0Ca"
SECRETS = {
    "email": "ann.obi+shop@mail.example",
    "phone": "(212) 555-0187",
    "card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "ip": "203.0.113.77",
    "ssn": "212-45-6789",
    "credential": f"ghp_{LETTERS}Abcd",
}


def kinds_in(text: str) -> list[str]:
    return [kind for kind, _ in MARKER.findall(MASKER.text(text))]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email", "ann@mail.example"),
        ("email", "Write to <Ann.Obi+x@sub.mail.example>."),
        ("email", "jörg@müller.example"),
        ("email", r"line\nann@mail.example"),
        ("phone", "+49 30 1234567"),
        ("phone", "+12125550187"),
        ("phone", "212-555-0187"),
        ("phone", "212.555.0187"),
        ("phone", "(212) 555-0187"),
        ("phone", "1-212-555-0187"),
        ("phone", "my phone number is 2125550187"),
        ("phone", '{"phone_number": 2125550187}'),
        ("phone", "mobile: 0170 1234567"),
        ("card", "4111111111111111"),
        ("card", "4111-1111-1111-1111"),
        ("card", "5500 0000 0000 0004"),
        ("card", "3782 822463 10005"),
        ("card", '{"n": 6011111111111117}'),
        ("iban", "GB82WEST12345698765432"),
        ("iban", "DE89 3704 0044 0532 0130 00 TO PAY"),
        ("ip", "192.168.4.20"),
        ("ip", "http://203.0.113.77/x"),
        ("ip", "2001:db8::8a2e:370:7334"),
        ("ip", "fe80::1c2d:3e4f"),
        ("ssn", "212-45-6789"),
        ("ssn", "SSN: 212456789"),
        ("ssn", '{"ssn": "212456789"}'),
        ("credential", "AKIAQYLPMN5HFAKEKEYS"),
        ("credential", f"sk-proj-{LETTERS}"),
        ("credential", f"sk-ant-api03-{LETTERS}"),
        ("credential", f"glpat-{LETTERS[:20]}"),
        ("credential", f"github_pat_{LETTERS}"),
        ("credential", f"Authorization: Bearer {LETTERS}"),
        ("credential", "Authorization: Basic dXNlcjpwYXNz"),
        ("credential", f"eyJ{LETTERS}.eyJ{LETTERS}.{LETTERS}"),
        ("credential", "postgres://ann:hunter2hunter@db.example/x"),
        ("credential", "password=correct-horse"),
        ("credential", "API_KEY: a1b2c3d4"),
        ("credential", '{"client_secret": "x1"}'),
        ("credential", '{"password": 123456}'),
        ("credential", "The password has been successfully updated to '4g5h-7k8m'."),
        ("credential", "I set the API key to `4g5h-7k8m`."),
        ("credential", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"),
        ("credential", "xoxb-123456789012-abcdefabcdef"),
        ("credential", f"SG.{LETTERS[:22]}.{LETTERS}{LETTERS[:11]}"),
        ("credential", f"12345678:{LETTERS}abc"),
    ],
)
def test_value_is_masked_as_its_kind(kind: str, text: str) -> None:
    assert kinds_in(text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "#W1234567",
        "credit_card_1234567",
        "ann_obi_1234",
        "item 1234567890 and 9876543210",
        "call_0123456789abcdef01234567",
        "550e8400-e29b-41d4-a716-446655440000",
        "2026-11-16T12:00:00.123456+00:00",
        "1763294400000 1763294400000000000",
        "v1.2.3.4 version 10.20.30.40 Chrome/120.0.0.0 1.2.3.4",
        "127.0.0.1 0.0.0.0 ::1",
        "12:30:45 a1:b2:c3:d4:e5:f6 std::vector x[1::2]",
        "4111111111111112",
        "1234567890123456",
        "GB82WEST12345698765433",
        "000-12-3456 666-12-3456 900-12-3456 123-00-4567",
        "icon@2x.png @app.route lodash@4.17.21 a@b",
        "max_tokens: 100, input_tokens=200, token count: 55",
        "Password: please enter your password.",
        "I forgot my password and my secret is safe",
        "The password has been reset to 'the one before' for order 4711",
        '{"password": "", "api_key": null, "token": "***"}',
        '{"properties": {"password": {"type": "string"}}, "required": ["password"]}',
        "api_key=${API_KEY} password=<your password>",
        "$1,234.56 and 12,345,678.90 kg; 555-0187",
        "Zürich 8001, 東京 100-0001, Москва 101000",
    ],
)
def test_text_stays_readable(text: str) -> None:
    assert MASKER.counted_text(text) == (text, {})


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("email", "Ann@Mail.example", "ann@mail.EXAMPLE"),
        ("phone", "+1 (212) 555-0187", "212-555-0187"),
        ("card", "4111 1111 1111 1111", "4111111111111111"),
        ("iban", "DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
    ],
)
def test_two_spellings_of_one_value_have_one_pseudonym(kind: str, one: str, other: str) -> None:
    assert MASKER.pseudonym(kind, one) == MASKER.pseudonym(kind, other)
    assert MASKER.text(one) == MASKER.text(other)


def test_another_key_gives_another_pseudonym() -> None:
    assert Masker(b"k" * 32).text("ann@mail.example") != MASKER.text("ann@mail.example")


def test_kind_that_is_off_is_left() -> None:
    text = "ann@mail.example, 4111 1111 1111 1111"
    assert Masker(b"k" * 32, {"card"}).text(text).startswith("ann@mail.example, ⟦card-")


def test_every_kinds_example_is_masked_as_that_kind() -> None:
    assert [kinds_in(kind.example) for kind in KINDS] == [[key] for key in KIND_KEYS]


def test_json_within_text_is_masked_within() -> None:
    inner = json.dumps({"password": "x1", "deep": json.dumps({"mail": "ann@mail.example"})})
    masked, counts = MASKER.counted_text(inner)
    assert counts == {"credential": 1, "email": 1}
    assert MARKER.fullmatch(json.loads(masked)["password"])
    assert MARKER.fullmatch(json.loads(json.loads(masked)["deep"])["mail"])


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("card", "4111\u00a01111\u202f1111\u20031111"),
        ("card", "4111\u200b1111\u200d1111\u20601111"),
        ("card", "4111\u20111111\u20111111\u20111111"),
        ("card", "\uff14" + 15 * "\uff11"),
        ("card", "\u0664" + 15 * "\u0661"),
        ("email", "ann\u200b@exam\u00adple.com"),
        ("email", "ann\uff20example.com"),
        ("email", "https://crm.example/users?mail=ann%40example.com&page=1"),
        ("email", "ann&#64;example.com"),
        ("email", '{"mail": "ann\\u0040example.com"}'),
        ("ssn", "212\u201345\u20136789"),
        ("iban", "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000"),
        ("credential", "password\uff1ahunter2secret"),
        ("credential", "<password>hunter2secret</password>"),
    ],
)
def test_value_is_found_in_any_spelling(kind: str, text: str) -> None:
    assert kinds_in(text) == [kind]


def test_pseudonym_does_not_depend_on_the_spelling() -> None:
    plain, wide = MASKER.text("ann@example.com"), MASKER.text("To ann\u200b%40example.com.")
    assert wide == f"To {plain}."


@pytest.mark.parametrize(
    "value",
    [
        {"http.request.header.authorization": ["Basic aHVudGVyMg=="]},
        {"http.request.header.x-api-key": ["hunter2secret"]},
        {"db.password": "hunter2secret"},
        {"openaiApiKey": "hunter2secret"},
        {"headers": [{"name": "X-Api-Key", "value": "hunter2secret"}]},
        {"paid_with": 4111111111111111.0},
        {"paid_with": -4111111111111111},
    ],
)
def test_value_is_known_by_its_field(value: Any) -> None:
    masked, counts = MASKER.json(value)
    assert sum(counts.values()) == 1
    assert "hunter2" not in str(masked)
    assert "41111" not in str(masked)


def test_fields_that_count_tokens_stay() -> None:
    value = {"gen_ai.usage.input_tokens": 4000000, "maxTokens": 12, "amount": 4111111111111.5}
    assert MASKER.json(value) == (value, {})


@pytest.mark.parametrize(
    "value",
    [
        {"token": "Hello", "logprob": -0.1, "bytes": [72]},
        {"token": "x7", "logprob": -0.1, "top_logprobs": [{"token": "9!", "logprob": -2.5}]},
        {"token": " the"},
        'The first is {"token": "Hello", "logprob": -0.1}, it says.',
        '{"content": [{"token": "#4", "bytes": null}]}',
    ],
)
def test_words_of_a_model_with_their_probability_stay(value: Any) -> None:
    assert MASKER.json({"said": value}) == ({"said": value}, {})


@pytest.mark.parametrize(
    "value",
    [
        {"token": "x7Kq2"},
        {"token": "aZqKwXt"},
        {"access_token": "Hello", "logprob": -0.1},
        {"token": f"ghp_{LETTERS}Abcd", "logprob": -0.1},
        'see {"token": "x7Kq2"} there',
        'see {"access_token": "Hello"} there',
    ],
)
def test_token_that_opens_something_is_masked(value: Any) -> None:
    assert MASKER.json({"said": value})[1] == {"credential": 1}


def test_keys_of_objects_are_masked_too() -> None:
    masked, counts = MASKER.json({"ann@mail.example": [1]})
    assert counts == {"email": 1}
    assert [MARKER.fullmatch(key) is not None for key in masked] == [True]


def test_what_holds_nothing_is_the_same_object() -> None:
    span = model_span("Your order #W1234567 is on its way.")
    assert MASKER.span(span) is span


def test_counts_of_a_span_do_not_count_what_was_heard_twice() -> None:
    text = "I am ann@mail.example"
    span = model_span(input={"messages": [{"role": "user", "content": text}]}, heard=text)
    assert MASKER.span(span).masked == {"email": 1}


def test_emitters_are_masked_once_for_all_their_spans() -> None:
    emitter = EmitterRecord({"process.command_args": "--password=x1y2z3"}, {})
    spans = [MASKER.span(make_span("other", "x", emitter=emitter)) for _ in range(2)]
    assert spans[0].emitter is spans[1].emitter
    assert "x1y2z3" not in str(spans[0].emitter)


TEXTS = st.lists(
    st.one_of(
        st.sampled_from([*SECRETS.values(), "password=", "Bearer ", "⟦", "⟧", "://a:", "@", "{"]),
        st.text(max_size=12),
        st.from_regex(r"[0-9 .:+@-]{1,12}", fullmatch=True),
    ),
    max_size=8,
).map("".join)
JSON = st.recursive(
    st.one_of(TEXTS, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(TEXTS, st.sampled_from(["password", "phone"])), inner, max_size=3
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_masking_a_text_again_changes_nothing(text: str) -> None:
    once = MASKER.text(text)
    assert MASKER.counted_text(once) == (once, {})


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_masking_json_again_changes_nothing(value: Any) -> None:
    once, _ = MASKER.json(value)
    assert MASKER.json(once) == (once, {})


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(SECRETS)), st.sampled_from(["", " ", "\n", "(", '"', "\t", "– "]))
def test_value_is_found_whatever_stands_around_it(kind: str, around: str) -> None:
    assert SECRETS[kind] not in MASKER.text(f"It is {around}{SECRETS[kind]}{around} really")


def stored_text(prefix: str = "") -> str:
    """Return all that is stored, of whatever table that is named so, as text."""
    with connection.cursor() as cursor:
        found = []
        tables = connection.introspection.table_names(cursor)
        for table in (each for each in tables if each.startswith(prefix)):
            cursor.execute(f'SELECT t::text FROM "{table}" AS t')  # noqa: S608
            found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


def secret_span(**overrides: Any) -> Any:
    """Make a model span with every secret in every field that holds text."""
    text = " and ".join(SECRETS.values())
    values: dict[str, Any] = {
        "status_message": text,
        "input": {"messages": [{"role": "user", "content": text}], "new": 0, "tools": []},
        "output": {"content": text, "tool_calls": [{"arguments": {text: json.dumps([text])}}]},
        "attributes": {"note": text, "password": "x1y2z3"},
        "otel": {"events": [{"name": text, "attributes": {"m": text}}]},
        "heard": text,
    }
    return make_span("model", f"chat {SECRETS['email']}", **{**values, **overrides})


def assert_none_is_left() -> None:
    text = stored_text()
    assert [kind for kind, secret in SECRETS.items() if secret in text] == []
    assert "x1y2z3" not in text


@pytest.mark.django_db
def test_no_secret_is_stored_of_a_whole_session() -> None:
    text = " and ".join(SECRETS.values())
    make_session(
        spans=[customer_span(text), secret_span()],
        source=Session.Source.TAU2,
        customer=SECRETS["email"],
        status_reason=text,
        metadata={"user": text},
    )
    assert_none_is_left()
    session = Session.objects.get()
    assert set(session.masked) == set(KIND_KEYS)
    assert "⟦email-" in session.said


@pytest.mark.django_db
def test_no_secret_is_stored_of_spans_that_come_one_by_one() -> None:
    text = " and ".join(SECRETS.values())
    emitter = EmitterRecord({"host.ip": SECRETS["ip"]}, {"name": "x"})
    span = IncomingSpan(
        record=secret_span(trace_id="ab" * 16, emitter=emitter),
        session_key=SECRETS["email"],
        customer=SECRETS["email"],
        title=text,
        metadata={"user": text},
    )
    append_spans(project=make_project(), spans=[span])
    drain()
    assert_none_is_left()
    assert set(Session.objects.get().masked) == set(KIND_KEYS)


@pytest.mark.django_db
def test_no_secret_is_stored_of_scores_and_waiting_words() -> None:
    text = " and ".join(SECRETS.values())
    result = {
        "gen_ai.evaluation.name": SECRETS["email"],
        "gen_ai.evaluation.score.label": SECRETS["phone"],
        "gen_ai.evaluation.explanation": text,
        "note": text,
    }
    said = WireEvent("gen_ai.user.message", 1, {"x": text}, {"content": text})
    evaluator = EmitterRecord({}, {"name": SECRETS["ip"]})
    events = (WireEvent("gen_ai.evaluation.result", 1, result), said)
    logs = [WireLog("a" * 32, "b" * 16, event, evaluator) for event in events]
    take_logs(project=make_project(), decoded=DecodedLogs(logs=logs))
    assert (Score.objects.count(), WaitingEvent.objects.count()) == (1, 1)
    assert_none_is_left()


@pytest.mark.django_db
def test_no_secret_is_stored_of_our_own_export(tmp_path: Path) -> None:
    text = " and ".join(SECRETS.values())
    line = make_line()
    line["session"] |= {
        "source": "tau2",
        "title": text,
        "customer": SECRETS["email"],
        "metadata": {"x": text},
    }
    line["spans"][0] |= {"output": {"content": text}}
    score = {"digest": "d", "name": SECRETS["email"], "explanation": text, "evaluator": text}
    line["scores"] = [{**score, "label": SECRETS["phone"], "attributes": {"x": text}}]
    import_lines(tmp_path / "sessions.jsonl", "reviewdesk", line)
    assert Score.objects.count() == 1
    assert_none_is_left()


@pytest.mark.django_db
def test_no_secret_is_stored_of_an_own_run() -> None:
    project, text = make_project(), " and ".join(SECRETS.values())
    span = secret_span()
    session = open_session(
        project=project,
        agent_name="a",
        version_name="v1",
        start_ns=span.start_ns,
        customer=SECRETS["email"],
        title=text,
    )
    record_spans(session=session, spans=[span])
    set_status(session=session, status=Session.Status.FAILED, reason=text, end_ns=span.end_ns)
    assert_none_is_left()


@pytest.mark.django_db
def test_demo_data_stays_as_it_was_invented() -> None:
    make_session(spans=[customer_span("ann@mail.example")], source=Session.Source.DEMO)
    assert "ann@mail.example" in Session.objects.get().said


@pytest.mark.django_db
def test_same_person_is_linked_within_a_project_and_not_between_projects() -> None:
    one, other = make_project(), make_project()
    for project in (one, one, other):
        make_session(project, source=Session.Source.OTLP, customer="ann@mail.example")
    customers = [
        set(Session.objects.filter(project=project).values_list("customer", flat=True))
        for project in (one, other)
    ]
    assert [len(found) for found in customers] == [1, 1]
    assert customers[0] != customers[1]


@pytest.mark.django_db
def test_pseudonym_is_found_by_full_text_search() -> None:
    make_session(spans=[customer_span("I am ann@mail.example")], source=Session.Source.OTLP)
    (marker,) = [match[0] for match in MARKER.finditer(Session.objects.get().said)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM traces_session "
            "WHERE said_vector @@ websearch_to_tsquery('simple', %s)",
            [marker],
        )
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db
def test_rules_of_another_process_hold_after_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project()
    set_masking(project=project, kinds=frozenset(KIND_KEYS), by=None, reason="")
    masker_for(project)
    TracePolicy.objects.update(masking={"email": False})
    assert "⟦" in masker_for(project).text("ann@mail.example")
    now = masking_rules.time.monotonic() + masking_rules.CACHE_SECONDS + 0.1
    monkeypatch.setattr(masking_rules.time, "monotonic", lambda: now)
    assert masker_for(project).text("ann@mail.example") == "ann@mail.example"


@pytest.mark.django_db(transaction=True)
def test_key_of_a_transaction_that_was_rolled_back_is_forgotten() -> None:
    project = make_project()
    with transaction.atomic():
        lost = masker_for(project).text("ann@mail.example")
        transaction.set_rollback(True)
    kept = masker_for(project).text("ann@mail.example")
    assert kept != lost
    assert kept == Masker(bytes(TracePolicy.objects.get().pseudonym_key)).text("ann@mail.example")


def masked_run() -> tuple[Run, Session]:
    """Make a run whose customer and tool named an e-mail address; its trace is masked."""
    agent = make_agent()
    mail = SECRETS["email"]
    given = customer_span(f"I am {mail}", attributes={"given": True})
    call = make_span(
        "tool",
        "find_user",
        at=1,
        input={"arguments": {"email": mail}},
        output={"result": {"email": mail}},
    )
    session = make_session(agent.project, spans=[given, call], source=Session.Source.RUNTIME)
    messages = [{"role": "user", "content": f"I am {mail}"}]
    run = make_run(agent, session=session, input={"messages": messages, "turns": []})
    Step.objects.create(
        run=run,
        index=0,
        kind=Step.Kind.TOOL,
        status=Step.Status.DONE,
        name="find_user",
        request={"arguments": {"email": mail}},
        response={"result": {"email": mail}},
        claim_token=1,
        span_id=call.span_id,
        start_ns=call.start_ns,
        started_at=session.started_at,
    )
    return run, session


@pytest.mark.django_db
def test_golden_evidence_of_an_own_run_is_its_journal() -> None:
    _, session = masked_run()
    assert SECRETS["email"] not in stored_text("traces_")
    found = {span.kind: span for span in spans_of(session)}
    customer, tool = found["customer"], found["tool"]
    assert customer.output == {"content": f"I am {SECRETS['email']}"}
    assert tool.input == {"arguments": {"email": SECRETS["email"]}}
    assert tool.output == {"result": {"email": SECRETS["email"]}}


@pytest.mark.django_db
def test_golden_evidence_of_a_received_session_is_what_was_stored() -> None:
    project: Project = make_project()
    session = make_session(
        project, spans=[customer_span("ann@mail.example")], source=Session.Source.OTLP
    )
    stored = list(Span.objects.filter(session=session).order_by("start_ns"))
    assert [span.output for span in spans_of(session)] == [span.output for span in stored]
