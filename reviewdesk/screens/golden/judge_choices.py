"""The judges that a check may name, each with whether it is trusted to gate there."""

from functools import cached_property

from agents.judges.calibration import Calibration, calibrate_all
from agents.judges.trust import slice_of_result, trust_in
from agents.models import Agent, Judge, JudgeVersion
from traces.models import Project


class JudgeChoices:
    """A project's judges as a form offers them; read when the first one is asked for.

    Whether a judge is trusted is told for the agent's sessions, as a check of its tests counts;
    without an agent nothing is said of that.
    """

    def __init__(self, project: Project, agent: Agent | None) -> None:
        """Name the project and the agent; nothing is read yet."""
        self.project = project
        self.agent = agent

    @cached_property
    def options(self) -> tuple[tuple[str, str], ...]:
        """Return short name and words of each judge that may be asked, trusted ones first."""
        asked = [each for each in self._newest.values() if not each.judge.archived_at]
        told = [(version, self._is_trusted(version)) for version in asked]
        told.sort(key=lambda each: (not each[1], each[0].judge.name.casefold()))
        return tuple((version.judge.slug, _words(version, trusted)) for version, trusted in told)

    def problem_of(self, slug: str) -> str:
        """Return why a judge cannot be asked, with the way out; empty where it can, or is none."""
        if not slug or slug in dict(self.options):
            return ""
        archived = next((each for each in self._judges if each.slug == slug), None)
        if archived is not None and archived.archived_at:
            return (
                f"The judge {archived.name} ({slug}) is archived and is not asked any more. Choose "
                "another one, or drop this check."
            )
        return (
            f"This project has no judge called {slug!r}. Choose one of its judges, make one with "
            "this short name under Judges, or drop this check."
        )

    @cached_property
    def _judges(self) -> list[Judge]:
        return list(Judge.objects.filter(project=self.project))

    @cached_property
    def _newest(self) -> dict[int, JudgeVersion]:
        """Return the newest version of each judge. One query."""
        versions = JudgeVersion.objects.filter(judge__project=self.project).order_by(
            "judge", "-number"
        )
        newest = versions.distinct("judge").select_related("judge")
        return {version.judge_id: version for version in newest}

    @cached_property
    def _calibrations(self) -> dict[int, Calibration]:
        asked = [each for each in self._newest.values() if not each.judge.archived_at]
        return calibrate_all(asked)

    def _is_trusted(self, version: JudgeVersion) -> bool | None:
        if self.agent is None:
            return None
        slice = slice_of_result(agent_slug=self.agent.slug, subject="")
        return trust_in(version, self._calibrations[version.pk], slice).is_trusted


def _words(version: JudgeVersion, is_trusted: bool | None) -> str:
    if is_trusted is None:
        return version.judge.name
    return f"{version.judge.name}: {'trusted to gate' if is_trusted else 'advisory'}"
