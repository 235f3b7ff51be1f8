"""Which endpoint answers for which model."""

from dataclasses import dataclass

from django.conf import settings

from agents.errors import ModelRefusedError

DEMO_PREFIX = "shop-demo"
_NO_KEY = "unused"


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI-compatible endpoint.

    Attributes:
        base_url: None is the client's default.
        api_key: Sent as the bearer token.
    """

    base_url: str | None
    api_key: str


def endpoint_for(*, model: str, agent_base_url: str) -> Endpoint:
    """Return where to call `model` for an agent.

    The installation's key goes to the installation's endpoint alone, never to an agent's own.

    Raises:
        ModelRefusedError: No endpoint is configured for the model.
    """
    if agent_base_url:
        return Endpoint(agent_base_url, _NO_KEY)
    environment = settings.ENVIRONMENT
    if model.startswith(DEMO_PREFIX):
        if not environment.demo_model_url:
            raise ModelRefusedError(
                f"The model {model!r} is the demo's scripted one, which is not running here: start "
                "the desk with `make run`, or write a version with a model of your endpoint."
            )
        return Endpoint(environment.demo_model_url, _NO_KEY)
    if not environment.openai_api_key and not environment.openai_base_url:
        raise ModelRefusedError(
            f"No endpoint is configured for the model {model!r}: set OPENAI_API_KEY, or "
            "OPENAI_BASE_URL for a compatible server, and start the desk again."
        )
    return Endpoint(environment.openai_base_url or None, environment.openai_api_key or _NO_KEY)
