"""Forms of the Releases screen: they read and check, and save nothing."""

import json
from collections.abc import Collection
from dataclasses import asdict, fields
from typing import Any

from django import forms

from agents.config import Limits, VersionConfig, config_from_json
from agents.models import Version
from agents.releases.config_rules import LIMIT_RANGES, normalised, problems_of
from agents.releases.propose import MAX_NOTE, MAX_REASON
from agents.tools.contract import ToolContract
from traces.clean import is_deeper

MAX_DEPTH = 20
_TEXT = {"class": "form-control"}
_CODE = {"class": "form-control desk-mono", "spellcheck": "false", "autocomplete": "off"}
_OWN_PARAMETERS = ("temperature", "max_completion_tokens")

LIMIT_TITLES = {
    "max_steps": ("Steps", "Model calls and tool calls together."),
    "max_tokens": ("Tokens", "Input and output over all model calls."),
    "max_cost_usd": ("Cost, US dollars", "Over all model calls."),
    "max_seconds": ("Seconds worked", "Waits for people are left out."),
    "approval_minutes": ("Minutes to approve", "Then a waiting call expires."),
    "max_tool_calls": ("Tool calls", "Refused and failed ones too."),
    "max_repeats": (
        "The same call again",
        "Calls of one tool with the same arguments; one more is taken for a loop.",
    ),
    "model_timeout_seconds": (
        "Seconds per model call",
        "Of one attempt; then it is tried again, or the fallback is asked.",
    ),
}


