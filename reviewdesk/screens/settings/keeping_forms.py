"""Forms of masking, retention and prices: they read and check, and save nothing."""

from typing import Any

from django import forms

from traces.errors import PriceError
from traces.prices import check_pattern
from traces.redaction import KINDS
from traces.retention import LEAST_DAYS, MOST_DAYS

_TEXT = {"class": "form-control"}
_OFF = {**_TEXT, "autocomplete": "off"}
_MOST_TEXT = 20_000


def _usd(label: str, *, required: bool = True, help_text: str = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=required,
        help_text=help_text,
        min_value=0,
        max_digits=12,
        decimal_places=6,
        widget=forms.NumberInput(attrs={**_OFF, "step": "any"}),
    )


def _reason(help_text: str) -> forms.CharField:
    return forms.CharField(
        label="Why",
        max_length=500,
        help_text=help_text,
        error_messages={"required": "Say why: it stays in the audit trail."},
        widget=forms.TextInput(attrs=_OFF),
    )


class MaskingForm(forms.Form):
    """Which kinds are masked."""

    kinds = forms.MultipleChoiceField(
        required=False, choices=[(kind.key, kind.title) for kind in KINDS]
    )
    reason = _reason("Stays in the audit trail.")


class TryForm(forms.Form):
    """A text to try the rules on; nothing of it is stored."""

    text = forms.CharField(
        label="Text",
        max_length=_MOST_TEXT,
        strip=False,
        widget=forms.Textarea(attrs={**_OFF, "rows": 4}),
    )


class RetentionForm(forms.Form):
    """For how long sessions are kept."""

    keep_days = forms.IntegerField(
        label="Days to keep",
        required=False,
        min_value=LEAST_DAYS,
        max_value=MOST_DAYS,
        help_text="After a session's end. Empty: everything is kept.",
        widget=forms.NumberInput(attrs=_OFF),
    )
    keeps_labelled = forms.BooleanField(label="Keep labelled sessions for ever", required=False)
    reason = _reason("Stays in the audit trail.")


class CustomerForm(forms.Form):
    """Whose data is to be deleted."""

    customer = forms.CharField(
        label="Customer's id",
        max_length=200,
        help_text="As the session list shows it, or as it was sent.",
        widget=forms.TextInput(attrs=_OFF),
    )


class EraseForm(CustomerForm):
    """The same, sure: the id typed again, and why."""

    typed = forms.CharField(
        label="Type the id again", max_length=200, widget=forms.TextInput(attrs=_OFF)
    )
    reason = _reason("Stays in the audit trail, so do not name the person.")
    tests = forms.ChoiceField(
        label="Golden tests made of these sessions",
        choices=[("delete", "Delete them"), ("clear", "Keep what they say now, and nothing else")],
        required=False,
    )

    def clean(self) -> dict[str, Any]:
        """Return the fields where the id was typed the same way twice."""
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("typed") and cleaned["typed"] != cleaned.get("customer"):
            self.add_error("typed", "This is another id than the one above. Nothing was deleted.")
        return cleaned


class PriceForm(forms.Form):
    """A price of models of one name."""

    pattern = forms.CharField(
        label="Model",
        max_length=200,
        help_text="The whole name; * stands for anything, such as gpt-4.1*.",
        widget=forms.TextInput(attrs=_OFF),
    )
    starts_on = forms.DateField(
        label="From (UTC)",
        widget=forms.DateInput(attrs={**_OFF, "type": "date"}, format="%Y-%m-%d"),
    )
    input_usd = _usd("Input")
    cached_input_usd = _usd("Cached input", required=False, help_text="Empty: like input.")
    output_usd = _usd("Output")
    reasoning_usd = _usd(
        "Reasoning", required=False, help_text="Empty: like output, which is usual."
    )
    reason = forms.CharField(
        label="Why", max_length=500, required=False, widget=forms.TextInput(attrs=_OFF)
    )

    def clean_pattern(self) -> str:
        """Return the pattern where it can be one."""
        pattern = str(self.cleaned_data["pattern"])
        try:
            check_pattern(pattern)
        except PriceError as error:
            raise forms.ValidationError(str(error)) from error
        return pattern


class SinceForm(forms.Form):
    """From which day costs are computed anew."""

    since = forms.DateField(
        label="Sessions since (UTC)",
        widget=forms.DateInput(attrs={**_OFF, "type": "date"}, format="%Y-%m-%d"),
    )
