"""Whether the desk is up (`/healthz`) and able to work (`/readyz`), for programs."""

from collections.abc import Callable

from amqp.exceptions import AMQPError
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import KombuError

from agents.runtime.claim import num_live_workers
from reviewdesk.celery import app
from traces.refresh import lag

_BROKER_SECONDS = 2


@require_safe
@login_not_required
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """Say that the process answers."""
    return JsonResponse({"status": "up"})


@require_safe
@login_not_required
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether database, broker and a worker are there; 503 with what is missing."""
    checks = {"database": _check_database, "broker": _check_broker, "worker": _check_worker}
    found = {name: _reason(check) for name, check in checks.items()}
    missing = [reason for reason in found.values() if reason]
    answer = {
        "status": "missing" if missing else "ready",
        "checks": {name: reason or "ok" for name, reason in found.items()},
        "missing": missing,
        "totals": _totals(),
    }
    return JsonResponse(answer, status=503 if missing else 200)


def _totals() -> dict[str, float] | None:
    """Return how far received sessions' totals are behind: no reason not to be ready."""
    try:
        behind = lag()
    except DatabaseError:
        return None
    return {"due": behind.num_due, "seconds": round(behind.seconds, 1)}


def _reason(check: Callable[[], str]) -> str:
    """Return what the check misses; it may not read a database that is away."""
    try:
        return check()
    except DatabaseError:
        return "the database does not answer"


def _check_database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def _check_broker() -> str:
    """Look for the queue in the database, or open a connection to the broker outside."""
    if not settings.ENVIRONMENT.broker_url:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('pgmq.meta') IS NULL")
            row = cursor.fetchone()
        return "the database has no message queue (run manage.py migrate)" if row[0] else ""
    try:
        with app.connection_for_write(connect_timeout=_BROKER_SECONDS) as broker:
            broker.ensure_connection(max_retries=1, timeout=_BROKER_SECONDS)
            broker.default_channel.close()
    except (KombuError, AMQPError, OSError):
        return "the broker of BROKER_URL does not answer"
    return ""


def _check_worker() -> str:
    return "" if num_live_workers() else "no worker has been seen for ten seconds"
