"""What a gate that runs here is decided on, read from the results of its two eval runs."""

from collections import defaultdict
from collections.abc import Sequence

from agents.gate.evidence import Evidence, Repeats, TestEvidence
from agents.gate.parts import PARTS
from agents.judges.verdicts import JudgeVerdict, verdicts_of
from agents.models import EvalResult, Gate

_JUDGED = (EvalResult.Status.PASSED, EvalResult.Status.FAILED)


def evidence_of(gate: Gate) -> Evidence:
    """Return a gate's evidence at its look.

    One query, and those of `verdicts_of`; what believed judges said must stand in the results
    already (`count_verdicts`), what others said is only numbered. What is in quarantine and what is
    critical was noted when the gate began. Repeats beyond the look's, which are confirming re-runs,
    count for hard gates alone, so that choosing them moves no rate.

    Args:
        gate: With its eval runs and versions.
    """
    looks = tuple(gate.config["looks"])
    results = list(
        EvalResult.objects.filter(eval_run__in=[gate.candidate_run_id, gate.baseline_run_id])
        .exclude(status=EvalResult.Status.PENDING)
        .select_related("test")
        .defer("test__input", "test__fixtures", "test__checks", "checks")
        .order_by("test_id", "repeat")
    )
    verdicts = verdicts_of(results)
    by_test: dict[int, list[EvalResult]] = defaultdict(list)
    for result in results:
        by_test[result.test_id].append(result)
    tests = [_test(gate, rows, verdicts, looks[gate.look - 1]) for rows in by_test.values()]
    return Evidence(
        baseline=str(gate.baseline),
        candidate=str(gate.candidate),
        tests=tuple(sorted(tests, key=lambda test: test.key)),
        looks=looks,
        look=gate.look,
        seed=gate.seed,
        policy=f"rules {gate.policy.number}" if gate.policy else "defaults",
    )


def _test(
    gate: Gate,
    rows: Sequence[EvalResult],
    verdicts: dict[int, list[JudgeVerdict]],
    look_repeats: int,
) -> TestEvidence:
    test, options = rows[0].test, gate.candidate_run.options
    critical = options.get("critical", {})
    parts = options.get(PARTS, {}).get(test.slug, {})
    # Every repeat of a critical test counts: each of them must pass.
    most = None if test.slug in critical else look_repeats
    now, before = (
        _repeats([row for row in rows if row.eval_run_id == eval_run], verdicts, most)
        for eval_run in (gate.candidate_run_id, gate.baseline_run_id)
    )
    return TestEvidence(
        key=test.slug,
        title=test.title,
        before=before,
        now=now,
        suite=test.suite,
        tags=tuple(test.tags),
        severity=test.severity,
        intent=parts.get("intent", ""),
        language=parts.get("language", ""),
        is_critical=test.slug in critical,
        is_quarantined=test.slug in options.get("quarantined", ()),
        was_rerun=test.slug in options.get("rerun", ()),
    )


def _repeats(
    rows: Sequence[EvalResult], verdicts: dict[int, list[JudgeVerdict]], most: int | None
) -> Repeats:
    counted = [row for row in rows if most is None or row.repeat <= most]
    judged = [row for row in counted if row.status in _JUDGED]
    said = [verdict for row in judged for verdict in verdicts.get(row.pk, [])]
    return Repeats(
        num_passed=sum(row.status == EvalResult.Status.PASSED for row in judged),
        num_judged=len(judged),
        num_infra=sum(row.status == EvalResult.Status.INFRA_ERROR for row in counted),
        num_not_judged=sum(row.status == EvalResult.Status.NOT_JUDGED for row in counted),
        num_reruns=len(rows) - len(counted),
        num_advisory=sum(each.is_advisory and each.passes is not None for each in said),
        costs_usd=tuple(float(row.cost_usd) for row in counted if row.cost_usd is not None),
        latencies_ms=tuple(float(row.working_ms) for row in counted if row.working_ms is not None),
        hard=tuple((gate, found) for row in rows for gate, found in _hard(row).items()),
    )


def _hard(row: EvalResult) -> dict[str, str]:
    """Return each hard gate that a run broke, once, with what was found first."""
    found: dict[str, str] = {}
    for each in row.hard:
        found.setdefault(str(each["gate"]), str(each["found"]))
    return found
