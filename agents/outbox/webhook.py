"""One attempt at a webhook: a signed POST to an address that may be reached, without redirects.

The signature is that of `Reviewdesk-Signature: t=1763751600,v1=<hex>`: HMAC-SHA256 of the time, a
dot, and the body, under the webhook's secret. A receiver that checks the time too is safe from
old requests sent again.
"""

import hashlib
import hmac
import json
import time
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

import httpx2
from django.conf import settings

from agents.errors import HostRefusedError, SecretError, ToolUnavailableError
from agents.models import Message, Webhook
from agents.outbox.errors import GivenUpError, NotSentError
from agents.tools.connections import Attempt, GuardedTransport
from agents.tools.hosts import HostRules, host_of, is_public, port_of, split_entry
from agents.tools.secrets import read_secrets

TIMEOUT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 3600
_HEADERS = {"User-Agent": "reviewdesk", "Accept-Encoding": "identity", "Accept": "*/*"}


def send_webhook(message: Message) -> None:
    """Send one request; any 2xx is taken for received.

    Raises:
        NotSentError: It was not received, as far as is known.
        GivenUpError: The webhook is off or gone (410), or its address may not be reached.
    """
    webhook = message.webhook
    if webhook is None or not webhook.is_on:
        raise GivenUpError("The webhook is off.")
    body = body_of(message)
    headers = {
        **_HEADERS,
        "Content-Type": "application/json",
        "Idempotency-Key": message.key,
        "Reviewdesk-Event": message.event,
        **_signature(webhook, body),
    }
    try:
        status, retry_after = _post(webhook, body, headers)
    except HostRefusedError as error:
        raise GivenUpError(str(error)) from error
    except ToolUnavailableError as error:
        raise NotSentError(str(error)) from error
    _judge(status, retry_after)


def body_of(message: Message) -> bytes:
    """Return the request's body: JSON in UTF-8, the same at every attempt."""
    payload = dict(message.payload)
    payload["url"] = f"{settings.DESK_URL}{payload['url']}"
    told: dict[str, Any] = {
        "id": message.key,
        "event": message.event,
        "project": message.project.slug,
        "created_at": message.created_at.isoformat(),
        "data": payload,
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def sign(body: bytes, secret: str, at: int) -> str:
    """Return the signature header's value (see the module)."""
    digest = hmac.new(secret.encode(), b"%d.%b" % (at, body), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def rules_for(url: httpx2.URL, private_hosts: list[str]) -> HostRules:
    """Return what a webhook may reach: its own host if public, and the addresses listed with it.

    Raises:
        HostRefusedError: The address is not public (or not https) and is not listed.
    """
    host, port = host_of(url), port_of(url)
    allowed = list(private_hosts)
    if not _is_private_literal(host):
        allowed.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    rules = HostRules(tuple(allowed))
    if url.scheme != "https" and not private_hosts:
        raise HostRefusedError(
            f"{url.scheme or 'No scheme'} is not enough for a public address; use https. An "
            "address of your own network needs an entry in the list."
        )
    for entry in private_hosts:
        split_entry(entry)
    try:
        rules.check_url(url)
    except HostRefusedError:
        if not _is_private_literal(host):
            raise
        raise HostRefusedError(
            f"{host} is not a public address. If it is one of your own network, list it below."
        ) from None
    return rules


def _signature(webhook: Webhook, body: bytes) -> dict[str, str]:
    if not webhook.secret_name:
        return {}
    try:
        found = read_secrets([webhook.secret_name], project=webhook.project.slug)
    except SecretError as error:
        raise NotSentError(str(error)) from error
    return {"Reviewdesk-Signature": sign(body, found.values[webhook.secret_name], int(time.time()))}


def _post(webhook: Webhook, body: bytes, headers: dict[str, str]) -> tuple[int, float | None]:
    """Return status and `Retry-After`; of the answer's body nothing is read."""
    try:
        url = httpx2.URL(webhook.url)
    except httpx2.InvalidURL as error:
        raise HostRefusedError(f"{webhook.url[:200]!r} is no address: {error}.") from error
    attempt = Attempt(TIMEOUT_SECONDS)
    transport = GuardedTransport(rules_for(url, webhook.private_hosts), attempt)
    try:
        with (
            httpx2.Client(transport=transport, trust_env=False) as client,
            client.stream("POST", url, headers=headers, content=body) as response,
        ):
            return response.status_code, _retry_after(response.headers.get("retry-after", ""))
    except httpx2.TimeoutException as error:
        raise NotSentError(f"No answer within {TIMEOUT_SECONDS:.0f} seconds.") from error
    except httpx2.HTTPError as error:
        raise NotSentError(f"The connection failed: {str(error)[:200] or 'no reason'}.") from error


def _judge(status: int, retry_after: float | None) -> None:
    if 200 <= status < 300:
        return
    try:
        told = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        told = str(status)
    if status == HTTPStatus.GONE:
        raise GivenUpError(f"The receiver answered {told}: it wants no more.")
    if 300 <= status < 400:
        told += "; redirects are not followed, so give the address it leads to"
    raise NotSentError(f"The receiver answered {told}.", retry_after)


def _retry_after(value: str) -> float | None:
    """Return the seconds asked for, an hour at most; a date is left to the usual waits."""
    is_number = value.isascii() and value.isdecimal()
    return min(float(value), LONGEST_WAIT_SECONDS) if is_number else None


def _is_private_literal(host: str) -> bool:
    try:
        return not is_public(ip_address(host))
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
