"""Forms of the people's own pages."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm

from reviewdesk.people.models import User


class SignInForm(AuthenticationForm):
    """Sign in by e-mail address; the case of the address does not matter."""

    username = forms.EmailField(
        label="E-mail address",
        widget=forms.EmailInput(
            attrs={"class": "form-control", "autofocus": True, "autocomplete": "username"}
        ),
    )
    password = forms.CharField(
        label="Password",
        strip=False,
        widget=forms.PasswordInput(
            attrs={"class": "form-control", "autocomplete": "current-password"}
        ),
    )
    error_messages = {
        "invalid_login": "No account has this e-mail address and password. "
        "Check both; a lead or admin of your project can tell you which address is yours.",
        "inactive": "This account is closed. An admin of your project can open it again.",
    }

    def clean_username(self) -> str:
        """Return the address as it is stored: lower case."""
        return str(self.cleaned_data["username"]).strip().lower()


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """What a person sets for themselves."""

    class Meta:
        model = User
        fields = ["name", "theme", "has_single_keys"]
        widgets = {
            "name": forms.TextInput(attrs={"class": "form-control", "autocomplete": "name"}),
            "theme": forms.RadioSelect,
            "has_single_keys": forms.CheckboxInput(attrs={"class": "form-check-input"}),
        }

    def clean_name(self) -> str:
        """Return the name without spaces around it; it cannot be empty."""
        name: Any = self.cleaned_data["name"]
        return str(name).strip()
