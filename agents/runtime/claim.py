"""Who may advance a run: the claim, its fencing token, and the lease that a heartbeat renews.

A claim is one UPDATE … FOR UPDATE SKIP LOCKED that hands out a token. Every later write of the
worker happens under `fenced`, which locks the run's row and checks the token. Only the database's
clock is used.
"""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, transaction

from agents.errors import ClaimLostError
from agents.models import Run, WorkerHeartbeat

WORKER_ID = uuid.uuid4().hex
LEASE_SECONDS = 10
MAX_RECOVERIES = 5
ALIVE_SECONDS = 10
_held: set[uuid.UUID] = set()


@dataclass(frozen=True)
class Claim:
    """The right to write a run, until its token moves on."""

    run_id: uuid.UUID
    token: int


def claim_due_run(run_id: uuid.UUID | None = None) -> Claim | None:
    """Claim the run that has been due longest (or `run_id`, if due); None if there is none."""
    only, parameters = ("AND id = %s", [run_id]) if run_id else ("", [])
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE agents_run SET status = 'running', claim_token = claim_token + 1,
                claimed_by = %s, next_at = NULL,
                lease_until = clock_timestamp() + make_interval(secs => %s)
            WHERE id = (
                SELECT id FROM agents_run
                WHERE status = 'queued' AND next_at <= clock_timestamp() {only}
                ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED
            )
            RETURNING id, claim_token
            """,
            [WORKER_ID, LEASE_SECONDS, *parameters],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    _held.add(row[0])
    return Claim(*row)


def let_go(claim: Claim) -> None:
    """Stop renewing the lease of a run that this process no longer advances."""
    _held.discard(claim.run_id)


@contextmanager
def fenced(claim: Claim) -> Iterator[Run]:
    """Open a transaction that holds the run's row, and yield the run.

    Raises:
        ClaimLostError: The token has moved on, or the run is not running any more.
    """
    with transaction.atomic():
        run = (
            Run.objects.select_for_update(of=("self",))
            .select_related("agent", "version", "session")
            .filter(pk=claim.run_id, claim_token=claim.token, status=Run.Status.RUNNING)
            .first()
        )
        if run is None:
            raise ClaimLostError(
                f"Run {claim.run_id} is not held with token {claim.token} any more."
            )
        yield run


def beat(worker_id: str = WORKER_ID) -> None:
    """Say that this worker lives, and renew the leases of the runs that it advances.

    A run that was left behind (its database connection broke, say) is not renewed: its lease ends
    and it is taken back.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO agents_workerheartbeat (worker, hostname, process, started_at, seen_at)
            VALUES (%s, %s, %s, clock_timestamp(), clock_timestamp())
            ON CONFLICT (worker) DO UPDATE SET seen_at = excluded.seen_at
            """,
            [worker_id, machine(), os.getpid()],
        )
        cursor.execute(
            """
            UPDATE agents_run SET lease_until = clock_timestamp() + make_interval(secs => %s)
            WHERE status = 'running' AND claimed_by = %s AND lease_until > clock_timestamp()
                AND id = ANY(%s)
            """,
            [LEASE_SECONDS, worker_id, list(_held)],
        )


def leave(worker_id: str = WORKER_ID) -> None:
    """Forget this worker and give its runs back at once (at a clean stop)."""
    WorkerHeartbeat.objects.filter(pk=worker_id).delete()
    _give_back(worker_id, is_recovery=False)


def take_back_from_dead_neighbours() -> int:
    """Take back the runs of workers on this machine whose process is gone; return how many.

    A killed worker's runs go on at once instead of at the end of their lease. Should the guess be
    wrong, the fencing token still keeps the worker from writing.
    """
    count = 0
    for worker in WorkerHeartbeat.objects.filter(hostname=machine()):
        if not _is_running(worker.process):
            count += _give_back(worker.pk, is_recovery=True)
            worker.delete()
    return count


def machine() -> str:
    """Return a name of what process ids are unique in: the host and its process namespace."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return f"{socket.gethostname()} {namespace}".strip()[:200]


def num_live_workers() -> int:
    """Return how many workers were seen in the last ten seconds."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM agents_workerheartbeat "
            "WHERE seen_at > clock_timestamp() - make_interval(secs => %s)",
            [ALIVE_SECONDS],
        )
        count: int = cursor.fetchone()[0]
    return count


def take_back_lost_runs() -> int:
    """Queue the runs whose lease has ended again; give up those that were lost too often."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE agents_run SET status = 'queued', next_at = clock_timestamp(), claimed_by = '',
                lease_until = NULL, num_recoveries = num_recoveries + 1
            WHERE id IN (
                SELECT id FROM agents_run
                WHERE status = 'running' AND lease_until < clock_timestamp()
                FOR UPDATE SKIP LOCKED
            )
            """
        )
        count: int = cursor.rowcount
    return count


def _give_back(worker_id: str, *, is_recovery: bool) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE agents_run SET status = 'queued', next_at = clock_timestamp(), claimed_by = '',
                lease_until = NULL, num_recoveries = num_recoveries + %s
            WHERE status = 'running' AND claimed_by = %s
            """,
            [int(is_recovery), worker_id],
        )
        count: int = cursor.rowcount
    return count


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
