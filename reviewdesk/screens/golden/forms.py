"""Forms of the Golden screen: they read and check, and save nothing."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms

from agents.golden.content import LONGEST_REASON, LONGEST_TAG, LONGEST_TITLE, MOST_TAGS
from agents.golden.runner import MOST_REPEATS
from agents.models import Agent, GoldenTest

_TEXT = {"class": "form-control"}
_SELECT = {"class": "form-select"}
LARGEST_FILE = 2_000_000  # Django reads forms of 2.5 MB
_ORDER = (
    "title",
    "agent",
    "suite",
    "severity",
    "tags",
    "owner_id",
    "is_critical",
    "reason",
)


class TestForm(forms.Form):
    """What people call a test, how bad it is, and why it is one."""

    agent = forms.ModelChoiceField(
        Agent.objects.none(),
        to_field_name="slug",
        label="Agent",
        empty_label="Choose the agent that is tested",
        widget=forms.Select(attrs=_SELECT),
        error_messages={
            "required": "Choose the agent that the test is for.",
            "invalid_choice": "Choose an agent of this project.",
        },
    )
    title = forms.CharField(
        label="Title",
        max_length=LONGEST_TITLE,
        error_messages={"required": "Give the test a title: what must not happen again."},
        widget=forms.TextInput(attrs={**_TEXT, "autocomplete": "off"}),
    )
    severity = forms.ChoiceField(
        label="Severity",
        choices=GoldenTest.Severity.choices,
        widget=forms.Select(attrs=_SELECT),
    )
    suite = forms.ChoiceField(
        label="Suite",
        required=False,
        choices=[(suite.value, suite.label) for suite in GoldenTest.Suite],
        widget=forms.Select(attrs=_SELECT),
    )
    is_critical = forms.BooleanField(
        label="Every repeat must pass",
        required=False,
        help_text="It is run five times or more, and the gate holds where one fails.",
        widget=forms.CheckboxInput(attrs={"class": "form-check-input"}),
    )
    owner_id = forms.ChoiceField(label="Owner", required=False, widget=forms.Select(attrs=_SELECT))
    tags = forms.CharField(
        label="Tags",
        required=False,
        widget=forms.TextInput(attrs={**_TEXT, "placeholder": "refund, gift card"}),
    )
    reason = forms.CharField(
        label="Why must this not come back?",
        max_length=LONGEST_REASON,
        error_messages={"required": "Say why this is a golden test."},
        widget=forms.Textarea(attrs={**_TEXT, "rows": 2}),
    )

    def __init__(
        self,
        *args: Any,
        agents: Sequence[Agent] | None = None,
        people: Sequence[tuple[int, str]] = (),
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.order_fields(_ORDER)
        owners = cast("forms.ChoiceField", self.fields["owner_id"])
        owners.choices = [("", "nobody"), *((str(pk), name) for pk, name in people)]
        if agents is None:
            del self.fields["agent"]
        else:
            pks = [agent.pk for agent in agents]
            field = cast("forms.ModelChoiceField[Agent]", self.fields["agent"])
            field.queryset = Agent.objects.filter(pk__in=pks).order_by("name")
        for name in self.errors if self.is_bound else ():
            self.fields[name].widget.attrs["aria-invalid"] = "true"

    def clean_suite(self) -> str:
        """Return the suite, regression where nothing is said."""
        return self.cleaned_data["suite"] or GoldenTest.Suite.REGRESSION.value

    def clean_owner_id(self) -> int | None:
        """Return the owner's id, None for nobody."""
        return int(self.cleaned_data["owner_id"]) if self.cleaned_data["owner_id"] else None

    def clean_tags(self) -> list[str]:
        """Return the tags, split at commas.

        Raises:
            ValidationError: There are too many, or one is too long.
        """
        tags = [tag for each in self.cleaned_data["tags"].split(",") if (tag := each.strip())]
        if len(tags) > MOST_TAGS:
            raise forms.ValidationError(f"{len(tags)} tags; {MOST_TAGS} at most.")
        for tag in tags:
            if len(tag) > LONGEST_TAG:
                raise forms.ValidationError(
                    f"The tag “{tag[:20]}…” has {len(tag)} characters; {LONGEST_TAG} at most."
                )
        return tags


class RunForm(forms.Form):
    """Which version is tested, by which tests, and how often each is run."""

    version = forms.IntegerField(
        error_messages={"required": "Choose a version.", "invalid": "Choose a version."}
    )
    repeats = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_REPEATS,
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"), f"Repeats: choose 1 to {MOST_REPEATS}."
        ),
    )
    test = forms.IntegerField(required=False)
    suite = forms.CharField(required=False, max_length=20)
    tag = forms.CharField(required=False, max_length=LONGEST_TAG)

    def clean_repeats(self) -> int:
        """Return how often, once where nothing is said."""
        return self.cleaned_data["repeats"] or 1

    @property
    def suites(self) -> list[str]:
        """Return the suite that was chosen; none is all."""
        return [self.cleaned_data["suite"]] if self.cleaned_data["suite"] else []

    @property
    def tags(self) -> list[str]:
        """Return the tag that was chosen; none is any."""
        return [self.cleaned_data["tag"]] if self.cleaned_data["tag"] else []


class ReasonForm(forms.Form):
    """Why something is done."""

    reason = forms.CharField(
        max_length=LONGEST_REASON,
        error_messages={"required": "Say why the test is archived."},
    )


class QuarantineForm(forms.Form):
    """Until when a test is set aside, and why."""

    until = forms.DateField(
        error_messages={
            "required": "Choose the day on which the test counts again.",
            "invalid": "Choose a day, such as 2026-12-31.",
        }
    )
    reason = forms.CharField(
        max_length=LONGEST_REASON,
        error_messages={"required": "Say why the test is set aside."},
    )


class ImportForm(forms.Form):
    """A file of golden tests, sent as one or written in."""

    file = forms.FileField(required=False, allow_empty_file=True)
    written = forms.CharField(required=False, strip=False)
    with_unknown_tools = forms.BooleanField(required=False)
    text = ""

    def clean(self) -> dict[str, Any]:
        """Return `text`: what the file says, else what was written.

        Raises:
            ValidationError: There is neither, it is too large, or it is not UTF-8.
        """
        given = self.cleaned_data.get("file")
        self.text = self.cleaned_data.get("written", "")
        if given is not None:
            if given.size > LARGEST_FILE:
                raise forms.ValidationError(
                    f"The file has {given.size:,} bytes; {LARGEST_FILE:,} at most. Larger ones go "
                    "through manage.py golden_tests import."
                )
            try:
                self.text = given.read().decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise forms.ValidationError(
                    f"The file is not UTF-8: byte {error.start} cannot be read."
                ) from error
        if not self.text.strip():
            raise forms.ValidationError("Choose a file, or write the tests into the field.")
        return {**self.cleaned_data, "text": self.text}
