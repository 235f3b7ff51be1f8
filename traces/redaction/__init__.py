"""Masking before storing: credentials and personal data become keyed pseudonyms."""

from traces.redaction.kinds import BY_KEY, KIND_KEYS, KINDS, MARKER, Kind
from traces.redaction.masker import Masker
from traces.redaction.rules import ensure_policy, kinds_of, masker_for, set_masking

__all__ = [
    "BY_KEY",
    "KINDS",
    "KIND_KEYS",
    "MARKER",
    "Kind",
    "Masker",
    "ensure_policy",
    "kinds_of",
    "masker_for",
    "set_masking",
]
