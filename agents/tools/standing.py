"""What is written about tools of agents, read in one query: levels, ceilings, incidents, stops."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from agents.models import KillSwitch, Level, Tier
from agents.tools.levels import Held, Lift, Standing, Switch
from traces.prepared import prepared_cursor

AUTHORITY_LOCK = 0x5245_5644_4155_5448  # "REVDAUTH"

PATIENCE_MS = 3_000

_END_IDLE_HOLDERS = """
SELECT pg_terminate_backend(held.pid)
FROM pg_locks held JOIN pg_stat_activity activity USING (pid)
WHERE held.locktype = 'advisory' AND held.granted AND held.pid <> pg_backend_pid()
    AND held.classid::bigint = %s AND held.objid::bigint = %s
    AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND activity.state LIKE 'idle in transaction%%'
    AND activity.state_change < clock_timestamp() - make_interval(secs => %s / 1000.0)
"""

_STANDING = """
SELECT t.id, t.name, t.level, t.reason, t.contract_version, t.candidate_since, t.candidate_why,
    a.ceiling, a.name, a.live_version_id,
    (SELECT json_agg(json_build_array(l.tier, l.level, l.reason, l.expires_at))
        FROM agents_ceilinglift l WHERE l.agent_id = a.id),
    (SELECT json_agg(json_build_array(i.number, i.title, i.ceiling) ORDER BY i.number)
        FROM agents_incident i
        WHERE i.project_id = a.project_id AND i.status = 'open' AND i.ceiling <> ''
            AND (i.agent_id IS NULL OR i.agent_id = a.id) AND i.tool IN ('', t.name)),
    (SELECT json_agg(json_build_array(k.id, k.scope, k.stops, k.reason, k.stopped_at)
            ORDER BY k.stopped_at)
        FROM agents_killswitch k
        WHERE k.lifted_at IS NULL AND (
            k.scope = 'everything'
            OR (k.project_id = a.project_id AND (k.agent_id IS NULL OR k.agent_id = a.id)
                AND k.tool IN ('', t.name))))
FROM agents_agenttool t JOIN agents_agent a ON a.id = t.agent_id
"""


def standing_for_call(*, agent_id: int, tool: str) -> Standing | None:
    """Return the standing of one tool, or None where the agent is not given it. One query."""
    return standings_for_calls(agent_id=agent_id, tools=[tool]).get(tool)


def standings_for_calls(*, agent_id: int, tools: Iterable[str]) -> dict[str, Standing]:
    """Return the standing of each of these tools that the agent is given, by name. One query."""
    rows = _read("WHERE t.agent_id = %s AND t.name = ANY(%s)", [agent_id, list(tools)])
    return {name: standing for _, name, standing in rows}


def standings(agent_tool_ids: Sequence[int]) -> dict[int, Standing]:
    """Return the standing of each `AgentTool` by its id. One query."""
    rows = _read("WHERE t.id = ANY(%s)", [list(agent_tool_ids)])
    return {key: standing for key, _, standing in rows}


def hold_authority() -> None:
    """Hold authority as it is until the transaction ends: what begins an effect calls this first.

    Whoever takes authority away (`freeze_authority`) waits for these transactions, and what
    begins afterwards reads what was taken away. The lock comes before every row's. One query.
    """
    with prepared_cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [AUTHORITY_LOCK])


def freeze_authority() -> None:
    """Wait for the effects that have begun, and let none begin until the transaction ends.

    First in every transaction that takes authority away, before any row is locked. A worker that
    was stopped in the middle of its transaction would be waited for without end: after
    `PATIENCE_MS` the transactions that hold authority and do nothing are ended. What they had
    begun is rolled back, and goes on from its journal.
    """
    while not _frozen():
        _end_idle_holders()


def _frozen() -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [str(PATIENCE_MS)])
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [AUTHORITY_LOCK])
            cursor.execute("SELECT set_config('lock_timeout', '0', true)")
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            return False
        raise
    return True


def _end_idle_holders() -> None:
    with connection.cursor() as cursor:
        parameters = [AUTHORITY_LOCK >> 32, AUTHORITY_LOCK & 0xFFFF_FFFF, PATIENCE_MS]
        cursor.execute(_END_IDLE_HOLDERS, parameters)


def _read(where: str, parameters: list[Any]) -> list[tuple[int, str, Standing]]:
    with prepared_cursor() as cursor:
        cursor.execute(_STANDING + where, parameters)
        return [(key, name, _standing(*row)) for key, name, *row in cursor.fetchall()]


def _standing(
    level: str,
    reason: str,
    contract_version: str,
    candidate_since: datetime | None,
    candidate_why: str,
    ceiling: str,
    agent: str,
    live_version_id: int | None,
    lifts: list[list[Any]] | None,
    incidents: list[list[Any]] | None,
    switches: list[list[Any]] | None,
) -> Standing:
    return Standing(
        level=Level(level),
        reason=reason,
        contract_version=contract_version,
        candidate_since=candidate_since,
        candidate_why=candidate_why,
        ceiling=Level(ceiling),
        agent=agent,
        live_version_id=live_version_id,
        lifts=tuple(
            Lift(Tier(tier), Level(to), why, datetime.fromisoformat(expires))
            for tier, to, why, expires in lifts or ()
        ),
        incidents=tuple(
            Held(number, title, Level(held)) for number, title, held in incidents or ()
        ),
        switches=tuple(
            Switch(
                key,
                KillSwitch.Scope(scope),
                KillSwitch.Stops(stops),
                why,
                datetime.fromisoformat(since),
            )
            for key, scope, stops, why, since in switches or ()
        ),
    )
