"""The app of the agents."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """What runs, on whose authority, and how it is proven."""

    name = "agents"
    verbose_name = "Agents"
