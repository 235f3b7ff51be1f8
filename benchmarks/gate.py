"""How often the gate cries wolf and how often it lets harm through, on simulated agents.

    python benchmarks/gate.py                         # simulated agents, under two minutes
    python benchmarks/gate.py --data ../shared/data   # and the real pairs of tau2

An agent's tests have pass rates of a Beta distribution: their mean is the agent's, and the
intra-class correlation 0.4 that was measured on tau-bench says how much of the noise lies between
tests. The candidate has the same tests at the same quantiles of its own distribution, so that the
true difference is exact. Each repeat is a coin of its test. Tests lie in five suites, which the
gate looks at too. A gate is judged by the product's own functions, `agents/gate/stats.py`, with the
default thresholds: margin 5 points, looks at 3, 6 and 10 repeats, errors of 2.5 % a side.

"sparse": what is worse is not every test a little but a few tests wholly. "3 only": a budget of
three repeats, so that there is one look.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import special

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agents.gate import stats
from agents.gate.config import GateConfig
from agents.gate.decide import decide, is_no_worse, is_worse
from agents.gate.findings import SLICE_SHARE
from agents.gate.results import evidence_from, read_results
from agents.gate.stats import Floats

ICC = 0.4
NUM_SUITES = 5
PAIRS = {
    "telecom": ("tau2_gpt-4.1_telecom_v1", "tau2_ft-gpt-4.1_telecom_v2"),
    "retail": ("tau2_gpt-4.1_retail_v1", "tau2_ft-gpt-4.1_retail_v2"),
    "telecom-solo": ("tau2_gpt-4.1_telecom-solo_v1", "tau2_ft-gpt-4.1_telecom-solo_v2"),
}


@dataclass(frozen=True)
class Simulated:
    """What became of many gates of one kind.

    Attributes:
        passed: Share of gates; likewise `failed`.
        first_passed: Decided so at the first look; likewise `first_failed`.
        runs: Mean number of runs, both versions together.
    """

    passed: float
    failed: float
    first_passed: float
    first_failed: float
    runs: float


@dataclass(frozen=True)
class Case:
    """A kind of agents: pass rate of the baseline, and how much the candidate's differs."""

    rate: float
    difference: float
    is_sparse: bool = False
    is_one_look: bool = False

    @property
    def name(self) -> str:
        """Return it as the table shows it."""
        kind = " sparse" if self.is_sparse else " 3 only" if self.is_one_look else ""
        return f"{self.rate:.0%} {self.difference * 100:+.0f}{kind}"


