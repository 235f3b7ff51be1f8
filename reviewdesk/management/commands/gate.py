"""`manage.py gate`: decide whether a candidate may follow its baseline, for CI.

Runs the golden tests on both versions here, or judges results made elsewhere. The exit code is 0
where the gate passed, 1 where it failed, 2 where it is inconclusive, 3 where it could not run or is
void. Who may run it may run programs on the machine, so it asks for no role.
"""

import json
import logging
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn

import django.db
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from agents.errors import AgentsError, GateError
from agents.gate.config import GateConfig
from agents.gate.decide import decide
from agents.gate.decision import Decision
from agents.gate.policy import config_for
from agents.gate.report import failure_junit, junit_of, text_of
from agents.gate.results import evidence_from, read_results
from agents.gate.run import cancel_gate, find_or_start_gate, settle_gates
from agents.golden.runner import settle_finished
from agents.judges.verdicts import why_waiting
from agents.models import Agent, Gate, Version
from agents.runtime.claim import num_live_workers
from reviewdesk.people.models import User
from traces.models import Project

CODES = {"passed": 0, "failed": 1, "inconclusive": 2}
NOT_RUN = 3
_EVERY_SECONDS = 0.5
_logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Run a gate and report it."""

    help = "Compare a candidate with its baseline on the golden tests: 0 pass, 1 fail, 2 unclear."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the two versions or files, and how to report."""
        parser.add_argument("--agent", help="The agent's slug.")
        parser.add_argument("--project", default="", help="The project's slug, if several fit.")
        parser.add_argument("--candidate", metavar="N", help="Number of the version on trial.")
        parser.add_argument("--baseline", metavar="M", help="Number; the live version if left out.")
        parser.add_argument(
            "--suite", action="append", default=[], help="Only tests of this suite."
        )
        parser.add_argument("--seed", type=int, help="Of the order of runs; drawn if left out.")
        parser.add_argument("--as", dest="email", default="", help="E-mail of who asks.")
        parser.add_argument(
            "--timeout",
            type=float,
            default=60,
            metavar="MINUTES",
            help="Then it is cancelled, if this command began it.",
        )
        parser.add_argument(
            "--baseline-results",
            type=Path,
            metavar="FILE",
            help='A tau2 result file, or rows {"test", "repeat", "passed"}, also packed (.gz).',
        )
        parser.add_argument("--candidate-results", type=Path, metavar="FILE")
        parser.add_argument("--format", choices=["text", "json", "junit"], default="text")

    def run_from_argv(self, argv: list[str]) -> None:
        """Run it so that whatever keeps it from running ends with 3, never with 1 or 2."""
        try:
            super().run_from_argv(argv)
        except django.db.Error as error:
            self.stderr.write(f"The gate could not run: the database says: {error}")
            sys.exit(NOT_RUN)
        except Exception as error:
            # Python ends a defect with 1, which here says that the gate failed.
            _logger.exception("The gate could not run.")
            self.stderr.write(f"The gate could not run: {type(error).__name__}: {error}")
            sys.exit(NOT_RUN)
        except SystemExit as end:
            is_usage = end.code == 2 and not getattr(self, "has_decided", False)
            sys.exit(NOT_RUN if is_usage else end.code)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the gate, print it, and end with its code."""
        try:
            decision, more = self._decide(options)
        except AgentsError as error:
            self._refuse(str(error), options["format"])
        self.has_decided = True
        name = f"gate of {decision.candidate.name} against {decision.baseline.name}"
        if options["format"] == "json":
            text = json.dumps({**more, **decision.to_json()}, ensure_ascii=False, indent=2)
        elif options["format"] == "junit":
            text = junit_of(decision, name=name)
        else:
            text = text_of(decision)
        self.stdout.write(text)
        sys.exit(CODES.get(decision.outcome, NOT_RUN))

    def _decide(self, options: dict[str, Any]) -> tuple[Decision, dict[str, Any]]:
        files = (options["baseline_results"], options["candidate_results"])
        if any(files):
            if not all(files) or options["agent"] or options["candidate"]:
                raise GateError(
                    "Results made elsewhere take --baseline-results and --candidate-results, and "
                    "neither --agent nor --candidate."
                )
            return _decide_files(*files, project=options["project"], seed=options["seed"]), {}
        gate, is_own = self._start(options)
        self._wait(gate, is_own=is_own, minutes=options["timeout"])
        if gate.result is None or gate.status not in {*CODES, Gate.Status.VOID}:
            raise GateError(f"Gate {gate.pk} is {gate.get_status_display()}. {gate.sentence}")
        if gate.status == Gate.Status.VOID and gate.sentence != gate.result["sentence"][:1000]:
            raise GateError(f"Gate {gate.pk} is void. {gate.sentence}")
        return Decision.from_json(gate.result), {"gate": gate.pk}

    def _start(self, options: dict[str, Any]) -> tuple[Gate, bool]:
        if not options["agent"] or not options["candidate"]:
            raise GateError("Name the agent and its candidate: --agent shop --candidate 15.")
        agent = _agent(options["agent"], options["project"])
        if not num_live_workers():
            raise GateError(
                "No worker is running, so that nothing was started: start `manage.py up` or "
                "`manage.py worker`."
            )
        baseline = options["baseline"]
        return find_or_start_gate(
            candidate=_version(agent, options["candidate"]),
            baseline=_version(agent, baseline) if baseline else None,
            suites=options["suite"],
            seed=options["seed"],
            by=_person(options["email"]),
        )

    def _wait(self, gate: Gate, *, is_own: bool, minutes: float) -> None:
        """Wait until the gate is decided; who waits no longer ends it only if they began it."""
        until = time.monotonic() + minutes * 60
        word = "is running." if is_own else "is running already; waiting for it."
        self.stderr.write(f"Gate {gate.pk}: {gate.candidate} against {gate.baseline} {word}")
        try:
            while gate.status == Gate.Status.RUNNING and time.monotonic() < until:
                time.sleep(_EVERY_SECONDS)
                settle_finished()
                settle_gates()
                gate.refresh_from_db()
        except Gate.DoesNotExist as error:
            raise GateError(f"Gate {gate.pk} was deleted with its agent.") from error
        except KeyboardInterrupt as error:
            _leave(gate, is_own=is_own, because="Cancelled from the shell.", error=error)
        if gate.status == Gate.Status.RUNNING:
            waits = why_waiting([gate.baseline_run_id, gate.candidate_run_id])
            because = f"It was not decided within {minutes:g} minutes."
            because = f"{because} Its judges have still to answer. {waits}" if waits else because
            _leave(gate, is_own=is_own, because=because)

    def _refuse(self, message: str, form: str) -> NoReturn:
        if form == "json":
            data = {"outcome": "not run", "sentence": message}
            self.stdout.write(json.dumps(data, ensure_ascii=False, indent=2))
        elif form == "junit":
            self.stdout.write(failure_junit(message, name="gate"))
        raise CommandError(message, returncode=NOT_RUN)


def _leave(
    gate: Gate, *, is_own: bool, because: str, error: BaseException | None = None
) -> NoReturn:
    """Stop waiting: cancel a gate that was begun here, and leave another's to go on.

    Raises:
        GateError: Always; it says which.
    """
    if is_own:
        cancel_gate(gate=gate, by=None, because=because)
        raise GateError(f"Gate {gate.pk} was cancelled. {because}") from error
    path = reverse("golden:gate", args=[gate.agent.project.slug, gate.pk])
    because = because if error is None else "This command was stopped."
    raise GateError(
        f"{because} Gate {gate.pk} goes on, for {gate.requested_by or 'somebody else'} began it: "
        f"{settings.DESK_URL}{path}"
    ) from error


def _decide_files(before: Path, now: Path, *, project: str, seed: int | None) -> Decision:
    config = config_for(_project(project).pk)[0] if project else GateConfig()
    names = [_name(path) for path in (before, now)]
    if names[0] == names[1]:
        names = [str(before), str(now)]
    evidence = evidence_from(
        baseline=(names[0], read_results(before)),
        candidate=(names[1], read_results(now)),
        seed=seed or 0,
    )
    return decide(evidence, config)


def _name(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name


def _project(slug: str) -> Project:
    found = Project.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True))
        raise GateError(f"There is no project {slug!r} (there are {known}).")
    return found


def _agent(slug: str, project: str) -> Agent:
    agents = Agent.objects.filter(slug=slug).select_related("project")
    found = list(agents.filter(project=_project(project)) if project else agents)
    if len(found) == 1:
        return found[0]
    if found:
        slugs = ", ".join(sorted(agent.project.slug for agent in found))
        raise GateError(f"Several projects have an agent {slug!r}: add --project ({slugs}).")
    known = ", ".join(Agent.objects.order_by("slug").values_list("slug", flat=True).distinct())
    raise GateError(f"There is no agent {slug!r} (there are {known or 'none'}).")


def _version(agent: Agent, number: str) -> Version:
    digits = number.removeprefix("v")
    found = None
    if digits.isdecimal() and len(digits) < 10:
        found = agent.versions.filter(number=int(digits)).first()
    if found is None:
        raise GateError(f"{agent} has no version {number}; look at its Releases screen.")
    return found


def _person(email: str) -> User | None:
    if not email:
        return None
    found = User.objects.filter(email__iexact=email, is_active=True).first()
    if found is None:
        raise GateError(f"There is nobody with the e-mail {email!r}.")
    return found
