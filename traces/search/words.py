"""Words that were said, as a full-text query in PostgreSQL's `simple` configuration."""

import re
from collections.abc import Iterable

from django.contrib.postgres.search import SearchQuery

from traces.search.language import Word

MAX_WORDS = 12
_LEXEME = re.compile(r"[^\s'&|!():*<>\\]+")


def search_query(words: Iterable[Word]) -> SearchQuery | None:
    """Return a query for texts with all of these words; None where none can be searched.

    The last word finds every word that begins with it, so that one may stop typing, and so does
    any that ends in `*`; a phrase finds its words side by side. Not every word does: for a
    beginning the text index has to read all sessions of all words that begin so, where it skips
    through those of a whole word (`refund kettle` at a million sessions: 270 ms, then 30).
    """
    known = list(words)[:MAX_WORDS]
    last = next((word for word in reversed(known) if not word.is_negated), None)
    parts = [part for word in known if (part := _part(word, begins=word is last))]
    return SearchQuery(" & ".join(parts), search_type="raw", config="simple") if parts else None


def _part(word: Word, *, begins: bool) -> str:
    lexemes = _LEXEME.findall(word.text)[:MAX_WORDS]
    if not lexemes:
        return ""
    quoted = [f"'{lexeme}'" for lexeme in lexemes]
    if word.text.endswith("*") or (begins and not word.is_phrase):
        quoted[-1] += ":*"
    part = (" <-> " if word.is_phrase else " & ").join(quoted)
    return f"!({part})" if word.is_negated else f"({part})"
