"""The desk's application."""

from django.apps import AppConfig

from reviewdesk.celery import app


class ReviewdeskConfig(AppConfig):
    """Make the Celery application known in every process that sends or works on tasks."""

    name = "reviewdesk"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let tasks find the application."""
        app.set_default()
