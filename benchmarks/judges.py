"""What judges cost the desk: their page over 10,000 labelled sessions, and settling 600 results.

    python benchmarks/judges.py [--cases 10000] [--tests 200] [--repeats 3]

The judge is measured against as many sessions as people have labelled, of five agents with forty
versions each. Pages are asked for in this process, five times each, the median is told: what the
server does without the way to it. An eval run's runs are made to have ended all at once, and then
ten at a time, as they end in life; each time what is ready is settled: judged by its checks, the
judges asked (a rubric and an expectation, each repeat), and at the end their answers counted. It
happens in one transaction that is taken back, so that the desk's own worker does not help.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from desk import machine, print_result, running_desk
from django.db import transaction
from django.test import Client
from django.utils import timezone

NUM_AGENTS, NUM_VERSIONS = 5, 40
VERDICTS = [
    {"key": "pass", "title": "Pass", "passes": True},
    {"key": "fail", "title": "Fail", "passes": False},
]
CHECKS = [{"kind": "handed_over", "expected": False}, {"kind": "judge_rubric", "judge": "helpful"}]
EXPECTATIONS = [{"kind": "must", "text": "stay kind"}]
_TIMES = 5
_AT_A_TIME = 10


class _TakenBackError(Exception):
    """Ends the transaction that was measured in."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--tests", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with running_desk() as desk:
        desk.use_django()
        facts = machine(desk.connect())
        project = desk.make_project()
        cookies = desk.sign_in(project)
        version = _make_judge(project)
        _make_cases(project, version, options.cases)
        figures = _pages(cookies, project, options.cases)
        tests = _make_tests(project, options.tests)
        figures |= _settling(tests, options.repeats)
    print_result("judges", facts, cases=options.cases, **figures)


def _pages(cookies: dict[str, str], project: Any, num_cases: int) -> dict[str, float]:
    client = Client()
    client.cookies.load(cookies)
    found = {}
    for title, path in (
        ("judges", "golden/judges/"),
        ("judge", "golden/judges/helpful/"),
        ("judge_by_version", "golden/judges/helpful/?by=version"),
        ("judge_by_cause", "golden/judges/helpful/?by=cause"),
    ):
        times = [_seconds(partial(_get, client, project, path)) for _ in range(_TIMES)]
        seconds = statistics.median(times)
        found[title] = round(seconds, 3)
        print(f"{title:24} {seconds:7.2f} s at {num_cases:,} labelled cases", flush=True)
    return found


def _settling(tests: list[Any], repeats: int) -> dict[str, float]:
    found = {}
    for title, at_a_time in (("at_once", 0), ("ten_at_a_time", _AT_A_TIME)):
        with _taken_back():
            seconds, answering, num = _settle(tests, repeats, at_a_time)
        found |= {f"settle_{title}": round(seconds, 2), f"count_{title}": round(answering, 2)}
        print(
            f"settling {num} results {title.replace('_', ' '):14} {seconds:7.2f} s, "
            f"counting the answers {answering:.2f} s",
            flush=True,
        )
    return found


def _settle(tests: list[Any], repeats: int, at_a_time: int) -> tuple[float, float, int]:
    """Return the seconds of settling and of counting the answers, and how many results."""
    from agents.golden.runner import settle_finished, start_eval_run
    from agents.models import Judgement, Run

    eval_run = start_eval_run(
        version=tests[0].agent.versions.get(), tests=tests, num_repeats=repeats, by=None
    )
    runs = Run.objects.filter(eval_result__eval_run=eval_run).order_by("pk")
    ids = list(runs.values_list("pk", flat=True))
    step = at_a_time or len(ids)
    seconds = 0.0
    for at in range(0, len(ids), step):
        done = Run.objects.filter(pk__in=ids[at : at + step])
        done.update(status="completed", next_at=None, finished_at=timezone.now())
        seconds += _seconds(settle_finished)
    asked = Judgement.objects.filter(eval_result__eval_run=eval_run)
    assert asked.count() == 2 * len(ids), f"{asked.count()} judgements of {len(ids)} results"
    asked.update(status="done", verdict="pass", next_at=None, finished_at=timezone.now())
    answering = _seconds(settle_finished)
    eval_run.refresh_from_db()
    assert eval_run.status == "passed", eval_run.ended_because
    return seconds, answering, len(ids)


