"""Forms of the Judges pages: they read and check, and save nothing."""

import json
from typing import Any

from django import forms

from agents.judges import rubrics
from agents.judges.rubrics import Rubric
from agents.models import Agent, JudgeVersion
from traces.label_sets import questions_of
from traces.labels import current_label_set
from traces.models import Project

NUM_VERDICTS = 5
MOST_AT_ONCE = 1000
_TEXT = {"class": "form-control"}
_SELECT = {"class": "form-select"}
_MEANS = (("pass", "is a pass"), ("fail", "is a fail"), ("", "says neither"))
_PASSES = {"pass": True, "fail": False, "": None}
_USUAL = (("Pass", "pass"), ("Fail", "fail"), ("Unclear", ""))


class RubricForm(forms.Form):
    """What a version consists of."""

    rubric = forms.CharField(
        label="Rubric",
        max_length=rubrics.LONGEST_RUBRIC,
        error_messages={"required": "The rubric is empty: say what passes and what fails."},
        help_text="What passes and what fails, in plain words. The session is sent with it, fenced "
        "as data; rules about what to ignore in it are not needed.",
        widget=forms.Textarea(attrs={**_TEXT, "rows": 12}),
    )
    model = forms.CharField(
        label="Model",
        max_length=200,
        help_text="As its endpoint knows it.",
        error_messages={"required": "Name the model that judges."},
        widget=forms.TextInput(attrs={**_TEXT, "autocomplete": "off", "list": "judge-models"}),
    )
    endpoint = forms.ChoiceField(
        label="Endpoint",
        required=False,
        help_text="Sessions are sent there.",
        widget=forms.Select(attrs=_SELECT),
    )
    parameters = forms.CharField(
        label="Parameters",
        required=False,
        help_text='A JSON object such as {"temperature": 0}. An endpoint that knows no JSON schema '
        'may need {"response_format": {"type": "json_object"}}.',
        widget=forms.Textarea(attrs={**_TEXT, "rows": 2, "spellcheck": "false"}),
    )
    note = forms.CharField(
        label="What is new in this version",
        required=False,
        max_length=rubrics.LONGEST_NOTE,
        widget=forms.TextInput(attrs={**_TEXT, "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        agents = Agent.objects.filter(project=project).exclude(model_base_url="").order_by("name")
        own = [(agent.model_base_url, f"that of {agent.name}") for agent in agents]
        self.fields["endpoint"].choices = [("", "the desk's own"), *own]  # type: ignore[attr-defined]
        for number in range(1, NUM_VERDICTS + 1):
            title, means = _USUAL[number - 1] if number <= len(_USUAL) else ("", "")
            self.fields[f"verdict_{number}"] = forms.CharField(
                label=f"Verdict {number}",
                required=False,
                max_length=80,
                initial=title,
                widget=forms.TextInput(attrs={**_TEXT, "autocomplete": "off"}),
            )
            self.fields[f"means_{number}"] = forms.ChoiceField(
                label=f"Verdict {number} means",
                required=False,
                choices=_MEANS,
                initial=means,
                widget=forms.Select(attrs=_SELECT),
            )

    @property
    def verdict_fields(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """Return the rows of the verdicts: name and meaning."""
        numbers = range(1, NUM_VERDICTS + 1)
        return [(self[f"verdict_{number}"], self[f"means_{number}"]) for number in numbers]

    def clean_parameters(self) -> dict[str, Any]:
        """Return the JSON object that was written; nothing is an empty one."""
        text = self.cleaned_data["parameters"]
        try:
            value = json.loads(text) if text else {}
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(f"The parameters are no JSON: {error}.") from error
        if not isinstance(value, dict):
            raise forms.ValidationError("The parameters must be a JSON object.")
        return value

    def rubric_of(self) -> Rubric:
        """Return what was written, for the functions that check and store it."""
        data = self.cleaned_data
        verdicts = [
            {"title": title, "passes": _PASSES[data[f"means_{number}"]]}
            for number in range(1, NUM_VERDICTS + 1)
            if (title := data[f"verdict_{number}"].strip())
        ]
        return Rubric(
            text=data["rubric"],
            model=data["model"],
            verdicts=verdicts,
            model_base_url=data["endpoint"],
            parameters=data["parameters"],
        )


class NewJudgeForm(RubricForm):
    """A new judge with its first version."""

    name = forms.CharField(
        label="What it judges",
        max_length=rubrics.LONGEST_NAME,
        error_messages={"required": "Give the judge a name: what it judges."},
        widget=forms.TextInput(attrs={**_TEXT, "autocomplete": "off"}),
    )
    question = forms.ChoiceField(
        label="People answer the same in",
        required=False,
        help_text="What it is measured by. Without a question like it, it is advisory for ever.",
        widget=forms.Select(attrs=_SELECT),
    )
    passes = forms.MultipleChoiceField(
        label="Which of their answers are a pass",
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, project=project, **kwargs)
        few = [
            question
            for question in questions_of(current_label_set(project))
            if len(question.choices) <= 9 and not question.is_multiple
        ]
        self.fields["question"].choices = [  # type: ignore[attr-defined]
            ("", "no question of theirs"),
            *((question.key, question.title) for question in few),
        ]
        if any(question.key == "outcome" for question in few):
            self.fields["question"].initial = "outcome"
            self.fields["passes"].initial = ["outcome:resolved"]
        self.fields["passes"].choices = [  # type: ignore[attr-defined]
            (f"{question.key}:{choice.key}", f"{question.title}: {choice.title}")
            for question in few
            for choice in question.choices
        ]

    def passing(self) -> list[str]:
        """Return the chosen answers to the chosen question."""
        prefix = f"{self.cleaned_data['question']}:"
        chosen = self.cleaned_data["passes"]
        return [each.removeprefix(prefix) for each in chosen if each.startswith(prefix)]


class AskForm(forms.Form):
    """Which sessions a judge is asked about."""

    which = forms.ChoiceField(choices=(("labelled", "labelled"), ("random", "random")))
    number = forms.IntegerField(
        min_value=1,
        max_value=MOST_AT_ONCE,
        error_messages={
            "required": "Say how many sessions.",
            "min_value": "Ask about one session at least.",
            "max_value": f"Ask about {MOST_AT_ONCE:,} sessions at most at once.",
            "invalid": "Say how many sessions, as a number.",
        },
    )


class ArchiveForm(forms.Form):
    """Why a judge is put away."""

    reason = forms.CharField(
        max_length=rubrics.LONGEST_REASON,
        error_messages={"required": "Say why the judge is put away: it is kept."},
    )


def initial_of(version: JudgeVersion) -> dict[str, Any]:
    """Return the form's values for the version that follows this one."""
    parameters = json.dumps(version.parameters) if version.parameters else ""
    values: dict[str, Any] = {
        "rubric": version.rubric,
        "model": version.model,
        "endpoint": version.model_base_url,
        "parameters": parameters,
    }
    words = {True: "pass", False: "fail", None: ""}
    for number in range(1, NUM_VERDICTS + 1):
        known = version.verdicts[number - 1] if number <= len(version.verdicts) else {}
        values[f"verdict_{number}"] = known.get("title", "")
        values[f"means_{number}"] = words[known.get("passes")]
    return values
