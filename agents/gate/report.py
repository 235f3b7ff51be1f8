"""A gate's decision as text for a terminal, and as JUnit's XML for CI. Pure."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree as Xml

from agents.gate.config import HARD_GATES
from agents.gate.decision import Arm, Ceiling, Decision, MovedTest, Outcome
from agents.gate.sentence import count, interval_of, points
from agents.golden.lost import lost_words

_MOST_MOVED = 20
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text_of(decision: Decision) -> str:
    """Return a decision as lines of text, the sentence first.

    Titles come from files and customers: none begins a line or steers a terminal.
    """
    return "\n".join(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", line) for line in _lines(decision))


def junit_of(decision: Decision, *, name: str) -> str:
    """Return a decision as JUnit's XML: the gate's parts as cases, then the tests that moved.

    A part that fails the gate is a failure; a gate that is inconclusive or void is an error. Tests
    that got worse are failures only where the gate failed, so that a green gate is green.
    """
    root = Xml.Element("testsuites", name=_clean(name))
    parts = Xml.SubElement(root, "testsuite", name="gate")
    has_failed = decision.outcome is Outcome.FAILED
    case = _case(parts, "gate", "the whole suite")
    if has_failed:
        _add(case, "failure", decision.sentence, "\n".join(decision.why))
    elif decision.outcome is not Outcome.PASSED:
        _add(case, "error", decision.sentence, "\n".join(decision.why))
    if any(decision.num_lost):
        case = _case(parts, "gate", "runs without a verdict")
        Xml.SubElement(case, "system-out").text = lost_words(*decision.num_lost)
    for finding in decision.hard:
        case = _case(parts, f"hard gate {finding.gate}", finding.title)
        if finding.is_confirmed:
            _add(case, "failure", HARD_GATES.get(finding.gate, finding.gate), finding.found)
    for critical in decision.critical:
        case = _case(parts, "critical test", critical.title)
        if critical.num_passed < critical.num_judged:
            _add(case, "failure", f"passed {critical.num_passed} of {critical.num_judged}")
    for part in decision.slices:
        case = _case(parts, part.by, part.name)
        if part.is_worse:
            _add(case, "failure", f"worse by {points(-part.diff).lstrip('+')} points")
    for ceiling in decision.ceilings:
        case = _case(parts, "ceiling", _ceiling_name(ceiling))
        if ceiling.state == "over":
            _add(case, "failure", _ceiling_line(ceiling))
    tests = Xml.SubElement(root, "testsuite", name="tests that moved")
    for test in decision.moved:
        case = _case(tests, test.suite or "tests", test.title)
        said = _moved_line(test)
        if has_failed and test.move in {"broken", "worse"}:
            _add(case, "failure", said)
        else:
            Xml.SubElement(case, "system-out").text = _clean(said)
    _count(root)
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True)


def failure_junit(message: str, *, name: str) -> str:
    """Return JUnit's XML for a gate that could not run."""
    root = Xml.Element("testsuites", name=_clean(name))
    _add(_case(Xml.SubElement(root, "testsuite", name="gate"), "gate", "run"), "error", message)
    _count(root)
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True)


def _lines(decision: Decision) -> Iterator[str]:
    yield decision.sentence
    for text in decision.why:
        yield f"- {text}"
    yield ""
    for arm in (decision.baseline, decision.candidate):
        yield f"  {_arm_line(arm)}"
    if decision.low is not None and decision.high is not None:
        yield (
            f"  difference {points(decision.diff or 0.0)} points, "
            f"{decision.confidence:.0%} interval {interval_of(decision)}, margin "
            f"{points(-decision.margin)}; look {decision.look} of {decision.num_looks}, "
            f"{decision.policy}"
        )
    if decision.could_see is not None:
        yield f"  could have seen a drop of {decision.could_see * 100:.1f} points"
    for ceiling in decision.ceilings:
        yield f"  {_ceiling_line(ceiling)}"
    if decision.slices:
        yield ""
    for part in decision.slices:
        mark = "worse" if part.is_worse else ""
        yield (
            f"  {part.by} {part.name}: {points(part.diff)} points ({points(part.low)} to "
            f"{points(part.high)}), {count(part.num_tests, 'test')} {mark}".rstrip()
        )
    if decision.moved:
        yield ""
    for test in decision.moved[:_MOST_MOVED]:
        yield f"  {_moved_line(test)}"
    if len(decision.moved) > _MOST_MOVED:
        yield f"  and {len(decision.moved) - _MOST_MOVED} more that moved"


def _arm_line(arm: Arm) -> str:
    rate = "unknown" if arm.rate is None else f"{arm.rate:.1%}"
    parts = [f"{arm.name}: {rate}, {arm.num_passed:,} of {count(arm.num_judged, 'repeat')} passed"]
    if arm.num_infra:
        parts.append(f"{arm.num_infra:,} failed by the infrastructure")
    if arm.num_not_judged:
        parts.append(f"{arm.num_not_judged:,} not judged")
    if arm.total_cost_usd is not None:
        parts.append(f"${arm.total_cost_usd:.2f}")
    if arm.latency_ms is not None:
        parts.append(f"{arm.latency_ms / 1000:.1f} s a run")
    return ", ".join(parts)


def _moved_line(test: MovedTest) -> str:
    critical = ", critical" if test.is_critical else ""
    return (
        f"{test.move}: {test.title}, {test.before_passed}/{test.before_judged} to "
        f"{test.now_passed}/{test.now_judged}{critical}"
    )


def _ceiling_name(ceiling: Ceiling) -> str:
    what = "cost" if ceiling.what == "cost" else "time worked"
    return f"{what}, {'times the baseline' if ceiling.is_ratio else 'per run'}"


def _ceiling_line(ceiling: Ceiling) -> str:
    unit = " times" if ceiling.is_ratio else " $" if ceiling.what == "cost" else " s"
    value = "unknown" if ceiling.value is None else f"{ceiling.value:.2f}{unit}"
    return f"{_ceiling_name(ceiling)}: {value}, at most {ceiling.limit:g}{unit} ({ceiling.state})"


def _case(suite: Xml.Element, classname: str, name: str) -> Xml.Element:
    return Xml.SubElement(suite, "testcase", classname=_clean(classname), name=_clean(name))


def _add(case: Xml.Element, kind: str, message: str, text: str = "") -> None:
    Xml.SubElement(case, kind, message=_clean(message)).text = _clean(text) or None


def _count(root: Xml.Element) -> None:
    """Write the totals that readers of this format expect."""
    for element in (*root.findall("testsuite"), root):
        for kind in ("testcase", "failure", "error"):
            found = str(sum(1 for _ in element.iter(kind)))
            element.set(
                {"testcase": "tests", "failure": "failures", "error": "errors"}[kind], found
            )


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
