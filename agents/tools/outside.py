"""One attempt at a tool outside of our database: a function of ours, HTTP, or an MCP server.

Called outside any transaction. What comes back is clean JSON in which no secret stands.
"""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, connections

from agents.errors import ToolSourceError, ToolUnavailableError
from agents.models import ToolSource
from agents.tools import http, mcp
from agents.tools.contract import ToolContract, ToolError, ToolKind
from agents.tools.http_answers import MAX_ANSWER, MAX_DEPTH
from agents.tools.secrets import Secrets, read_secrets
from agents.tools.sources import endpoint_of
from traces.clean import clean_json, is_deeper


@dataclass(frozen=True)
class OutsideCall:
    """What a function tool is told of the call it does.

    Attributes:
        effect_key: The same at every attempt of the same call; pass it on where a service takes
            an idempotency key.
        secrets: The values of the secrets that the contract names.
        deadline: `time.monotonic()` at which the attempt must be over; afterwards its result is
            not waited for any more.
    """

    effect_key: str
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    deadline: float = 0.0

    @property
    def seconds_left(self) -> float:
        """Return how long the attempt may still take, at least 0."""
        return max(self.deadline - time.monotonic(), 0.0)


def perform(
    *,
    contract: ToolContract,
    arguments: dict[str, Any],
    effect_key: str,
    project_id: int,
    timeout_seconds: float,
) -> Any:
    """Do one attempt of a call that does not commit with its step, and return its result.

    Args:
        contract: Of the kind `FUNCTION`, `HTTP` or `MCP`.
        arguments: They fit the contract's schema.
        effect_key: The same at every attempt.
        project_id: Whose source it is.
        timeout_seconds: For connecting, sending and reading together.

    Raises:
        ToolError: Refused or failed for good, in words for the model.
        ToolUnavailableError: The same call may be repeated.
        TypeError: The tool is done in our own database.
    """
    if contract.is_inside:
        raise TypeError(f"{contract.name} is done in our own database.")
    if contract.withdrawn:
        raise ToolError(f"{contract.withdrawn}.")
    secrets = Secrets()
    try:
        if contract.kind is ToolKind.FUNCTION:
            secrets = read_secrets(contract.policy.secrets, project=None)
            _lend_connection()
            result = _call_function(contract, arguments, effect_key, secrets, timeout_seconds)
        else:
            source = _source(contract, project_id)
            secrets = read_secrets(endpoint_of(source).secret_names, project=source.project.slug)
            _lend_connection()
            result = _call_source(contract, source, secrets, arguments, effect_key, timeout_seconds)
    except (ToolError, ToolUnavailableError, ToolSourceError) as error:
        raise _masked(error, secrets) from None
    except Exception as error:
        if not _tells(error, secrets):
            raise
        raise RuntimeError(secrets.mask(f"{type(error).__name__}: {error}")) from None
    return secrets.mask(clean_json(_kept(contract, result)))


def look_up(*, contract: ToolContract, effect_key: str, project_id: int) -> dict[str, Any] | None:
    """Return what became of an effect key: `{"result": JSON}`, or None where it never arrived.

    Raises:
        ToolError: The tool does not say.
        ToolUnavailableError: It may be asked again.
        TypeError: The tool has no lookup (see `ToolContract.has_lookup`).
    """
    seconds = contract.policy.time_limit_seconds
    secrets = Secrets()
    try:
        if contract.lookup is not None:
            secrets = read_secrets(contract.policy.secrets, project=None)
            call = OutsideCall(effect_key, secrets.values, time.monotonic() + seconds)
            found = _in_time(contract.name, lambda: contract.lookup(call), seconds)
        elif contract.kind is ToolKind.HTTP and contract.has_lookup:
            source = _source(contract, project_id)
            endpoint = endpoint_of(source)
            secrets = read_secrets(endpoint.secret_names, project=source.project.slug)
            found = http.look_up(
                sender=endpoint.sender(contract.name, secrets),
                request=contract.request,
                effect_key=effect_key,
                timeout_seconds=seconds,
            )
        else:
            raise TypeError(f"{contract.name} cannot say what became of a key.")
    except (ToolError, ToolUnavailableError, ToolSourceError) as error:
        raise _masked(error, secrets) from None
    cleaned: dict[str, Any] | None = secrets.mask(clean_json(found))
    return cleaned


