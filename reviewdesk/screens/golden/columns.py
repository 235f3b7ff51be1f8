"""Which versions stand side by side on the board, and with which eval runs."""

from dataclasses import dataclass, replace

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from agents.models import Agent, EvalRun, Version
from reviewdesk.screens.golden.board import Column

NUM_VERSIONS = 3
MAX_CHOICES = 30


@dataclass(frozen=True)
class Pick:
    """What is compared, as the address has it: an eval run's number, or `v` and a version's.

    A version stands for each test's newest result on it; empty is what is usual: the live version
    and the newest one.
    """

    baseline: str = ""
    candidate: str = ""


@dataclass(frozen=True)
class Choice:
    """What can be chosen for a side of the comparison."""

    value: str
    text: str


def columns_of(agent: Agent, pick: Pick | None = None) -> tuple[Column, ...]:
    """Return what is compared, after the versions that lead up to it. At most seven queries.

    Without a pick: the newest version, the live one and those last run, oldest first; the newest
    is compared with the live one. What a pick names and the agent does not have is as if it were
    not named.
    """
    usual = _usual_columns(agent)
    if pick is None:
        return usual
    live = next((column for column in usual if column.is_baseline), None)
    newest = next((column for column in usual if column.is_candidate), None)
    before = _picked(agent, pick.baseline) or live
    now = _picked(agent, pick.candidate) or newest
    if before is None or now is None or not (pick.baseline or pick.candidate):
        return usual
    before = replace(before, is_baseline=True, is_candidate=False)
    now = replace(now, is_baseline=False, is_candidate=True)
    earlier = [
        replace(column, is_baseline=False, is_candidate=False)
        for column in usual
        if column.version.number < min(before.version.number, now.version.number)
    ]
    return (*earlier[-(NUM_VERSIONS - 2) :], before, now)


def choices_of(agent: Agent) -> tuple[list[Choice], list[Choice]]:
    """Return the versions that were run and the newest eval runs, newest first. Two queries."""
    versions = agent.versions.filter(Exists(_was_run())).order_by("-number").defer("config")
    runs = (
        EvalRun.objects.filter(agent=agent)
        .exclude(status=EvalRun.Status.VOID)
        .select_related("version")
        .defer("version__config")
        .annotate(num_tests=Count("results__test", distinct=True))
        .order_by("-pk")[:MAX_CHOICES]
    )
    return (
        [
            Choice(str(version), f"{version}{' live' if _is_live(agent, version) else ''} · newest")
            for version in versions[:MAX_CHOICES]
        ],
        [Choice(str(run.pk), _run_text(agent, run)) for run in runs],
    )


def _usual_columns(agent: Agent) -> tuple[Column, ...]:
    live_id = agent.live_version_id
    top = agent.versions.order_by("-number").values("pk")[:1]
    shown = Q(Exists(_was_run())) | Q(pk=live_id) | Q(pk__in=top)
    newest = list(agent.versions.filter(shown).order_by("-number").defer("config")[:NUM_VERSIONS])
    if live_id is not None and live_id not in {version.pk for version in newest}:
        newest[-1:] = agent.versions.filter(pk=live_id).defer("config")
    runs = _newest_runs(newest)
    newest.sort(key=lambda version: version.number)
    candidate = newest[-1] if newest and newest[-1].pk != live_id else None
    # Where nothing is live, what came before the newest version stands in for it.
    before = newest[-2].pk if live_id is None and len(newest) > 1 else live_id
    return tuple(
        Column(
            version=version,
            is_live=version.pk == live_id,
            is_baseline=version.pk == before,
            is_candidate=version is candidate,
            eval_run=runs.get(version.pk),
        )
        for version in newest
    )


def _picked(agent: Agent, value: str) -> Column | None:
    digits = value.removeprefix("v")
    if not digits.isdecimal() or len(digits) > 9:
        return None
    if value.startswith("v"):
        version = agent.versions.filter(number=int(digits)).defer("config").first()
        if version is None:
            return None
        run = _newest_runs([version]).get(version.pk)
        return Column(version, _is_live(agent, version), is_candidate=False, eval_run=run)
    run = (
        EvalRun.objects.filter(agent=agent, pk=int(digits))
        .select_related("version")
        .defer("version__config")
        .first()
    )
    if run is None:
        return None
    live = _is_live(agent, run.version)
    return Column(run.version, live, is_candidate=False, eval_run=run, is_pinned=True)


def _newest_runs(versions: list[Version]) -> dict[int, EvalRun]:
    found = EvalRun.objects.filter(version__in=versions).exclude(status=EvalRun.Status.VOID)
    newest = found.order_by("version_id", "-created_at", "-pk").distinct("version_id")
    return {run.version_id: run for run in newest}


def _was_run() -> QuerySet[EvalRun]:
    return EvalRun.objects.filter(version=OuterRef("pk")).exclude(status=EvalRun.Status.VOID)


def _is_live(agent: Agent, version: Version) -> bool:
    return version.pk == agent.live_version_id


def _run_text(agent: Agent, run: EvalRun) -> str:
    live = " live" if _is_live(agent, run.version) else ""
    num = run.num_tests  # type: ignore[attr-defined]
    size = f"{num} test{'' if num == 1 else 's'} × {run.num_repeats}"
    return f"{run.version}{live} · run {run.pk}, {size}, {run.get_status_display()}"
