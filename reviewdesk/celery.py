"""The Celery application."""

import os

from celery import Celery

from reviewdesk.embedded.queue import use_transport

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reviewdesk.settings")

use_transport()
app = Celery("reviewdesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["agents"])
