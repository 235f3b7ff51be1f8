"""A whole recorded session once more, on another version: the same customer, the same answers."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from agents.errors import GoldenError
from agents.golden.promote import agent_of, missing_records
from agents.golden.proposed import propose_test
from agents.models import Agent, Run, Version
from agents.runtime.start import start_run
from traces.models import Session

RERUN_OF = "rerun_of"
"""Key in a session's metadata: the session that it is a rerun of."""


@dataclass(frozen=True)
class Rerun:
    """What a rerun of a session would be; nothing of it is saved.

    Attributes:
        agent: Whose versions may be run, or None if no agent of the project is meant.
        run_input: What the customer says, as a run's input has it.
        fixtures: Recorded results that answer instead of the tools.
        missing: Records that the session used and the agent's shop lacks, such as "order #A1".
    """

    agent: Agent | None
    run_input: dict[str, Any]
    fixtures: tuple[dict[str, Any], ...]
    missing: tuple[str, ...] = ()

    @property
    def num_turns(self) -> int:
        """Return how often the customer speaks."""
        said = [each for each in self.run_input["messages"] if each["role"] == "user"]
        return len(said) + len(self.run_input["turns"])


def plan_rerun(session: Session) -> Rerun:
    """Return what a rerun of the whole session would be, whatever people labelled.

    Raises:
        GoldenError: The session is still running, or its customer says nothing or too much.
    """
    proposed = propose_test(session=session, label=None)
    run = Run.objects.filter(session=session).first()
    agent = agent_of(session)
    missing = missing_records(agent=agent, recording=proposed.recording) if agent else []
    return Rerun(
        agent=agent,
        run_input=run.input if run else proposed.run_input,
        fixtures=tuple(fixture.to_json() for fixture in proposed.fixtures),
        missing=tuple(missing),
    )


def rerun_session(*, session: Session, version: Version, by: AbstractBaseUser) -> Run:
    """Start a run of `version` with what the session's customer said.

    It works on a copy of the shop and reaches nothing outside: recorded results answer there. Its
    session says what it is a rerun of, and counts in no KPI.

    Raises:
        GoldenError: The session cannot be run again, or the version is of another project.
        RunError: No run can be started with what was said.
    """
    if version.agent.project_id != session.project_id:
        raise GoldenError(f"{version} is a version of another project's agent.")
    rerun = plan_rerun(session)
    return start_run(
        agent=version.agent,
        version=version,
        run_input=rerun.run_input,
        title=session.title,
        started_by=by,
        kind=Run.Kind.GOLDEN,
        fixtures=rerun.fixtures,
        metadata={RERUN_OF: str(session.pk)},
    )
