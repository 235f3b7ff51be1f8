"""Who may write a judgement: the claim, its token and its lease, on the database's clock.

A judge's call changes nothing outside, so a lost one is simply made again: there is no heartbeat.
`next_at` of one that is being judged is the end of its lease, and whoever finds it due takes it.
Where a project, or everything, is stopped with its models, nothing is due; a stop of an agent does
not hold those who judge it.
"""

from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Q

from agents.models import Judgement, KillSwitch

# The answer's time and that of a second try, twice: a stalled endpoint is noticed late.
LEASE_SECONDS = 300
DUE = """
    FROM agents_judgement due
        JOIN agents_judgeversion version ON version.id = due.version_id
        JOIN agents_judge judge ON judge.id = version.judge_id
    WHERE due.status IN ('pending', 'running') AND due.next_at <= clock_timestamp() AND NOT EXISTS (
        SELECT FROM agents_killswitch stop
        WHERE stop.lifted_at IS NULL AND stop.stops = 'all' AND stop.tool = ''
            AND stop.agent_id IS NULL
            AND (stop.project_id IS NULL OR stop.project_id = judge.project_id)
    )
"""


@dataclass(frozen=True)
class JudgementClaim:
    """The right to write a judgement, until its token moves on."""

    judgement_id: int
    token: int


def claim_due_judgements(*, limit: int) -> list[JudgementClaim]:
    """Claim up to `limit` of the judgements that have been due longest."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE agents_judgement SET status = 'running', claim_token = claim_token + 1,
                num_attempts = num_attempts + 1,
                next_at = clock_timestamp() + make_interval(secs => %s),
                lease_until = clock_timestamp() + make_interval(secs => %s)
            WHERE id = ANY(ARRAY(
                SELECT due.id {DUE} ORDER BY due.next_at LIMIT %s FOR UPDATE OF due SKIP LOCKED
            ))
            RETURNING id, claim_token
            """,  # noqa: S608
            [LEASE_SECONDS, LEASE_SECONDS, limit],
        )
        return [JudgementClaim(pk, token) for pk, token in cursor.fetchall()]


def held(claim: JudgementClaim) -> Judgement | None:
    """Return the judgement, locked, if it is still this worker's; in a transaction."""
    return (
        Judgement.objects.select_for_update(of=("self",))
        .select_related("version__judge", "session")
        .defer("session__said", "session__said_vector", "session__metadata")
        .filter(pk=claim.judgement_id, claim_token=claim.token, status=Judgement.Status.RUNNING)
        .first()
    )


def judges_stop(project_id: int) -> KillSwitch | None:
    """Return the stop that holds a project's judges now, if one does, as `DUE` has it."""
    stops = KillSwitch.objects.filter(lifted_at=None, stops=KillSwitch.Stops.ALL, tool="")
    of_it = stops.filter(Q(project=None) | Q(project=project_id), agent=None)
    return of_it.order_by("pk").first()
