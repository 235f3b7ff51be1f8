"""How often tools were called over the last days: of sums per day, and of days without them.

Calls belong to the day (UTC) on which their session began. Sums may lag by a minute.
"""

from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from traces.models import Project
from traces.rollups import began_in, uncounted

# Golden tests' runs are left out: nobody decided to trust them with anything.
_CALLS = """
SELECT agent_name, tool, day, num_calls, num_failed FROM traces_toolday
WHERE project_id = %(project)s AND day >= %(since)s AND day <= %(today)s
    AND (%(agent)s = '' OR agent_name = %(agent)s) AND (%(tool)s = '' OR tool = %(tool)s)
UNION ALL
SELECT session.agent_name, span.name, (session.started_at AT TIME ZONE 'UTC')::date AS day,
    count(*), count(*) FILTER (WHERE span.status = 'error')
FROM traces_session AS session JOIN traces_span AS span ON span.session_id = session.id
WHERE {began} AND session.project_id = %(project)s AND NOT session.is_golden
    AND span.start_ns >= %(since_ns)s AND span.kind = 'tool'
    AND (%(agent)s = '' OR session.agent_name = %(agent)s)
    AND (%(tool)s = '' OR span.name = %(tool)s)
GROUP BY session.agent_name, span.name, day
"""


def calls_since(
    project: Project, since: datetime, *, now: datetime, agent: str = "", tool: str = ""
) -> list[tuple[str, str, date, int, int]]:
    """Return agent, tool, day, calls and failed calls, in no order. Two queries.

    Args:
        project: Whose calls.
        since: A midnight (UTC).
        now: The time; nothing later is counted.
        agent: Slug of one agent, or empty for all.
        tool: One tool, or empty for all.
    """
    stretches = uncounted(project.pk, since.date(), now.date() + timedelta(days=1), may_lag=True)
    values: dict[str, Any] = {
        "project": project.pk,
        "since": since.date(),
        "today": now.date(),
        "since_ns": int(since.timestamp()) * 1_000_000_000,
        "agent": agent,
        "tool": tool,
    }
    began, bounds = began_in(stretches)
    with connection.cursor() as cursor:
        cursor.execute(_CALLS.format(began=began), {**values, **bounds})
        rows: list[tuple[str, str, date, int, int]] = cursor.fetchall()
    return rows
