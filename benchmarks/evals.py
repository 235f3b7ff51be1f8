"""A gate over 200 golden tests x 3 repeats, against the ideal time and beside two other programs.

    python benchmarks/evals.py            # ours, Inspect AI and promptfoo; three minutes

The model server answers after 200 ms and serves 64 calls at a time, so that nobody can be faster
than (number of calls) x 200 ms / 64. Each run of a test is two model calls with a recorded tool
result between them, and two checks: that the tool was called, and what the answer says. A gate
runs both versions in one window: 200 x 3 x 2 runs, 2,400 calls, 7.5 s at best. All three do the
same: the other two have the second version as a second model.

- reviewdesk: from asking for the gate to its decision, in the desk as `manage.py up` starts it:
  every step in the journal of PostgreSQL (default durability) before the next, every span in the
  trace, every result judged, and the gate decided.
- Inspect AI: `inspect eval` of a task with the same tool and two scorers, 3 epochs, 2 models, at
  most 64 connections and samples; it writes its log file at the end and in between.
- promptfoo: `promptfoo eval --repeat 3` with a provider that does the two calls, as its own for
  OpenAI does not go on after a tool call; 64 at a time, no cache. It keeps results in SQLite.

The others' time is that of the whole command less that of the same command with one test, so that
neither pays for its start. "Planning" is how long the desk takes to write down 600 runs.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from desk import Desk, machine, print_result, running_desk

HERE = Path(__file__).resolve().parent
RIVALS = HERE.parent / ".venv/rivals"
SYSTEM = "You reckon. Use the tool for every sum."
SECONDS, AT_ONCE = 0.2, 64
CALLS = 2
ANSWER = "That is all."
TOOL, ARGUMENTS, RESULT = "calculate", {"expression": "0 + 1"}, "1.0"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tests", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=["reviewdesk", "inspect", "promptfoo"])
    options = parser.parse_args()
    runs = options.tests * options.repeats * 2
    ideal = runs * CALLS * SECONDS / AT_ONCE
    print(f"ideal          {ideal:6.1f} s for {runs} runs of {CALLS} calls", flush=True)
    measured: dict[str, Any] = {}
    with _model() as url:
        if options.only in {None, "reviewdesk"}:
            measured |= _ours(url, options.tests, options.repeats)
            print(f"planning       {measured['planning']:6.2f} s for {runs // 2} runs")
            _tell("reviewdesk", measured, ideal)
        for name, rival in (("inspect", _inspect), ("promptfoo", _promptfoo)):
            if options.only in {None, name}:
                measured[name] = _rival(rival, url, options.tests, options.repeats)
                _tell(name, measured, ideal)
    facts = measured.pop("machine", None) or machine()
    print_result(
        "evals", facts, tests=options.tests, repeats=options.repeats, ideal=ideal, **measured
    )


def _tell(name: str, measured: dict[str, Any], ideal: float) -> None:
    seconds = measured[name]
    print(f"{name:14} {seconds:6.1f} s   {seconds / ideal:5.2f} x the ideal time", flush=True)


@contextmanager
def _model() -> Iterator[str]:
    command = [
        sys.executable, str(HERE / "slow_model.py"), f"--seconds={SECONDS}", "--results=1",
        f"--at-once={AT_ONCE}",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = process.stdout.readline().strip()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def _ours(url: str, num_tests: int, repeats: int) -> dict[str, Any]:
    with running_desk() as desk:
        facts = machine(desk.connect())
        desk.use_django()
        agent = _agent(desk, url)
        _gate(agent, 8, 1)  # imports, connections and plans
        _make_tests(agent, num_tests)
        planning = _planning(agent, repeats)
        return {"machine": facts, "planning": planning, "reviewdesk": _gate(agent, None, repeats)}


def _planning(agent: Any, repeats: int) -> float:
    from django.db import transaction

    from agents.golden.runner import finish, start_eval_run
    from agents.models import EvalRun

    version = agent.versions.get(number=1)
    # Until it is committed no worker begins one of the runs.
    with transaction.atomic():
        began = time.monotonic()
        eval_run = start_eval_run(version=version, num_repeats=repeats, by=None)
        seconds = time.monotonic() - began
        finish(eval_run, EvalRun.Status.CANCELLED, "It was planned to be measured.")
    return round(seconds, 2)


def _gate(agent: Any, num_tests: int | None, repeats: int) -> float:
    """Run a gate of the second version against the first; return its seconds to the decision."""
    from agents.gate.run import start_gate
    from agents.models import Gate

    if num_tests:
        _make_tests(agent, num_tests)
    candidate, baseline = agent.versions.order_by("-number")
    began = time.monotonic()
    gate = start_gate(candidate=candidate, baseline=baseline, by=None)
    while gate.status == Gate.Status.RUNNING:
        time.sleep(0.2)
        gate.refresh_from_db(fields=["status", "sentence"])
    seconds = round(time.monotonic() - began, 2)
    found = gate.candidate_run.results.exclude(status="passed")
    assert not found.exists(), f"{found.count()} results did not pass: {found[0].checks}"
    if not num_tests:
        assert gate.candidate_run.num_repeats == repeats, "more repeats were needed"
        print(f"the gate: {gate.sentence}")
    return seconds


def _make_tests(agent: Any, num_tests: int) -> None:
    from agents.golden.content import hash_of
    from agents.models import GoldenTest

    agent.golden_tests.update(archived_at="2026-01-01T00:00Z")
    first = agent.golden_tests.count()
    tests = []
    for number in range(first, first + num_tests):
        content = {
            "input": {"messages": [{"role": "user", "content": f"sum {number}"}], "turns": []},
            "fixtures": [{"tool": TOOL, "arguments": ARGUMENTS, "result": RESULT}],
            "checks": [
                {"kind": "tool_called", "tool": TOOL, "arguments": {}},
                {"kind": "answer_contains", "text": ANSWER},
            ],
        }
        about = {"slug": f"sum-{number}", "title": f"Sum {number}", "reason": "A benchmark."}
        tests.append(GoldenTest(agent=agent, content_hash=hash_of(content), **about, **content))
    GoldenTest.objects.bulk_create(tests)


def _agent(desk: Desk, url: str) -> Any:
    from agents.config import VersionConfig
    from agents.models import Agent, AgentTool, Version

    agent = Agent.objects.create(
        project=desk.make_project("evals"), slug="reckoner", name="Reckoner", model_base_url=url
    )
    for number, words in enumerate((SYSTEM, f"{SYSTEM} Be quick."), 1):
        config = VersionConfig(system_prompt=words, model="slow", tools=(TOOL,))
        Version.objects.create(
            agent=agent, number=number, config=config.to_json(), content_hash=config.content_hash
        )
    AgentTool.objects.create(agent=agent, name=TOOL, level="autonomous", reason="benchmark")
    return agent


Rival = Callable[[str, Path, int, int], list[str]]


def _rival(rival: Rival, url: str, num_tests: int, repeats: int) -> float:
    """Return the seconds of a command with all tests less those with one of them."""
    seconds = []
    for number in (1, num_tests):
        with tempfile.TemporaryDirectory(prefix="evals-") as place:
            command = rival(url, Path(place), number, repeats)
            seconds.append(_timed(command, Path(place)))
    return round(seconds[1] - seconds[0] + CALLS * SECONDS, 2)


def _timed(command: list[str], place: Path) -> float:
    quiet = {
        "HOME": str(place), "PATH": os.environ["PATH"], "OPENAI_API_KEY": "none",
        "PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_CACHE_ENABLED": "false", "PROMPTFOO_CONFIG_DIR": str(place / "promptfoo"),
        "INSPECT_LOG_DIR": str(place / "logs"), "INSPECT_DISPLAY": "none",
    }  # fmt: skip
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=place, env=quiet, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - began
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return seconds


def _inspect(url: str, place: Path, num_tests: int, repeats: int) -> list[str]:
    """Write a task of the same tests for Inspect AI, and return the command that evaluates it."""
    python = RIVALS / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(RIVALS)], check=True)
    if not (RIVALS / "bin/inspect").exists():
        pip = [str(python), "-m", "pip", "install", "--quiet", "inspect-ai", "openai"]
        subprocess.run(pip, check=True)
    (place / "task.py").write_text(_INSPECT_TASK.replace("NUM_TESTS", str(num_tests)))
    models = "openai-api/one/slow,openai-api/two/slow"
    return [
        "/usr/bin/env", f"ONE_BASE_URL={url}", "ONE_API_KEY=none", f"TWO_BASE_URL={url}",
        "TWO_API_KEY=none", str(RIVALS / "bin/inspect"), "eval", "task.py", "--model", models,
        "--epochs", str(repeats), "--max-connections", str(AT_ONCE), "--max-samples", str(AT_ONCE),
        "--max-tasks", "2", "--no-fail-on-error",
    ]  # fmt: skip


_INSPECT_TASK = f'''
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageAssistant
from inspect_ai.scorer import CORRECT, INCORRECT, Score, accuracy, includes, scorer
from inspect_ai.solver import generate, system_message, use_tools
from inspect_ai.tool import tool


@tool
def calculate():
    async def execute(expression: str) -> str:
        """Calculate a sum.

        Args:
            expression: Such as 19.90 + 2 * 5.50.
        """
        return "{RESULT}"

    return execute


@scorer(metrics=[accuracy()])
def calls_the_tool():
    async def score(state, target):
        calls = [
            call.function
            for message in state.messages
            if isinstance(message, ChatMessageAssistant)
            for call in message.tool_calls or []
        ]
        return Score(value=CORRECT if "{TOOL}" in calls else INCORRECT)

    return score


@task
def sums():
    return Task(
        dataset=[Sample(input=f"sum {{n}}", target="{ANSWER}") for n in range(NUM_TESTS)],
        solver=[system_message("{SYSTEM}"), use_tools(calculate()), generate()],
        scorer=[includes(), calls_the_tool()],
    )
'''


def _promptfoo(url: str, place: Path, num_tests: int, repeats: int) -> list[str]:
    """Write the same tests for promptfoo, and return the command that evaluates them."""
    home = Path(os.environ.get("PROMPTFOO_HOME", tempfile.gettempdir())) / "reviewdesk-promptfoo"
    if not (home / "node_modules/promptfoo").exists():
        home.mkdir(parents=True, exist_ok=True)
        npm = [shutil.which("npm") or "npm", "install", "--silent", "--no-audit", "promptfoo"]
        subprocess.run(npm, cwd=home, check=True)
    (place / "provider.mjs").write_text(_PROMPTFOO_PROVIDER)
    config = {
        "prompts": ["{{question}}"],
        "providers": [
            {"id": f"file://{place}/provider.mjs", "label": label, "config": {"url": url}}
            for label in ("one", "two")
        ],
        "tests": [
            {
                "vars": {"question": f"sum {number}"},
                "assert": [
                    {"type": "contains", "value": ANSWER},
                    {"type": "javascript", "value": f"context.metadata.calls.includes('{TOOL}')"},
                ],
            }
            for number in range(num_tests)
        ],
    }
    (place / "promptfooconfig.json").write_text(json.dumps(config))
    return [
        str(home / "node_modules/.bin/promptfoo"), "eval", "-c", "promptfooconfig.json",
        "--max-concurrency", str(AT_ONCE), "--repeat", str(repeats), "--no-cache",
        "--no-progress-bar", "--no-table", "-o", "out.json",
    ]  # fmt: skip


_PROMPTFOO_PROVIDER = f'''
const tool = {{ type: "function", function: {{ name: "{TOOL}", description: "Calculate a sum.",
  parameters: {{ type: "object", properties: {{ expression: {{ type: "string" }} }} }} }} }};

export default class Agent {{
  constructor(options) {{ this.label = options.label; this.url = options.config.url; }}
  id() {{ return this.label; }}
  async ask(messages) {{
    const answer = await fetch(`${{this.url}}/chat/completions`, {{
      method: "POST", headers: {{ "content-type": "application/json" }},
      body: JSON.stringify({{ model: "slow", messages, tools: [tool] }}) }});
    return (await answer.json()).choices[0].message;
  }}
  async callApi(prompt) {{
    const first = {{ role: "system", content: "{SYSTEM}" }};
    const messages = [first, {{ role: "user", content: prompt }}];
    const calls = [];
    for (;;) {{
      const message = await this.ask(messages);
      if (!message.tool_calls) return {{ output: message.content, metadata: {{ calls }} }};
      messages.push(message);
      for (const call of message.tool_calls) {{
        calls.push(call.function.name);
        messages.push({{ role: "tool", tool_call_id: call.id, content: "{RESULT}" }});
      }}
    }}
  }}
}}
'''


if __name__ == "__main__":
    main()
