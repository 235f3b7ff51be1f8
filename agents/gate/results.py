"""Reading results that were made elsewhere: tau2 result files, and rows of JSON.

tau2: `{tasks, simulations: [{task_id, trial, reward_info: {reward}, agent_cost, duration}]}`, as
`.json` or `.json.gz`. Rows: one JSON object a line, `{"test", "repeat", "passed"}`, where `passed`
is true, false, or null for a run that the infrastructure failed (with `"not_judged": true` beside
it, for a whole run that nobody could judge); `cost_usd`, `seconds`, `suite`,
`tags`, `severity`, `intent`, `language` and `critical` may stand beside.
"""

import gzip
import json
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.errors import GateError
from agents.gate.evidence import Evidence, Repeats, TestEvidence

MOST_BYTES = 512 * 1024 * 1024
MOST_ROWS = 1_000_000
_INFRASTRUCTURE = {"infrastructure_error"}


@dataclass(frozen=True)
class Row:
    """One repeat of one test.

    Attributes:
        passed: None: it says nothing; the infrastructure failed it, unless it `is_not_judged`.
    """

    test: str
    repeat: int
    passed: bool | None
    cost_usd: float | None = None
    seconds: float | None = None
    suite: str = ""
    tags: tuple[str, ...] = ()
    severity: str = ""
    intent: str = ""
    language: str = ""
    is_critical: bool = False
    is_not_judged: bool = False


@dataclass
class _Collected:
    rows: list[Row] = field(default_factory=list)

    def repeats(self) -> Repeats:
        judged = [row for row in self.rows if row.passed is not None]
        return Repeats(
            num_passed=sum(row.passed is True for row in judged),
            num_judged=len(judged),
            num_infra=sum(row.passed is None and not row.is_not_judged for row in self.rows),
            num_not_judged=sum(row.passed is None and row.is_not_judged for row in self.rows),
            costs_usd=tuple(row.cost_usd for row in self.rows if row.cost_usd is not None),
            latencies_ms=tuple(row.seconds * 1000 for row in self.rows if row.seconds is not None),
        )


def read_results(path: Path) -> list[Row]:
    """Return a file's results, one row per repeat of a test.

    Raises:
        GateError: It cannot be read, or a row is none; names the file and the line.
    """
    text = _text(path)
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    except RecursionError as error:
        raise GateError(f"{path.name} is nested too deeply to be results.") from error
    if isinstance(data, dict) and "simulations" in data:
        rows = _tau2_rows(data["simulations"], path.name)
    else:
        rows = _json_rows(text, path.name)
    _check_once(rows, path.name)
    return rows


def evidence_from(
    *, baseline: tuple[str, Iterable[Row]], candidate: tuple[str, Iterable[Row]], seed: int = 0
) -> Evidence:
    """Return two files' results as what a gate decides on: one look, nothing can be added.

    Args:
        baseline: Its name, and its rows.
        candidate: Likewise.
        seed: Of the resampling.

    Raises:
        GateError: They have no test in common.
    """
    before, now = _by_test(baseline[1]), _by_test(candidate[1])
    common = sorted(before.keys() & now.keys())
    if not common:
        raise GateError(
            f"{baseline[0]} and {candidate[0]} have no test in common, so that there is nothing to "
            "compare: the tests' names must be the same in both."
        )
    repeats = max(len(now[key].rows) for key in common)
    tests = [
        _test(key, before.get(key, _Collected()), now.get(key, _Collected()))
        for key in sorted(before.keys() | now.keys())
    ]
    return Evidence(baseline[0], candidate[0], tuple(tests), looks=(repeats,), seed=seed)


def _test(key: str, before: _Collected, now: _Collected) -> TestEvidence:
    first = (now.rows or before.rows)[0]
    return TestEvidence(
        key=key,
        title=key,
        before=before.repeats(),
        now=now.repeats(),
        suite=first.suite,
        tags=first.tags,
        severity=first.severity,
        intent=first.intent,
        language=first.language,
        is_critical=first.is_critical,
    )


def _by_test(rows: Iterable[Row]) -> dict[str, _Collected]:
    found: dict[str, _Collected] = {}
    for row in rows:
        found.setdefault(row.test, _Collected()).rows.append(row)
    return found


