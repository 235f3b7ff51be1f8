"""The rows of the trace store."""

from traces.models.label import Label, LabelSet
from traces.models.project import ApiKey, Project
from traces.models.session import Session
from traces.models.span import Span

__all__ = ["ApiKey", "Label", "LabelSet", "Project", "Session", "Span"]
