"""The app of the agents."""

from importlib import import_module

from django.apps import AppConfig
from django.conf import settings


class AgentsConfig(AppConfig):
    """What runs, on whose authority, and how it is proven."""

    name = "agents"
    verbose_name = "Agents"

    def ready(self) -> None:
        """Import the modules that register function tools (REVIEWDESK_TOOLS)."""
        for name in settings.TOOL_MODULES:
            import_module(name)