def _call_function(
    contract: ToolContract,
    arguments: dict[str, Any],
    effect_key: str,
    secrets: Secrets,
    seconds: float,
) -> Any:
    function = contract.function
    if function is None:
        raise TypeError(f"{contract.name} has no function.")
    call = OutsideCall(effect_key, secrets.values, time.monotonic() + seconds)
    return _in_time(contract.name, lambda: function(call, **arguments), seconds)


def _call_source(
    contract: ToolContract,
    source: ToolSource,
    secrets: Secrets,
    arguments: dict[str, Any],
    effect_key: str,
    seconds: float,
) -> Any:
    endpoint = endpoint_of(source)
    if contract.kind is ToolKind.HTTP:
        return http.call(
            sender=endpoint.sender(contract.name, secrets),
            request=contract.request,
            arguments=arguments,
            effect_key=effect_key,
            timeout_seconds=seconds,
        )
    return mcp.call(
        endpoint=endpoint,
        secrets=secrets,
        request=contract.request,
        arguments=arguments,
        effect_key=effect_key,
        timeout_seconds=seconds,
    )


def _lend_connection() -> None:
    """Let others have this thread's connection while the tool is waited for."""
    if not connection.in_atomic_block:
        connection.close()


def _source(contract: ToolContract, project_id: int) -> ToolSource:
    of_project = ToolSource.objects.filter(project_id=project_id).select_related("project")
    source = of_project.filter(pk=contract.source_id or 0).first()
    if source is None:
        raise ToolError(f"The source of {contract.name} is gone.")
    if not source.is_on:
        raise ToolError(f"{source.name}, which {contract.name} is of, is turned off.")
    return source


def _in_time(name: str, function: Any, seconds: float) -> Any:
    """Return what a function returns; after its time it is left alone on its thread."""
    outcome: dict[str, Any] = {}

    def work() -> None:
        try:
            outcome["result"] = function()
        except BaseException as error:  # noqa: BLE001 it is raised again, where it is waited for
            outcome["error"] = error
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, name=f"tool {name}", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise ToolUnavailableError(f"{name} did not answer within {seconds:g} s.")
    error = outcome.get("error")
    if isinstance(error, SystemExit):
        raise RuntimeError(f"{name} tried to end the process.")
    if error:
        raise error
    return outcome["result"]


def _kept(contract: ToolContract, result: Any) -> Any:
    """Return a result that the journal can hold; one that it cannot is still a success of a write.

    Raises:
        ToolError: It cannot, and nothing but it was asked for.
    """
    problem = _why_not_kept(result)
    if not problem:
        return result
    if contract.is_read:
        raise ToolError(f"{contract.name} was read, but its answer {problem}.")
    return {"note": f"{contract.name} did it, but its answer {problem}; it was left out."}


def _why_not_kept(result: Any) -> str:
    if is_deeper(result, MAX_DEPTH):
        return f"is nested over {MAX_DEPTH} levels deep"
    try:
        size = len(json.dumps(result, ensure_ascii=False))
    except (TypeError, ValueError):
        return "is no JSON"
    return f"is longer than {MAX_ANSWER:,} characters" if size > MAX_ANSWER else ""


def _tells(error: BaseException | None, secrets: Secrets) -> bool:
    """Say whether a secret stands in what a log would show of an error."""
    while error is not None:
        if secrets.mask(str(error)) != str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _masked(error: Exception, secrets: Secrets) -> Exception:
    """Return the error with no secret in its words; one of the source is final for the model."""
    text = secrets.mask(str(error))
    if isinstance(error, ToolUnavailableError):
        return ToolUnavailableError(text, error.retry_after, is_sent=error.is_sent)
    return ToolError(text)
