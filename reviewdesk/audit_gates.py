"""Changes of what a gate goes by, as lines that people read: its rules, and the judges."""

from django.urls import reverse

from agents.gate.config import GateConfig
from agents.models import GatePolicy
from reviewdesk.audit_lines import Line, Row
from reviewdesk.screens.golden.policy import rule_rows
from traces.models import Project

POLICY_VALUES = ("number", "status", "config")
JUDGE_VALUES = ("name", "slug", "question", "passes", "archived_at")
JUDGE_BEFORE = {
    "name_before": "name",
    "question_before": "question",
    "passes_before": "passes",
    "archived_before": "archived_at",
}
_DID = {
    GatePolicy.Status.PROPOSED: "gate rules proposed",
    GatePolicy.Status.ACTIVE: "gate rules approved",
    GatePolicy.Status.REFUSED: "gate rules refused",
    GatePolicy.Status.WITHDRAWN: "gate rules withdrawn",
    GatePolicy.Status.SUPERSEDED: "gate rules superseded",
}


def policy_gate_line(row: Row, project: Project) -> Line:
    """Tell of the gate's rules that were proposed or decided: what they set beside the defaults."""
    rows = rule_rows(GateConfig(), GateConfig.from_json(row["config"]))
    changed = [each for each in rows if each.is_changed]
    return Line(
        f"gate rules {row['number']}",
        _DID[GatePolicy.Status(row["status"])],
        _settings([(each.rule.title, each.value) for each in changed]),
        _settings([(each.rule.title, each.proposed) for each in changed]) or "the defaults",
        reverse("golden:policy", args=[project.slug]),
    )


def judge_line(row: Row, project: Project) -> Line:
    """Tell of a judge that was written, changed, set aside or taken back."""
    url = reverse("judges:judge", args=[project.slug, row["slug"]])
    if row["label"] == "insert":
        return Line(row["name"], "judge written", "", _measured(row, ""), url)
    if (row["archived_at"] is None) != (row["archived_before"] is None):
        return Line(
            row["name"], "judge set aside" if row["archived_at"] else "judge taken back", url=url
        )
    before, after = _measured(row, "_before"), _measured(row, "")
    if before != after:
        return Line(row["name"], "judge measured otherwise", before, after, url)
    return Line(row["name"], "judge renamed", row["name_before"] or "", row["name"], url)


def _settings(pairs: list[tuple[str, str]]) -> str:
    return "; ".join(f"{title}: {value}" for title, value in pairs)


def _measured(row: Row, when: str) -> str:
    question = row[f"question{when}"]
    if not question:
        return "by no question"
    passes = ", ".join(row[f"passes{when}"] or []) or "nothing"
    return f"by {question}; passes: {passes}"
