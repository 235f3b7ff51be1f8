"""Changes of incidents, schedules and webhooks as lines of the audit trail."""

from urllib.parse import urlsplit

from django.urls import reverse

from agents.models import Incident, Level
from agents.outbox.events import event_titled
from reviewdesk.audit_lines import Line, Row
from traces.models import Project

INCIDENT_VALUES = ("number", "title", "status", "severity", "ceiling", "owner__name")
INCIDENT_BEFORE = {
    "status_before": "status",
    "severity_before": "severity",
    "ceiling_before": "ceiling",
    "owner_before": "owner__name",
}
SCHEDULE_VALUES = (
    "name",
    "cron",
    "every_seconds",
    "time_zone",
    "is_on",
    "archived_at",
    "agent__name",
)
SCHEDULE_BEFORE = {
    "on_before": "is_on",
    "cron_before": "cron",
    "seconds_before": "every_seconds",
    "zone_before": "time_zone",
}
WEBHOOK_VALUES = ("name", "url", "event_names", "is_on")
WEBHOOK_BEFORE = {"on_before": "is_on", "url_before": "url", "events_before": "event_names"}


def incident_line(row: Row, project: Project) -> Line:
    """Tell of an incident that was opened, changed, mitigated, closed or opened again."""
    subject = f"incident {row['number']}: {row['title']}"
    url = reverse("incidents:incident", args=[project.slug, row["number"]])
    status, severity = Incident.Status(row["status"]), Incident.Severity(row["severity"])
    if row["label"] == "insert":
        held = f", {_held(row['ceiling'])}" if row["ceiling"] else ""
        return Line(subject, "incident opened", "", f"{severity.label}{held}", url)
    if status != row["status_before"]:
        before = Incident.Status(row["status_before"]).label
        return Line(subject, "incident", before, status.label, url)
    if row["ceiling"] != row["ceiling_before"]:
        before, after = _held(row["ceiling_before"]), _held(row["ceiling"])
        return Line(subject, "held back by an incident", before, after, url)
    if severity != row["severity_before"]:
        before = Incident.Severity(row["severity_before"]).label
        return Line(subject, "severity", before, severity.label, url)
    before, after = row["owner_before"] or "nobody", row["owner__name"] or "nobody"
    return Line(subject, "owner", before, after, url)


def schedule_line(row: Row, project: Project) -> Line:
    """Tell of a schedule that was made, changed, turned on or off, or archived."""
    subject = f"{row['name']} of {row['agent__name']}"
    url = reverse("settings:schedule", args=[project.slug, row["obj_id"]])
    after = _times(row["cron"], row["every_seconds"], row["time_zone"])
    if row["label"] == "insert":
        return Line(subject, "schedule made", "", after, url)
    if row["archived_at"] is not None:
        return Line(subject, "schedule archived", "", "", url)
    if row["is_on"] != row["on_before"]:
        return Line(subject, f"schedule turned {'on' if row['is_on'] else 'off'}", "", "", url)
    before = _times(row["cron_before"], row["seconds_before"], row["zone_before"])
    if before == after:
        return Line(subject, "schedule changed", "", "", url)
    return Line(subject, "times of a schedule", before, after, url)


def webhook_line(row: Row, project: Project) -> Line:
    """Tell of a webhook; of its address the host alone, for the rest may be secret."""
    subject = row["name"]
    url = reverse("settings:notifications", args=[project.slug])
    if row["label"] == "insert":
        return Line(subject, "webhook made", "", _host(row["url"]), url)
    if row["is_on"] != row["on_before"]:
        return Line(subject, f"webhook turned {'on' if row['is_on'] else 'off'}", "", "", url)
    if row["url"] != row["url_before"]:
        before, after = _host(row["url_before"]), _host(row["url"])
        return Line(subject, "address of a webhook", before, after, url)
    if row["event_names"] != row["events_before"]:
        before, after = _events(row["events_before"]), _events(row["event_names"])
        return Line(subject, "told of", before, after, url)
    return Line(subject, "webhook changed", "", "", url)


def _held(ceiling: str | None) -> str:
    return f"at {Level(ceiling).label} at most" if ceiling else "nothing"


def _times(cron: str, seconds: int | None, zone: str) -> str:
    return f"{cron} {zone}" if cron else f"every {seconds or 0:,} s"


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _events(names: list[str]) -> str:
    return ", ".join(event_titled(name) for name in names) or "everything"
