"""What a golden test holds: its form, what must be true of it, and the hash that names it."""

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from typing import Any, TypedDict

from agents.config import content_hash
from agents.errors import GoldenError, RunError
from agents.golden.check_fields import MOST_CHECKS, problems_of, readable_title
from agents.golden.judgements import Check
from agents.golden.parts import (
    checked_customer,
    checked_expectations,
    checked_fixtures,
    checked_on_missing,
    checked_rules,
)
from agents.models import GoldenTest, GoldenTestVersion
from agents.runtime.start import check_input
from agents.tools.registry import UnknownToolError, contract_for, contracts
from traces.clean import clean_json, clean_text

FIELDS = ("input", "fixtures", "checks", "expectations", "customer", "on_missing", "rules")
# Fields that came later, with their defaults: left out of the hash at these.
LATER: dict[str, Any] = {
    "expectations": [],
    "customer": {},
    "on_missing": GoldenTest.OnMissing.FAIL.value,
    "rules": [],
}
LONGEST_TITLE = 300
LONGEST_REASON = 1000
MOST_TAGS = 12
LONGEST_TAG = 40


class Parts(TypedDict, total=False):
    """The parts of a content that may be given beside input and checks; see `GoldenTest`."""

    fixtures: Sequence[dict[str, Any]]
    expectations: Sequence[dict[str, str]]
    customer: dict[str, Any]
    on_missing: str
    rules: Sequence[dict[str, Any]]


def content_of(test: GoldenTest | GoldenTestVersion) -> dict[str, Any]:
    """Return all seven fields of a test's content, of the test as it is or of one version."""
    if isinstance(test, GoldenTestVersion):
        return {**deepcopy(LATER), **test.content}
    return {name: getattr(test, name) for name in FIELDS}


def hash_of(content: Mapping[str, Any]) -> str:
    """Return the hash of a test's content; title, suite, tags and severity are not part of it.

    Fields that came later are left out at their defaults: the hash of what was written before
    them stays the same.

    Args:
        content: At least `input`, `fixtures` and `checks`; see `FIELDS`.
    """
    return content_hash(
        {
            name: content[name]
            for name in FIELDS
            if name in content and not (name in LATER and content[name] == LATER[name])
        }
    )


def checked_input(run_input: dict[str, Any]) -> dict[str, Any]:
    """Return a test's input in its stored form.

    Raises:
        GoldenError: No run could be started with it.
    """
    try:
        return check_input(run_input)
    except RunError as error:
        raise GoldenError(str(error)) from error


def checked_checks(checks: Sequence[Check], tools: Collection[str]) -> list[Check]:
    """Return checks in their stored form.

    Raises:
        GoldenError: There is none, there are too many, or one cannot be used.
    """
    if not checks:
        raise GoldenError("A golden test needs at least one check: add what must be true.")
    if len(checks) > MOST_CHECKS:
        raise GoldenError(f"The test has {len(checks)} checks; {MOST_CHECKS} at most.")
    for number, check in enumerate(checks, 1):
        if problems := problems_of(check, tools):
            text = " ".join(problems.values())
            raise GoldenError(f"Check {number} ({readable_title(check)}): {text}")
    return [clean_json(check) for check in checks]


def checked_parts(parts: Parts, tools: Collection[str] | None = None) -> dict[str, Any]:
    """Return those parts that are given, in their stored form.

    Args:
        parts: What is given.
        tools: Names that there are; None: any name, as in a recording.

    Raises:
        GoldenError: One of them cannot be used; the message says which, and why.
    """
    checked: dict[str, Any] = {}
    if "fixtures" in parts:
        checked["fixtures"] = checked_fixtures(parts["fixtures"], tools)
    if "rules" in parts:
        checked["rules"] = checked_rules(parts["rules"], tools)
    if "expectations" in parts:
        checked["expectations"] = checked_expectations(parts["expectations"])
    if "customer" in parts:
        checked["customer"] = checked_customer(parts["customer"])
    if "on_missing" in parts:
        checked["on_missing"] = checked_on_missing(parts["on_missing"])
    return checked


def check_together(content: Mapping[str, Any]) -> None:
    """Raise `GoldenError` where parts of a content contradict each other."""
    if content["on_missing"] == GoldenTest.OnMissing.SIMULATE and not content["rules"]:
        raise GoldenError(
            "Calls without a fixture are to be answered by rules, and there is none: write one, "
            "or choose that such a call fails."
        )
    if content["customer"] and content["input"]["turns"]:
        raise GoldenError(
            "The customer is scripted or simulated, and there are turns as well: remove the "
            "turns, or let the customer say them."
        )


def checked_about(*, title: str, severity: str, tags: Sequence[str], reason: str) -> dict[str, Any]:
    """Return title, severity, tags and reason in their stored form.

    Raises:
        GoldenError: One of them is missing, unknown or too long.
    """
    title, reason = " ".join(clean_text(title).split()), checked_reason(reason)
    if not title:
        raise GoldenError("Give the test a title: what must not happen again.")
    if len(title) > LONGEST_TITLE:
        raise GoldenError(f"The title has {len(title)} characters; {LONGEST_TITLE} at most.")
    if severity not in GoldenTest.Severity.values:
        known = ", ".join(GoldenTest.Severity.values)
        raise GoldenError(f"The severity is {severity!r}; it must be one of {known}.")
    clean = list(dict.fromkeys(tag.strip().lower() for tag in tags if tag.strip()))
    if len(clean) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in clean):
        raise GoldenError(f"At most {MOST_TAGS} tags of at most {LONGEST_TAG} characters each.")
    return {
        "title": title,
        "severity": severity,
        "tags": [clean_text(tag) for tag in clean],
        "reason": reason,
    }


def checked_reason(reason: str, what: str = "Say why this is a golden test") -> str:
    """Return a reason in its stored form.

    Raises:
        GoldenError: It is empty or too long.
    """
    reason = clean_text(reason).strip()
    if not reason:
        raise GoldenError(f"{what}: the reason is empty.")
    if len(reason) > LONGEST_REASON:
        raise GoldenError(f"The reason has {len(reason)} characters; {LONGEST_REASON} at most.")
    return reason


def checked_suite(suite: str) -> str:
    """Return the suite.

    Raises:
        GoldenError: There is no such suite.
    """
    if suite not in GoldenTest.Suite.values:
        known = ", ".join(GoldenTest.Suite.values)
        raise GoldenError(f"The suite is {suite!r}; it must be one of {known}.")
    return suite


def known_tools(project_id: int, fixtures: Sequence[dict[str, Any]] = ()) -> frozenset[str]:
    """Return the names that a check may use: the project's tools and the recorded ones."""
    names = {contract.name for contract in contracts(project_id)}
    return frozenset(names | {data["tool"] for data in fixtures})


def writes(tool: str) -> bool | None:
    """Say whether a tool changes something; None for one that is not the code's own.

    A golden test never calls other systems: of their tools every recorded result is kept.
    """
    try:
        contract = contract_for(tool)
    except UnknownToolError:
        return None
    return not contract.is_read and not contract.is_handover
