"""The answers for what cannot be reached or done: pages in the shell, JSON for programs."""

import logging
import uuid

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import ResolverMatch, reverse

from reviewdesk.api.endpoint import API_ROOT, ApiError, error_response
from reviewdesk.people.access import SessionMovedError
from reviewdesk.screens.pages import wants_fragment

_log = logging.getLogger(__name__)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404, the same for what does not exist and for what is another project's.

    A session whose spans have moved is shown where they are.
    """
    if isinstance(exception, SessionMovedError) and request.resolver_match:
        return _follow(request, request.resolver_match, exception.session_id)
    return _refuse(request, 404, "Not found", "There is no such page, or it is not yours to see.")


def _follow(request: HttpRequest, match: ResolverMatch, session_id: uuid.UUID) -> HttpResponse:
    """Lead to the same page of another session; a form that was sent is sent there."""
    path = reverse(match.view_name, kwargs={**match.kwargs, "pk": session_id})
    query = request.META.get("QUERY_STRING", "")
    url = f"{path}?{query}" if query else path
    status = 302 if request.method in ("GET", "HEAD") else 307
    return HttpResponse(status=status, headers={"Location": url})


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403 with the reason, and the roles that may."""
    reason = str(exception) or "This is not open to you."
    return _refuse(request, 403, "Not allowed", reason)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 for a form whose protection token is missing or old."""
    _log.warning("CSRF check failed at %s: %s", request.path, reason)
    sentence = "This form is out of date. Go back, load the page again and send it once more."
    return _refuse(request, 403, "Form out of date", sentence)


def failed(request: HttpRequest) -> HttpResponse:
    """Answer 500 without the shell, which may be what failed; Django has logged the error."""
    if request.path.startswith(API_ROOT):
        return error_response(
            ApiError(500, "failed", "The desk failed at this request; its log says why.")
        )
    return HttpResponseServerError(render_to_string("500.html"))


def _refuse(request: HttpRequest, status: int, title: str, reason: str) -> HttpResponse:
    context = {"title": title, "reason": reason}
    if not wants_fragment(request):
        return render(request, "refused.html", context, status=status)
    response = render(request, "refused.html#notice", context, status=status)
    response["HX-Retarget"] = "#toasts"
    response["HX-Reswap"] = "beforeend"
    return response