def _text(path: Path) -> str:
    """Return a file's text, unpacked where it is packed; only so much of it."""
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if is_packed else path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise GateError(f"{path.name} is larger than {MOST_BYTES // 2**20} MB unpacked.")
        return data.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise GateError(f"{path} cannot be read: {reason}.") from error
    except UnicodeDecodeError as error:
        raise GateError(f"{path.name} is no text: byte {error.start} is not UTF-8.") from error


def _tau2_rows(simulations: object, name: str) -> list[Row]:
    if not isinstance(simulations, list) or not simulations:
        raise GateError(f"{name} is a tau2 file without simulations.")
    return [_tau2_row(each, f"{name}, simulation {n}") for n, each in enumerate(simulations, 1)]


def _tau2_row(each: object, where: str) -> Row:
    if not isinstance(each, dict) or each.get("task_id") is None:
        raise GateError(f"{where} has no task_id.")
    info = each.get("reward_info")
    reward = info.get("reward") if isinstance(info, dict) else None
    is_number = isinstance(reward, int | float) and math.isfinite(reward)
    is_infra = str(each.get("termination_reason")) in _INFRASTRUCTURE
    if is_infra or not is_number:
        reward = None
    trial = each.get("trial")
    return Row(
        test=str(each["task_id"]),
        repeat=trial + 1 if isinstance(trial, int) else 1,
        # Source: tau2-bench `metrics/agent_metrics.py`, `is_successful`.
        passed=None if reward is None else abs(reward - 1) < 1e-6,
        # tau2 writes 0 for a model whose price it does not know.
        cost_usd=_number(each.get("agent_cost")) or None,
        seconds=_number(each.get("duration")),
        is_not_judged=not is_infra and not is_number,
    )


def _json_rows(text: str, name: str) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        if len(rows) == MOST_ROWS:
            raise GateError(f"{name} has over {MOST_ROWS:,} rows.")
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise GateError(
                f"{name}, line {number} is no JSON; each line is a row like "
                '{"test": "refund", "repeat": 1, "passed": true}.'
            ) from error
        rows.append(_json_row(data, f"{name}, line {number}"))
    if not rows:
        raise GateError(f"{name} has no result in it.")
    return rows


def _json_row(data: object, where: str) -> Row:
    if not isinstance(data, Mapping):
        raise GateError(f"{where} is no object with test, repeat and passed.")
    test, repeat, passed = data.get("test"), data.get("repeat", 1), data.get("passed", "")
    if not isinstance(test, str | int) or isinstance(test, bool) or str(test) == "":
        raise GateError(f"{where} has no test: name it.")
    if not isinstance(repeat, int) or isinstance(repeat, bool):
        raise GateError(f"{where}: repeat is {repeat!r}; it must be a whole number.")
    if passed is not None and not isinstance(passed, bool):
        raise GateError(
            f"{where}: passed is {passed!r}; it must be true, false, or null for a run that the "
            "infrastructure failed."
        )
    if data.get("not_judged") is True and passed is not None:
        raise GateError(f"{where}: passed is {passed} and not_judged is true; leave one out.")
    tags = data.get("tags") or []
    if not isinstance(tags, list):
        raise GateError(f"{where}: tags are {tags!r}; they must be a list of texts.")
    return Row(
        test=str(test),
        repeat=repeat,
        passed=passed,
        cost_usd=_number(data.get("cost_usd")),
        seconds=_number(data.get("seconds")),
        suite=str(data.get("suite") or ""),
        tags=tuple(str(tag) for tag in tags),
        severity=str(data.get("severity") or ""),
        intent=str(data.get("intent") or ""),
        language=str(data.get("language") or ""),
        is_critical=data.get("critical") is True,
        is_not_judged=data.get("not_judged") is True,
    )


def _check_once(rows: Iterable[Row], name: str) -> None:
    seen: set[tuple[str, int]] = set()
    for row in rows:
        if (row.test, row.repeat) in seen:
            raise GateError(
                f"{name} has repeat {row.repeat} of test {row.test} twice; number the repeats."
            )
        seen.add((row.test, row.repeat))


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < float("inf") else None
