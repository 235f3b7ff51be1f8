"""`manage.py worker`: work on the background tasks."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from reviewdesk.embedded.worker import NUM_THREADS, run_worker


class Command(BaseCommand):
    """Run one worker process, in addition to any that runs."""

    help = "Run a worker: it advances agents' runs until Ctrl-C or SIGTERM."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--threads", type=int, default=NUM_THREADS, help="runs in flight (default: %(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(run_worker(num_threads=options["threads"]))
