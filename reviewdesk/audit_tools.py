"""Connections to other systems, and the contracts of their tools, as lines of the audit trail."""

from typing import Any

from django.urls import reverse

from agents.models import Effect, Tier
from reviewdesk.audit_lines import Line, Row
from traces.models import Project

SOURCE_VALUES = ("name", "slug", "url", "command", "allowed_hosts", "headers", "is_on")
SOURCE_BEFORE = {
    "url_before": "url",
    "command_before": "command",
    "hosts_before": "allowed_hosts",
    "headers_before": "headers",
    "is_on_before": "is_on",
}


def source_line(row: Row, project: Project) -> Line:
    """Tell of a source of tools that was added, changed, imported from, or turned off or on."""
    url = reverse("settings:tool_source", args=[project.slug, row["slug"]])
    if row["label"] == "insert":
        return Line(row["name"], "source of tools added", "", _hosts(row["allowed_hosts"]), url)
    if row["is_on"] != row["is_on_before"]:
        return Line(row["name"], "source", *_on(row["is_on_before"], row["is_on"]), url)
    if row["allowed_hosts"] != row["hosts_before"]:
        before, after = _hosts(row["hosts_before"]), _hosts(row["allowed_hosts"])
        return Line(row["name"], "hosts it may reach", before, after, url)
    if (row["url"], row["command"]) != (row["url_before"], row["command_before"]):
        before = row["url_before"] or _command(row["command_before"])
        return Line(row["name"], "place", before, row["url"] or _command(row["command"]), url)
    if row["headers"] != row["headers_before"]:
        before, after = ", ".join(row["headers_before"] or ()), ", ".join(row["headers"])
        return Line(row["name"], "headers with secrets", before, after, url)
    return Line(row["name"], "tools imported", "", "", url)


def contract_line(row: Row, project: Project) -> Line:
    """Tell of a new version of an imported tool's contract."""
    url = reverse("settings:tool", args=[project.slug, row["name"]])
    after = f"{Tier(row['tier']).label}, {Effect(row['effect']).label}"
    return Line(row["name"], f"contract, version {row['number']}", "", after, url)


def _on(before: bool | None, after: bool) -> tuple[str, str]:
    return "on" if before else "off", "on" if after else "off"


def _hosts(hosts: Any) -> str:
    return ", ".join(hosts or ()) or "no host"


def _command(parts: Any) -> str:
    return " ".join(parts or ()) or "the document's"
