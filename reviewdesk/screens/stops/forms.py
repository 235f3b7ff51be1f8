"""Forms of the kill switch: they read and check, and stop nothing.

They stand in a dialog above any page, so their fields' ids are their own.
"""

from collections.abc import Sequence
from typing import Any

from django import forms

from agents.models import Agent, KillSwitch

MAX_REASON = 500
_SELECT = forms.Select(attrs={"class": "form-select"})
_EVERY_AGENT = "every agent"


def _reason(placeholder: str) -> forms.CharField:
    widget = forms.Textarea(
        attrs={"class": "form-control", "rows": 2, "placeholder": placeholder, "autofocus": True}
    )
    return forms.CharField(
        label="Reason",
        min_length=3,
        max_length=MAX_REASON,
        widget=widget,
        error_messages={"required": "Say why: it stands above every page while the stop is on."},
    )


class StopForm(forms.Form):
    """What is to be stopped: which of the selects counts is said by `scope`."""

    scope = forms.ChoiceField(
        choices=KillSwitch.Scope,
        error_messages={"required": "Choose what is to be stopped."},
    )
    tool = forms.ChoiceField(required=False, label="Tool", widget=_SELECT)
    tool_agent = forms.ChoiceField(required=False, label="of", widget=_SELECT)
    agent = forms.ChoiceField(required=False, label="Agent", widget=_SELECT)
    stops = forms.ChoiceField(
        choices=KillSwitch.Stops,
        initial=KillSwitch.Stops.WRITES,
        error_messages={"required": "Choose whether reads and models are stopped too."},
    )
    reason = _reason("Refunds reach the wrong card.")

    def __init__(
        self, *args: Any, tools: Sequence[str], agents: Sequence[Agent], **kwargs: Any
    ) -> None:
        super().__init__(*args, **{"auto_id": "stop_%s", **kwargs})
        self._agents = {agent.slug: agent for agent in agents}
        names = [(agent.slug, agent.name) for agent in agents]
        self._offer("tool", [(name, name) for name in tools])
        self._offer("tool_agent", [("", _EVERY_AGENT), *names])
        self._offer("agent", names)

    def clean(self) -> dict[str, Any]:
        """Ask for what the scope needs."""
        data: dict[str, Any] = super().clean() or {}
        needs = {KillSwitch.Scope.TOOL: "tool", KillSwitch.Scope.AGENT: "agent"}
        needed = needs.get(data.get("scope", ""))
        if needed and not data.get(needed) and needed not in self.errors:
            self.add_error(needed, f"Choose the {needed} that is to be stopped.")
        return data

    def target(self) -> dict[str, Any]:
        """Return `agent` and `tool` as `agents.tools.stops.stop` takes them.

        A stop of one tool stops all its calls: it is about that tool, whatever it does.
        """
        scope = KillSwitch.Scope(self.cleaned_data["scope"])
        stops = KillSwitch.Stops(self.cleaned_data["stops"])
        agent, tool = None, ""
        if scope is KillSwitch.Scope.TOOL:
            agent = self._agents.get(self.cleaned_data["tool_agent"])
            tool, stops = self.cleaned_data["tool"], KillSwitch.Stops.ALL
        if scope is KillSwitch.Scope.AGENT:
            agent = self._agents[self.cleaned_data["agent"]]
        return {"scope": scope, "stops": stops, "agent": agent, "tool": tool}

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  for the type checker
        field.choices = choices


class LiftForm(forms.Form):
    """Why a stop ends."""

    reason = _reason("The wrong rule is out; three refunds were checked.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "lift_%s", **kwargs})