class VersionForm(forms.Form):
    """A version's configuration, and what it is for."""

    note = forms.CharField(
        label="What this version is for",
        max_length=MAX_NOTE,
        required=False,
        widget=forms.TextInput(attrs={**_TEXT, "placeholder": "Asks before it refunds"}),
    )
    system_prompt = forms.CharField(
        label="System prompt",
        strip=False,
        required=False,
        widget=forms.Textarea(attrs={**_CODE, "rows": 24}),
    )
    model = forms.CharField(
        label="Model", required=False, widget=forms.TextInput(attrs=_CODE), max_length=120
    )
    fallback_model = forms.CharField(
        label="Fallback model",
        required=False,
        max_length=120,
        help_text="Asked where the model fails or takes too long. Empty: none.",
        widget=forms.TextInput(attrs={**_CODE, "placeholder": "none"}),
    )
    temperature = forms.FloatField(
        label="Temperature",
        required=False,
        widget=forms.NumberInput(attrs={**_TEXT, "step": "any", "placeholder": "not sent"}),
    )
    max_completion_tokens = forms.IntegerField(
        label="Tokens per answer",
        required=False,
        widget=forms.NumberInput(attrs={**_TEXT, "placeholder": "not sent"}),
    )
    parameters = forms.CharField(
        label="Other parameters, JSON",
        required=False,
        widget=forms.Textarea(attrs={**_CODE, "rows": 2, "placeholder": "{}"}),
    )
    tools = forms.MultipleChoiceField(
        label="Tools", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(
        self,
        *args: Any,
        contracts: tuple[ToolContract, ...],
        start: Version | None = None,
        given: Collection[str] = (),
        **kwargs: Any,
    ) -> None:
        # A first version starts with what the agent is given.
        offered = [contract.name for contract in contracts if contract.name in given]
        kwargs.setdefault("initial", _initial(start, offered))
        super().__init__(*args, **kwargs)
        self.contracts = contracts
        # A tool that the code no longer has stays visible, so that it can be unticked.
        known = [contract.name for contract in contracts]
        gone = set(kwargs["initial"].get("tools", ())) - set(known)
        self.gone_tools = sorted(gone)
        self.fields["tools"].choices = [(name, name) for name in (*known, *self.gone_tools)]  # type: ignore[attr-defined]
        for limit in fields(Limits):
            title, hint = LIMIT_TITLES[limit.name]
            kind = forms.IntegerField if LIMIT_RANGES[limit.name].is_whole else forms.FloatField
            self.fields[limit.name] = kind(
                label=title,
                help_text=hint,
                widget=forms.NumberInput(attrs={**_TEXT, "step": "any"}),
            )

    @property
    def limit_fields(self) -> list[forms.BoundField]:
        """Return the fields of the limits, in the order of `Limits`."""
        return [self[limit.name] for limit in fields(Limits)]

    def clean_parameters(self) -> dict[str, Any]:
        """Return the other parameters as an object."""
        text = self.cleaned_data["parameters"].strip() or "{}"
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise forms.ValidationError(
                f"This is no JSON: {error.msg} at line {error.lineno}, character {error.colno}."
            ) from error
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(
                "This JSON cannot be read: a number is too long, or it is nested too deeply."
            ) from error
        if is_deeper(value, MAX_DEPTH):
            raise forms.ValidationError(
                f"The parameters are nested over {MAX_DEPTH} levels deep; make them flatter."
            )
        if not isinstance(value, dict):
            raise forms.ValidationError('The parameters must be an object like {"seed": 7}.')
        own = sorted(set(value) & set(_OWN_PARAMETERS))
        if own:
            raise forms.ValidationError(f"{', '.join(own)} has a field of its own; set it there.")
        return value

    def clean(self) -> dict[str, Any]:
        """Check the configuration as a whole; each problem goes to its field."""
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors:
            known = [contract.name for contract in self.contracts]
            for problem in problems_of(self.config(), known_tools=known):
                self.add_error(self._field_of(problem.field), problem.message)
        return cleaned

    def config(self) -> VersionConfig:
        """Return the configuration; only after `is_valid` has found no error in the fields."""
        data = self.cleaned_data
        own = {name: data[name] for name in _OWN_PARAMETERS if data[name] is not None}
        return normalised(
            VersionConfig(
                system_prompt=data["system_prompt"],
                model=data["model"],
                parameters={**data["parameters"], **own},
                tools=tuple(data["tools"]),
                limits=Limits(**{limit.name: data[limit.name] for limit in fields(Limits)}),
                fallback_model=data["fallback_model"],
            )
        )

    def _field_of(self, path: str) -> str:
        name = path.rpartition(".")[2]
        return name if name in self.fields else path.partition(".")[0]


class ReasonForm(forms.Form):
    """A reason that stays with the decision."""

    reason = forms.CharField(
        label="Reason",
        min_length=3,
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={**_TEXT, "rows": 3}),
        error_messages={"required": "Say why; the reason stays with the decision."},
    )


class ApproveForm(ReasonForm):
    """An approval: the reason is left to the person, the live version they saw is not."""

    live = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = False
        self.fields["reason"].label = "Remark, if any"


class RollBackForm(ReasonForm):
    """A roll back: to which version, and which one was live when the person decided."""

    to = forms.IntegerField(widget=forms.HiddenInput)
    live = forms.IntegerField(required=False, widget=forms.HiddenInput)


class RequestForm(ReasonForm):
    """A request for release, on a gate, an eval run or on neither."""

    eval_run = forms.IntegerField(required=False, widget=forms.HiddenInput)
    gate = forms.IntegerField(required=False, widget=forms.HiddenInput)


def _initial(start: Version | None, offered: list[str]) -> dict[str, Any]:
    if start is None:
        return {**asdict(Limits()), "parameters": "", "tools": offered}
    config = config_from_json(start.config)
    parameters = dict(config.parameters)
    own = {name: parameters.pop(name, None) for name in _OWN_PARAMETERS}
    return {
        "system_prompt": config.system_prompt,
        "model": config.model,
        "fallback_model": config.fallback_model,
        **own,
        "parameters": json.dumps(parameters, ensure_ascii=False, indent=2) if parameters else "",
        "tools": list(config.tools),
        **asdict(config.limits),
    }
