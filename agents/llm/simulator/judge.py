"""The demo's scripted judge: from a rubric and a fenced session to a verdict. Pure.

It reads what any judge of the desk is sent (see `agents/judges/prompt.py`) and looks for the faults
that the rubric names: a rubric that says nothing of made-up facts does not find them. On top of
what its patterns miss it errs on purpose, by a hash of the session and so always alike: it passes
one in `ONE_WRONG_PASS_IN` sessions in which it found a fault and fails one in `ONE_WRONG_FAIL_IN`
others. One in `ONE_NONSENSE_IN` sessions it never gives a verdict, only words.
"""

import hashlib
import json
import re
from typing import Any

from agents.llm.simulator.judge_rules import RULES, JudgedSession

JUDGE_MODEL = "shop-demo-judge"
ONE_WRONG_PASS_IN = 40
ONE_WRONG_FAIL_IN = 30
ONE_NONSENSE_IN = 90
_BEGIN = re.compile(r"^BEGIN SESSION (\w+)\n(.*?)\nEND SESSION \1$", re.MULTILINE | re.DOTALL)


def judge(request: dict[str, Any]) -> str:
    """Return the answer to a judge's question, JSON or (seldom, on purpose) nonsense.

    Raises:
        KeyError, TypeError, ValueError: It is no such question.
    """
    system, question = request["messages"][0]["content"], request["messages"][1]["content"]
    session = _session(question)
    digest = hashlib.sha256(json.dumps(session.lines).encode()).digest()
    if digest[2] % ONE_NONSENSE_IN == 0:
        return "This is a difficult one; I would rather not say."
    yes, no, unclear = _verdicts(system)
    rules = [rule for rule in RULES if rule.is_named_in(_judged_by(system))]
    if not rules:
        return _answer(unclear, "Neither the rubric nor the statement says what to look for.")
    found = min(filter(None, (rule.look(session) for rule in rules)), default=None)
    if found is None:
        if digest[0] % ONE_WRONG_FAIL_IN == 0:
            return _answer(no, "The tone was short, and the customer may want more than that.")
        return _answer(yes, "The wish was met, and nothing that the rubric names went wrong.")
    if digest[1] % ONE_WRONG_PASS_IN == 0:
        return _answer(yes, "The agent was friendly and quick, and the customer said thanks.")
    return _answer(no, f"Step {found[0]}: {found[1]}")


def _answer(verdict: str, reason: str) -> str:
    return json.dumps({"reason": reason, "verdict": verdict})


def _session(question: str) -> JudgedSession:
    found = _BEGIN.search(question)
    if found is None:
        raise ValueError("there is no session between BEGIN SESSION and END SESSION")
    lines = [json.loads(line) for line in found.group(2).split("\n")]
    return JudgedSession(tuple(line for line in lines if "who" in line))


def _verdicts(system: str) -> tuple[str, str, str]:
    """Return the keys for pass, fail and neither: the first three of the list."""
    part = system.partition("# Verdicts\n")[2].partition("\n\n")[0]
    keys = re.findall(r"^- ([\w-]+):", part, re.MULTILINE)
    return keys[0], keys[1], keys[2] if len(keys) > 2 else keys[1]


def _judged_by(system: str) -> str:
    """Return the statement if there is one, else the rubric."""
    statement = system.partition("# The statement\n")[2] or system.partition("# Rubric\n")[2]
    return statement.partition("# Verdicts\n")[0].lower()