def main() -> None:
    """Print the table; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gates", type=int, default=1000, help="simulated of each kind")
    parser.add_argument("--tests", type=int, default=100)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--data", type=Path, help="folder with tau2/")
    options = parser.parse_args()
    began, config = time.monotonic(), GateConfig()
    print(f"{options.gates:,} gates each, {options.tests} tests, ICC {ICC}")
    print("baseline, true difference     pass    fail  unclear   at look 1: pass    fail    runs")
    results: dict[str, Simulated] = {}
    for case in _cases():
        random = np.random.default_rng(options.seed)
        agents = _agents(random, options.gates, options.tests, case)
        used = replace(config, looks=config.looks[:1]) if case.is_one_look else config
        found = simulate(*agents, config=used, random=random)
        results[case.name] = found
        print(_line(case, found), flush=True)
    took = time.monotonic() - began
    print(f"in {took:.0f} s")
    summary = _summary(results) | {"seconds": round(took, 1)}
    if options.data:
        summary["real"] = dict(_real_pairs(options.data / "tau2", config))
    print(json.dumps(summary))


def simulate(
    before: Floats, now: Floats, *, config: GateConfig, random: np.random.Generator
) -> Simulated:
    """Run a gate for each row of two tables of pass rates, (gates, tests)."""
    num_gates, num_tests = before.shape
    looks = config.looks
    passed_before = random.random((looks[-1], *before.shape)) < before
    passed_now = random.random((looks[-1], *now.shape)) < now
    verdicts = np.zeros((len(looks), num_gates), dtype=int)
    outcome, repeats = np.zeros(num_gates, dtype=int), np.full(num_gates, looks[-1])
    for look, num in enumerate(looks):
        diffs = passed_now[:num].mean(axis=0) - passed_before[:num].mean(axis=0)
        verdicts[look] = _verdicts(diffs, look, config)
        is_new = (outcome == 0) & (verdicts[look] != 0)
        outcome[is_new], repeats[is_new] = verdicts[look][is_new], num
    return Simulated(
        passed=float((outcome > 0).mean()),
        failed=float((outcome < 0).mean()),
        first_passed=float((verdicts[0] > 0).mean()),
        first_failed=float((verdicts[0] < 0).mean()),
        runs=float(2 * num_tests * repeats.mean()),
    )


def _verdicts(diffs: Floats, look: int, config: GateConfig) -> np.ndarray:
    """Return 1 for each gate that passes at this look, -1 for each that fails, else 0."""
    level = stats.look_levels(config.looks, config.alpha)[look]
    share = stats.look_shares(config.looks, config.alpha * SLICE_SHARE)[look]
    found = stats.compare(diffs, repeats=config.looks[look], level=level, seed=1)
    parts = [diffs[:, suite::NUM_SUITES] for suite in range(NUM_SUITES)]
    p_values = stats.holm(np.stack([stats.worse_p_values(part, seed=1) for part in parts], axis=-1))
    drops = np.stack([part.mean(axis=-1) for part in parts], axis=-1)
    is_part_worse = ((p_values <= share) & (drops <= -config.margin)).any(axis=-1)
    is_bad = np.array(
        [
            is_worse(low, high, config.margin)
            for low, high in zip(found.low, found.high, strict=True)
        ]
    )
    is_bad |= is_part_worse
    is_good = np.array([is_no_worse(low, config.margin) for low in found.low])
    return np.where(is_bad, -1, np.where(is_good, 1, 0))


def _line(case: Case, found: Simulated) -> str:
    unclear = 1 - found.passed - found.failed
    return (
        f"{case.name:25}   {found.passed:6.1%}  {found.failed:6.1%}  {unclear:7.1%}            "
        f"{found.first_passed:6.1%}  {found.first_failed:6.1%}  {found.runs:6,.0f}"
    )


def _cases() -> Iterator[Case]:
    for rate in (0.7, 0.85, 0.55):
        for difference in (0.0, -0.05, -0.10, 0.05):
            yield Case(rate, difference)
    for rate in (0.7, 0.85, 0.55):
        for difference in (0.0, -0.10):
            yield Case(rate, difference, is_one_look=True)
    for difference in (-0.05, -0.10):
        yield Case(0.85, difference, is_sparse=True)


def _agents(
    random: np.random.Generator, num_gates: int, num_tests: int, case: Case
) -> tuple[Floats, Floats]:
    """Return the tests' pass rates under baseline and candidate, (gates, tests) each."""
    places = random.random((num_gates, num_tests))
    before = _rates(places, case.rate)
    if not case.is_sparse:
        return before, _rates(places, case.rate + case.difference)
    # Each test is broken wholly with the chance that makes the mean differ so much.
    is_broken = random.random(before.shape) < -case.difference / case.rate
    return before, np.where(is_broken, 0.0, before)


def _rates(places: Floats, mean: float) -> Floats:
    size = 1 / ICC - 1
    found: Floats = special.betaincinv(mean * size, (1 - mean) * size, places)
    return found


def _summary(results: dict[str, Simulated]) -> dict[str, object]:
    def of(ending: str) -> list[Simulated]:
        return [each for name, each in results.items() if name.endswith(ending)]

    return {
        "false_alarms": max(each.failed for each in (*of(" +0"), *of(" +0 3 only"))),
        "caught": min(each.failed for each in of(" -10")),
        "caught_3_repeats_only": [each.failed for each in of(" -10 3 only")],
        "let_through": max(each.passed for each in (*of(" -10"), *of(" -10 3 only"))),
        "passed_same": [each.passed for each in of(" +0")],
        "passed_better": min(each.passed for each in of(" +5")),
        "passed_at_margin": max(each.passed for each in of(" -5")),
        "runs_same": [round(each.runs) for each in of(" +0")],
        "runs_worse": [round(each.runs) for each in of(" -10")],
    }


def _real_pairs(folder: Path, config: GateConfig) -> Iterator[tuple[str, str]]:
    for name, (before, now) in PAIRS.items():
        rows = [(each, read_results(folder / f"{each}.json.gz")) for each in (before, now)]
        decision = decide(evidence_from(baseline=rows[0], candidate=rows[1]), config)
        print(f"{name}: {decision.sentence}")
        for text in decision.why:
            print(f"    {text}")
        yield name, decision.outcome


if __name__ == "__main__":
    main()
