"""Words that were said, as a full-text query in PostgreSQL's `simple` configuration."""

import re
from collections.abc import Iterable

from django.contrib.postgres.search import SearchQuery

from traces.search.language import Word

MAX_WORDS = 12
_LEXEME = re.compile(r"[^\s'&|!():*<>\\]+")


def search_query(words: Iterable[Word]) -> SearchQuery | None:
    """Return a query for texts with all of these words; None where none can be searched.

    A word finds every word that begins with it, so that one may stop typing; a phrase finds its
    words side by side, exactly, unless its last one ends in `*`.
    """
    parts = [part for word in list(words)[:MAX_WORDS] if (part := _part(word))]
    return SearchQuery(" & ".join(parts), search_type="raw", config="simple") if parts else None


def _part(word: Word) -> str:
    lexemes = _LEXEME.findall(word.text)[:MAX_WORDS]
    if not lexemes:
        return ""
    if word.is_phrase:
        quoted = [f"'{lexeme}'" for lexeme in lexemes]
        if word.text.rstrip().endswith("*"):
            quoted[-1] += ":*"
        part = " <-> ".join(quoted)
    else:
        part = " & ".join(f"'{lexeme}':*" for lexeme in lexemes)
    return f"!({part})" if word.is_negated else f"({part})"
