"""What was masked, and called without a price, since a day: of sums per day, else of the rows.

Sessions belong to the day (UTC) on which they began. Sums may lag by a minute.
"""

from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from traces.rollups import began_in, uncounted

_MASKED = """
SELECT kind, sum(num)::bigint FROM (
    SELECT kind, num_values AS num FROM traces_maskedday
    WHERE project_id = %(project)s AND day >= %(since)s AND day <= %(today)s
    UNION ALL
    SELECT key, value::bigint FROM traces_session AS session, jsonb_each_text(masked)
    WHERE project_id = %(project)s AND masked <> '{{}}' AND {began}
) AS counted (kind, num) GROUP BY kind
"""
_UNPRICED = """
SELECT model, sum(num)::bigint FROM (
    SELECT model, num_calls AS num FROM traces_unpricedday
    WHERE project_id = %(project)s AND day >= %(since)s AND day <= %(today)s
    UNION ALL
    SELECT span.model, 1 FROM traces_session AS session
    JOIN traces_span AS span ON span.session_id = session.id
    WHERE {began} AND session.project_id = %(project)s AND span.start_ns >= %(since_ns)s
        AND span.kind = 'model' AND span.model <> '' AND span.cost_usd IS NULL
        AND span.input_tokens IS NOT NULL AND span.output_tokens IS NOT NULL
) AS counted (model, num) GROUP BY model
"""


def masked_since(project_id: int, since: date) -> dict[str, int]:
    """Return how many values were masked, by kind. Two queries."""
    return _summed(_MASKED, project_id, since, timezone.now().date())


def unpriced_since(project_id: int, since: date, *, today: date) -> dict[str, int]:
    """Return how often models were called whose tokens are known and cost is not. Two queries."""
    return _summed(_UNPRICED, project_id, since, today)


def _summed(query: str, project_id: int, since: date, today: date) -> dict[str, int]:
    stretches = uncounted(project_id, since, today + timedelta(days=1), may_lag=True)
    midnight = datetime.combine(since, time(), timezone.get_default_timezone())
    values: dict[str, Any] = {
        "project": project_id,
        "since": since,
        "today": today,
        "since_ns": int(midnight.timestamp()) * 1_000_000_000,
    }
    began, bounds = began_in(stretches)
    with connection.cursor() as cursor:
        cursor.execute(query.format(began=began), {**values, **bounds})
        return dict(cursor.fetchall())
