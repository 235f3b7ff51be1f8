"""What is done with the spans and log records of one request."""

import uuid
from collections.abc import Collection, Sequence

from django.db import transaction

from traces.errors import BadPayloadError, BadRecordError
from traces.ingest.answers import Outcome
from traces.ingest.append import AppendCounts, append_spans
from traces.ingest.dialects import normalise
from traces.ingest.dialects.words import has_words
from traces.ingest.evaluations import EVALUATION, ScoreRecord, score_of_log, scores_in
from traces.ingest.late import hold_events
from traces.ingest.received import note_due
from traces.ingest.tally import Decoded, DecodedLogs
from traces.ingest.wire import WireLog, WireSpan
from traces.models import Project, Trace
from traces.scores import store_scores

SPANS_AT_ONCE = 2_000
_MAX_PROBLEMS = 10


def take_spans(*, project: Project, decoded: Decoded) -> Outcome:
    """Store spans, and the scores among their events; committed when it returns.

    What cannot be stored is counted. Of more than `SPANS_AT_ONCE` each slice is a transaction, so
    that no statement takes too long: what a request stored before it failed is there when it is
    sent again.
    """
    num_rejected, problems = decoded.num_rejected, [decoded.problem]
    for start in range(0, len(decoded.spans), SPANS_AT_ONCE):
        counts = _append(project, decoded.spans[start : start + SPANS_AT_ONCE])
        num_rejected += counts.rejected
        problems += counts.problems
    return Outcome(num_rejected, " ".join(filter(None, problems[:_MAX_PROBLEMS])))


def take_logs(*, project: Project, decoded: DecodedLogs) -> Outcome:
    """Store evaluations as scores, and words of spans until these take them in.

    Other log records are not kept, and counted.
    """
    scores: list[ScoreRecord] = []
    words: list[WireLog] = []
    num_others = decoded.num_others
    for log in decoded.logs:
        if log.event.name == EVALUATION:
            try:
                scores.append(score_of_log(log))
            except BadPayloadError as error:
                decoded.reject(str(error))
        elif log.span_id and has_words(log.event):
            words.append(log)
        else:
            num_others += 1
    try:
        with transaction.atomic():
            store_scores(project=project, records=scores)
            hold_events(project=project, logs=words)
    except BadRecordError as error:
        raise BadPayloadError(f"A log record cannot be stored: {error}.") from error
    _note_due(project, {score.trace_id for score in scores} | {log.trace_id for log in words})
    return Outcome(decoded.num_rejected + num_others, _problem(decoded.problem, num_others))


def _append(project: Project, spans: Sequence[WireSpan]) -> AppendCounts:
    """Store a slice. Scores come first: storing their spans has them attached to the session."""
    scores = [score for span in spans if span.events for score in scores_in(span)]
    if scores:
        store_scores(project=project, records=scores)
    return append_spans(project=project, spans=[normalise(span) for span in spans])


def _note_due(project: Project, trace_ids: Collection[str]) -> None:
    """Have the sessions take in what has come for them.

    After the commit: a span that is committed later will do so itself, one before is seen here.
    """
    if not trace_ids:
        return
    found = Trace.objects.filter(
        project=project, trace_id__in=[uuid.UUID(each) for each in trace_ids]
    )
    if session_ids := set(found.values_list("session_id", flat=True)):
        note_due(session_ids)


def _problem(problem: str, num_others: int) -> str:
    if not num_others:
        return problem
    others = (
        f"{num_others:,} log records are not kept: only evaluations ({EVALUATION}) and messages "
        "to and from models (such as gen_ai.user.message) that name their span are."
    )
    return f"{problem} {others}".strip()
