"""Sources of tools: added, changed, read again, turned off and on. Reading is no transaction."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pghistory
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils.text import slugify

from agents.errors import ToolSourceError, ToolUnavailableError
from agents.models import ToolDefinition, ToolSource
from agents.tools import http, mcp, mcp_tools
from agents.tools.contract import ToolError
from agents.tools.definitions import checked_reason, start_over
from agents.tools.drafts import FETCHED_FROM
from agents.tools.hosts import HostRules, split_entry
from agents.tools.openapi_document import MAX_BYTES, read_document
from agents.tools.secrets import read_secrets
from agents.tools.sources import endpoint_of, secret_in
from agents.tools.standing import freeze_authority
from traces.models import Project

READ_SECONDS = 20.0
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,80}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
# The connection writes these itself.
_NO_HEADERS = {"host", "content-length", "connection", "transfer-encoding", "idempotency-key"}


def add_source(
    *,
    project: Project,
    name: str,
    kind: ToolSource.Kind,
    url: str = "",
    command: Sequence[str] = (),
    allowed_hosts: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    reason: str,
    by: AbstractBaseUser,
) -> ToolSource:
    """Add a source; nothing is read from it and no tool is there yet.

    That a person may set a command at all is the caller's to check: it runs as the desk does.

    Args:
        project: Whose.
        name: For people.
        kind: How it is spoken to.
        url: Of an MCP server; of OpenAPI the base URL, empty for the document's.
        command: Program and arguments of an MCP server over stdio.
        allowed_hosts: See `agents.tools.hosts.HostRules`.
        headers: `{header: "SECRET" or "Scheme SECRET"}`.
        environment: `{variable: "SECRET"}`.
        reason: Why.
        by: Who.

    Raises:
        ToolSourceError: A value cannot be used; the message says which.
    """
    reason = checked_reason(reason)
    headers, environment = dict(headers or {}), dict(environment or {})
    _check(kind, url, command, allowed_hosts, headers, environment)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="add source"):
        # So that two of one name get two slugs.
        Project.objects.select_for_update().get(pk=project.pk)
        return ToolSource.objects.create(
            project=project,
            slug=_free_slug(project, name),
            name=name.strip()[:120],
            kind=kind,
            url=url,
            command=list(command),
            allowed_hosts=list(allowed_hosts),
            headers=headers,
            environment=environment,
            created_by_id=by.pk,
        )


def change_source(
    *,
    source: ToolSource,
    url: str,
    command: Sequence[str],
    allowed_hosts: Sequence[str],
    headers: Mapping[str, str],
    environment: Mapping[str, str],
    reason: str,
    by: AbstractBaseUser,
) -> ToolSource:
    """Change where a source is and what it may reach; calls in progress end as they began.

    The levels of its tools become candidates where it is another server or program.

    Raises:
        ToolSourceError: A value cannot be used, or no reason is given.
    """
    reason = checked_reason(reason)
    _check(ToolSource.Kind(source.kind), url, command, allowed_hosts, headers, environment)
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="source"):
        freeze_authority()
        row = ToolSource.objects.select_for_update().get(pk=source.pk)
        is_other = (row.url, list(row.command)) != (url, list(command))
        row.url, row.command = url, list(command)
        row.allowed_hosts = list(allowed_hosts)
        row.headers, row.environment = dict(headers), dict(environment)
        row.save(update_fields=["url", "command", "allowed_hosts", "headers", "environment"])
        if is_other:
            _all_start_over(row, f"{row.name} is at another place", by)
    return row


def turn_source(*, source: ToolSource, is_on: bool, reason: str, by: AbstractBaseUser) -> None:
    """Turn a source off, so that no tool of it is offered or called, or on again.

    Raises:
        ToolSourceError: No reason is given, or it is so already.
    """
    reason = checked_reason(reason)
    action = "turn source on" if is_on else "turn source off"
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action=action):
        freeze_authority()
        row = ToolSource.objects.select_for_update().get(pk=source.pk)
        if row.is_on == is_on:
            raise ToolSourceError(f"{row.name} is {'on' if is_on else 'off'} already.")
        row.is_on = is_on
        row.save(update_fields=["is_on"])


def read_source(*, source: ToolSource, data: bytes | None = None, url: str = "") -> dict[str, Any]:
    """Read what a source offers now, outside any transaction; `store_document` keeps it.

    Args:
        source: Its hosts and secrets are used.
        data: The text of an OpenAPI document; left out, it is fetched.
        url: Where an OpenAPI document is; empty: where it was fetched from last.

    Raises:
        ToolSourceError: It cannot be reached or understood; the message says why.
    """
    endpoint = endpoint_of(source)
    if source.kind != ToolSource.Kind.OPENAPI:
        secrets = read_secrets(endpoint.secret_names, project=source.project.slug)
        found = mcp.list_tools(endpoint=endpoint, secrets=secrets, timeout_seconds=READ_SECONDS)
        return mcp_tools.to_document(found)
    if data is not None:
        return read_document(data)
    address = url or (source.document or {}).get(FETCHED_FROM, "")
    if not address:
        raise ToolSourceError("Give the document: choose a file, paste its text or name its URL.")
    secrets = read_secrets(endpoint.secret_names, project=source.project.slug)
    try:
        text = http.fetch(
            sender=endpoint.sender(source.name, secrets),
            url=address,
            timeout_seconds=READ_SECONDS,
            max_bytes=MAX_BYTES,
        )
    except (ToolError, ToolUnavailableError) as error:
        raise ToolSourceError(secrets.mask(str(error))) from None
    return {**read_document(text), FETCHED_FROM: address}


def store_document(*, source: ToolSource, document: dict[str, Any]) -> None:
    """Keep what was read: the import shows its changes against it."""
    source.document, source.last_error = document, ""
    source.save(update_fields=["document", "last_error"])


def note_error(*, source: ToolSource, error: Exception) -> None:
    """Keep why a source could not be read."""
    source.last_error = str(error)[:500]
    source.save(update_fields=["last_error"])


def _all_start_over(source: ToolSource, why: str, by: AbstractBaseUser) -> None:
    rows = ToolDefinition.objects.filter(source=source, is_current=True)
    for name in rows.order_by("name").values_list("name", flat=True):
        start_over(source.project_id, name, why, by=by)


def _free_slug(project: Project, name: str) -> str:
    base = slugify(name)[:36]
    if not base:
        raise ToolSourceError(f"The name {name!r} has neither letter nor digit; choose another.")
    used = set(ToolSource.objects.filter(project=project).values_list("slug", flat=True))
    number, slug = 2, base
    while slug in used:
        slug, number = f"{base}-{number}", number + 1
    return slug


def _check(
    kind: ToolSource.Kind,
    url: str,
    command: Sequence[str],
    allowed_hosts: Sequence[str],
    headers: Mapping[str, str],
    environment: Mapping[str, str],
) -> None:
    for entry in allowed_hosts:
        split_entry(entry)
    for header, value in headers.items():
        if not _HEADER.fullmatch(header) or header.lower() in _NO_HEADERS:
            raise ToolSourceError(f"{header!r} cannot be set as a header.")
        secret_in(value)
    for variable, value in environment.items():
        if not _VARIABLE.fullmatch(variable):
            raise ToolSourceError(f"{variable!r} cannot be the name of a variable.")
        secret_in(value)
    is_stdio = kind is ToolSource.Kind.MCP_STDIO
    if is_stdio and (not command or any("\0" in part for part in command)):
        raise ToolSourceError("Give the program and its arguments, one per line.")
    if not is_stdio and (command or environment):
        raise ToolSourceError("Only an MCP server over stdio has a command and an environment.")
    if kind is ToolSource.Kind.MCP_HTTP and not url:
        raise ToolSourceError("Give the URL of the MCP server.")
    if url:
        HostRules(tuple(allowed_hosts)).check_url(http.url_of(url))
