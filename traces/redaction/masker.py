"""Masking text, JSON and records: what is found is replaced by keyed pseudonyms.

The same value has the same pseudonym within a project, whoever sent it, so that one person's
sessions stay linked; without the project's key nobody can compute it, and it does not lead back.
"""

import hmac
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson

from traces.errors import BadRecordError
from traces.records import EmitterRecord, IncomingSpan, SessionRecord, SpanRecord
from traces.redaction import credentials, personal
from traces.redaction.folding import fold, fold_with_places
from traces.redaction.kinds import KIND_KEYS

_DEEPEST_TEXT = 4  # JSON within a text within JSON …; beyond it is text
_MOST_PASSES = 6
_MOST_EMITTERS = 64
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")

Finder = Callable[[str], Iterable[tuple[int, int]]]
# In this order: of two that overlap the first one's wins.
_FINDERS: tuple[tuple[str, Finder], ...] = (
    ("credential", credentials.find_credentials),
    ("iban", personal.find_ibans),
    ("card", personal.find_cards),
    ("email", personal.find_emails),
    ("ssn", personal.find_ssns),
    ("phone", personal.find_phones),
    ("ip", personal.find_ips),
)


class Masker:
    """A project's masking: its rules and its key. Immutable but for a cache of emitters."""

    def __init__(self, key: bytes, kinds: Iterable[str] = KIND_KEYS) -> None:
        self._key = key
        self.kinds = frozenset(kinds)
        self._emitters: dict[int, tuple[EmitterRecord, EmitterRecord]] = {}

    def pseudonym(self, kind: str, value: str) -> str:
        """Return the marker of a value: 48 bits of HMAC-SHA256 of its normal form."""
        text = f"{kind}\0{_normal(kind, value)}".encode(errors="surrogatepass")
        digest = hmac.digest(self._key, text, "sha256").hex()[:12]
        return f"⟦{kind}-{digest.translate(_LETTERS)}⟧"

    def digest(self, value: str) -> str:
        """Return 64 hex digits by which a value is recognised and not found out."""
        return hmac.digest(self._key, f"digest\0{value}".encode(errors="replace"), "sha256").hex()

    def text(self, value: str) -> str:
        """Return a text with what is found in it masked."""
        return self.counted_text(value)[0]

    def customer(self, value: str) -> str:
        """Return a customer's id as it is stored: an e-mail address or a number is masked."""
        return self.text(value)

    def counted_text(self, value: str) -> tuple[str, dict[str, int]]:
        """Return a text masked, and how many values were, by kind."""
        suspects = self._suspects(value)
        if not suspects:
            return value, {}
        walk = _Walk(self, suspects)
        return walk.text(value), dict(walk.counts)

    def json(self, value: Any) -> tuple[Any, dict[str, int]]:
        """Return JSON masked, and how many values were, by kind; the same object if none.

        Raises:
            BadRecordError: It is nested too deeply.
        """
        try:
            suspects = self._suspects(_dump(value))
            if not suspects:
                return value, {}
            walk = _Walk(self, suspects)
            masked = walk.value(value)
        except RecursionError:
            raise BadRecordError("it holds a value that is nested too deeply") from None
        return (masked, dict(walk.counts)) if walk.counts else (value, {})

    def span(self, record: SpanRecord) -> SpanRecord:
        """Return a span masked, with the counts; the same object if nothing was.

        Raises:
            BadRecordError: It is nested too deeply.
        """
        return self._span(record, ())[0]

    def incoming(self, span: IncomingSpan) -> IncomingSpan:
        """Return an incoming span masked; what it says of its session counts with it.

        Raises:
            BadRecordError: It is nested too deeply.
        """
        said = (span.session_key, span.customer, span.agent_name, span.version_name, span.title)
        record, masked = self._span(span.record, (*said, span.metadata))
        if record is span.record:
            return span
        session_key, customer, agent_name, version_name, title, metadata = masked
        return IncomingSpan(
            record=record,
            session_key=session_key,
            customer=customer,
            agent_name=agent_name,
            version_name=version_name,
            title=title,
            metadata=metadata,
        )

    def session(self, record: SessionRecord) -> SessionRecord:
        """Return a session masked with its spans; its own fields count with its first span.

        Raises:
            BadRecordError: It is nested too deeply.
        """
        own = (
            record.external_id,
            record.customer,
            record.status_reason,
            record.metadata,
            record.agent_name,
            record.version_name,
        )
        first, masked = self._span(record.spans[0], own)
        spans = (first, *(self.span(span) for span in record.spans[1:]))
        external_id, customer, reason, metadata, agent_name, version_name = masked
        return replace(
            record,
            spans=spans,
            external_id=external_id,
            customer=customer,
            status_reason=reason,
            metadata=metadata,
            agent_name=agent_name,
            version_name=version_name,
        )

    def emitter(self, record: EmitterRecord) -> EmitterRecord:
        """Return an emitter masked; a request's spans share one object, which is done once."""
        known = self._emitters.get(id(record))
        if known is not None:
            return known[1]
        (resource, scope), counts = self.json((record.resource, record.scope))
        masked = replace(record, resource=resource, scope=scope) if counts else record
        if len(self._emitters) >= _MOST_EMITTERS:
            self._emitters.clear()
        # The record is kept, so that no other can get its id.
        self._emitters[id(record)] = (record, masked)
        return masked

    def _span(self, record: SpanRecord, own: tuple[Any, ...]) -> tuple[SpanRecord, Sequence[Any]]:
        """Return a span and what belongs to it, masked in one go; the same objects if nothing."""
        emitter = record.emitter and self.emitter(record.emitter)
        if emitter is not record.emitter:
            record = replace(record, emitter=emitter)
        if self._is_plain(record, own):
            return record, own
        parts = (
            record.name,
            record.model,
            record.status_message,
            record.input,
            record.output,
            record.attributes,
            record.otel,
            record.heard,
        )
        masked, counts = self.json((*parts, *own))
        if not counts:
            return record, own
        # `heard` repeats what the input says: it counts where it says more.
        heard_counts = Counter(self.counted_text(record.heard)[1])
        counts = (Counter(counts) - heard_counts) | heard_counts
        name, model, message, input_, output, attributes, otel, heard, *own_masked = masked
        span = replace(
            record,
            name=name,
            model=model,
            status_message=message,
            input=input_,
            output=output,
            attributes=attributes,
            otel=otel,
            heard=heard,
            masked=dict(Counter(record.masked or {}) + Counter(counts)),
        )
        return span, own_masked

    def _is_plain(self, record: SpanRecord, own: tuple[Any, ...]) -> bool:
        """Say whether nothing in a span can be masked, as in most, by a look at its JSON."""
        said = (
            record.name,
            record.model,
            record.status_message,
            record.input,
            record.output,
            record.attributes,
            record.otel,
            *own,
        )
        try:
            text = _dump(said)
            if record.heard not in text:
                text += _dump(record.heard)
        except RecursionError:
            return False
        return not self._suspects(text)

    def _suspects(self, text: str) -> frozenset[str]:
        """Return the kinds to look for; nothing for most texts, without any walk."""
        if not self.kinds:
            return frozenset()
        text = fold(text)
        lowered = text.lower()
        found = personal.suspects(text, lowered)
        if credentials.is_suspect(text, lowered):
            found.append("credential")
        return self.kinds.intersection(found) if found else frozenset()


