"""Golden tests as files: exported, and imported all or not at all."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pghistory
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction

from agents.errors import GoldenError
from agents.golden.content import (
    FIELDS,
    LATER,
    check_together,
    checked_about,
    checked_checks,
    checked_input,
    checked_parts,
    checked_suite,
    content_of,
    known_tools,
)
from agents.golden.edit import lock_active, write_changes
from agents.golden.files import BadFileError, Entry, Format, Problem, read_entries, write_entries
from agents.golden.patterns import HeavyPatternsError, weighing
from agents.golden.promote import add_test
from agents.models import Agent, GoldenTest

_ABOUT = ("title", "suite", "severity", "is_critical", "tags", "reason")
_NAMES = ("slug", *_ABOUT, *FIELDS)
_DEFAULTS: dict[str, Any] = {
    "suite": GoldenTest.Suite.REGRESSION.value,
    "severity": GoldenTest.Severity.MAJOR.value,
    "is_critical": False,
    "tags": [],
    "fixtures": [],
    **LATER,
}
_LONGEST_SLUG = 80
_READ_FIRST = ("kind", "tool", "role", "messages", "turns", "arguments", "where", "goal")


@dataclass(frozen=True)
class Bounds:
    """How much one import may ask for where somebody waits for the answer.

    Attributes:
        tests: How many there may be.
        weight: What the patterns of all checks may weigh, in steps of RE2 (`patterns.Scale`).
    """

    tests: int
    weight: int


# On a page: 5,000 tests of five patterns take 6 s of a core to read and as long again to write.
BY_PAGE = Bounds(tests=1_000, weight=5_000_000)
MOST_PROBLEMS = 100


@dataclass(frozen=True)
class ImportPlan:
    """What an import would do.

    Attributes:
        new: Tests that there are not yet, as entries in their stored form.
        changed: Tests that the file says otherwise, with their entries.
        num_same: Tests that are as the file says them.
    """

    new: tuple[dict[str, Any], ...]
    changed: tuple[tuple[GoldenTest, dict[str, Any]], ...]
    num_same: int

    @property
    def num_written(self) -> int:
        """Return how many tests would be written."""
        return len(self.new) + len(self.changed)


def export_tests(tests: Iterable[GoldenTest], form: Format) -> str:
    """Return a file of the tests: all that is needed to make them again, and nobody's name."""
    return write_entries((entry_of(test) for test in tests), form)


def entry_of(test: GoldenTest) -> dict[str, Any]:
    """Return a test as a file holds it; what is as usual is left out, but the checks never are."""
    data = {"slug": test.slug, **{name: getattr(test, name) for name in _ABOUT}, **content_of(test)}
    run_input = in_order(data["input"])
    data["input"] = {**run_input, "messages": [in_order(m) for m in run_input["messages"]]}
    for name in ("fixtures", "checks", "expectations", "rules"):
        data[name] = [in_order(part) for part in data[name]]
    data["customer"] = in_order(data["customer"])
    return {name: data[name] for name in _NAMES if data[name] != _DEFAULTS.get(name)}


def plan_import(
    *, agent: Agent, text: str, with_unknown_tools: bool = False, bounds: Bounds | None = None
) -> ImportPlan:
    """Say what importing a file would do; nothing is written. Four queries.

    Args:
        agent: Whose tests they become.
        text: The file.
        with_unknown_tools: Whether fixtures may be of tools that the project does not have.
        bounds: How much it may ask for; None is all that a file may hold.

    Raises:
        BadFileError: Something in it cannot be used; it names such entries, 100 at most.
    """
    entries = read_entries(text)
    if bounds is None:
        return _planned(agent, entries, with_unknown_tools)
    if len(entries) > bounds.tests:
        raise _too_large(f"it has {len(entries):,} tests, and a page takes {bounds.tests:,}")
    with weighing(bounds.weight) as scale:
        try:
            return _planned(agent, entries, with_unknown_tools)
        except HeavyPatternsError as error:
            if error.scale is not scale:
                raise
            raise _too_large("the patterns of its checks are too large together for a page") from (
                error
            )


def _planned(agent: Agent, entries: Sequence[Entry], with_unknown_tools: bool) -> ImportPlan:
    known = {test.slug: test for test in GoldenTest.objects.filter(agent=agent)}
    tools = known_tools(
        agent.project_id, [each for test in known.values() for each in test.fixtures]
    )
    problems: list[Problem] = []
    new, changed, num_same = [], [], 0
    places: dict[str, str] = {}
    for entry in entries:
        try:
            data = _checked(entry, None if with_unknown_tools else tools, tools)
            if other := places.get(data["slug"]):
                raise GoldenError(f"the slug {data['slug']} stands in {other.lower()} already.")
            test = _open(known.get(data["slug"]))
        except GoldenError as error:
            problems.append(Problem(entry.place, _lower_first(str(error))))
            if len(problems) == MOST_PROBLEMS:
                raise BadFileError(problems) from error
            continue
        places[data["slug"]] = entry.place
        if test is None:
            new.append(data)
        elif entry_of(test) == _without_usual(data):
            num_same += 1
        else:
            changed.append((test, data))
    if problems:
        raise BadFileError(problems)
    return ImportPlan(tuple(new), tuple(changed), num_same)


