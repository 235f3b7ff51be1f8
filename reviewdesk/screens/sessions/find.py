"""Searching inside one session: every span's text, wherever the window stands."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from reviewdesk.screens.sessions.values import cut
from traces.clean import clean_text
from traces.models import Session, Span

MAX_WORDS = 200
MAX_HITS = 200
# Of each value; what stands behind this in a payload is not searched.
MAX_TEXT = 200_000
_BEFORE, _AFTER = 36, 90

# What a model was told before is in its input again and again: only what is new there counts, and
# everything in the first call's. The session's spans come by the primary key; text is looked at as
# it is read, without an index, which takes 0.1 s for 10,000 ordinary spans.
_FIND = """
SELECT span_id, kind, name, start_ns, status, num, excerpt FROM (
    SELECT span_id, kind, name, start_ns, status, count(*) OVER () AS num,
        substr(body, greatest(place - %(before)s, 1), %(before)s + %(after)s) AS excerpt
    FROM (
        SELECT *, CASE WHEN in_words > 0 THEN words ELSE payload END AS body,
            CASE WHEN in_words > 0 THEN in_words ELSE in_payload END AS place
        FROM (
            SELECT *, strpos(lower(words), lower(%(words)s)) AS in_words,
                strpos(lower(payload), lower(%(escaped)s)) AS in_payload
            FROM (
                SELECT span_id, kind, name, start_ns, status,
                    concat_ws(E'\\n', name, status_message, nullif(heard, ''), CASE
                        WHEN kind = 'tool' THEN NULL
                        WHEN kind = 'agent' THEN input ->> 'content'
                        WHEN jsonb_typeof(output) = 'string' THEN output #>> '{}'
                        ELSE output ->> 'content' END) AS words,
                    concat_ws(E'\\n', CASE
                        WHEN kind IN ('customer', 'agent') THEN NULL
                        WHEN kind = 'model' AND input ? 'messages' AND input ->> 'new' <> '0'
                            THEN NULL
                        ELSE left(input::text, %(limit)s) END, CASE
                        WHEN kind IN ('tool', 'other') THEN left(output::text, %(limit)s) END
                    ) AS payload
                FROM traces_span WHERE session_id = %(session)s AND start_ns >= %(first)s
            ) AS texts
        ) AS places
        WHERE in_words > 0 OR in_payload > 0
    ) AS found
) AS hits ORDER BY start_ns, span_id LIMIT %(most)s
"""


@dataclass(frozen=True)
class Hit:
    """A span in which the words stand; `excerpt` is the text around the first place."""

    span_id: str
    kind: str
    title: str
    start_ns: int
    status: str
    excerpt: str


@dataclass(frozen=True)
class Finding:
    """What a search inside a session found.

    Attributes:
        words: As they were typed.
        hits: By start, at most `MAX_HITS`.
        num: How many spans there are in all.
        focus: The hit that is looked at, or empty.
    """

    words: str
    hits: list[Hit]
    num: int
    focus: str

    @property
    def place(self) -> int:
        """Return which hit is looked at, from 1; 0 where none is."""
        ids = [hit.span_id for hit in self.hits]
        return ids.index(self.focus) + 1 if self.focus in ids else 0

    @property
    def next(self) -> str:
        """Return the hit after the one looked at; after the last comes the first."""
        return self.hits[self.place % len(self.hits)].span_id if self.hits else ""

    @property
    def previous(self) -> str:
        """Return the hit before the one looked at."""
        return self.hits[(self.place or 1) - 2].span_id if self.hits else ""


def find_in(session: Session, words: str, *, focus: str = "") -> Finding | None:
    """Return the spans in which the words stand as typed, whatever their case; None without words.

    One query. Without `focus` the first hit is looked at.
    """
    words = clean_text(words.strip())[:MAX_WORDS]
    if not words:
        return None
    parameters: dict[str, Any] = {
        "words": words,
        "escaped": words.replace("\\", "\\\\").replace('"', '\\"'),
        "session": session.pk,
        "first": session.first_ns,
        "limit": MAX_TEXT,
        "before": _BEFORE,
        "after": _AFTER,
        "most": MAX_HITS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIND, parameters)
        rows = cursor.fetchall()
    hits = [
        Hit(span_id, kind, _title(kind, name), start_ns, status, cut(excerpt, 200))
        for span_id, kind, name, start_ns, status, _, excerpt in rows
    ]
    num = rows[0][5] if rows else 0
    return Finding(words, hits, num, focus or (hits[0].span_id if hits else ""))


def _title(kind: str, name: str) -> str:
    return {Span.Kind.CUSTOMER: "Customer", Span.Kind.MODEL: "Agent"}.get(Span.Kind(kind), name)
