"""What is asked before a gate is run, with what it would take."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict

from agents.gate.config import GateConfig
from agents.gate.policy import config_for
from agents.golden.estimate import Estimate, estimate_for
from agents.golden.plan import active_tests
from agents.golden.runner import MOST_REPEATS
from agents.models import Agent, GatePolicy, GoldenTest, Version

MAX_VERSIONS = 50
_SELECT = {"class": "form-select"}


class GateForm(forms.Form):
    """Which version is tested, and against which."""

    version = forms.ModelChoiceField(
        Version.objects.none(),
        label="Version",
        empty_label=None,
        widget=forms.Select(attrs=_SELECT),
        error_messages=dict.fromkeys(
            ("required", "invalid_choice"), "Choose a version of this agent."
        ),
    )
    baseline = forms.ModelChoiceField(
        Version.objects.none(),
        label="Against",
        required=False,
        empty_label=None,
        widget=forms.Select(attrs=_SELECT),
        error_messages={"invalid_choice": "Choose a version of this agent."},
    )
    repeats = forms.TypedChoiceField(
        label="Repeats of each test",
        required=False,
        choices=[(number, number) for number in range(1, MOST_REPEATS + 1)],
        coerce=int,
        empty_value=None,
        widget=forms.Select(attrs=_SELECT),
    )
    suite = forms.ChoiceField(
        label="Suite",
        required=False,
        choices=[("", "all suites"), *GoldenTest.Suite.choices],
        widget=forms.Select(attrs=_SELECT),
    )
    tag = forms.ChoiceField(label="Tag", required=False, widget=forms.Select(attrs=_SELECT))

    def __init__(self, data: QueryDict | dict[str, Any] | None, *, agent: Agent) -> None:
        super().__init__(data)
        versions = agent.versions.order_by("-number").defer("config")
        for name in ("version", "baseline"):
            field = self.fields[name]
            field.queryset = versions  # type: ignore[attr-defined]
            field.label_from_instance = lambda each: _name(agent, each)  # type: ignore[attr-defined]
        of_tests = active_tests(agent).values_list("tags", flat=True)
        tags = sorted({tag for each in of_tests for tag in each})
        self.fields["tag"].choices = [("", "any"), *((tag, tag) for tag in tags)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Check that two versions are compared."""
        cleaned: dict[str, Any] = super().clean() or {}
        version = cleaned.get("version")
        if version is not None and version == cleaned.get("baseline"):
            self.add_error("baseline", f"{version} is the same version: choose another one.")
        return cleaned


@dataclass(frozen=True)
class Plan:
    """What a gate or an eval run would take.

    Attributes:
        look: The gate's first look, both versions together; None where there is no other version.
        alone: The version's tests alone, of the suite and tag that are chosen; None: there is none.
        num_tests: Active tests, those in quarantine too.
    """

    config: GateConfig
    policy: GatePolicy | None
    look: Estimate | None
    alone: Estimate | None
    num_tests: int


def usual_choice(agent: Agent, given: QueryDict) -> dict[str, Any]:
    """Return what the form starts with: what the address has, else the newest against the live one.

    Two queries.
    """
    pks = list(agent.versions.order_by("-number").values_list("pk", flat=True)[:2])
    live = agent.live_version_id
    version = given.get("version") or (pks[0] if pks else None)
    others = [pk for pk in (live, *pks) if pk is not None and str(pk) != str(version)]
    return {
        "version": version,
        "baseline": given.get("baseline") or (others[0] if others else None),
        "repeats": given.get("repeats") or 1,
        "suite": given.get("suite", ""),
        "tag": given.get("tag", ""),
    }


def plan_of(agent: Agent, form: GateForm) -> Plan | None:
    """Return what the form's choice would take; None where it names no version or no test is.

    At most ten queries.
    """
    form.is_valid()
    version, baseline = form.cleaned_data.get("version"), form.cleaned_data.get("baseline")
    tests = list(active_tests(agent).only("pk", "is_critical", "slug", "suite", "tags"))
    if version is None or not tests:
        return None
    config, policy = config_for(agent.project_id)
    repeats = form.cleaned_data.get("repeats") or 1
    suite, tag = form.cleaned_data.get("suite"), form.cleaned_data.get("tag")
    own = [test for test in tests if suite in {"", test.suite} and (not tag or tag in test.tags)]
    return Plan(
        config=config,
        policy=policy,
        look=estimate_for(version, tests, config.looks[0], num_arms=2) if baseline else None,
        alone=estimate_for(version, own, repeats) if own else None,
        num_tests=len(tests),
    )


def _name(agent: Agent, version: Version) -> str:
    live = ", live" if version.pk == agent.live_version_id else ""
    note = f": {version.note[:40]}" if version.note else ""
    return f"{version}{live}{note}"
