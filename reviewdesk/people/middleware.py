"""What every answer carries: content security policy, no-store, the way to the sign-in page."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django_htmx.middleware import HtmxDetails

# Nothing is loaded but the desk's own files, and nothing inline runs: text of a trace that got
# past the escaping could neither run nor call home. `data:` images are Tabler's form controls.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


class ContentSecurityPolicyMiddleware:
    """Set the policy on every answer that has none of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, with the policy."""
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


class NoStoreMiddleware:
    """Let no cache keep what a view answers, unless the view says otherwise.

    It stands below WhiteNoise, whose files may be kept.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, for this reader only."""
        response = self._get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Django's default deny; an htmx request is told to load the sign-in page as a whole."""

    def handle_no_permission(  # type: ignore[override]  # not always a redirect
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        """Send a visitor to the sign-in page and, after it, back to where they were."""
        htmx = HtmxDetails(request)
        if not htmx:
            return super().handle_no_permission(request, view_func)
        where = urlsplit(htmx.current_url_abs_path or "/")
        back = where.path + (f"?{where.query}" if where.query else "")
        url = redirect_to_login(back, self.get_login_url(view_func)).url
        return HttpResponse(status=204, headers={"HX-Redirect": url})
