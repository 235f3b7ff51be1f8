"""The page that makes the first account; anybody with the terminal's link may open it."""

from django import forms
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.password_validation import validate_password
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from reviewdesk.people.setup import AlreadySetUpError, is_setup_token, set_up_desk

_CONTROL = "form-control"


class SetupForm(forms.Form):
    """Who runs the desk, and the first project."""

    name = forms.CharField(
        label="Your name",
        max_length=120,
        widget=forms.TextInput(
            attrs={"class": _CONTROL, "autocomplete": "name", "autofocus": True}
        ),
    )
    email = forms.EmailField(
        label="E-mail address",
        max_length=150,
        widget=forms.EmailInput(attrs={"class": _CONTROL, "autocomplete": "username"}),
    )
    password = forms.CharField(
        label="Password",
        strip=False,
        help_text="At least eight characters, and not a common one.",
        widget=forms.PasswordInput(attrs={"class": _CONTROL, "autocomplete": "new-password"}),
    )
    project_name = forms.CharField(
        label="First project",
        max_length=60,
        help_text="A desk of its own: agents, sessions and people that no other project sees.",
        widget=forms.TextInput(attrs={"class": _CONTROL}),
    )

    def clean_email(self) -> str:
        """Return the address as it is stored: lower case."""
        return str(self.cleaned_data["email"]).lower()

    def clean_password(self) -> str:
        """Return the password, if it is not too easily guessed."""
        password = str(self.cleaned_data["password"])
        validate_password(password)
        return password

    def clean_project_name(self) -> str:
        """Return the name; its address is made of its letters and digits."""
        name = str(self.cleaned_data["project_name"])
        if not slugify(name):
            raise forms.ValidationError("Use at least one letter from a to z, or a digit.")
        return name


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
@never_cache
def set_up(request: HttpRequest, token: str) -> HttpResponse:
    """Show the form, or make the account and sign it in."""
    if not is_setup_token(settings.ENVIRONMENT.home, token):
        raise Http404("The link is not valid, or the desk has been set up.")
    form = SetupForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        slug = slugify(form.cleaned_data["project_name"])
        try:
            user = set_up_desk(**form.cleaned_data, slug=slug)
        except AlreadySetUpError as error:
            raise Http404("The desk has been set up.") from error
        login(request, user)
        return redirect("home")
    context = {"form": form, "token": token}
    return render(request, "people/setup.html", context, status=422 if form.errors else 200)
