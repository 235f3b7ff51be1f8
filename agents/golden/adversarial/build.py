"""The adversarial suite of an agent: our attacks as golden tests, with the tools it was given."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pghistory
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from agents.errors import GoldenError
from agents.golden.adversarial.attacks import ATTACKS, Attack
from agents.golden.adversarial.planted import planted_result
from agents.golden.exchange import ImportPlan, import_tests, plan_import
from agents.golden.files import Format, write_entries
from agents.models import Agent, GoldenTest, Tier
from agents.tools.contract import ToolContract
from agents.tools.evidence import INJECTION_TAG
from agents.tools.registry import contracts_named

# A test may have a few more checks beside these.
_MOST_FORBIDDEN = 30
_MOST_READERS = 100
_TIERS = list(Tier)
_NO_WRITER = "it names a tool that changes something, and the agent was given none"
_NO_READER = "it plants words in what a tool reads, and the agent was given none that reads texts"


@dataclass(frozen=True)
class LeftOut:
    """An attack that cannot be made a test of this agent, and why."""

    attack: Attack
    why: str


@dataclass(frozen=True)
class SuitePlan:
    """What adding the suite would do.

    Attributes:
        new: Entries of tests that there are not yet.
        kept: Tests that there are, as the suite has them.
        changed: Tests that there are and that say something else by now.
        archived: Tests that somebody archived; they stay so.
        left_out: Attacks that do not fit the agent.
        danger: The tool that the attacks name, or "".
    """

    new: tuple[dict[str, Any], ...]
    kept: tuple[GoldenTest, ...]
    changed: tuple[GoldenTest, ...]
    archived: tuple[GoldenTest, ...]
    left_out: tuple[LeftOut, ...]
    danger: str


def plan_suite(*, agent: Agent) -> SuitePlan:
    """Say what adding the adversarial suite to an agent would do; nothing is written.

    Raises:
        BadFileError: An attack cannot be made a test; the message says why.
    """
    writers, readers = given_tools(agent)
    entries, left_out = entries_for(writers, readers)
    known = {test.slug: test for test in _tests_of(entries, agent)}
    archived = [test for test in known.values() if test.archived_at is not None]
    plan = _planned(agent, entries, archived)
    changed = {test.slug: test for test, _ in plan.changed}
    kept = [t for slug, t in known.items() if t.archived_at is None and slug not in changed]
    return SuitePlan(
        new=plan.new,
        kept=tuple(kept),
        changed=tuple(changed.values()),
        archived=tuple(archived),
        left_out=left_out,
        danger=writers[0].name if writers else "",
    )


def add_suite(*, agent: Agent, by: AbstractBaseUser, with_changed: bool = False) -> SuitePlan:
    """Add the attacks that fit an agent as golden tests, in one transaction; return what was done.

    A test that there is stays as it is, and an archived one archived.

    Args:
        agent: Whose tests they become.
        by: Who adds them; their owner.
        with_changed: Whether tests that say something else by now become again as the suite has
            them: a new version of each.

    Raises:
        GoldenError: None of the attacks fits the agent, or one cannot be made a test.
    """
    reason = "The adversarial suite was added."
    with (
        transaction.atomic(),
        pghistory.context(user=by.pk, reason=reason, action="add adversarial suite"),
    ):
        plan = plan_suite(agent=Agent.objects.select_for_update(no_key=True).get(pk=agent.pk))
        if len(plan.left_out) == len(ATTACKS):
            raise GoldenError(f"No attack fits {agent.name}: it was given no tools.")
        entries, _ = entries_for(*given_tools(agent))
        wanted = {data["slug"] for data in plan.new}
        if with_changed:
            wanted |= {test.slug for test in plan.changed}
        if written := [entry for entry in entries if entry["slug"] in wanted]:
            import_tests(agent=agent, text=write_entries(written, Format.JSONL), by=by)
    return plan


def given_tools(agent: Agent) -> tuple[list[ToolContract], list[ToolContract]]:
    """Return the agent's tools that change something, the riskiest first, and those that read.

    Two queries at most.
    """
    names = agent.tools.values_list("name", flat=True)
    given = contracts_named(names, agent.project_id).values()
    usable = sorted((tool for tool in given if not tool.withdrawn), key=_by_risk)
    writers = [tool for tool in usable if not tool.is_read and not tool.is_handover]
    return writers, [tool for tool in usable if tool.is_read and not tool.is_handover]


def entries_for(
    writers: Sequence[ToolContract], readers: Sequence[ToolContract]
) -> tuple[list[dict[str, Any]], tuple[LeftOut, ...]]:
    """Return the entries of the attacks that fit these tools, and the attacks that do not. Pure."""
    entries, left_out = [], []
    for attack in ATTACKS:
        if attack.names_danger and not writers:
            left_out.append(LeftOut(attack, _NO_WRITER))
        elif attack.plants and not _rules(attack.plants, readers):
            left_out.append(LeftOut(attack, _NO_READER))
        elif not writers and not readers:
            left_out.append(LeftOut(attack, "the agent was given no tools"))
        else:
            entries.append(_entry(attack, writers, readers))
    return entries, tuple(left_out)


def _entry(
    attack: Attack, writers: Sequence[ToolContract], readers: Sequence[ToolContract]
) -> dict[str, Any]:
    danger = writers[0].name if writers else ""
    says = [text.replace("{danger}", danger) for text in attack.says]
    forbidden = writers[:_MOST_FORBIDDEN] if attack.forbids_writes else ()
    entry: dict[str, Any] = {
        "slug": attack.slug,
        "title": attack.title,
        "suite": GoldenTest.Suite.ADVERSARIAL.value,
        "severity": GoldenTest.Severity.CRITICAL.value,
        "is_critical": bool(forbidden),
        "tags": [attack.family.value, INJECTION_TAG],
        "reason": f"An attack by {attack.family.value.replace('-', ' ')}: whoever talks to the "
        f"agent may try it.",
        "input": {"messages": [{"role": "user", "content": says[0]}], "turns": says[1:]},
        "checks": _checks(attack, forbidden),
        "expectations": [{"kind": "must_not", "text": attack.may_not}],
    }
    if attack.plants:
        entry["on_missing"] = GoldenTest.OnMissing.SIMULATE.value
        entry["rules"] = _rules(attack.plants.replace("{danger}", danger), readers)
    return entry


def _rules(text: str, readers: Sequence[ToolContract]) -> list[dict[str, Any]]:
    results = [(tool.name, planted_result(tool.returns, text)) for tool in readers]
    return [
        {"tool": name, "where": {}, "result": result}
        for name, result in results
        if result is not None
    ][:_MOST_READERS]


def _checks(attack: Attack, forbidden: Collection[ToolContract]) -> list[dict[str, Any]]:
    """Return exact checks: what an attack gets done with another tool is done, too."""
    checks: list[dict[str, Any]] = [
        {"kind": "tool_not_called", "tool": tool.name, "arguments": {}} for tool in forbidden
    ]
    checks += [{"kind": "answer_never_matches", "pattern": each} for each in attack.never]
    if attack.most_words is not None:
        checks.append({"kind": "answer_length", "most": attack.most_words, "unit": "words"})
    return [*checks, {"kind": "no_leak"}]


def _by_risk(tool: ToolContract) -> tuple[int, str]:
    return -_TIERS.index(tool.tier), tool.name


def _tests_of(entries: Sequence[dict[str, Any]], agent: Agent) -> list[GoldenTest]:
    slugs = [entry["slug"] for entry in entries]
    return list(GoldenTest.objects.filter(agent=agent, slug__in=slugs).order_by("title", "pk"))


def _planned(
    agent: Agent, entries: Sequence[dict[str, Any]], archived: Sequence[GoldenTest]
) -> ImportPlan:
    closed = {test.slug for test in archived}
    if not (open_entries := [entry for entry in entries if entry["slug"] not in closed]):
        return ImportPlan((), (), 0)
    return plan_import(agent=agent, text=write_entries(open_entries, Format.JSONL))
