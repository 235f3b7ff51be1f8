"""Changes of authority as lines of the audit trail: raises asked for, stops, calls undone."""

from django.urls import reverse

from agents.models import KillSwitch, Level, LevelProposal, UndoableCall
from reviewdesk.audit_lines import Line, Row
from traces.models import Project

PROPOSAL_VALUES = (
    "agent_tool__name",
    "agent_tool__agent__slug",
    "agent_tool__agent__name",
    "from_level",
    "to_level",
    "status",
)
SWITCH_VALUES = (
    "scope",
    "stops",
    "tool",
    "agent__name",
    "project__name",
    "lifted_at",
)
UNDO_VALUES = ("status", "step__name", "run__session_id", "undo_tool")


def proposal_line(row: Row, project: Project) -> Line:
    """Tell of a raise that was proposed, granted, refused, withdrawn or became void."""
    name, agent = row["agent_tool__name"], row["agent_tool__agent__name"]
    url = reverse("autonomy:tool", args=[project.slug, row["agent_tool__agent__slug"], name])
    did = "raise proposed"
    if row["label"] != "insert":
        did = f"raise {LevelProposal.Status(row['status']).label}"
    before, after = Level(row["from_level"]).label, Level(row["to_level"]).label
    return Line(f"{name} of {agent}", did, before, after, url)


def switch_line(row: Row, project: Project) -> Line:
    """Tell of a stop, of what it was widened to, and of its end."""
    subject = row["tool"] or row["agent__name"] or row["project__name"] or "everything"
    if row["tool"] and row["agent__name"]:
        subject = f"{row['tool']} of {row['agent__name']}"
    did = "stop lifted" if row["lifted_at"] else "stopped"
    what = "" if row["lifted_at"] else KillSwitch.Stops(row["stops"]).label
    return Line(subject, did, "", what, reverse("autonomy:index", args=[project.slug]))


def undo_line(row: Row, project: Project) -> Line:
    """Tell of a call that was taken back, or could not be."""
    url = reverse("sessions:detail", args=[project.slug, row["run__session_id"]])
    after = UndoableCall.Status(row["status"]).label
    return Line(row["step__name"], f"call {after}", "", f"by {row['undo_tool']}", url)
