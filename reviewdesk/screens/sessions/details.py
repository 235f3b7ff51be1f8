"""The contents of a window's spans, as much of them as its conversation shows. One query.

Everything is cut by the database: an input of 5 MB never leaves it for the list of steps.
"""

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection

from reviewdesk.screens.sessions.chips import Detail
from reviewdesk.screens.sessions.tree import Outline
from reviewdesk.screens.sessions.words import Turn
from traces.models import Session

MAX_SAID = 20_000
# As stored, which is compressed: what is larger is loaded when somebody opens it.
MAX_PAYLOAD_BYTES = 4_000
START_LENGTH = 90
# New messages of one model call, and calls of one answer.
MAX_TURNS = 60

# Of a model's input only the messages that are new in it, of the session's first one all: the
# others stood in the input before. A path takes them out in one go: to go through all messages
# takes ten times as long where one of them has 5 MB.
_DETAILS = """
SELECT span_id, kind, name, start_ns, duration_ns, status, left(status_message, 2000),
    coalesce(left(said, %(said)s), ''), coalesce(length(said) > %(said)s, false),
    model, input_tokens, output_tokens, cost_usd,
    CASE WHEN kind = 'tool' AND pg_column_size(input) <= %(payload)s THEN input END,
    CASE WHEN kind = 'tool' AND pg_column_size(output) <= %(payload)s THEN output END,
    CASE WHEN kind = 'tool' AND pg_column_size(input) > %(payload)s
        THEN left(coalesce(input -> 'arguments', input)::text, %(start)s) ELSE '' END,
    CASE WHEN kind = 'tool' AND pg_column_size(output) > %(payload)s
        THEN left(coalesce(output -> 'result', output)::text, %(start)s) ELSE '' END,
    CASE WHEN pg_column_size(attributes) <= %(payload)s THEN attributes
        ELSE jsonb_strip_nulls(jsonb_build_object('call_id', attributes -> 'call_id')) END,
    CASE WHEN kind = 'model' THEN left(output ->> 'reasoning', %(said)s) END,
    CASE WHEN kind = 'agent' THEN left(output ->> 'content', %(said)s) END,
    turns, calls
FROM traces_span, LATERAL (
    SELECT CASE
        WHEN kind = 'tool' THEN NULL
        WHEN kind = 'agent' THEN input ->> 'content'
        WHEN jsonb_typeof(output) = 'string' THEN output #>> '{}'
        ELSE output ->> 'content'
    END AS said
) AS words, LATERAL (
    SELECT CASE WHEN span_id = %(opening)s THEN 0 ELSE least(coalesce((jsonb_path_query_first(
        input, '$.new ? (@.type() == "number" && @ >= 0)') #>> '{}')::numeric, 0), 1e6) END AS new
    WHERE kind = 'model'
    UNION ALL SELECT 0 WHERE kind <> 'model'
) AS news, LATERAL (
    SELECT CASE WHEN kind = 'model' THEN coalesce(jsonb_path_query_array(
        input, '$.messages[$first to $last]',
        jsonb_build_object('first', trunc(new), 'last', trunc(new) + %(turns)s - 1), true
    ), '[]') ELSE '[]' END AS newest
) AS latest, LATERAL (
    SELECT jsonb_agg(jsonb_build_array(
        message ->> 'role', left(message ->> 'content', %(said)s),
        length(message ->> 'content') > %(said)s, message ->> 'tool_call_id', message ->> 'name',
        message ? 'parts'
    ) ORDER BY place) AS turns
    FROM jsonb_array_elements(newest) WITH ORDINALITY AS each (message, place)
    WHERE jsonb_typeof(message) = 'object'
) AS input_words, LATERAL (
    SELECT jsonb_agg(jsonb_build_array(
        call ->> 'id', call ->> 'name',
        CASE WHEN pg_column_size(call -> 'arguments') <= %(payload)s THEN call -> 'arguments' END,
        CASE WHEN pg_column_size(call -> 'arguments') > %(payload)s
            THEN left(call ->> 'arguments', %(start)s) ELSE '' END
    ) ORDER BY place) AS calls
    FROM (
        SELECT call, place FROM jsonb_array_elements(CASE
            WHEN kind = 'model' AND jsonb_typeof(output -> 'tool_calls') = 'array'
            THEN output -> 'tool_calls' ELSE '[]' END) WITH ORDINALITY AS each (call, place)
        WHERE jsonb_typeof(call) = 'object' ORDER BY place LIMIT %(turns)s
    ) AS called
) AS output_calls
WHERE session_id = %(session)s AND span_id = ANY(%(spans)s)
    AND start_ns BETWEEN %(first)s AND %(last)s
ORDER BY start_ns, span_id
"""


def details_of(session: Session, spans: Sequence[Outline], opening: str = "") -> list[Detail]:
    """Return these spans with the contents that are shown at once, by start. One query.

    Args:
        session: Whose they are.
        spans: The window's.
        opening: Id of the session's first model call, of which all messages are shown.
    """
    if not spans:
        return []
    parameters: dict[str, Any] = {
        "session": session.pk,
        "spans": [span.span_id for span in spans],
        "first": min(span.start_ns for span in spans),
        "last": max(span.start_ns for span in spans),
        "said": MAX_SAID,
        "payload": MAX_PAYLOAD_BYTES,
        "start": START_LENGTH,
        "turns": MAX_TURNS,
        "opening": opening,
    }
    with connection.cursor() as cursor:
        cursor.execute(_DETAILS, parameters)
        return [_detail(row) for row in cursor.fetchall()]


def _detail(row: Sequence[Any]) -> Detail:
    *plain, reasoning, answer, turns, calls = row
    for place in (13, 14, 17):
        plain[place] = _json(plain[place])
    heard = tuple(
        Turn(role or "", text or "", bool(is_cut), call_id or "", name or "", bool(has_parts))
        for role, text, is_cut, call_id, name, has_parts in _json(turns) or ()
    )
    asked = tuple(
        (call_id or "", name or "", arguments, start)
        for call_id, name, arguments, start in _json(calls) or ()
    )
    words = [reasoning or "", answer or "", heard, asked]
    return Detail(*plain, *words)


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
