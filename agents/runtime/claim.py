"""Who may advance a run: the claim, its fencing token, and the lease that a heartbeat renews.

A claim is one UPDATE … FOR UPDATE SKIP LOCKED that hands out a token. Every later write of the
worker happens under `fenced`, which locks the run's row and checks the token. Only the database's
clock is used. A lease that has ended takes nothing away by itself: whoever takes the run back does,
and from then on its old worker can write nothing, however long it was stopped.
"""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from django.db import connection, transaction

from agents.errors import ClaimLostError
from agents.models import Agent, Run, Version, WorkerHeartbeat
from agents.tools.standing import hold_authority
from traces.models import Session
from traces.prepared import Columns, prepared_cursor

WORKER_ID = uuid.uuid4().hex
LEASE_SECONDS = 10
ALIVE_SECONDS = 10
# Columns that advancing a run never reads, and that grow with it.
_UNREAD = ("said", "said_vector", "metadata")
# Lost so often in a row, a run may be what kills its workers.
SUSPECT_AFTER = 2
MAX_SUSPECTS = 4
_RUN, _AGENT, _VERSION = Columns(Run, "run"), Columns(Agent, "agent"), Columns(Version, "version")
_SESSION = Columns(Session, "session", without=_UNREAD)
# The clock is read when the row is found, a moment before it is locked where somebody else has it.
_LOCK = f"""
SELECT clock_timestamp(), EXISTS (SELECT FROM agents_killswitch WHERE lifted_at IS NULL),
    {_RUN.sql}, {_AGENT.sql}, {_VERSION.sql}, {_SESSION.sql}
FROM agents_run run JOIN agents_agent agent ON agent.id = run.agent_id
    JOIN agents_version version ON version.id = run.version_id
    JOIN traces_session session ON session.id = run.session_id
WHERE run.id = %s AND run.claim_token = %s AND run.status = 'running' FOR UPDATE OF run
"""
_CHANGED_BY_OTHERS = (
    "read_at", "cancel_requested_at", "error", "num_retries", "num_lost_in_row", "lost_since",
)  # fmt: skip
_LOCK_AGAIN = f"""
SELECT clock_timestamp() AS {", ".join(_CHANGED_BY_OTHERS)} FROM agents_run
WHERE id = %s AND claim_token = %s AND status = 'running' FOR UPDATE
"""
_held: dict[uuid.UUID, int] = {}
_suspects: set[uuid.UUID] = set()


@dataclass(frozen=True)
class Claim:
    """The right to write a run, until its token moves on.

    Attributes:
        is_first_of_golden: Whether this is the first claim of a golden run: it has done nothing.
    """

    run_id: uuid.UUID
    token: int
    is_first_of_golden: bool = False


def claim_due_run(run_id: uuid.UUID | None = None) -> Claim | None:
    """Claim the run that has been due longest (or `run_id`, if due); None if there is none."""
    return next(iter(claim_due_runs(limit=1, run_id=run_id)), None)


def claim_due_runs(*, limit: int, run_id: uuid.UUID | None = None) -> list[Claim]:
    """Claim up to `limit` of the runs that have been due longest (or `run_id`, if due).

    Of runs that were lost `SUSPECT_AFTER` times in a row a process advances few at a time: one that
    kills its worker takes few others with it, and those that were merely near it each time get
    the worker to themselves and on to their next step.
    """
    only, parameters = ("AND id = %s", [run_id]) if run_id else ("", [])
    room = MAX_SUSPECTS - len(_suspects)
    trusted = "" if room > 0 else f"AND num_lost_in_row < {SUSPECT_AFTER}"
    # Only then some of those that are claimed may have to be given back.
    together = transaction.atomic() if 0 < room < limit else nullcontext()
    with together, connection.cursor() as cursor:
        cursor.execute(
            f"""
            UPDATE agents_run SET status = 'running', claim_token = claim_token + 1,
                claimed_by = %s, next_at = NULL,
                lease_until = clock_timestamp() + make_interval(secs => %s)
            WHERE id = ANY(ARRAY(
                SELECT id FROM agents_run
                WHERE status = 'queued' AND next_at <= clock_timestamp() {only} {trusted}
                ORDER BY next_at LIMIT %s FOR UPDATE SKIP LOCKED
            ))
            RETURNING id, claim_token, num_lost_in_row, kind
            """,
            [WORKER_ID, LEASE_SECONDS, *parameters, limit],
        )
        rows = cursor.fetchall()
        suspects = [run for run, _, num_lost, _ in rows if num_lost >= SUSPECT_AFTER]
        left = set(suspects[max(room, 0) :])
        if left:
            cursor.execute(
                "UPDATE agents_run SET status = 'queued', next_at = clock_timestamp(),"
                " claimed_by = '', lease_until = NULL WHERE id = ANY(%s)",
                [[*left]],
            )
    claims = [
        Claim(run, token, is_first_of_golden=token == 1 and kind == Run.Kind.GOLDEN)
        for run, token, _, kind in rows
        if run not in left
    ]
    _held.update((claim.run_id, claim.token) for claim in claims)
    _suspects.update(set(suspects) - left)
    return claims


def clear_suspicion(run_id: uuid.UUID) -> None:
    """Let another suspect have the place of a run that has done a step."""
    _suspects.discard(run_id)


