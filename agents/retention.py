"""What of a project's sessions stays beyond its time because the desk's own evidence needs it."""

import logging

from django.db import DatabaseError
from django.db.models import Exists, OuterRef, Q

from agents.models import EvalResult, GoldenTest, Release, Run
from traces.models import TracePolicy
from traces.retention import Kept, apply_retention, drop_empty_weeks, drop_whole_weeks

# Of a project, by one housekeeping: the scheduler has other things to do meanwhile.
MOST_AT_ONCE = 2_000
_logger = logging.getLogger(__name__)

_OF_SESSION = OuterRef("pk")


def kept_sessions() -> Kept:
    """Return why sessions are kept, by a sentence: conditions on `Session`.

    A run that is under way is not torn from its worker. A golden test can be compared with what it
    was made of, and a release's evidence be looked into, for as long as they are in force: both
    sides of it, where a gate compared the version with another one.
    """
    in_force = Release.objects.filter(
        Q(eval_run=OuterRef("eval_run"))
        | Q(eval_run__gate__baseline_run=OuterRef("eval_run"))
        | Q(gate__baseline_run=OuterRef("eval_run")),
        status__in=[Release.Status.WAITING, Release.Status.LIVE],
    )
    evidence = EvalResult.objects.filter(Exists(in_force), run__session=_OF_SESSION)
    return {
        "of a run that has not ended": Q(
            Exists(Run.objects.filter(session=_OF_SESSION, status__in=Run.OPEN))
        ),
        "the origin of an active golden test": Q(
            Exists(GoldenTest.objects.filter(source_session=_OF_SESSION, archived_at=None))
        ),
        "evidence of a release that waits or is live": Q(Exists(evidence)),
    }


def keep_only_wanted(*, most: int | None = MOST_AT_ONCE) -> int:
    """Delete what is over its time in every project; return how many sessions were.

    At most about `most` a project beside whole weeks; the rest goes the next time. A problem in
    one project does not keep the others from theirs.
    """
    kept = kept_sessions()
    num_deleted = drop_whole_weeks(kept=kept).sessions
    for policy in TracePolicy.objects.select_related("project").exclude(keep_days=None):
        try:
            num_deleted += apply_retention(policy=policy, kept=kept, most=most)
        except DatabaseError as error:
            _logger.warning("Retention of %s is tried again later: %s", policy.project, error)
    if num_deleted:
        _logger.info("Retention deleted %s sessions.", num_deleted)
    drop_empty_weeks()
    return num_deleted
