"""Dialects: the many ways in which frameworks describe an agent's steps, read into one form."""

from traces.ingest.dialects.normaliser import normalise

__all__ = ["normalise"]