class _Walk:
    """One pass over a value, and what it found."""

    def __init__(self, masker: Masker, kinds: frozenset[str]) -> None:
        self.counts: Counter[str] = Counter()
        self._masker = masker
        self._kinds = kinds
        self._finders = [(kind, find) for kind, find in _FINDERS if kind in kinds]

    def value(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            return self.text(value, depth)
        if isinstance(value, Mapping):
            return self._object(value, depth)
        if isinstance(value, list | tuple):
            return [self.value(item, depth) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value)
        return value

    def _object(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        # As headers and settings are listed: {"name": "authorization", "value": "…"}.
        named = value.get("name", value.get("key")) if "value" in value else None
        return {
            self.text(str(name), depth): self.value(item, depth)
            if credentials.is_said_token(str(name), item, value.keys())
            else self._member(
                named if name == "value" and isinstance(named, str) else str(name), item, depth
            )
            for name, item in value.items()
        }

    def text(self, value: str, depth: int = 0) -> str:
        if depth < _DEEPEST_TEXT and value[:1] in _OPENING and value.rstrip()[-1:] in _CLOSING:
            inner = self._json_within(value, depth)
            if inner is not None:
                return inner
        for _ in range(_MOST_PASSES):
            masked = self._pass(value)
            if masked == value:
                break
            value = masked
        return value

    def _json_within(self, value: str, depth: int) -> str | None:
        """Return JSON that stands in a text, masked; None where it is no JSON."""
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            return None
        if not isinstance(parsed, dict | list):
            return None
        before = self.counts.total()
        masked = self.value(parsed, depth + 1)
        return json.dumps(masked, ensure_ascii=False) if self.counts.total() > before else value

    def _member(self, name: str, item: Any, depth: int) -> Any:
        item = _as_stored(item)
        if "credential" in self._kinds and credentials.is_secret_name(name):
            # OpenTelemetry has the values of a header as a list.
            if isinstance(item, list):
                return [self._secret(each, depth) for each in item]
            return self._secret(item, depth)
        kind = personal.kind_of_field(name, item)
        if kind in self._kinds:
            return self._whole(kind, item)
        return self.value(item, depth)

    def _secret(self, item: Any, depth: int) -> Any:
        if credentials.is_secret_value(item):
            return self._whole("credential", item)
        return self.value(item, depth)

    def _whole(self, kind: str, item: str | int) -> str:
        text = str(item)
        if text.startswith("⟦") and text.endswith("⟧"):
            return text
        self.counts[kind] += 1
        return self._masker.pseudonym(kind, text)

    def _number(self, value: float) -> Any:
        if "card" not in self._kinds or not 10**12 < abs(value) < 10**19:
            return value
        digits = str(abs(int(_as_stored(value))))
        return self._whole("card", digits) if personal.is_card(digits) else value

    def _pass(self, value: str) -> str:
        plain, places = fold_with_places(value)
        found = sorted(self._found(plain))
        if not found:
            return value
        parts, at = [], 0
        for low, high, kind in found:
            start, end = (places[low], places[high]) if places else (low, high)
            parts += [value[at:start], self._masker.pseudonym(kind, plain[low:high])]
            self.counts[kind] += 1
            at = end
        return "".join((*parts, value[at:]))

    def _found(self, value: str) -> list[tuple[int, int, str]]:
        """Return what stands where, without overlaps; the finders' order decides."""
        found: list[tuple[int, int, str]] = []
        for kind, find in self._finders:
            for start, end in find(value):
                holds_marker = "⟦" in value[start:end] or "⟧" in value[start:end]
                if not holds_marker and all(end <= low or high <= start for low, high, _ in found):
                    found.append((start, end, kind))
        return found


def _as_stored(value: Any) -> Any:
    """Return what a column of JSON gives back: a large float in full, as a whole number."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return str(value)  # As `clean_json` has it.
    return int(Decimal(repr(value))) if abs(value) >= _WRITTEN_IN_FULL else value


# From here on a float is written with an exponent, its shortest digits before it.
_WRITTEN_IN_FULL = 1e16
_OPENING = frozenset("{[")
_CLOSING = frozenset("}]")


def _dump(value: Any) -> str:
    """Return JSON to look into, by the quick way where it takes the value."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half a character, a key that is no text, a long integer, too deep for it
        return json.dumps(value, ensure_ascii=False, default=str)


def _normal(kind: str, value: str) -> str:
    """Return the form in which two spellings of one value are the same."""
    if kind == "email":
        return value.lower()
    if kind in {"card", "ssn"}:
        return personal.only_digits(value)
    if kind == "phone":
        digits = personal.only_digits(value)
        # US numbers with and without their country code are one.
        return digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
    if kind == "iban":
        return value.replace(" ", "").upper()
    return value.lower() if kind == "ip" else value
