"""The logs signal: evaluations become scores, and words find their spans in any order."""

import itertools
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from reviewdesk.people.roles import Role
from tests.factories import client_as, make_project
from tests.test_append import arriving
from tests.test_otlp_decode import SPAN_ID, START, TRACE_ID, hexed, request_of
from tests.test_otlp_http import Sender
from traces.ingest.append import append_spans
from traces.ingest.evaluations import ScoreRecord
from traces.ingest.take import take_logs
from traces.ingest.tally import DecodedLogs
from traces.ingest.wire import WireEvent, WireLog
from traces.models import Label, Score, Session, Span, WaitingEvent
from traces.refresh import drain
from traces.retention import delete_sessions
from traces.scores import scored_as, scores_of, store_scores
from traces.unclaimed import KEEP_DAYS, drop_unclaimed

pytestmark = pytest.mark.django_db
EVALUATION = "gen_ai.evaluation.result"


def logs_of(*records, trace_id=TRACE_ID, span_id=SPAN_ID, after=0):
    """Make a request of log records `(event name, attributes, body)`, one after the other."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.add(key="service.name").value.string_value = "judge"
    scope_logs = group.scope_logs.add()
    for number, (name, attributes, body) in enumerate(records):
        record = scope_logs.log_records.add(event_name=name, time_unix_nano=START + after + number)
        record.trace_id, record.span_id = bytes.fromhex(trace_id), bytes.fromhex(span_id)
        for key, value in attributes.items():
            fill(record.attributes.add(key=key).value, value)
        if body is not None:
            fill(record.body, body)
    return request


def fill(target, value):
    """Set an `AnyValue`."""
    match value:
        case str():
            target.string_value = value
        case int() | float():
            target.double_value = value
        case dict():
            target.kvlist_value.SetInParent()
            for key, item in value.items():
                fill(target.kvlist_value.values.add(key=key).value, item)
        case list():
            target.array_value.SetInParent()
            for item in value:
                fill(target.array_value.values.add(), item)


def evaluation(**overrides):
    values = {"name": "relevance", "score.value": 0.25, "score.label": "fail", **overrides}
    return EVALUATION, {f"gen_ai.evaluation.{key}": item for key, item in values.items()}, None


def model_call():
    """Make a request of one model call that does not say what was said."""
    request = request_of()
    attributes = request.resource_spans[0].scope_spans[0].spans[0].attributes
    attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
    attributes.add(key="gen_ai.request.model").value.string_value = "desk-model"
    return request


def send(sender, *requests):
    for request in requests:
        path = "/v1/logs" if isinstance(request, ExportLogsServiceRequest) else "/v1/traces"
        assert sender.post(request.SerializeToString(), path=path).status_code == 200
    drain()


SYSTEM = ("gen_ai.system.message", {}, {"content": "Help."})
ASKED = ("gen_ai.user.message", {"gen_ai.system": "openai"}, {"content": "Where is it?"})
CHOSEN = (
    "gen_ai.choice",
    {},
    {"index": 0, "finish_reason": "stop", "message": {"content": "On its way."}},
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
def test_evaluation_finds_its_session_in_any_order(order):
    sender = Sender()
    both = [request_of(), logs_of(evaluation(explanation="Wrong order."))]
    send(sender, *(both[place] for place in order))
    session = Session.objects.get(project=sender.project)
    (score,) = scores_of(session)
    assert (score.name, score.value, score.label) == ("relevance", 0.25, "fail")
    assert (score.explanation, score.evaluator) == ("Wrong order.", "judge")
    assert (score.span_id, score.trace_id.hex) == (SPAN_ID, TRACE_ID)


def test_evaluation_is_no_label():
    sender = Sender()
    outcome = evaluation(name="outcome", **{"score.label": "resolved"})
    send(sender, request_of(), logs_of(outcome))
    assert Score.objects.filter(session__project=sender.project, label="resolved").exists()
    assert not Label.objects.exists()


def test_evaluation_sent_twice_is_one():
    sender = Sender()
    send(sender, request_of(), logs_of(evaluation()), logs_of(evaluation()))
    assert Score.objects.filter(project=sender.project).count() == 1


def test_evaluation_may_be_an_event_of_its_span():
    sender = Sender()
    request = request_of()
    span = request.resource_spans[0].scope_spans[0].spans[0]
    event = span.events.add(name=EVALUATION, time_unix_nano=START)
    event.attributes.add(key="gen_ai.evaluation.name").value.string_value = "toxicity"
    event.attributes.add(key="gen_ai.evaluation.score.value").value.int_value = 0
    send(sender, request)
    (score,) = scores_of(Session.objects.get(project=sender.project))
    assert (score.name, score.value, score.evaluator) == ("toxicity", 0, "shop.agent")


def test_evaluation_of_a_whole_trace_needs_no_span():
    sender = Sender()
    send(sender, request_of(), logs_of(evaluation(), span_id=""))
    (score,) = scores_of(Session.objects.get(project=sender.project))
    assert score.span_id == ""


def test_evaluation_that_says_too_little_is_counted():
    sender = Sender()
    nameless = (EVALUATION, {"gen_ai.evaluation.score.value": 1.0}, None)
    resultless = (EVALUATION, {"gen_ai.evaluation.name": "relevance"}, None)
    request = logs_of(nameless, resultless, evaluation())
    answer = sender.post(request.SerializeToString(), path="/v1/logs")
    partial = ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_log_records == 2
    assert "has no gen_ai.evaluation.name" in partial.error_message
    assert Score.objects.filter(project=sender.project).count() == 1


def test_evaluation_is_masked():
    sender = Sender()
    send(sender, logs_of(evaluation(explanation="Told mira@example.com everything.")))
    explanation = Score.objects.get(project=sender.project).explanation
    assert "mira@example.com" not in explanation
    assert explanation.endswith("everything.")


def test_sessions_are_found_by_what_was_scored():
    sender = Sender()
    send(sender, request_of(), logs_of(evaluation()))
    sessions = Session.objects.filter(project=sender.project)
    assert scored_as(sessions, "relevance").count() == 1
    assert scored_as(sessions, "relevance", label="fail", at_most=0.5).count() == 1
    assert scored_as(sessions, "relevance", at_least=0.5).count() == 0
    assert scored_as(sessions, "toxicity").count() == 0


def test_scores_go_with_their_session():
    sender = Sender()
    send(sender, request_of(), logs_of(evaluation()))
    Session.objects.filter(project=sender.project).delete()
    assert not Score.objects.filter(project=sender.project).exists()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_words_find_their_span_in_any_order(order):
    sender = Sender()
    parts = [model_call(), logs_of(SYSTEM, ASKED), logs_of(CHOSEN, after=2)]
    send(sender, *(parts[place] for place in order))
    span = Span.objects.get(session__project=sender.project)
    said = [(each["role"], each["content"]) for each in span.input["messages"]]
    assert said == [("system", "Help."), ("user", "Where is it?")]
    assert span.output["content"] == "On its way."
    assert span.heard == "Where is it?"
    assert [event["name"] for event in span.otel["logs"]] == [SYSTEM[0], ASKED[0], CHOSEN[0]]
    session = Session.objects.get(project=sender.project)
    assert session.title == "Where is it?"
    assert "On its way." in session.said
    assert not WaitingEvent.objects.exists()


def test_words_that_come_bit_by_bit_are_put_together():
    sender = Sender()
    send(sender, model_call())
    for record in (SYSTEM, ASKED, CHOSEN):
        send(sender, logs_of(record))
    send(sender, logs_of(SYSTEM, ASKED, CHOSEN), model_call())
    span = Span.objects.get(session__project=sender.project)
    assert {each["content"] for each in span.input["messages"]} == {"Help.", "Where is it?"}
    assert span.output["content"] == "On its way."


def test_details_of_an_inference_are_words():
    sender = Sender()
    messages = [{"role": "user", "parts": [{"type": "text", "content": "Where is it?"}]}]
    details = (
        "gen_ai.client.inference.operation.details",
        {"gen_ai.input.messages": messages},
        None,
    )
    send(sender, logs_of(details), model_call())
    span = Span.objects.get(session__project=sender.project)
    assert span.input["messages"] == [{"role": "user", "content": "Where is it?"}]


def test_what_a_span_says_itself_stands():
    sender = Sender()
    request = model_call()
    attributes = request.resource_spans[0].scope_spans[0].spans[0].attributes
    said = '[{"role": "user", "parts": [{"type": "text", "content": "My own words."}]}]'
    attributes.add(key="gen_ai.input.messages").value.string_value = said
    send(sender, request, logs_of(ASKED, CHOSEN))
    span = Span.objects.get(session__project=sender.project)
    assert [each["content"] for each in span.input["messages"]] == ["My own words."]
    assert span.output["content"] == "On its way."


def log_of(name, body, after=0):
    """Make one log record as it is decoded."""
    return WireLog(TRACE_ID, SPAN_ID, WireEvent(name, START + after, {}, body))


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_words_outlast_the_span_being_completed_in_any_order(order):
    project = make_project()
    asked = log_of("gen_ai.user.message", {"content": "I am mira@example.com"})
    chosen = log_of(CHOSEN[0], CHOSEN[2], after=1)
    said = {"kind": "model", "name": "chat", "span_id": SPAN_ID, "trace_id": TRACE_ID}
    steps = [
        lambda: append_spans(project=project, spans=[arriving(**said, status="running")]),
        lambda: append_spans(project=project, spans=[arriving(**said, duration_ns=5, heard="x")]),
        lambda: take_logs(project=project, decoded=DecodedLogs(logs=[asked])),
        lambda: take_logs(project=project, decoded=DecodedLogs(logs=[chosen])),
    ]
    for place in order:
        steps[place]()
        drain()
    span = Span.objects.get(session__project=project)
    assert (span.status, span.duration_ns, span.output["content"]) == ("ok", 5, "On its way.")
    assert span.input["messages"][0]["content"].startswith("I am ")
    assert [event["name"] for event in span.otel["logs"]] == [ASKED[0], CHOSEN[0]]
    assert (span.masked, span.heard) == ({"email": 1}, span.input["messages"][0]["content"])
    assert not WaitingEvent.objects.exists()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_what_a_span_says_itself_stands_whenever_it_says_it(order):
    project = make_project()
    own = {"messages": [{"role": "user", "content": "My own words."}], "new": 1}
    said = {"kind": "model", "name": "chat", "span_id": SPAN_ID, "trace_id": TRACE_ID}
    logs = [log_of(ASKED[0], ASKED[2]), log_of(SYSTEM[0], SYSTEM[2], after=1)]
    steps = [
        lambda: append_spans(project=project, spans=[arriving(**said, input=own)]),
        *(
            lambda log=log: take_logs(project=project, decoded=DecodedLogs(logs=[log]))
            for log in logs
        ),
    ]
    for place in order:
        steps[place]()
        drain()
    span = Span.objects.get(session__project=project)
    assert span.input == own
    assert len(span.otel["logs"]) == 2


def test_words_sent_again_are_masked_once():
    sender = Sender()
    asked = ("gen_ai.user.message", {}, {"content": "I am mira@example.com"})
    send(sender, model_call(), logs_of(asked))
    send(sender, logs_of(asked))
    assert Span.objects.get(session__project=sender.project).masked == {"email": 1}


def test_words_are_masked_while_they_wait_and_after():
    sender = Sender()
    asked = ("gen_ai.user.message", {}, {"content": "I am mira@example.com"})
    send(sender, logs_of(asked))
    assert "mira@" not in str(WaitingEvent.objects.get().event)
    send(sender, model_call())
    span = Span.objects.get(session__project=sender.project)
    assert "mira@" not in str([span.input, span.otel, span.heard])
    assert span.masked == {"email": 1}


def test_what_waits_too_long_for_its_span_is_dropped():
    sender = Sender()
    send(sender, logs_of(ASKED, evaluation()))
    long_ago = timezone.now() - timedelta(days=KEEP_DAYS + 1)
    WaitingEvent.objects.update(received_at=long_ago)
    Score.objects.update(received_at=long_ago)
    send(sender, logs_of(CHOSEN, evaluation(), trace_id="11" * 16))
    assert drop_unclaimed() == 2
    assert [each.trace_id.hex for each in WaitingEvent.objects.all()] == ["11" * 16]
    assert [each.trace_id.hex for each in Score.objects.all()] == ["11" * 16]


def test_a_score_that_has_its_session_stays():
    sender = Sender()
    send(sender, request_of(), logs_of(evaluation()))
    Score.objects.update(received_at=timezone.now() - timedelta(days=KEEP_DAYS + 1))
    assert drop_unclaimed() == 0


def test_deleting_a_session_deletes_what_it_has_not_taken_in_yet():
    sender = Sender()
    send(sender, model_call())
    for request in (logs_of(ASKED, evaluation()), logs_of(CHOSEN, evaluation(), trace_id="2" * 32)):
        sender.post(request.SerializeToString(), path="/v1/logs")
    session = Session.objects.get(project=sender.project)
    delete_sessions([session.pk])
    assert [each.trace_id.hex for each in WaitingEvent.objects.all()] == ["2" * 32]
    assert [each.trace_id.hex for each in Score.objects.all()] == ["2" * 32]


def test_other_log_records_are_counted_and_not_kept():
    sender = Sender()
    request = logs_of(("app.started", {}, "hello"), ASKED)
    request.resource_logs[0].scope_logs[0].log_records.add(time_unix_nano=START)
    answer = sender.post_json(hexed(MessageToDict(request)), path="/v1/logs")
    partial = answer.json()["partialSuccess"]
    assert (answer.status_code, partial["rejectedLogRecords"]) == (200, "2")
    assert partial["errorMessage"].startswith("2 log records are not kept: only evaluations")


def test_spans_sent_to_logs_are_refused():
    answer = Sender().post_json({"resourceSpans": []}, path="/v1/logs")
    assert answer.status_code == 400
    assert "send it to /v1/traces" in answer.json()["message"]


def test_projects_do_not_meet():
    mine, theirs = Sender(), Sender()
    send(mine, model_call())
    send(theirs, logs_of(ASKED, evaluation()))
    assert Span.objects.get(session__project=mine.project).input is None
    assert scores_of(Session.objects.get(project=mine.project)) == []


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REVIEWER])
def test_session_page_tells_evaluations_from_labels(role):
    sender = Sender()
    shout = "<script>alert(1)</script>"
    send(sender, request_of(), logs_of(evaluation(explanation=shout)))
    session = Session.objects.get(project=sender.project)
    page = client_as(role, sender.project).get(f"/p/{sender.project.slug}/sessions/{session.pk}/")
    text = page.content.decode()
    assert "1 evaluation from outside" in text
    assert "By programs, not by people" in text
    assert shout not in text


def test_session_page_asks_no_more_for_many_evaluations(django_assert_max_num_queries):
    sender = Sender()
    send(sender, request_of(), logs_of(evaluation()))
    session = Session.objects.get(project=sender.project)
    client, path = client_as(Role.VIEWER, sender.project), f"/p/{sender.project.slug}/sessions/"
    with CaptureQueriesContext(connection) as few:
        client.get(f"{path}{session.pk}/")
    num_queries = len(few)
    send(sender, logs_of(*[evaluation(name=f"rule {number}") for number in range(30)]))
    with django_assert_max_num_queries(num_queries):
        assert b"31 evaluations from outside" in client.get(f"{path}{session.pk}/").content


def test_many_scores_are_stored_some_at_a_time():
    project = make_project()
    records = [
        ScoreRecord(TRACE_ID, "", "tone", None, "fine", "", "judge", START, {}, f"{number:064x}")
        for number in range(2_001)
    ]
    with CaptureQueriesContext(connection) as asked:
        store_scores(project=project, records=records)
    inserts = [each for each in asked if each["sql"].startswith('INSERT INTO "traces_score"')]
    assert (len(inserts), Score.objects.filter(project=project).count()) == (2, 2_001)
