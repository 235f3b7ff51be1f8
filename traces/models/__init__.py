"""The rows of the trace store."""

from traces.models.collection import Queue, QueueItem, SavedView
from traces.models.label import Label, LabelSet
from traces.models.policy import Erasure, ModelPrice, Repricing, TracePolicy
from traces.models.project import ApiKey, Project
from traces.models.rollup import CountedDay, DayDue, MaskedDay, SessionDay, ToolDay, UnpricedDay
from traces.models.score import Score, WaitingEvent
from traces.models.session import Session
from traces.models.span import Span
from traces.models.trace import Emitter, MovedSession, TotalsDue, Trace

__all__ = [
    "ApiKey",
    "CountedDay",
    "DayDue",
    "Emitter",
    "Erasure",
    "Label",
    "LabelSet",
    "MaskedDay",
    "ModelPrice",
    "MovedSession",
    "Project",
    "Queue",
    "QueueItem",
    "Repricing",
    "SavedView",
    "Score",
    "Session",
    "SessionDay",
    "Span",
    "ToolDay",
    "TotalsDue",
    "Trace",
    "TracePolicy",
    "UnpricedDay",
    "WaitingEvent",
]
