"""A change of a budget as a line of the audit trail."""

from django.urls import reverse

from agents.models import Budget
from agents.runtime.spending import amount_words
from reviewdesk.audit_lines import Line, Row
from traces.models import Project


def budget_line(row: Row, project: Project) -> Line:
    """Tell of the limits of a day that were set, changed or taken away."""
    agent = row["agent__name"]
    subject = f"budget of {agent}" if agent else "budget of all agents"
    url = reverse("settings:budgets", args=[project.slug])
    if agent:
        url += f"?agent={row['agent__slug']}"
    measures = Budget.MEASURES
    is_new = row["label"] == "insert"
    changed = [each for each in measures if is_new or row[f"max_{each}"] != row[f"{each}_before"]]
    before = "" if is_new else _limits(row, changed, "{}_before")
    after = _limits(row, changed, "max_{}")
    return Line(subject, "budget set" if is_new else "budget changed", before, after, url)


def _limits(row: Row, measures: list[str], name: str) -> str:
    values = [(measure, row[name.format(measure)]) for measure in measures]
    told = [amount_words(measure, value) for measure, value in values if value is not None]
    return f"{', '.join(told)} a day" if told else "no limit"
