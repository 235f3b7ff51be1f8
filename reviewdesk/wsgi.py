"""The WSGI application that gunicorn serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reviewdesk.settings")

application = get_wsgi_application()

# All views are loaded before the processes part, not by the first request to each of them.
_ = get_resolver().url_patterns
# What is loaded here stays for good. Without it in their way collections are short, and the
# processes forked from this one go on sharing its memory; a request of a hundred spans makes
# thousands of objects, which need not be looked through every 700.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 50)