@contextmanager
def _taken_back() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
            raise _TakenBackError
    except _TakenBackError:
        pass


def _seconds(does: Callable[[], object]) -> float:
    began = time.perf_counter()
    does()
    return time.perf_counter() - began


def _get(client: Client, project: Any, path: str) -> None:
    answer = client.get(f"/p/{project.slug}/{path}", headers={"Host": "localhost"})
    assert answer.status_code == 200, f"{path} answered {answer.status_code}"


def _make_judge(project: Any) -> Any:
    from agents.models import Judge, JudgeVersion

    judge = Judge.objects.create(
        project=project, slug="helpful", name="Helpful", question="outcome", passes=["resolved"]
    )
    return JudgeVersion.objects.create(
        judge=judge, number=1, rubric="Pass where it helps.", model="m", verdicts=VERDICTS,
        content_hash="h",
    )  # fmt: skip


def _make_cases(project: Any, version: Any, num: int) -> None:
    """Make labelled sessions that the judge has judged; it errs on one of twelve."""
    from django.contrib.auth import get_user_model

    from agents.models import Judgement
    from traces.ingest.store import store_sessions
    from traces.label_sets import ensure_label_set, questions_of
    from traces.models import Label, Session
    from traces.records import SessionRecord, SpanRecord

    causes = [
        choice.key
        for question in questions_of(ensure_label_set(project))
        if question.key == "primary_cause"
        for choice in question.choices
    ]
    author = get_user_model().objects.get()
    start = time.time_ns() - 10**15
    for at in range(0, num, 500):
        records = [
            SessionRecord(
                source=Session.Source.OTLP,
                external_id=f"case-{n}",
                status=Session.Status.COMPLETED,
                agent_name=f"agent-{n % NUM_AGENTS}",
                version_name=f"{n % NUM_AGENTS}.{n // NUM_AGENTS % NUM_VERSIONS}",
                spans=(SpanRecord(f"{n:016x}", "customer", "customer", start + n * 10**9),),
            )
            for n in range(at, min(num, at + 500))
        ]
        store_sessions(project=project, records=records)
    sessions = list(Session.objects.filter(project=project).order_by("pk"))
    Label.objects.bulk_create(
        (
            Label(
                session=session,
                author=author,
                label_set=ensure_label_set(project),
                answers={
                    "outcome": "harmful" if n % 4 == 0 else "resolved",
                    "primary_cause": causes[n % len(causes)] if n % 4 == 0 else None,
                },
            )
            for n, session in enumerate(sessions)
        ),
        batch_size=500,
    )
    Label.objects.filter(session__project=project).update(completed_at=timezone.now())
    Judgement.objects.bulk_create(
        (
            Judgement(
                version=version,
                session=session,
                status="done",
                verdict="fail" if (n % 4 == 0) != (n % 12 == 5) else "pass",
                reason="It says so in step 3.",
            )
            for n, session in enumerate(sessions)
        ),
        batch_size=500,
    )


def _make_tests(project: Any, num: int) -> list[Any]:
    from agents.config import VersionConfig
    from agents.golden.content import hash_of
    from agents.golden.versions import record_version
    from agents.models import Agent, GoldenTest, Version

    agent = Agent.objects.create(project=project, slug="agent-0", name="Agent", dataset="none")
    config = VersionConfig(system_prompt="Help.", model="m")
    Version.objects.create(
        agent=agent, number=1, config=config.to_json(), content_hash=config.content_hash
    )
    tests = []
    for n in range(num):
        content = {
            "input": {"messages": [{"role": "user", "content": f"Help {n}"}], "turns": []},
            "fixtures": [], "checks": CHECKS, "expectations": EXPECTATIONS,
        }  # fmt: skip
        test = GoldenTest.objects.create(
            agent=agent, slug=f"t-{n}", title=f"Test {n}", reason="Measured.",
            content_hash=hash_of(content), **content,
        )  # fmt: skip
        record_version(test=test, by=None)
        tests.append(test)
    return tests


if __name__ == "__main__":
    main()
