"""The form that starts a run."""

import re
from typing import Any

from django import forms
from django.forms import Select, Textarea, TextInput

from agents.demo.records import DATASET
from agents.models import Agent, Version
from traces.models import Project

_PARAGRAPHS = re.compile(r"\n[ \t]*\n\s*")


class StartForm(forms.Form):
    """Which version is asked, and what the customer says."""

    agent = forms.ModelChoiceField(
        Agent.objects.none(), empty_label=None, widget=Select(attrs={"class": "form-select"})
    )
    version = forms.ModelChoiceField(
        Version.objects.none(),
        required=False,
        widget=Select(attrs={"class": "form-select"}),
    )
    customer = forms.CharField(
        required=False, max_length=200, widget=TextInput(attrs={"class": "form-control"})
    )
    message = forms.CharField(
        label="The customer’s first message",
        max_length=20_000,
        widget=Textarea(attrs={"class": "form-control", "rows": 3}),
    )
    turns = forms.CharField(
        label="What the customer says after each answer",
        required=False,
        max_length=100_000,
        help_text="One message per paragraph, with an empty line between them. "
        "You may leave it empty and answer on the session’s page.",
        widget=Textarea(attrs={"class": "form-control", "rows": 6}),
    )

    def __init__(self, *arguments: Any, project: Project, **more: Any) -> None:
        super().__init__(*arguments, **more)
        agents = Agent.objects.filter(project=project).select_related("live_version")
        self.agents = list(agents.order_by("name"))
        versions = Version.objects.filter(agent__project=project).select_related("agent")
        for name, rows in (
            ("agent", agents.order_by("name")),
            ("version", versions.order_by("agent__name", "-number")),
        ):
            field = self.fields[name]
            if isinstance(field, forms.ModelChoiceField):
                field.queryset = rows
        self.chosen = self._chosen_agent()
        self.initial["agent"] = self.chosen and self.chosen.pk
        self.fields["version"].label_from_instance = _version_title  # type: ignore[attr-defined]
        self.fields["version"].empty_label = _live_title(self.chosen)  # type: ignore[attr-defined]

    def by_agent(self) -> dict[str, dict[str, Any]]:
        """Return what the form shows of each agent once it is chosen, for the page's script."""
        versions = dict[int, list[str]]()
        for pk, agent in Version.objects.filter(agent__in=self.agents).values_list("pk", "agent"):
            versions.setdefault(agent, []).append(str(pk))
        return {
            str(agent.pk): {
                "live": _live_title(agent),
                "versions": versions.get(agent.pk, []),
                "is_demo": agent.dataset == DATASET,
            }
            for agent in self.agents
        }

    def _chosen_agent(self) -> Agent | None:
        """Return the agent that was asked for, else the first that has a live version."""
        wanted = str((self.data if self.is_bound else self.initial).get("agent", ""))
        live = [agent for agent in self.agents if agent.live_version_id]
        asked = [agent for agent in self.agents if str(agent.pk) == wanted]
        return next(iter([*asked, *live, *self.agents]), None)

    def clean(self) -> dict[str, Any]:
        """Check that the version is one of the agent's, and that there is one to run."""
        data = super().clean() or {}
        agent, version = data.get("agent"), data.get("version")
        if agent and version and version.agent_id != agent.pk:
            self.add_error("version", f"{version} is not a version of {agent}; choose one that is.")
        if agent and not version and agent.live_version_id is None:
            self.add_error("version", f"{agent} has no live version yet; choose one to run.")
        return data

    def run_arguments(self) -> dict[str, Any]:
        """Return the arguments of `start_run` that were chosen."""
        data = self.cleaned_data
        turns = [part.strip() for part in _PARAGRAPHS.split(data["turns"].replace("\r", ""))]
        return {
            "agent": data["agent"],
            "version": data["version"],
            "customer": data["customer"],
            "run_input": {
                "messages": [{"role": "user", "content": data["message"]}],
                "turns": [turn for turn in turns if turn],
            },
        }


def _live_title(agent: Agent | None) -> str:
    if agent and agent.live_version:
        return f"the live one ({agent.live_version})"
    return "none is live yet: choose one"


def _version_title(version: Version) -> str:
    is_live = version.agent.live_version_id == version.pk
    note = f": {version.note}" if version.note else ""
    return f"{version.agent.name} {version}{' (live)' if is_live else ''}{note}"[:90]
