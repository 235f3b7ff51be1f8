"""`manage.py model_server`: serve the demo's scripted model over OpenAI's protocol."""

import signal
from argparse import ArgumentParser
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents.llm.simulator.scripted import ScriptedBrain
from agents.llm.simulator.server import ModelServer, scaled_latency


class Command(BaseCommand):
    help = "Serve the demo's scripted model over OpenAI's chat-completions protocol."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=0, help="0 takes a free port.")
        parser.add_argument(
            "--latency-ms", type=int, default=250, help="About how long an answer takes."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        latency = scaled_latency(options["latency_ms"]) if options["latency_ms"] > 0 else None
        try:
            server = ModelServer(
                ScriptedBrain(), host=options["host"], port=options["port"], latency=latency
            )
        except OSError as error:
            raise CommandError(
                f"The model server cannot listen on {options['host']}:{options['port']}: "
                f"{error.strerror}. Choose another --port."
            ) from error
        stopped = Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        server.start()
        self.stdout.write(f"model server at {server.base_url}")
        self.stdout.flush()
        stopped.wait()
        server.stop()
