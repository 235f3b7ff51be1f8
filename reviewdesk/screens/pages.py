"""How a page or one of its fragments is answered."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.middleware import HtmxDetails


def wants_fragment(request: HttpRequest) -> bool:
    """Say whether the request asks for a fragment.

    Boosted and history-restore requests carry `HX-Request` too, but need the whole page.
    """
    htmx = HtmxDetails(request)
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def render_page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    partial: str,
    status: int = 200,
) -> HttpResponse:
    """Return the whole page, or its `partial` where htmx asks for a fragment. Sets `Vary`.

    The template finds `is_fragment` in its context, for what is swapped out of band.
    """
    is_fragment = wants_fragment(request)
    name = f"{template}#{partial}" if is_fragment else template
    response = render(request, name, {**context, "is_fragment": is_fragment}, status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Boosted", "HX-History-Restore-Request"])
    return response


def render_fragment(
    request: HttpRequest, template: str, context: dict[str, Any], *, partial: str, status: int = 200
) -> HttpResponse:
    """Return `partial` alone, for addresses that answer nothing else."""
    return render(request, f"{template}#{partial}", context, status=status)


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Send the browser to `url` after an action: 303, or `HX-Redirect` where htmx asked."""
    if wants_fragment(request):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return HttpResponseRedirect(url, status=303)


def toast(response: HttpResponse, text: str) -> HttpResponse:
    """Let a fragment's answer show a toast; whole pages use `django.contrib.messages`."""
    response["HX-Trigger"] = json.dumps({"desk:toast": {"text": text}})
    return response
