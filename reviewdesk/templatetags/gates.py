"""Small parts of the gate's pages: pills, marks, shares and estimates."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agents.golden.estimate import Estimate
from agents.models import Gate, GatePolicy
from reviewdesk.screens.golden.sentence import GATE_MARKS
from reviewdesk.templatetags.desk import icon, money, pill

register = template.Library()

MOVES = {
    "broken": ("bad", "circle-x"),
    "worse": ("warn", "trending-down"),
    "better": ("good", "trending-up"),
    "fixed": ("good", "circle-check"),
}
POLICIES = {
    GatePolicy.Status.PROPOSED: ("info", "hourglass"),
    GatePolicy.Status.ACTIVE: ("good", "circle-check"),
    GatePolicy.Status.SUPERSEDED: ("none", "history"),
    GatePolicy.Status.REFUSED: ("bad", "circle-x"),
    GatePolicy.Status.WITHDRAWN: ("none", "arrow-back-up"),
}
CEILINGS = {
    "under": ("good", "check", "under"),
    "over": ("bad", "x", "over"),
    "unsure": ("warn", "alert-triangle", "perhaps over"),
    "unknown": ("muted", "circle-dashed", "not known"),
}


@register.simple_tag
def gate_pill(gate: Gate) -> SafeString:
    """Return a gate's status as a pill."""
    return pill(*GATE_MARKS[Gate.Status(gate.status)], gate.get_status_display())


@register.simple_tag
def policy_pill(policy: GatePolicy) -> SafeString:
    """Return what became of gate rules as a pill."""
    return pill(*POLICIES[GatePolicy.Status(policy.status)], policy.get_status_display())


@register.simple_tag
def gate_move(move: str) -> SafeString:
    """Return how a test moved as a pill."""
    return pill(*MOVES.get(move, ("none", "wave-sine")), move)


@register.simple_tag
def ceiling_mark(state: str) -> SafeString:
    """Return whether a ceiling is kept, as an icon with its word."""
    kind, name, word = CEILINGS[state]
    return format_html('<span class="{}">{}</span>', kind, icon(name, "s", word))


@register.simple_tag
def estimate_text(estimate: Estimate) -> str:
    """Return what runs are expected to take."""
    runs = f"{estimate.runs:,} run{'' if estimate.runs == 1 else 's'}"
    time = "time not known" if estimate.seconds is None else f"about {_time(estimate.seconds)}"
    cost = "cost not known" if estimate.cost_usd is None else f"about {money(estimate.cost_usd)}"
    rest = "" if estimate.known == estimate.tests else _known(estimate)
    return f"{runs}, {time}, {cost}{rest}."


@register.filter
def share_text(share: float | None) -> str:
    """Return a share as a percentage with one decimal at most; unknown is a dash."""
    return "–" if share is None else f"{round(100 * share, 1):g} %"


@register.filter
def points_text(share: float | None) -> str:
    """Return a share in points with one decimal, without a sign; unknown is a dash."""
    return "–" if share is None else f"{round(100 * abs(share), 1):g}"


def _known(estimate: Estimate) -> str:
    return f" (from {estimate.known} of {estimate.tests} tests)" if estimate.known else ""


def _time(seconds: int) -> str:
    return f"{seconds} s" if seconds < 60 else f"{round(seconds / 60)} min"