def import_tests(
    *,
    agent: Agent,
    text: str,
    by: AbstractBaseUser,
    with_unknown_tools: bool = False,
    bounds: Bounds | None = None,
) -> ImportPlan:
    """Write the tests of a file, in one transaction, and return what was done.

    A test of the same slug is edited: a change of its content is a new version of it, and eval
    runs under way become void.

    Raises:
        BadFileError: Something in it cannot be used; nothing was written.
    """
    reason = f"Imported {len(text):,} characters."
    with transaction.atomic(), pghistory.context(user=by.pk, reason=reason, action="import tests"):
        # No key update: who settles a gate begins runs of the agent, and holds what this waits for.
        locked = Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)
        plan = plan_import(
            agent=locked, text=text, with_unknown_tools=with_unknown_tools, bounds=bounds
        )
        for data in plan.new:
            add_test(
                test=GoldenTest(agent=locked, owner_id=by.pk, promoted_by_id=by.pk, **data),
                by=by,
            )
        for test, data in plan.changed:
            _edit(test, data, by)
    return plan


def in_order(data: dict[str, Any]) -> dict[str, Any]:
    """Return the names in the order in which people read them; the database keeps none."""
    first = {name: data[name] for name in _READ_FIRST if name in data}
    return first | {name: data[name] for name in sorted(data) if name not in first}


def _edit(test: GoldenTest, data: dict[str, Any], by: AbstractBaseUser) -> None:
    content = {name: data[name] for name in FIELDS}
    write_changes(
        row=lock_active(test), about={name: data[name] for name in _ABOUT}, content=content, by=by
    )


def _checked(entry: Entry, tools: Collection[str] | None, known: Collection[str]) -> dict[str, Any]:
    """Return an entry with all fields in their stored form."""
    data = {**_DEFAULTS, **entry.data}
    if unknown := [name for name in entry.data if name not in _NAMES]:
        raise GoldenError(
            f"it has “{unknown[0]}”, which no test has; a test has {', '.join(_NAMES)}."
        )
    if missing := [name for name in _NAMES if name not in data]:
        raise GoldenError(f"“{missing[0]}” is missing.")
    _check_types(data)
    parts = checked_parts(
        {
            "fixtures": data["fixtures"],
            "rules": data["rules"],
            "expectations": data["expectations"],
            "customer": data["customer"],
            "on_missing": data["on_missing"],
        },
        tools,
    )
    recorded = {fixture["tool"] for fixture in (*parts["fixtures"], *parts["rules"])}
    content = {
        "input": checked_input(data["input"]),
        "checks": checked_checks(data["checks"], {*known, *recorded}),
        **parts,
    }
    check_together(content)
    about = checked_about(
        title=data["title"], severity=data["severity"], tags=data["tags"], reason=data["reason"]
    )
    return {
        "slug": data["slug"],
        **about,
        "suite": checked_suite(data["suite"]),
        "is_critical": data["is_critical"],
        **content,
    }


def _check_types(data: dict[str, Any]) -> None:
    for names, kind, words in (
        (("slug", "title", "suite", "severity", "reason", "on_missing"), str, "a text"),
        (("tags", "fixtures", "checks", "expectations", "rules"), list, "a list"),
        (("input", "customer"), dict, "an object"),
        (("is_critical",), bool, "true or false"),
    ):
        for name in names:
            if not isinstance(data[name], kind):
                raise GoldenError(f"“{name}” must be {words}.")
    if not all(isinstance(tag, str) for tag in data["tags"]):
        raise GoldenError("“tags” must be a list of texts.")
    if not all(isinstance(check, dict) for check in data["checks"]):
        raise GoldenError("“checks” must be a list of objects.")
    try:
        validate_slug(data["slug"])
    except ValidationError as error:
        raise GoldenError(
            f"the slug {data['slug']!r} may have letters, digits, hyphens and underscores only."
        ) from error
    if len(data["slug"]) > _LONGEST_SLUG:
        raise GoldenError(f"the slug has {len(data['slug'])} characters; {_LONGEST_SLUG} at most.")


def _too_large(what: str) -> BadFileError:
    how = "Import it in parts, or with manage.py golden_tests import."
    return BadFileError([Problem("The file", f"{what}. {how}")])


def _open(test: GoldenTest | None) -> GoldenTest | None:
    if test is not None and test.archived_at is not None:
        raise GoldenError(
            f"“{test.title}” is archived under this slug: take it up again first, or give the "
            "entry another slug."
        )
    return test


def _without_usual(data: dict[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in _NAMES if data[name] != _DEFAULTS.get(name)}


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
