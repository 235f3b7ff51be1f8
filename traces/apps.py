"""The app of the trace store."""

from django.apps import AppConfig


class TracesConfig(AppConfig):
    """What happened, and what was said about it."""

    name = "traces"
    verbose_name = "Traces"
