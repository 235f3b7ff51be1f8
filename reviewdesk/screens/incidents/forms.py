"""Forms of the Incidents screen: they read and check, and save nothing."""

import uuid
from typing import Any

from django import forms

from agents.models import Agent, Incident, Level
from agents.tools.registry import contracts
from reviewdesk.people.models import User
from reviewdesk.people.roles import ALLOWED, Permission
from traces.models import Project, Session

_TEXT = {"class": "form-control"}
_SELECT = {"class": "form-select"}
HOLDS = [
    ("", "nothing"),
    *((level.value, f"at {level.label} at most") for level in Level if not level.is_acting),
    (Level.ACT_WITH_UNDO.value, f"at {Level.ACT_WITH_UNDO.label} at most"),
]


def _words(label: str, *, rows: int = 3, max_length: int = 1000, help_text: str = "") -> Any:
    return forms.CharField(
        label=label,
        min_length=3,
        max_length=max_length,
        help_text=help_text,
        widget=forms.Textarea(attrs={**_TEXT, "rows": rows}),
    )


class OpenForm(forms.Form):
    """A new incident."""

    title = forms.CharField(
        label="What happened",
        min_length=3,
        max_length=300,
        help_text="One line. It stays on the desk: what is sent out names tool and severity alone.",
        widget=forms.TextInput(attrs={**_TEXT, "autocomplete": "off"}),
    )
    severity = forms.ChoiceField(
        label="Severity",
        choices=Incident.Severity.choices,
        initial=Incident.Severity.MAJOR,
        widget=forms.Select(attrs=_SELECT),
    )
    agent = forms.ModelChoiceField(
        label="Agent",
        queryset=Agent.objects.none(),
        required=False,
        empty_label="all agents",
        widget=forms.Select(attrs=_SELECT),
    )
    tool = forms.ChoiceField(label="Tool", required=False, widget=forms.Select(attrs=_SELECT))
    ceiling = forms.ChoiceField(
        label="Hold these tools back until it is mitigated",
        required=False,
        choices=HOLDS,
        help_text="Takes effect at once, on runs under way too.",
        widget=forms.Select(attrs=_SELECT),
    )
    summary = forms.CharField(
        label="What is known so far",
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={**_TEXT, "rows": 4}),
    )
    session = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._project = project
        agents = self.fields["agent"]
        agents.queryset = Agent.objects.filter(project=project).order_by("name")  # type: ignore[attr-defined]
        names = [contract.name for contract in contracts(project.pk)]
        self.fields["tool"].choices = [("", "all tools"), *((name, name) for name in names)]  # type: ignore[attr-defined]

    def clean_session(self) -> Session | None:
        """Return the session that was named, which must be of this project."""
        pk: uuid.UUID | None = self.cleaned_data["session"]
        found = Session.objects.filter(project=self._project, pk=pk).first() if pk else None
        if pk and found is None:
            raise forms.ValidationError(f"This project has no session {pk}.")
        return found


class _OneOfMany(forms.Form):
    """A form that stands beside others, so that its fields need ids of their own."""

    ids = "id_%s"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["auto_id"] = self.ids
        super().__init__(*args, **kwargs)


class NoteForm(_OneOfMany):
    """An entry of the log."""

    ids = "note-%s"

    text = _words("Note", rows=2, max_length=2000)


class ReasonForm(_OneOfMany):
    """Why an incident is mitigated, closed or opened again."""

    ids = "state-%s"

    reason = _words("What was it, and what was done")


class HoldForm(_OneOfMany):
    """How far an incident holds tools back."""

    ids = "hold-%s"

    ceiling = forms.ChoiceField(
        label="Holds back", required=False, choices=HOLDS, widget=forms.Select(attrs=_SELECT)
    )
    reason = _words("Why", rows=2)


class SeverityForm(_OneOfMany):
    """How bad an incident is."""

    ids = "severity-%s"

    severity = forms.ChoiceField(
        label="Severity",
        choices=Incident.Severity.choices,
        widget=forms.Select(attrs=_SELECT),
    )
    reason = _words("Why", rows=2)


class OwnerForm(forms.Form):
    """Who sees to an incident: a member who may write in its log."""

    owner = forms.ModelChoiceField(
        label="Owner",
        queryset=User.objects.none(),
        required=False,
        empty_label="nobody yet",
        widget=forms.Select(attrs=_SELECT),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = [role.value for role in ALLOWED[Permission.OPEN_INCIDENTS]]
        members = User.objects.filter(
            is_active=True, memberships__project=project, memberships__role__in=roles
        )
        self.fields["owner"].queryset = members.order_by("name", "pk")  # type: ignore[attr-defined]
