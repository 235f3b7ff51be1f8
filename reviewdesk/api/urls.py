"""Addresses of the API."""

from django.http import HttpRequest, JsonResponse
from django.urls import path, re_path

from reviewdesk.api.endpoint import ApiError, endpoint
from reviewdesk.api.runs import create_run, get_run
from reviewdesk.api.sessions import get_session, list_sessions


def _nothing_here(request: HttpRequest) -> JsonResponse:
    raise ApiError(404, "not_found", f"There is nothing at {request.path}; see docs/api.md.")


app_name = "api"
urlpatterns = [
    path("sessions", endpoint(GET=list_sessions), name="sessions"),
    path("sessions/<uuid:pk>", endpoint(GET=get_session), name="session"),
    path("runs", endpoint(POST=create_run), name="runs"),
    path("runs/<uuid:pk>", endpoint(GET=get_run), name="run"),
    re_path(r"", endpoint(GET=_nothing_here, POST=_nothing_here), name="nothing"),
]
