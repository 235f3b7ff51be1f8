"""What may come next in the filter line: names of fields, then values with how often they occur."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from django.core.cache import cache
from django.db.models import Count, Q

from reviewdesk.screens.sessions.counts import TooSlowError, time_limit
from reviewdesk.screens.sessions.filters import filter_of
from traces.labels import current_label_set
from traces.models import Label, Project, Score
from traces.search import FIELDS, Field, Kind, Term, field_named

# Values are those of the newest sessions that meet the rest of the filter: what is rarer than one
# in a thousand there can still be typed.
SAMPLE = 1_000
MAX_SUGGESTIONS = 9
_SAMPLE_MS = 300
_MAX_SCORES = 5_000
_CACHED_S = 30
_FRAGMENT = re.compile(r"(-?)([A-Za-z][A-Za-z_-]*)?(?:(<=|>=|!=|[:<>=])(.*))?", re.DOTALL)
_NUMBERS = {
    "cost": ("0.01", "0.10", "1"),
    "tokens": ("1k", "10k", "100k"),
    "took": ("10s", "1min", "10min"),
    "working": ("5s", "30s", "2min"),
    "steps": ("5", "10", "50"),
    "errors": ("0", "2", "5"),
    "age": ("24h", "7d", "30d"),
}


@dataclass(frozen=True)
class Suggestion:
    """Something that may stand in place of what is being typed.

    Attributes:
        text: What it is replaced with.
        lead: The part before what is suggested, shown plain.
        rest: What is suggested, shown strong.
        note: What it means.
        num: How many of the newest sessions have it; None where that is not counted.
        is_finished: Whether the term is complete with it.
    """

    text: str
    lead: str
    rest: str
    note: str = ""
    num: int | None = None
    is_finished: bool = True


@dataclass(frozen=True)
class Completion:
    """Suggestions, and the field they are for, if any."""

    suggestions: list[Suggestion]
    field: Field | None = None


def complete(project: Project, fragment: str, rest: str = "") -> Completion:
    """Return what `fragment`, the term being typed, may become beside the `rest` of the filter.

    At most eight queries, and none for names of fields.
    """
    match = _FRAGMENT.fullmatch(fragment.strip())
    if match is None:
        return Completion([])
    minus, name, op, typed = match.groups()
    if op is None:
        return Completion(_names(minus, name or ""))
    field = field_named(name or "")
    if field is None:
        return Completion([])
    return Completion(_values(project, field, minus, op, typed, rest), field)


def _names(minus: str, typed: str) -> list[Suggestion]:
    wanted = typed.lower().replace("_", "-")
    found = [each for each in FIELDS if each.name.startswith(wanted)]
    found += [
        each
        for each in FIELDS
        if each not in found and any(alias.startswith(wanted) for alias in each.aliases)
    ]
    return [
        Suggestion(
            text=f"{minus}{each.name}{_usual_op(each)}",
            lead=minus,
            rest=f"{each.name}{_usual_op(each)}",
            note=each.help,
            is_finished=False,
        )
        for each in (found if wanted else found[:MAX_SUGGESTIONS])
    ][:MAX_SUGGESTIONS]


def _values(
    project: Project, field: Field, minus: str, op: str, typed: str, rest: str
) -> list[Suggestion]:
    before, _, last = typed.rpartition(",")
    lead = f"{minus}{field.name}{op}{before}{',' if before else ''}"
    wanted = last.strip('"').lower()
    found = [
        (value, note, num)
        for value, note, num in _known(project, field, rest)
        if wanted in value.lower() or wanted in note.lower()
    ]
    found.sort(key=lambda each: (not each[0].lower().startswith(wanted), -(each[2] or 0)))
    suggestions = [
        Suggestion(f"{lead}{_quoted(value)}", lead, _quoted(value), note, num)
        for value, note, num in found[:MAX_SUGGESTIONS]
    ]
    if wanted and suggestions and not minus and not before and op == ":":
        first = suggestions[0]
        suggestions.append(Suggestion(f"-{first.text}", f"-{first.lead}", first.rest, "all others"))
    return suggestions


def _known(project: Project, field: Field, rest: str) -> Iterable[tuple[str, str, int | None]]:
    """Return the values of a field with a note and how often each occurs."""
    if field.compares:
        return [(value, "", None) for value in _NUMBERS[field.name]]
    if field.kind == Kind.DAY:
        return []
    if field.name == "queue":
        waiting = Count("items", filter=Q(items__done_at=None))
        named = project.queues.annotate(num=waiting).order_by("name")[:50]
        return [(queue.name, "", queue.num) for queue in named]
    counted = sample_of(project, rest).get(field.name, {})
    if field.name == "cause":
        return [(key, title, counted.get(key)) for key, title in _causes(project)]
    values = dict.fromkeys(field.choices) | dict.fromkeys(counted)
    return [(value, "", counted.get(value)) for value in values]


def sample_of(project: Project, rest: str) -> Mapping[str, Mapping[str, int]]:
    """Return how often values occur in the newest sessions that meet `rest`, by field.

    Three queries, remembered for half a minute; nothing where they take too long.
    """
    digest = sha256(rest.encode("utf-8", "replace")).hexdigest()
    key = f"session-values:{project.pk}:{digest}"
    kept: dict[str, Counter[str]] | None = cache.get(key)
    if kept is None:
        try:
            with time_limit(_SAMPLE_MS):
                kept = _sample(project, rest)
        except TooSlowError:
            kept = {}
        cache.set(key, kept, _CACHED_S)
    return kept


def _sample(project: Project, rest: str) -> dict[str, Counter[str]]:
    found = filter_of(rest).apply(project.sessions.all(), project)
    rows = list(
        found.order_by("-started_at", "-pk").values_list(
            "pk", "agent_name", "version_name", "status", "source", "customer", "tools",
            "model_names", "masked", "num_errors",
        )[:SAMPLE]
    )  # fmt: skip
    counted: dict[str, Counter[str]] = {}

    def add(field: str, values: Iterable[str]) -> None:
        counted.setdefault(field, Counter()).update(value for value in values if value)

    for _, agent, version, status, source, customer, tools, models, masked, errors in rows:
        add("agent", [agent])
        add("version", [version])
        add("status", [status.replace("_", "-")])
        add("source", [source])
        add("customer", [customer])
        add("tool", tools)
        add("model", models)
        add("masked", masked)
        add("has", ["errors"] if errors else [])
    pks = [row[0] for row in rows]
    scores = Score.objects.filter(project=project, session__in=pks)
    named = scores.values_list("session", "name", "label").order_by().distinct()[:_MAX_SCORES]
    names = {(pk, name) for pk, name, _ in named}
    add("score", [name for _, name in names])
    add("score", [f"{name}={label}" for _, name, label in named if label])
    labels = Label.objects.filter(session__in=pks).exclude(completed_at=None)
    labelled = set()
    for pk, outcome, cause, email in labels.values_list(
        "session_id", "outcome", "cause", "author__email"
    ):
        labelled.add(pk)
        add("outcome", [(outcome or "").replace("_", "-")])
        add("cause", [cause or ""])
        add("labelled-by", [email.partition("@")[0]])
    add("outcome", ["none"] * (len(rows) - len(labelled)))
    return counted


def _causes(project: Project) -> list[tuple[str, str]]:
    questions = current_label_set(project).questions
    causes = next((each for each in questions if each["key"] == "primary_cause"), None)
    return [(each["key"], each["title"]) for each in causes["choices"]] if causes else []


def _usual_op(field: Field) -> str:
    if field.name == "age":
        return "<"
    return ">" if field.compares else ":"


def _quoted(value: str) -> str:
    return Term("", "", (value,)).value
