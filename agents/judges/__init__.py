"""Judges: models that answer a rubric about a session, measured against people before believed."""
