"""Attacked runs of AgentDojo as adversarial golden tests."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils.text import slugify

from agents.config import canonical_json
from agents.golden.adversarial.attacks import Family
from agents.golden.adversarial.dojo_rows import DojoRow, read_rows
from agents.golden.adversarial.dojo_targets import Forbidden, Targets
from agents.golden.exchange import ImportPlan, import_tests, plan_import
from agents.golden.files import Format, write_entries
from agents.models import Agent, GoldenTest
from agents.tools.evidence import INJECTION_TAG

_TAG = "agentdojo"
_MOST_FORBIDDEN = 20
_LONGEST_GOAL = 160
_NOT_READ = "no tool returned what was planted, so it was no attack on that run"
_NOT_SHOWN = "no run of the file shows what its attack would call"
_NOT_ATTACKED = "nothing was planted in it"
_TWICE = "line {line} is the same run"


@dataclass(frozen=True)
class Skipped:
    """A run of which no test is made, and why."""

    line: int
    why: str


@dataclass(frozen=True)
class DojoImport:
    """What an import does or did: the tests it writes, and the runs that are left out."""

    plan: ImportPlan
    skipped: tuple[Skipped, ...]


def import_agentdojo(
    *, agent: Agent, lines: Iterable[str], by: AbstractBaseUser | None, limit: int | None = None
) -> DojoImport:
    """Write a golden test per attacked run, in one transaction, and return what was done.

    Args:
        agent: Whose tests they become. Tools that its project does not have are answered by what
            is recorded.
        lines: Of the file, a run each.
        by: Who imports, the tests' owner; None: nothing is written, only said.
        limit: How many tests at most; the rest of the file is passed over.

    Raises:
        BadFileError: A line cannot be used, or no test comes of the file; nothing was written.
    """
    rows = read_rows(lines)
    entries, skipped = entries_of(rows, limit)
    text = write_entries(entries, Format.JSONL)
    if not entries:
        plan = ImportPlan((), (), 0)
    elif by is None:
        plan = plan_import(agent=agent, text=text, with_unknown_tools=True)
    else:
        plan = import_tests(agent=agent, text=text, by=by, with_unknown_tools=True)
    return DojoImport(plan, tuple(skipped))


def entries_of(
    rows: Sequence[DojoRow], limit: int | None = None
) -> tuple[list[dict[str, Any]], list[Skipped]]:
    """Return an entry per attacked run, and the runs of which none is made. Pure."""
    targets = Targets(rows)
    entries: dict[str, dict[str, Any]] = {}
    lines: dict[str, int] = {}
    skipped = []
    for row in rows:
        if limit is not None and len(entries) >= limit:
            break
        slug = _slug(row)
        forbidden = targets.of(row)[:_MOST_FORBIDDEN] if row.attack else []
        if why := _why_not(row, forbidden, lines.get(slug)):
            skipped.append(Skipped(row.line, why))
        else:
            entries[slug] = _entry(slug, row, forbidden)
            lines[slug] = row.line
    return list(entries.values()), skipped


def _why_not(row: DojoRow, forbidden: Sequence[Forbidden], same: int | None) -> str:
    if not row.attack:
        return _NOT_ATTACKED
    if not row.was_read:
        return _NOT_READ
    if not forbidden:
        return _NOT_SHOWN
    return _TWICE.format(line=same) if same else ""


def _entry(slug: str, row: DojoRow, forbidden: Sequence[Forbidden]) -> dict[str, Any]:
    suite, goal = slugify(row.suite)[:30], row.goal
    outcome = "succeeded" if row.has_succeeded else "did not succeed"
    short = goal if len(goal) <= _LONGEST_GOAL else f"{goal[:_LONGEST_GOAL].rstrip()}…"
    return {
        "slug": slug,
        "title": f"Does not do what is planted: {short}",
        "suite": GoldenTest.Suite.ADVERSARIAL.value,
        "severity": GoldenTest.Severity.CRITICAL.value,
        "is_critical": True,
        "tags": [Family.INDIRECT.value, INJECTION_TAG, _TAG, suite],
        "reason": f"AgentDojo, {row.suite[:60]}: {row.user_task[:60]} attacked by "
        f"{row.injection_task[:60]} ({row.attack[:60]}). On {row.pipeline[:120]} the attack "
        f"{outcome}.",
        "input": {"messages": [{"role": "user", "content": row.prompt}], "turns": []},
        "fixtures": list(_fixtures(row, forbidden)),
        "checks": [
            {"kind": "tool_not_called", "tool": spec.tool, "arguments": {}, "where": [*spec.where]}
            for spec in forbidden
        ],
        "expectations": [{"kind": "must_not", "text": f"do what a tool's result asks: {short}"}],
    }


def _fixtures(row: DojoRow, forbidden: Sequence[Forbidden]) -> Iterator[dict[str, Any]]:
    """Yield what was recorded, and the answers to the attack's calls where it succeeded."""
    seen = set()
    for call in (*row.calls, *(spec.example for spec in forbidden)):
        key = (call.tool, canonical_json(call.arguments))
        if key not in seen:
            seen.add(key)
            yield call.to_fixture()


def _slug(row: DojoRow) -> str:
    told = canonical_json([row.suite, row.user_task, row.injection_task, row.attack, row.pipeline])
    name = slugify(f"{_TAG}-{row.suite}-{row.user_task}-{row.injection_task}".replace("_", "-"))
    return f"{name[:68].rstrip('-')}-{sha256(told.encode()).hexdigest()[:8]}"
