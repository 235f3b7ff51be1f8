"""Forms of the Settings screen: they read and check, and save nothing."""

from typing import Any

from django import forms
from django.utils.text import slugify

from reviewdesk.audit_kinds import KINDS
from reviewdesk.people.roles import Role
from traces.models import Project

_TEXT = {"class": "form-control"}
_SELECT = {"class": "form-select"}


class MemberForm(forms.Form):
    """Somebody to add."""

    email = forms.EmailField(
        label="E-mail address",
        max_length=150,
        widget=forms.EmailInput(attrs={**_TEXT, "autocomplete": "off"}),
    )
    name = forms.CharField(
        label="Name",
        required=False,
        max_length=120,
        help_text="Of a new account; an account that exists keeps its own.",
        widget=forms.TextInput(attrs={**_TEXT, "autocomplete": "off"}),
    )
    role = forms.ChoiceField(
        label="Role", choices=Role.choices, initial=Role.VIEWER, widget=forms.Select(attrs=_SELECT)
    )
    is_known = forms.BooleanField(required=False, widget=forms.HiddenInput)


class RoleForm(forms.Form):
    """A member's role."""

    role = forms.ChoiceField(label="Role", choices=Role.choices)


class KeyForm(forms.Form):
    """A new API key."""

    name = forms.CharField(
        label="Name",
        max_length=120,
        help_text="Which program uses it.",
        widget=forms.TextInput(attrs={**_TEXT, "autocomplete": "off"}),
    )


class NameForm(forms.Form):
    """A project's name."""

    name = forms.CharField(label="Name", max_length=120, widget=forms.TextInput(attrs=_TEXT))


class ProjectForm(NameForm):
    """A new project; its address is made of the name where none is given."""

    slug = forms.SlugField(
        label="Address",
        required=False,
        max_length=60,
        help_text="Small letters, digits and hyphens; it never changes. Left empty: from the name.",
        error_messages={"invalid": "Write it with small letters, digits and hyphens only."},
        widget=forms.TextInput(attrs={**_TEXT, "autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        """Return the fields with an address that is free."""
        cleaned: dict[str, Any] = super().clean() or {}
        slug = str(cleaned.get("slug") or slugify(cleaned.get("name", ""))).lower()[:60]
        if not slug:
            self.add_error("slug", "Give an address: the name has no letter from a to z or digit.")
        elif Project.objects.filter(slug=slug).exists():
            self.add_error("slug", f"The address {slug} is taken; choose another.")
        cleaned["slug"] = slug
        return cleaned


class TrailForm(forms.Form):
    """What of the audit trail is asked for; anything else in the address is left out."""

    kind = forms.MultipleChoiceField(
        required=False, choices=[(kind.key, kind.title) for kind in KINDS]
    )
    person = forms.IntegerField(required=False, min_value=1, max_value=2**31)
    after = forms.CharField(required=False, max_length=80)
