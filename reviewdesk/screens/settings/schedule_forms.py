"""The form of a schedule: it reads and checks, and saves nothing."""

from typing import Any

from django import forms

from agents.errors import ScheduleError
from agents.models import Agent, Schedule, Version
from agents.schedule_times import Times
from agents.schedules import Plan
from traces.models import Project

_TEXT = {"class": "form-control"}
_OFF = {**_TEXT, "autocomplete": "off"}
_SELECT = {"class": "form-select"}
UNITS = [(60, "minutes"), (3600, "hours"), (86_400, "days")]


class ScheduleForm(forms.Form):
    """When which agent is told what."""

    name = forms.CharField(label="Name", max_length=120, widget=forms.TextInput(attrs=_OFF))
    agent = forms.ModelChoiceField(
        label="Agent",
        queryset=Agent.objects.none(),
        empty_label="choose one",
        widget=forms.Select(attrs=_SELECT),
    )
    version = forms.IntegerField(
        label="Version",
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="A number; left empty: the one that is live at the time.",
        widget=forms.NumberInput(attrs=_OFF),
    )
    kind = forms.ChoiceField(
        label="When",
        choices=[(Schedule.Kind.CRON, "by a cron expression"), (Schedule.Kind.INTERVAL, "every")],
        initial=Schedule.Kind.CRON,
        widget=forms.RadioSelect,
    )
    cron = forms.CharField(
        label="Cron expression",
        required=False,
        max_length=120,
        help_text="Minute, hour, day, month, weekday: 0 7 * * 1-5 is 07:00 from Monday to Friday.",
        widget=forms.TextInput(attrs={**_OFF, "class": "form-control desk-mono"}),
    )
    time_zone = forms.CharField(
        label="Time zone",
        required=False,
        max_length=60,
        initial="UTC",
        help_text="Of the cron expression, such as Europe/Berlin.",
        widget=forms.TextInput(attrs={**_OFF, "list": "time-zones"}),
    )
    every = forms.IntegerField(
        label="Every",
        required=False,
        min_value=1,
        max_value=100_000,
        widget=forms.NumberInput(attrs=_OFF),
    )
    unit = forms.ChoiceField(
        label="Unit",
        required=False,
        choices=UNITS,
        widget=forms.Select(attrs=_SELECT),
    )
    message = forms.CharField(
        label="What the agent is told",
        max_length=20_000,
        widget=forms.Textarea(attrs={**_TEXT, "rows": 4}),
    )
    customer = forms.CharField(
        label="Customer",
        required=False,
        max_length=200,
        help_text="Whom the sessions are with, if anybody.",
        widget=forms.TextInput(attrs=_OFF),
    )
    overlap = forms.ChoiceField(
        label="If the run before is not finished",
        choices=Schedule.Overlap.choices,
        widget=forms.Select(attrs=_SELECT),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        agents = Agent.objects.filter(project=project).order_by("name")
        self.fields["agent"].queryset = agents  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Return the fields, with the times and the version that they name."""
        cleaned: dict[str, Any] = super().clean() or {}
        try:
            cleaned["times"] = self.times()
        except ScheduleError as error:
            is_cron = cleaned.get("kind") == Schedule.Kind.CRON
            field = "time_zone" if "time zone" in str(error) else "cron" if is_cron else "every"
            self.add_error(field, str(error))
        agent, number = cleaned.get("agent"), cleaned.get("version")
        if agent and number:
            cleaned["chosen"] = Version.objects.filter(agent=agent, number=number).first()
            if cleaned["chosen"] is None:
                self.add_error("version", f"{agent} has no version {number}.")
        elif agent and agent.live_version is None and "version" not in self.errors:
            self.add_error("version", f"{agent} has no live version: name the version to run.")
        return cleaned

    def times(self) -> Times | None:
        """Return the times, or None where their fields cannot be read.

        Raises:
            ScheduleError: They can be read, and are no times.
        """
        data = self.cleaned_data
        if data.get("kind") == Schedule.Kind.CRON and "cron" in data and "time_zone" in data:
            zone = data["time_zone"].strip() or "UTC"
            return Times(kind=Schedule.Kind.CRON, cron=data["cron"].strip(), time_zone=zone)
        if data.get("kind") == Schedule.Kind.INTERVAL and "every" in data and "unit" in data:
            seconds = (data["every"] or 0) * int(data["unit"] or 60)
            return Times(kind=Schedule.Kind.INTERVAL, every_seconds=seconds)
        return None

    def plan(self) -> Plan:
        """Return what was decided, of a valid form."""
        data = self.cleaned_data
        return Plan(
            name=data["name"],
            agent=data["agent"],
            version=data.get("chosen"),
            times=data["times"],
            run_input={"messages": [{"role": "user", "content": data["message"]}], "turns": []},
            customer=data["customer"],
            overlap=Schedule.Overlap(data["overlap"]),
        )


def values_of(schedule: Schedule) -> dict[str, Any]:
    """Return what the form of a schedule begins with."""
    seconds = schedule.every_seconds or 0
    unit = next((size for size, _ in reversed(UNITS) if seconds and seconds % size == 0), 60)
    return {
        "name": schedule.name,
        "agent": schedule.agent_id,
        "version": schedule.version.number if schedule.version else None,
        "kind": schedule.kind,
        "cron": schedule.cron,
        "time_zone": schedule.time_zone,
        "every": max(seconds // unit, 1) if seconds else None,
        "unit": unit,
        "message": schedule.input["messages"][-1]["content"],
        "customer": schedule.customer,
        "overlap": schedule.overlap,
    }
