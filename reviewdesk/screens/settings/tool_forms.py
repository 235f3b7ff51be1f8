"""Forms of tools and their sources: they read and check, and save nothing."""

import json
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from agents.models import Effect, Tier, ToolDefinition, ToolSource
from agents.tools.contract import CallPolicy, ToolContract, policy_from_json
from agents.tools.imports import Choice, ImportPlan

_TEXT = {"class": "form-control", "autocomplete": "off"}
_SELECT = {"class": "form-select"}
_LONGEST = 1_000_000


def _lines_field(label: str, help_text: str, *, required: bool = False) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=required,
        max_length=5000,
        help_text=help_text,
        widget=forms.Textarea(attrs={**_TEXT, "rows": 2, "spellcheck": "false"}),
    )


def _url(label: str, help_text: str, *, required: bool = False) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=required,
        max_length=500,
        help_text=help_text,
        widget=forms.TextInput(attrs={**_TEXT, "inputmode": "url", "spellcheck": "false"}),
    )


def _reason() -> forms.CharField:
    return forms.CharField(
        label="Why",
        max_length=500,
        help_text="Stays in the audit trail.",
        error_messages={"required": "Say why: it stays in the audit trail."},
        widget=forms.TextInput(attrs=_TEXT),
    )


class ReasonForm(forms.Form):
    """Why something is done."""

    reason = _reason()


class DocumentForm(forms.Form):
    """An OpenAPI document: a file, pasted text, or its URL."""

    file = forms.FileField(
        label="File", required=False, widget=forms.FileInput(attrs={"class": "form-control"})
    )
    text = forms.CharField(
        label="or pasted text",
        required=False,
        max_length=_LONGEST,
        strip=False,
        help_text="OpenAPI 3.0 or 3.1, JSON or YAML.",
        widget=forms.Textarea(attrs={**_TEXT, "rows": 4, "spellcheck": "false"}),
    )
    document_url = _url("or its URL", "Fetched under the same rules of hosts as every call.")

    def data_given(self) -> bytes | None:
        """Return the document's bytes, or None where it is to be fetched."""
        if upload := self.cleaned_data["file"]:
            data: bytes = upload.read()
            return data
        text = self.cleaned_data["text"]
        return text.encode() if text.strip() else None


