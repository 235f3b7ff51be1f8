"""What the desk tells people and programs of: one name per event, with its words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something that webhooks and mail may be wanted for.

    Attributes:
        name: As it stands in requests and rows.
        title: As people choose it.
        is_for_deciders: Whether it asks for a decision on a call, so that only those who may
            decide calls are mailed.
    """

    name: str
    title: str
    is_for_deciders: bool = False


# Sent by the button of a webhook only; nobody chooses it.
TEST = Event("test", "test message")
EVENTS: dict[str, Event] = {
    event.name: event
    for event in (
        Event("approval_waiting", "a call waits for approval", is_for_deciders=True),
        Event("approval_reminder", "a call still waits", is_for_deciders=True),
        Event("approval_escalated", "a call was escalated", is_for_deciders=True),
        Event("run_needs_review", "a run needs review: nobody knows whether a call happened"),
        Event("run_dead", "a run was given up"),
        Event("incident_opened", "an incident was opened"),
        Event("budget_warning", "a budget came to its warning"),
        Event("stop_on", "something was stopped"),
        Event("stop_lifted", "a stop was lifted"),
        Event("level_demoted", "a tool was lowered by a rule"),
        Event("level_proposed", "a raise was proposed"),
        Event("call_made_with_undo", "a call was made that can be undone"),
        Event("breaker_opened", "a tool's circuit breaker opened"),
    )
}


def event_titled(name: str) -> str:
    """Return an event's title, or its name where a row holds one that is gone."""
    if name == TEST.name:
        return TEST.title
    return EVENTS[name].title if name in EVENTS else name
