"""Signing in and out, and a person's own settings."""

from django.contrib import messages
from django.contrib.auth import views as auth
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.http import require_http_methods

from reviewdesk.people.access import DeskRequest
from reviewdesk.people.forms import ProfileForm, SignInForm
from reviewdesk.people.members import link_tokens
from reviewdesk.people.models import User

sign_in = auth.LoginView.as_view(
    template_name="people/sign_in.html",
    authentication_form=SignInForm,
    redirect_authenticated_user=True,
)
sign_out = auth.LogoutView.as_view()
change_password = auth.PasswordChangeView.as_view(
    template_name="people/password.html",
    success_url=reverse_lazy("people:password_changed"),
)
# Opened by a link that an admin hands to a new member; works once, for three days.
set_password = auth.PasswordResetConfirmView.as_view(
    token_generator=link_tokens,
    template_name="people/set_password.html",
    post_reset_login=True,
    success_url=reverse_lazy("home"),
)


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: DeskRequest) -> HttpResponse:
    """Show and change name, theme and single keys."""
    user = User.objects.get(pk=request.user.pk)
    form = ProfileForm(request.POST if request.method == "POST" else None, instance=user)
    if request.method == "POST" and form.is_valid():
        user.save(update_fields=form.Meta.fields)
        messages.success(request, "Your profile is saved.")
        return redirect("people:profile")
    status = 422 if form.errors else 200
    return render(request, "people/profile.html", {"form": form}, status=status)


def password_changed(request: DeskRequest) -> HttpResponse:
    """Say that the password is changed, on the profile page."""
    messages.success(request, "Your password is changed; other devices are signed out.")
    return redirect("people:profile")
