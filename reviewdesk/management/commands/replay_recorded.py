"""`manage.py replay_recorded`: run recorded sessions again and compare."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents.demo.replay_compare import CallDifference, OutcomeCheck
from agents.demo.replay_recorded import PROJECT, ReplayError, ReplayReport, replay_recorded
from agents.demo.replay_worker import WorkerFailedError
from reviewdesk.people.models import Membership, User
from reviewdesk.people.roles import Role
from traces.models import Project

_REPLAYER = "replay@recorded.invalid"


class Command(BaseCommand):
    """Replay, print every difference with its explanation, and the agreement as the last line."""

    help = (
        "Run recorded retail sessions as background jobs with the real runtime and tools, and "
        "compare each tool's result and the shop's final state with the recordings."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--data", type=Path, required=True, help="folder with retail/ and tau2/"
        )
        parser.add_argument("--limit", type=int, help="at most so many sessions")
        parser.add_argument(
            "--member", default="", help="e-mail of who shall see the runs in the desk, as an admin"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["limit"] is not None and options["limit"] < 1:
            raise CommandError(f"--limit is {options['limit']}; it must be 1 or more.")
        by = _member(options["member"]) if options["member"] else _replayer()
        try:
            report = replay_recorded(
                data=options["data"], by=by, limit=options["limit"], progress=self._show_progress
            )
        except (ReplayError, WorkerFailedError) as error:
            raise CommandError(str(error)) from error
        if options["member"]:
            _let_in(by)
        for line in _lines(report):
            self.stdout.write(line)

    def _show_progress(self, num_done: int, num_all: int) -> None:
        if self.stderr.isatty():
            end = "\n" if num_done == num_all else ""
            self.stderr.write(f"\r{num_done} of {num_all} runs have ended", ending=end)
            self.stderr.flush()


def _member(email: str) -> User:
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        raise CommandError(f"Nobody here has the e-mail address {email}.")
    return user


def _replayer() -> User:
    """Return the account that lifts the ceilings of replayed agents; nobody can sign in with it."""
    user, is_new = User.objects.get_or_create(
        username=_REPLAYER,
        defaults={"email": _REPLAYER, "name": "Replay of recordings", "is_active": False},
    )
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def _let_in(user: User) -> None:
    project = Project.objects.get(slug=PROJECT)
    Membership.objects.get_or_create(user=user, project=project, defaults={"role": Role.ADMIN})


def _lines(report: ReplayReport) -> list[str]:
    outcomes = [each for each in report.outcomes if each.recorded is not each.here]
    lines = []
    if report.differences or outcomes:
        lines.append(f"{'session':<9} {'task':<5} {'what':<32} recorded → here: why")
        lines += [_call_line(each) for each in report.differences]
        lines += [_outcome_line(each) for each in outcomes]
    else:
        lines.append("No tool call and no outcome differs from the recordings.")
    return [*lines, report.last_line]


def _call_line(each: CallDifference) -> str:
    return (
        f"{each.recording[:8]:<9} {each.task:<5} {each.tool:<32} "
        f"{each.recorded} → {each.here}: {each.why}"
    )


def _outcome_line(each: OutcomeCheck) -> str:
    words = {True: "goal reached", False: "goal missed", None: "not recorded"}
    return (
        f"{each.recording[:8]:<9} {each.task:<5} {'final state':<32} "
        f"{words[each.recorded]} → {words[each.here]}: {each.why or 'not explained'}"
    )
