"""reviewdesk: the desk at which a company watches over its AI agents."""

from reviewdesk.celery import app as celery_app

__all__ = ["celery_app"]
