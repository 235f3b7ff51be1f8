"""What the agents' side holds of a person's sessions: runs, their journal and shop copy, tests."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from agents.models import EvalResult, EvalRun, Gate, GoldenTest, Run, ShopWrite, Step
from traces.erasure import ERASED, blank_events, erase_customer, sessions_of_customer
from traces.errors import ErasureError
from traces.models import Erasure, Project
from traces.retention import delete_sessions

_NO_JSON = "'\"erased on request\"'::jsonb"
_NO_JSON_EITHER = f"CASE WHEN decided_arguments IS NULL THEN NULL ELSE {_NO_JSON} END"


def golden_tests_of(*, project: Project, customer: str) -> list[GoldenTest]:
    """Return the golden tests that were made of this customer's sessions, archived ones too."""
    ids = sessions_of_customer(project=project, customer=customer)
    return _tests(ids)


def erase_person(
    *,
    project: Project,
    customer: str,
    by: AbstractBaseUser | None,
    reason: str,
    with_tests: bool = False,
) -> Erasure:
    """Delete a customer's sessions, runs, journals and shop copies, in one transaction.

    A golden test made of one of their sessions holds what they said. It is somebody's evidence, so
    it is never deleted by the way: without `with_tests` nothing is deleted while there is one.

    Args:
        project: Whose customer it is.
        customer: The id, as it was sent or as it is stored.
        by: Who asked for it; None is the command line.
        reason: Why; kept.
        with_tests: Delete the golden tests too, with their runs and results; eval runs that
            rested on them no longer do.

    Raises:
        ErasureError: There is no such customer, no reason, a golden test that stands in the way,
            or a run of theirs is under way.
    """

    def erase_more(ids: Sequence[uuid.UUID]) -> Mapping[str, int]:
        return _erase(ids, with_tests=with_tests)

    return erase_customer(
        project=project, customer=customer, by=by, reason=reason, erase_more=erase_more
    )


def _erase(ids: Sequence[uuid.UUID], *, with_tests: bool) -> dict[str, int]:
    tests = _tests(ids)
    if tests and not with_tests:
        named = ", ".join(test.title for test in tests[:5])
        raise ErasureError(
            f"{len(tests)} golden tests were made of this customer's sessions: {named}. "
            "Edit or archive them by hand first, or delete them too."
        )
    runs = Run.objects.filter(session__in=ids)
    if runs.filter(status__in=Run.OPEN).exists():
        raise ErasureError(
            "A run of this customer is under way. Cancel it or let it end, then delete."
        )
    counts = {
        "runs": runs.count(),
        "journal_steps": Step.objects.filter(run__session__in=ids).count(),
        "shop_writes": ShopWrite.objects.filter(run__session__in=ids).count(),
        "golden_tests": len(tests),
        "approvals_in_trail": _blank_approvals(ids),
    }
    if tests:
        counts["golden_test_runs"] = _delete_tests(tests)
    return counts


def _blank_approvals(ids: Sequence[uuid.UUID]) -> int:
    run_ids = list(Run.objects.filter(session__in=ids).values_list("pk", flat=True))
    return blank_events(
        "agents_toolapprovalevent",
        {
            "arguments": _NO_JSON,
            "decided_arguments": _NO_JSON_EITHER,
            "message": "CASE WHEN message = '' THEN '' ELSE 'erased on request' END",
        },
        "run_id = ANY(%s)",
        [run_ids],
    )


def _delete_tests(tests: list[GoldenTest]) -> int:
    """Delete tests with their runs' sessions and results; return how many runs."""
    keys = [test.pk for test in tests]
    results = EvalResult.objects.filter(test__in=keys)
    runs = Run.objects.filter(eval_result__in=results)
    num_runs = runs.count()
    sessions = list(runs.values_list("session_id", flat=True))
    _blank_approvals(sessions)
    _blank_proof(tests)
    results.delete()
    delete_sessions(sessions)
    GoldenTest.objects.filter(pk__in=keys).delete()
    blank_events(
        "agents_goldentestevent",
        {
            "slug": "'erased'",
            "title": "'(erased on request)'",
            "input": _NO_JSON,
            "fixtures": _NO_JSON,
            "checks": _NO_JSON,
            "expectations": _NO_JSON,
            "customer": _NO_JSON,
            "rules": _NO_JSON,
            "reason": "''",
            "quarantine_reason": "''",
        },
        "pgh_obj_id = ANY(%s)",
        [keys],
    )
    return num_runs


def _blank_proof(tests: list[GoldenTest]) -> None:
    """Take the tests' names, and what was found in their runs, out of eval runs and gates."""
    names = {name: ERASED for test in tests for name in (test.title, test.slug)}
    eval_runs = EvalRun.objects.filter(results__test__in=tests).distinct()
    for gate in Gate.objects.filter(candidate_run__in=eval_runs):
        gate.result, gate.sentence = _without(gate.result, names), _without(gate.sentence, names)
        gate.save(update_fields=["result", "sentence"])
    for eval_run in eval_runs:
        eval_run.options = _without(eval_run.options, names)
        eval_run.ended_because = _without(eval_run.ended_because, names)
        eval_run.save(update_fields=["options", "ended_because"])


def _without(value: Any, names: Mapping[str, str]) -> Any:
    """Return a value without names that stand alone or in quotes, and what is said of them."""
    if isinstance(value, dict):
        kept = {names.get(name, name): _without(item, names) for name, item in value.items()}
        return {**kept, "found": ""} if value.get("key") in names and "found" in value else kept
    if isinstance(value, list):
        return [_without(item, names) for item in value]
    if isinstance(value, str) and any(f"“{name}”" in value for name in names):
        return ERASED
    return names.get(value, value) if isinstance(value, str) else value


def _tests(ids: Sequence[uuid.UUID]) -> list[GoldenTest]:
    return list(GoldenTest.objects.filter(source_session__in=ids).order_by("title", "pk"))
