"""What the agents' side holds of a person's sessions: runs, their journal and shop copy, tests."""

import uuid
from collections.abc import Mapping, Sequence

from django.contrib.auth.models import AbstractBaseUser

from agents.golden.erasure import WordsLeft, clear_old_versions, delete_tests, tests_of, words_of
from agents.models import GoldenTest, Run, ShopWrite, Step
from traces.erasure import blank_events, erase_customer, sessions_of_customer
from traces.errors import ErasureError
from traces.models import Erasure, Project

_NO_JSON = "'\"erased on request\"'::jsonb"
_NO_JSON_EITHER = f"CASE WHEN decided_arguments IS NULL THEN NULL ELSE {_NO_JSON} END"


def golden_tests_of(*, project: Project, customer: str) -> list[GoldenTest]:
    """Return the golden tests that were made of this customer's sessions, archived ones too."""
    return list(tests_of(sessions_of_customer(project=project, customer=customer)))


def words_left_of(*, project: Project, customer: str) -> list[WordsLeft]:
    """Return the same tests, each with how much of it is as it was recorded."""
    return words_of(golden_tests_of(project=project, customer=customer))


def erase_person(
    *,
    project: Project,
    customer: str,
    by: AbstractBaseUser | None,
    reason: str,
    with_tests: bool = False,
    with_old_versions: bool = False,
) -> Erasure:
    """Delete a customer's sessions, runs, journals and shop copies, in one transaction.

    A golden test made of one of their sessions holds what they said: now, in its old versions, in
    the trail, and in the runs of it. It is somebody's evidence, so it is never deleted by the way:
    without `with_tests` or `with_old_versions` nothing is deleted while there is one.

    Args:
        project: Whose customer it is.
        customer: The id, as it was sent or as it is stored.
        by: Who asked for it; None is the command line.
        reason: Why; kept.
        with_tests: Delete the golden tests too, with their runs and results; eval runs that
            rested on them no longer do.
        with_old_versions: Keep the golden tests, if what the customer says in them was rewritten,
            with their present content; blank their old versions, in the trail too, and delete the
            runs of these.

    Raises:
        ErasureError: There is no such customer, no reason, a golden test that stands in the way,
            or a run of theirs is under way.
    """

    def erase_more(ids: Sequence[uuid.UUID]) -> Mapping[str, int]:
        return _erase(ids, with_tests=with_tests, with_old_versions=with_old_versions)

    return erase_customer(
        project=project, customer=customer, by=by, reason=reason, erase_more=erase_more
    )


def _erase(
    ids: Sequence[uuid.UUID], *, with_tests: bool, with_old_versions: bool
) -> dict[str, int]:
    # No key update: what else waits for a test holds what an erasure waits for.
    tests = list(tests_of(ids).select_for_update(no_key=True))
    if tests and not (with_tests or with_old_versions):
        named = ", ".join(test.title for test in tests[:5])
        raise ErasureError(
            f"{len(tests)} golden tests were made of this customer's sessions: {named}. Editing or "
            "archiving one leaves the words in its old versions, in the trail and in its runs. "
            "Delete the tests too; or rewrite what the customer says in each, and have all but "
            "their present content erased."
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
        "approvals_in_trail": _blank_approvals(ids),
    }
    if tests and with_tests:
        counts["golden_tests"] = len(tests)
        counts["golden_test_runs"] = delete_tests(tests, blank_approvals=_blank_approvals)
    elif tests:
        counts |= clear_old_versions(tests, blank_approvals=_blank_approvals)
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
