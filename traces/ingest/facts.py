"""What single spans say of their session, and whose word counts.

A root's word counts before that of other spans, and an earlier span's before a later one's, in
whatever order they arrive: each fact is kept with the rank of the span that said it.
"""

from collections.abc import Iterable

from traces.clean import clean_text
from traces.records import IncomingSpan

Facts = dict[str, list[object]]
METADATA = "metadata."

_LIMITS = {"customer": 200, "agent_name": 120, "version_name": 60, "title": 300}
_SHIFT = 2**63


def facts_of(spans: Iterable[IncomingSpan]) -> Facts:
    """Return `[rank, value]` by the name of the fact; only what is said is in it."""
    found: Facts = {}
    for span in spans:
        said = _said_by(span)
        if not said:
            continue
        rank = rank_of(span)
        for name, value in said.items():
            if name not in found or rank < str(found[name][0]):
                found[name] = [rank, value]
    return found


def merge_facts(facts: Iterable[Facts]) -> dict[str, object]:
    """Return the values that count, by the name of the fact."""
    best: Facts = {}
    for each in facts:
        for name, said in each.items():
            if name not in best or str(said[0]) < str(best[name][0]):
                best[name] = said
    return {name: value for name, (_, value) in best.items()}


def rank_of(span: IncomingSpan) -> str:
    """Return text that sorts roots before others, and then by start."""
    record = span.record
    return f"{1 if record.parent_id else 0}{record.start_ns + _SHIFT:020d}{record.span_id}"


def _said_by(span: IncomingSpan) -> dict[str, object]:
    said: dict[str, object] = {}
    if not (span.customer or span.agent_name or span.version_name or span.title or span.metadata):
        return said
    for name, limit in _LIMITS.items():
        value = getattr(span, name)
        if value:
            said[name] = clean_text(value)[:limit]
    for name, value in span.metadata.items():
        said[METADATA + name] = value
    return said
