"""The form in which a project's gate rules are proposed."""

from dataclasses import fields
from typing import Any

from django import forms
from django.http import QueryDict

from agents.gate.config import HARD_GATES, SLICES, GateConfig, problems_of
from agents.gate.policy import MAX_REASON, MIN_REASON
from reviewdesk.screens.golden.policy import RULES

_TEXT = {"class": "form-control", "autocomplete": "off"}
_CHECKS = {"class": "form-check-input"}
_WHOLE = {"max_runs", "critical_repeats", "min_slice_tests"}
_SHARES = {"confidence", "max_infra_share"}
_CEILINGS = {"max_cost_ratio", "max_latency_ratio", "max_cost_usd", "max_latency_seconds"}


def _number(name: str) -> forms.Field:
    kind = forms.IntegerField if name in _WHOLE else forms.FloatField
    is_ceiling = name in _CEILINGS
    more = {"step": "any", "placeholder": "no ceiling"} if is_ceiling else {"step": "any"}
    return kind(
        required=not is_ceiling,
        widget=forms.NumberInput(attrs=_TEXT | ({} if name in _WHOLE else more)),
        error_messages={"required": "Give a number.", "invalid": "Give a number."},
    )


class PolicyForm(forms.Form):
    """A project's thresholds; the fields are those of `GateConfig`, in the same units."""

    hard_gates = forms.MultipleChoiceField(
        required=False,
        choices=[(key, text.capitalize()) for key, text in HARD_GATES.items()],
        widget=forms.CheckboxSelectMultiple(attrs=_CHECKS),
    )
    slice_by = forms.MultipleChoiceField(
        required=False,
        choices=[(key, key.capitalize()) for key in SLICES],
        widget=forms.CheckboxSelectMultiple(attrs=_CHECKS),
    )
    looks = forms.CharField(max_length=60, widget=forms.TextInput(attrs=_TEXT))
    reason = forms.CharField(
        label="Why",
        min_length=MIN_REASON,
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"class": "form-control", "rows": 3}),
        error_messages={"required": "Say why; the reason stays with the rules."},
    )

    def __init__(self, data: QueryDict | None = None, *, config: GateConfig) -> None:
        values = {
            name: f"{value:g}" if isinstance(value, float) else value
            for name, value in config.to_json().items()
        }
        looks = ", ".join(str(look) for look in config.looks)
        super().__init__(data, initial=values | {"looks": looks})
        for rule in RULES:
            if rule.key not in self.fields:
                self.fields[rule.key] = _number(rule.key)
            unit = ", 0 to 1" if rule.key in _SHARES else ""
            self.fields[rule.key].label = rule.title + unit
            self.fields[rule.key].help_text = rule.about
        for name in self.errors if self.is_bound else ():
            if name in self.fields:
                self.fields[name].widget.attrs["aria-invalid"] = "true"

    @property
    def rule_fields(self) -> list[forms.BoundField]:
        """Return the fields of the rules, in the order in which they are shown."""
        return [self[rule.key] for rule in RULES]

    def clean_looks(self) -> tuple[int, ...]:
        """Return the repeats of each look."""
        parts = [part.strip() for part in self.cleaned_data["looks"].split(",")]
        if not all(part.isdecimal() and len(part) < 4 for part in parts):
            raise forms.ValidationError("Give whole numbers with commas between, like 3, 6, 10.")
        return tuple(int(part) for part in parts)

    def clean(self) -> dict[str, Any]:
        """Check the rules as a whole; each problem goes to its field."""
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors:
            for name, problem in problems_of(self.config()).items():
                self.add_error(name, problem.replace(f"{name} is", "It is", 1))
        return cleaned

    def config(self) -> GateConfig:
        """Return the rules as they were filled in."""
        values = {field.name: self.cleaned_data[field.name] for field in fields(GateConfig)}
        return GateConfig.from_json(values)


class DecideForm(forms.Form):
    """Why rules are approved, refused or withdrawn."""

    reason = forms.CharField(
        required=False,
        max_length=MAX_REASON,
        error_messages={"max_length": f"At most {MAX_REASON} characters."},
    )
