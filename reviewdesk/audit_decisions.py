"""Decisions about waiting calls as lines of the audit trail."""

from django.db.models import Q
from django.urls import reverse

from agents.models import EffectReview, ToolApproval
from agents.models.approval_rules import PLANTED_PER_WEEK, TWO_PEOPLE_FROM_USD
from reviewdesk.audit_lines import Line, Row
from reviewdesk.screens.approvals.inbox import differences
from traces.models import Project

_MAX_CHANGE = 200
_WAITING = ToolApproval.Status.WAITING
# Being consumed is the run's doing, and a planted call changes nothing. Of a call that waits it is
# told that it was escalated, or that its decision was taken back.
TOLD = Q(is_canary=False) & (
    (~Q(status=_WAITING) & Q(consumed_at=None))
    | Q(status=_WAITING, pgh_label="update")
    & (~Q(status_before=_WAITING) | Q(escalated_at__isnull=False, escalated_before__isnull=True))
)


def call_line(row: Row, project: Project) -> Line:
    """Tell of a tool call that a person decided, took back or escalated, or that expired."""
    status = ToolApproval.Status(row["status"])
    is_suggestion = row["kind"] == ToolApproval.Kind.SUGGESTION
    did = "suggestion judged" if is_suggestion else "call decided"
    if row["who_id"] is None:
        did = "call not decided"
    url = reverse("sessions:detail", args=[project.slug, row["run__session_id"]])
    if status == _WAITING and row["status_before"] == _WAITING:
        return Line(row["tool"], "call escalated", "", "leads alone decide", url)
    if status == _WAITING:
        before = ToolApproval.Status(row["status_before"]).label
        return Line(row["tool"], "decision taken back", before, status.label, url)
    if status == ToolApproval.Status.EDITED:
        changed = differences(row["arguments"], row["decided_arguments"] or {})
        before = "; ".join(f"{name}: {was}" for name, was, _ in changed)
        after = "; ".join(f"{name}: {now}" for name, _, now in changed)
        return Line(row["tool"], "call edited and approved", _cut(before), _cut(after), url)
    return Line(row["tool"], did, _WAITING.label, status.label, url)


def vote_line(row: Row, project: Project) -> Line:
    """Tell of one person's yes to a call that needs several, or that it was taken back."""
    url = reverse("approvals:call", args=[project.slug, row["approval_id"]])
    needed = f"one of {row['approval__num_needed']} people"
    if row["label"] == "delete":
        return Line(row["approval__tool"], "agreement taken back", needed, "", url)
    return Line(row["approval__tool"], "agreed to a call", "", needed, url)


def review_line(row: Row, project: Project) -> Line:
    """Tell what a person found out about a call of unknown outcome."""
    url = reverse("sessions:detail", args=[project.slug, row["run__session_id"]])
    verdict = EffectReview.Verdict(row["verdict"])
    before = EffectReview.Verdict.WAITING.label
    return Line(row["step__name"], "unknown outcome settled", before, verdict.label, url)


def rules_line(row: Row, project: Project) -> Line:
    """Tell of a project's rules of decision."""
    before = _rules(
        row["usd_before"] if row["usd_before"] is not None else TWO_PEOPLE_FROM_USD,
        row["planted_before"] if row["planted_before"] is not None else PLANTED_PER_WEEK,
    )
    after = _rules(row["two_people_from_usd"], row["canaries_per_week"])
    url = reverse("approvals:rules", args=[project.slug])
    return Line("Rules of decision", "rules set", before, after, url)


def _rules(usd: object, planted: object) -> str:
    return f"two people from ${usd}, {planted} planted a week"


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHANGE else f"{text[: _MAX_CHANGE - 1]}…"