def let_go(claim: Claim) -> None:
    """Stop renewing the lease of a run that this process no longer advances.

    A thread that was overtaken lets nothing go that another thread of this process has claimed.
    """
    if _held.get(claim.run_id) == claim.token:
        _held.pop(claim.run_id, None)
        _suspects.discard(claim.run_id)


@contextmanager
def fenced(claim: Claim, *, starts_effect: bool = False, known: Run | None = None) -> Iterator[Run]:
    """Open a transaction that holds the run's row, and yield the run with its `read_at`.

    With `starts_effect` it first takes the authority lock that flipping a kill switch waits for.
    `known` is the run as a transaction before under this claim read it: only what others may have
    changed since is read anew.

    Raises:
        ClaimLostError: The token has moved on, or the run is not running any more.
    """
    with transaction.atomic():
        if starts_effect:
            hold_authority()
        run = _locked(claim) if known is None else _locked_again(claim, known)
        if run is None:
            raise _lost(claim)
        yield run


def read_claimed(claim: Claim) -> Run:
    """Return the run as it is now, as `fenced` does, without holding it. One query.

    Raises:
        ClaimLostError: The token has moved on, or the run is not running any more.
    """
    run = _locked(claim)
    if run is None:
        raise _lost(claim)
    return run


def lend_connection() -> None:
    """Give this thread's connection to the pool while a model or a tool is waited for.

    A process has fewer connections than runs in flight. Inside a transaction it stays.
    """
    if not connection.in_atomic_block:
        connection.close()


def check_held(claim: Claim) -> None:
    """Make sure that the run is still this worker's, right before something leaves the desk.

    A worker that was stopped between its transaction and its call finds out here (one query).

    Raises:
        ClaimLostError: The token has moved on, or the run is not running any more.
    """
    held = Run.objects.filter(
        pk=claim.run_id, claim_token=claim.token, status=Run.Status.RUNNING
    ).exists()
    if not held:
        raise _lost(claim)


def beat(worker_id: str = WORKER_ID) -> None:
    """Say that this worker lives, and renew the leases of the runs that it advances.

    A run that was left behind (its database connection broke, say) is not renewed: its lease ends
    and it is taken back.
    """
    held = dict(_held)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO agents_workerheartbeat (worker, hostname, process, started_at, seen_at)
            VALUES (%s, %s, %s, clock_timestamp(), clock_timestamp())
            ON CONFLICT (worker) DO UPDATE SET seen_at = excluded.seen_at
            """,
            [worker_id, machine(), os.getpid()],
        )
        # A row that is being written is passed over until the next beat: whoever ends many runs
        # locks them in another order, and waiting for one would hold up all the others.
        cursor.execute(
            """
            UPDATE agents_run SET lease_until = clock_timestamp() + make_interval(secs => %s)
            WHERE id = ANY(ARRAY(
                SELECT id FROM agents_run
                    JOIN unnest(%s::uuid[], %s::bigint[]) AS held (run_id, token)
                    ON id = held.run_id AND claim_token = held.token
                WHERE status = 'running' AND claimed_by = %s AND lease_until > clock_timestamp()
                FOR UPDATE OF agents_run SKIP LOCKED
            ))
            """,
            [LEASE_SECONDS, [*held], [*held.values()], worker_id],
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
    """Queue the runs whose lease has ended again; return how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE agents_run SET status = 'queued', next_at = clock_timestamp(), claimed_by = '',
                lease_until = NULL, num_recoveries = num_recoveries + 1,
                num_lost_in_row = num_lost_in_row + 1,
                lost_since = coalesce(lost_since, clock_timestamp())
            WHERE id IN (
                SELECT id FROM agents_run
                WHERE status = 'running' AND lease_until < clock_timestamp()
                FOR UPDATE SKIP LOCKED
            )
            """
        )
        count: int = cursor.rowcount
    return count


def _locked(claim: Claim) -> Run | None:
    with prepared_cursor() as cursor:
        cursor.execute(_LOCK, [claim.run_id, claim.token])
        row = cursor.fetchone()
    if row is None:
        return None
    values = iter(row)
    read_at, is_any_stop_on = next(values), next(values)
    run = _RUN.instance(values)
    run.read_at, run.is_any_stop_on = read_at, is_any_stop_on
    run.agent, run.version = _AGENT.instance(values), _VERSION.instance(values)
    run.session = _SESSION.instance(values)
    return run


def _locked_again(claim: Claim, run: Run) -> Run | None:
    with prepared_cursor() as cursor:
        cursor.execute(_LOCK_AGAIN, [claim.run_id, claim.token])
        row = cursor.fetchone()
    if row is None:
        return None
    for name, value in zip(_CHANGED_BY_OTHERS, row, strict=True):
        setattr(run, name, value)
    return run


def _lost(claim: Claim) -> ClaimLostError:
    return ClaimLostError(f"Run {claim.run_id} is not held with token {claim.token} any more.")


def _give_back(worker_id: str, *, is_recovery: bool) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE agents_run SET status = 'queued', next_at = clock_timestamp(), claimed_by = '',
                lease_until = NULL, num_recoveries = num_recoveries + %s,
                num_lost_in_row = num_lost_in_row + %s,
                lost_since = CASE WHEN %s THEN coalesce(lost_since, clock_timestamp())
                    ELSE lost_since END
            WHERE status = 'running' AND claimed_by = %s
            """,
            [int(is_recovery), int(is_recovery), is_recovery, worker_id],
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
