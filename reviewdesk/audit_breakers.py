"""A move of a tool's circuit breaker as a line of the audit trail."""

from django.db.models import Q
from django.urls import reverse

from agents.models import ToolGuard
from reviewdesk.audit_lines import Line, Row
from traces.models import Project

# A probe that fails again changes nothing that people see; who holds it open has no next probe.
TOLD = Q(breaker=ToolGuard.Breaker.CLOSED) | Q(
    Q(num_opened__lte=1) | Q(probe_at=None), breaker=ToolGuard.Breaker.OPEN
)


def breaker_line(row: Row, project: Project) -> Line:
    """Tell of a breaker that opened or closed, by failures or by hand."""
    url = reverse("autonomy:index", args=[project.slug])
    subject = f"breaker of {row['tool']}"
    if row["breaker"] == ToolGuard.Breaker.CLOSED:
        return Line(subject, "closed", url=url)
    if row["probe_at"] is None:
        return Line(subject, "opened, and held open", url=url)
    num = row["num_failures"]
    did = f"opened after {num} {'failure' if num == 1 else 'failures'} in a row"
    return Line(subject, did, "", row["last_error"], url)
