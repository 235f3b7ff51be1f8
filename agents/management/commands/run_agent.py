"""`manage.py run_agent`: start a run of an agent from the command line."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.errors import RunError
from agents.models import Agent, Run, Version
from agents.runtime.claim import num_live_workers
from agents.runtime.follow import follow
from agents.runtime.start import start_run
from traces.clean import clean_text
from traces.management.projects import project_named
from traces.models import Project


class Command(BaseCommand):
    help = "Start a run of an agent as a background job and print its id; --wait follows it."
    requires_system_checks = ()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Let --version name an agent's version; Django's own option of that name gives way."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--agent", required=True, metavar="SLUG")
        parser.add_argument("--message", required=True, metavar="TEXT", help="what is asked")
        parser.add_argument(
            "--turn",
            action="append",
            default=[],
            metavar="TEXT",
            help="what the customer says next, once per answer; may be repeated",
        )
        parser.add_argument(
            "--version", type=int, metavar="N", help="a version; by default the live one"
        )
        parser.add_argument("--customer", default="", help="whom it is for")
        parser.add_argument(
            "--wait", action="store_true", help="print the conversation until the run ends or waits"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        agent = _agent(project_named(options["project"]), options["agent"])
        run_input = {
            "messages": [{"role": "user", "content": options["message"]}],
            "turns": options["turn"],
        }
        try:
            run = start_run(
                agent=agent,
                version=_version(agent, options["version"]),
                run_input=run_input,
                customer=options["customer"],
            )
        except RunError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(str(run.pk))
        if not num_live_workers():
            self.stderr.write(
                "No worker is alive: the run is queued and begins once one is. "
                "`manage.py up` starts everything."
            )
        if options["wait"]:
            self._follow(run)

    def _follow(self, run: Run) -> None:
        try:
            for line in follow(run):
                self.stdout.write(line)
                self.stdout.flush()
        except KeyboardInterrupt:
            self.stderr.write(f"Not followed any more; run {run.pk} goes on.")
        if run.status in _HOW:
            raise CommandError(f"Run {run.pk} {_HOW[Run.Status(run.status)]}.")


_HOW = {Run.Status.FAILED: "failed", Run.Status.OVER_BUDGET: "went over a limit"}


def _agent(project: Project, slug: str) -> Agent:
    agents = Agent.objects.filter(project=project).select_related("project", "live_version")
    agent = agents.filter(slug=clean_text(slug)).first()
    if agent is None:
        known = ", ".join(agents.order_by("slug").values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"The project {project.slug} has no agent {slug!r}; it has {known}.")
    return agent


def _version(agent: Agent, number: int | None) -> Version | None:
    if number is None:
        return None
    version = agent.versions.filter(number=number).first()
    if version is None:
        numbers = agent.versions.order_by("number").values_list("number", flat=True)
        known = ", ".join(str(each) for each in numbers) or "none yet"
        raise CommandError(f"The agent {agent.slug} has no version {number}; it has {known}.")
    return version
