"""Who may write a judgement: the claim, its token and its lease, on the database's clock.

A judge's call changes nothing outside, so a lost one is simply made again: there is no heartbeat.
`next_at` of one that is being judged is the end of its lease, and whoever finds it due takes it.
"""

from dataclasses import dataclass

from django.db import connection, transaction

from agents.models import Judgement

# The answer's time and that of a second try, twice: a stalled endpoint is noticed late.
LEASE_SECONDS = 300


@dataclass(frozen=True)
class JudgementClaim:
    """The right to write a judgement, until its token moves on."""

    judgement_id: int
    token: int


def claim_due_judgements(*, limit: int) -> list[JudgementClaim]:
    """Claim up to `limit` of the judgements that have been due longest."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE agents_judgement SET status = 'running', claim_token = claim_token + 1,
                num_attempts = num_attempts + 1,
                next_at = clock_timestamp() + make_interval(secs => %s),
                lease_until = clock_timestamp() + make_interval(secs => %s)
            WHERE id = ANY(ARRAY(
                SELECT id FROM agents_judgement
                WHERE status IN ('pending', 'running') AND next_at <= clock_timestamp()
                ORDER BY next_at LIMIT %s FOR UPDATE SKIP LOCKED
            ))
            RETURNING id, claim_token
            """,
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