class PlaceForm(forms.Form):
    """Where a source is, what it may reach, and the secrets it takes, of any kind."""

    url = _url("Base URL", "Where the paths begin. Empty: where the document says.")
    command = _lines_field(
        "Command",
        "The program and its arguments, one per line. It runs as the desk does, without a shell.",
        required=True,
    )
    allowed_hosts = _lines_field(
        "Hosts it may reach",
        "One per line: api.example.com or api.example.com:8443. An address that is not public is "
        "reached only if it stands here itself, such as 10.1.2.3:8080 or 10.1.0.0/16.",
    )
    headers = _lines_field(
        "Headers with secrets",
        "One per line, with the secret’s name: Authorization: Bearer CARRIER_KEY",
    )
    environment = _lines_field(
        "Variables with secrets", "One per line, with the secret’s name: API_KEY: CARRIER_KEY"
    )
    reason = _reason()

    def __init__(self, *args: Any, kind: ToolSource.Kind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_stdio = kind is ToolSource.Kind.MCP_STDIO
        for name in ("url", "allowed_hosts", "headers") if is_stdio else ("command", "environment"):
            del self.fields[name]
        if kind is ToolSource.Kind.MCP_HTTP:
            self.fields["url"].label = "URL of the server"
            self.fields["url"].help_text = "Streamable HTTP, such as https://mcp.example.com/mcp"
            self.fields["url"].required = True

    def clean_headers(self) -> dict[str, str]:
        """Return the secrets by header."""
        return _pairs(self.cleaned_data["headers"])

    def clean_environment(self) -> dict[str, str]:
        """Return the secrets by variable."""
        return _pairs(self.cleaned_data["environment"])

    def place(self) -> dict[str, Any]:
        """Return what `agents.tools.connecting` takes of a place."""
        found = self.cleaned_data
        return {
            "url": found.get("url", ""),
            "command": _lines(found.get("command", "")),
            "allowed_hosts": _lines(found.get("allowed_hosts", "")),
            "headers": found.get("headers", {}),
            "environment": found.get("environment", {}),
            "reason": found["reason"],
        }


class SourceForm(PlaceForm):
    """A new source."""

    name = forms.CharField(label="Name", max_length=120, widget=forms.TextInput(attrs=_TEXT))
    field_order = ("name", "url", "command", "allowed_hosts", "headers", "environment", "reason")


def place_of(source: ToolSource) -> dict[str, str]:
    """Return a source's place as `PlaceForm` is typed."""
    return {
        "url": source.url,
        "command": "\n".join(source.command),
        "allowed_hosts": "\n".join(source.allowed_hosts),
        "headers": "\n".join(f"{key}: {value}" for key, value in source.headers.items()),
        "environment": "\n".join(f"{key}: {value}" for key, value in source.environment.items()),
    }


class ImportForm(forms.Form):
    """What a person confirms of an import: effect and tier of each tool that comes or changes."""

    digest = forms.CharField(widget=forms.HiddenInput)
    reason = _reason()

    def __init__(self, *args: Any, plan: ImportPlan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plan = plan
        self.initial.setdefault("digest", plan.digest)
        for number, tool in enumerate(plan.changes):
            if tool.draft is None:
                continue
            self.fields[f"take-{number}"] = forms.BooleanField(
                required=False, initial=True, widget=forms.CheckboxInput()
            )
            for name, choices, value in (
                ("effect", Effect, tool.effect),
                ("tier", Tier, tool.tier),
            ):
                self.fields[f"{name}-{number}"] = forms.ChoiceField(
                    choices=choices.choices,
                    initial=value,
                    widget=forms.Select(
                        attrs={**_SELECT, "aria-label": f"{name} of {tool.name}".capitalize()}
                    ),
                )

    def rows(self) -> list[dict[str, Any]]:
        """Return each change with its controls, for the template."""
        found: list[dict[str, Any]] = []
        for number, tool in enumerate(self.plan.changes):
            controls = {
                name: self[f"{name}-{number}"]
                for name in ("take", "effect", "tier")
                if tool.draft is not None
            }
            found.append({"tool": tool, **controls})
        return found

    def choices(self) -> dict[str, Choice]:
        """Return what was chosen, by the tool's name; tools that are left out are not in it."""
        found = self.cleaned_data
        return {
            tool.name: Choice(Effect(found[f"effect-{number}"]), Tier(found[f"tier-{number}"]))
            for number, tool in enumerate(self.plan.changes)
            if tool.draft is not None and found[f"take-{number}"]
        }


def _number(
    label: str, low: float, high: float, help_text: str = "", *, required: bool = True
) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=required,
        min_value=int(low),
        max_value=int(high),
        help_text=help_text,
        widget=forms.NumberInput(attrs=_TEXT),
    )


class ContractForm(forms.Form):
    """What people decide about an imported tool."""

    effect = forms.ChoiceField(
        label="A second attempt", choices=Effect.choices, widget=forms.Select(attrs=_SELECT)
    )
    tier = forms.ChoiceField(
        label="Risk tier", choices=Tier.choices, widget=forms.Select(attrs=_SELECT)
    )
    is_untrusted = forms.BooleanField(
        label="Its results hold words of strangers, which taint the run", required=False
    )
    time_limit_seconds = forms.FloatField(
        label="Time limit, in seconds",
        min_value=0.1,
        max_value=600,
        widget=forms.NumberInput(attrs={**_TEXT, "step": "any"}),
    )
    max_attempts = _number("Attempts of one call", 1, 10)
    rate_per_minute = _number("Calls per minute", 1, 100_000, "Empty: no limit.", required=False)
    max_concurrent = _number("Calls at once", 1, 1000, "Empty: no limit.", required=False)
    breaker_failures = _number("Failures in a row that open the breaker", 1, 1000)
    breaker_seconds = _number("Seconds that it stays open first", 1, 86_400)
    fallback = forms.CharField(
        label="Answer while the tool is away",
        required=False,
        max_length=10_000,
        help_text="JSON of the result, such as {&quot;status&quot;: &quot;unknown&quot;}. "
        "Empty: the call fails.",
        widget=forms.Textarea(attrs={**_TEXT, "rows": 2, "spellcheck": "false"}),
    )
    undo_tool = forms.ChoiceField(
        label="Undone by", required=False, widget=forms.Select(attrs=_SELECT)
    )
    undo_arguments = _lines_field(
        "Arguments of the undo",
        "One per line: its argument, then where it comes from: payment: result.receipt or "
        "amount: arguments.amount",
    )
    undo_minutes = _number("May be undone for, in minutes", 1, 43_200)
    lookup = forms.CharField(
        label="Path that tells what became of a key",
        required=False,
        max_length=300,
        help_text="GET, with {key}, such as /payments/by-key/{key}; 404 means that it never "
        "arrived. Empty: the key is sent again.",
        widget=forms.TextInput(attrs={**_TEXT, "spellcheck": "false"}),
    )
    reason = _reason()

    def __init__(self, *args: Any, tools: Sequence[ToolContract], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        writes = [tool.name for tool in tools if not tool.is_read]
        choices = [("", "nothing"), *((name, name) for name in writes)]
        self.fields["undo_tool"].choices = choices  # type: ignore[attr-defined]

    def clean_fallback(self) -> dict[str, Any] | None:
        """Return the fallback as the policy has it."""
        text = self.cleaned_data["fallback"].strip()
        if not text:
            return None
        try:
            return {"result": json.loads(text)}
        except (ValueError, RecursionError) as error:
            raise ValidationError(f"This is no JSON: {error}.") from error

    def clean_undo_arguments(self) -> dict[str, str]:
        """Return the paths by argument."""
        return _pairs(self.cleaned_data["undo_arguments"])

    def policy(self, before: CallPolicy) -> CallPolicy:
        """Return the policy that was typed."""
        names = set(self.cleaned_data) & set(before.__dict__)
        return CallPolicy(
            **{**before.__dict__, **{name: self.cleaned_data[name] for name in names}}
        )


def contract_initial(definition: ToolDefinition) -> dict[str, Any]:
    """Return a contract as `ContractForm` is typed."""
    policy = policy_from_json(definition.policy)
    return {
        **policy.__dict__,
        "effect": definition.effect,
        "tier": definition.tier,
        "fallback": ""
        if policy.fallback is None
        else json.dumps(policy.fallback["result"], ensure_ascii=False),
        "undo_arguments": "\n".join(f"{key}: {to}" for key, to in policy.undo_arguments.items()),
        "lookup": definition.request.get("lookup", ""),
    }


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _pairs(text: str) -> dict[str, str]:
    found = {}
    for line in _lines(text):
        key, colon, value = line.partition(":")
        if not colon or not key.strip() or not value.strip():
            raise ValidationError(f"“{line[:80]}” is not of the form name: value.")
        found[key.strip()] = value.strip()
    return found
