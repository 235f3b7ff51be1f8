"""What every endpoint shares: the key, the method, the size of the body, and errors as JSON."""

import json
from collections.abc import Callable
from typing import Any, cast

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from traces.api_keys import project_for_key
from traces.clean import is_deeper
from traces.models import ApiKey

API_ROOT = "/api/v1/"
MAX_BODY_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_DISCARDED_BYTES = 10_000_000
_CHUNK = 1 << 16
_BEARER = "bearer "


class ApiRequest(HttpRequest):
    """A request whose key has been checked; it reaches `api_key.project` and nothing else."""

    api_key: ApiKey


class ApiError(Exception):
    """An answer other than success; `code` is for programs, the message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


View = Callable[..., JsonResponse]


def endpoint(**views: View) -> View:
    """Return the view of an address from one view per method: `endpoint(GET=…, POST=…)`.

    What answers to GET answers to HEAD; the server leaves the body out.
    """
    if "GET" in views:
        views["HEAD"] = views["GET"]

    def view(request: HttpRequest, **kwargs: Any) -> JsonResponse:
        try:
            if request.method not in views:
                raise _wrong_method(request, views)
            checked = cast(ApiRequest, request)
            checked.api_key = _api_key(request)
            return views[request.method](checked, **kwargs)
        except ApiError as error:
            response = error_response(error)
            if error.status == 405:
                response["Allow"] = ", ".join(views)
            return response

    open_view: View = csrf_exempt(login_not_required(view))
    return open_view


def error_response(error: ApiError) -> JsonResponse:
    """Return an error as `{"error": {"code", "message"}}`."""
    body = {"error": {"code": error.code, "message": str(error)}}
    response = JsonResponse(body, status=error.status)
    if error.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def json_object(request: HttpRequest) -> dict[str, Any]:
    """Return the request's body.

    Raises:
        ApiError: It is too long (413), no JSON object, too deep, or holds half a character (400).
    """
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
        _discard_body(request)
        raise ApiError(
            413, "too_large", f"The body has {length} bytes; {MAX_BODY_BYTES:,} are allowed."
        )
    try:
        body = json.loads(request.body)
        # A lone surrogate, which JSON can write and UTF-8 cannot, fails here and nowhere later.
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ApiError(
            400, "bad_value", "The body holds half a character: a surrogate without its other half."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad_json", f"The body is no JSON: {error}.") from error
    if not isinstance(body, dict):
        raise ApiError(400, "bad_json", "The body must be a JSON object.")
    if is_deeper(body, MAX_DEPTH):
        raise ApiError(400, "bad_json", f"The body is nested over {MAX_DEPTH} levels deep.")
    return body


def check_names(given: Any, allowed: set[str], what: str) -> None:
    """Refuse names that mean nothing here, so that a misspelt filter is not ignored.

    Raises:
        ApiError: There is one.
    """
    if unknown := sorted(set(given) - allowed):
        raise ApiError(
            400,
            "unknown_name",
            f"There is no {what} {unknown[0]!r}; there are {', '.join(sorted(allowed))}.",
        )


def _discard_body(request: HttpRequest) -> None:
    """Read a body that is too long, so that its sender gets to the answer.

    The server closes a connection with more than 64 KiB unread while the client is still writing.
    Above the limit here it may: a connection is not worth more than that.
    """
    left = MAX_DISCARDED_BYTES
    while left > 0 and (read := request.read(min(left, _CHUNK))):
        left -= len(read)


def _wrong_method(request: HttpRequest, views: dict[str, View]) -> ApiError:
    known = " or ".join(method for method in views if method != "HEAD")
    return ApiError(405, "method_not_allowed", f"{request.method} does not work here; use {known}.")


def _api_key(request: HttpRequest) -> ApiKey:
    header = request.headers.get("Authorization", "")
    if not header.lower().startswith(_BEARER):
        raise ApiError(
            401, "no_key", "Send a project API key as the header 'Authorization: Bearer rd_…'."
        )
    found = project_for_key(header[len(_BEARER) :].strip())
    if found is None:
        raise ApiError(401, "bad_key", "This API key is unknown or revoked.")
    return found
