"""Whether an eval run or gate still proves what it proved, and what changed if not."""

from django.db.models import QuerySet

from agents.golden.hard import GATES, SCHEMA
from agents.golden.runner import is_evidence_valid
from agents.models import Agent, EvalRun, Gate, GoldenTest, Version
from agents.releases.errors import EvidenceError
from agents.releases.gate_evidence import checked_gate, refuted_by, what_changed_since

NO_GOLDEN_TEST = "No golden test exists for this agent: nothing but reading proves this version."


def checked_evidence(
    *, agent: Agent, version: Version, eval_run: EvalRun | None, gate: Gate | None = None
) -> tuple[str, str]:
    """Return the evidence's hash and note for a request.

    Without evidence the hash is empty, and the note says why; a gate that is inconclusive has both.

    Raises:
        EvidenceError: The eval run or gate does not prove this version, or golden tests exist and
            there is neither.
    """
    if gate is not None:
        return checked_gate(agent=agent, version=version, gate=gate)
    if eval_run is None:
        num_tests = active_tests(agent).count()
        if num_tests:
            raise EvidenceError(
                f"{agent} has {num_tests} golden {_tests(num_tests)}: run them on {version} first, "
                "and request its release with that eval run."
            )
        return "", NO_GOLDEN_TEST
    if eval_run.version_id != version.pk:
        raise EvidenceError(
            f"Eval run {eval_run.pk} tested {eval_run.version}, not {version}: run the golden "
            f"tests on {version}."
        )
    if eval_run.status != EvalRun.Status.PASSED:
        raise EvidenceError(
            f"Eval run {eval_run.pk} of {version} is {eval_run.get_status_display()}; a release "
            "needs one that passed."
        )
    gate = Gate.objects.filter(candidate_run=eval_run).first()
    if gate is not None and gate.status != Gate.Status.PASSED:
        raise EvidenceError(
            f"Eval run {eval_run.pk} is part of gate {gate.pk}, which is "
            f"{gate.get_status_display()}: without the gate it proves nothing. {gate.sentence}"
        )
    if gate is None and (found := _never_allowed(eval_run)):
        raise EvidenceError(
            f"In eval run {eval_run.pk} all tests passed, but what is never allowed happened: "
            f"{found}. Correct the version, or run its gate, which runs that test again."
        )
    if refuted := refuted_by(version):
        raise EvidenceError(
            f"Eval run {eval_run.pk} passed, but {refuted}: correct the version, or run its gate "
            "again."
        )
    if change := what_changed(agent=agent, eval_run=eval_run):
        raise EvidenceError(
            f"Eval run {eval_run.pk} proves nothing any more: {change}. Run the golden tests on "
            f"{version} again."
        )
    return eval_run.evidence_hash, ""


def why_refused(
    *, agent: Agent, version: Version, eval_run: EvalRun | None, gate: Gate | None = None
) -> str:
    """Return why a release is not requested on this evidence, in words; empty where it can be."""
    try:
        checked_evidence(agent=agent, version=version, eval_run=eval_run, gate=gate)
    except EvidenceError as error:
        return str(error)
    return ""


def what_changed(*, agent: Agent, eval_run: EvalRun | None, gate: Gate | None = None) -> str:
    """Return what made evidence void since it was taken, in words; empty while it holds.

    `eval_run` is None for a release that was requested without a golden test. At most eight
    queries.
    """
    if gate is not None:
        since = what_changed_since(agent=agent, gate=gate)
        return (since and _tests_changed(agent, gate.candidate_run)) or since
    if eval_run is None:
        num_tests = active_tests(agent).count()
        exists = "test exists" if num_tests == 1 else "tests exist"
        return f"{num_tests} golden {exists} now" if num_tests else ""
    if eval_run.status != EvalRun.Status.PASSED:
        return f"eval run {eval_run.pk} is {eval_run.get_status_display()} now"
    if is_evidence_valid(eval_run):
        return refuted_by(eval_run.version)
    return _tests_changed(agent, eval_run) or "its version or its tests are not the same any more"


def active_tests(agent: Agent) -> QuerySet[GoldenTest]:
    """Return the agent's golden tests that are not archived."""
    return GoldenTest.objects.filter(agent=agent, archived_at=None)


def _never_allowed(eval_run: EvalRun) -> str:
    """Return one hard finding of a run with its test, or nothing. One query.

    Invalid calls are left out: an agent that corrects one has kept its rules.
    """
    broken = eval_run.results.exclude(hard=[]).order_by("test__slug", "repeat")
    for title, hard in broken.values_list("test__title", "hard"):
        for finding in hard:
            if finding["gate"] in GATES and finding["gate"] != SCHEMA:
                return f"the agent {GATES[finding['gate']]} in “{title}” ({finding['found']})"
    return ""


def _tests_changed(agent: Agent, eval_run: EvalRun) -> str:
    ran = dict(eval_run.results.values_list("test__slug", "test_hash").distinct())
    now = dict(active_tests(agent).values_list("slug", "content_hash"))
    parts = {
        "changed": sorted(slug for slug in ran.keys() & now if ran[slug] != now[slug]),
        "new": sorted(now.keys() - ran),
        "archived": sorted(ran.keys() - now),
    }
    return "; ".join(
        f"golden {_tests(len(slugs))} {word}: {_some(slugs)}"
        for word, slugs in parts.items()
        if slugs
    )


def _some(slugs: list[str]) -> str:
    more = f" and {len(slugs) - 3} more" if len(slugs) > 3 else ""
    return ", ".join(slugs[:3]) + more


def _tests(number: int) -> str:
    return "test" if number == 1 else "tests"
