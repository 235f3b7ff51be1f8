"""Forms of the Autonomy screen: they read and check, and save nothing."""

from datetime import UTC, datetime, time
from typing import Any

from django import forms

from agents.models import Level, Version

MAX_REASON = 500
_TEXT = {"class": "form-control"}


def _reason(placeholder: str) -> forms.CharField:
    widget = forms.Textarea(attrs={**_TEXT, "rows": 2, "placeholder": placeholder})
    return forms.CharField(
        label="Reason",
        min_length=3,
        max_length=MAX_REASON,
        widget=widget,
        error_messages={"required": "Say why: the reason stands in the audit trail."},
    )


class LevelForm(forms.Form):
    """A new level; `was` is the one that the person saw, so that nobody overwrites unseen."""

    level = forms.ChoiceField(
        choices=Level, error_messages={"required": "Choose the level that is to hold."}
    )
    was = forms.ChoiceField(choices=Level, widget=forms.HiddenInput)
    reason = _reason("Three refunds went to the wrong card this week.")

    def chosen(self) -> tuple[Level, Level]:
        """Return the level before and the new one."""
        return Level(self.cleaned_data["was"]), Level(self.cleaned_data["level"])


class LowerForm(forms.Form):
    """The level that the button lowers to."""

    level = forms.ChoiceField(choices=Level)


class ProposeForm(forms.Form):
    """A higher level that is proposed."""

    level = forms.ChoiceField(
        choices=Level, error_messages={"required": "Choose the level that is proposed."}
    )
    reason = _reason("Sixty of sixty were approved unedited since contract 3.")


class LiftForm(forms.Form):
    """Leave for a tier to go above its ceiling, to the end of a day (UTC)."""

    until = forms.DateField(
        label="Until the end of",
        widget=forms.DateInput(attrs={**_TEXT, "type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": "A lift needs a last day."},
    )
    reason = _reason("Peak week: every refund up to now was approved unedited.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "ceiling_%s", **kwargs})

    def expires_at(self) -> datetime:
        """Return the last instant of the day."""
        return datetime.combine(self.cleaned_data["until"], time.max, tzinfo=UTC)


class ReasonForm(forms.Form):
    """Why something ends or is taken away."""

    reason = _reason("It is not needed any more.")


class DecideForm(forms.Form):
    """Why a raise is granted or refused."""

    reason = _reason("The one edit changed a spelling; the tests are clean.")


class GiveForm(forms.Form):
    """A tool that an agent is to have, and its level."""

    tool = forms.ChoiceField(label="Tool")
    level = forms.ChoiceField(label="Level", choices=Level, initial=Level.SUGGEST)
    reason = _reason("Version 4 offers it to change addresses.")

    def __init__(self, *args: Any, tools: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tool"] = forms.ChoiceField(
            label="Tool", choices=[(name, name) for name in tools]
        )


class RunForm(forms.Form):
    """What a new run is given."""

    message = forms.CharField(
        label="What the customer says",
        max_length=20_000,
        widget=forms.Textarea(
            attrs={**_TEXT, "rows": 3, "placeholder": "Where is my order #W1234567?"}
        ),
    )
    turns = forms.CharField(
        label="Then, one line after each answer",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={**_TEXT, "rows": 2}),
    )
    customer = forms.CharField(
        label="Customer",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={**_TEXT, "placeholder": "to find the session by"}),
    )
    version = forms.ModelChoiceField(
        queryset=Version.objects.none(),
        label="Version",
        widget=forms.Select(attrs={"class": "form-select"}),
        error_messages={"required": "Choose a version: this agent has none that is live."},
    )

    def __init__(self, *args: Any, versions: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["version"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101  for the type checker
        field.queryset = versions
        field.empty_label = None

    def run_input(self) -> dict[str, Any]:
        """Return what `start_run` takes."""
        turns = [line.strip() for line in self.cleaned_data["turns"].splitlines()]
        return {
            "messages": [{"role": "user", "content": self.cleaned_data["message"]}],
            "turns": [turn for turn in turns if turn],
        }
