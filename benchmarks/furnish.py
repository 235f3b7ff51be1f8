"""What a filled home has beside its sessions: agents, people, labels, queues, views, giants.

`spans.py` runs it, with the home in its environment.
"""

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "reviewdesk.settings"
django.setup()

from django.db import connection  # noqa: E402  # models need the setup
from invented import AGENTS, ERRORS, MODELS, TOOLS, VERSIONS_EACH, VOCABULARY  # noqa: E402

from agents.config import VersionConfig  # noqa: E402
from agents.models import Version  # noqa: E402
from agents.roster import create_agent  # noqa: E402
from reviewdesk.people.models import Membership, User  # noqa: E402
from traces.ingest.store import store_sessions  # noqa: E402
from traces.label_sets import ensure_label_set  # noqa: E402
from traces.models import Project, Queue, SavedView, Session  # noqa: E402
from traces.records import SessionRecord, SpanRecord, to_ns  # noqa: E402
from traces.rollups import count_days  # noqa: E402
from traces.totals import refresh_totals  # noqa: E402

GIANTS = {"ten-thousand-spans": 10_000, "fifty-thousand-spans": 50_000}
LARGE_PAYLOAD = "five-megabytes"
NUM_LABELLED = 20_000
REVIEWERS = ("ada", "mia", "noor", "ines", "jan", "tomas")
_OUTCOMES = ("resolved", "partly", "not_resolved", "wrongly_refused", "harmful")
_OUTCOME_WEIGHTS = list(accumulate((72, 8, 13, 5, 2)))
_NUM_SHOP_TOOLS = 15
_SECOND = 1_000_000_000
_QUEUES = {"Weekly sample": 5000, "Refunds": 500, "Escalated": 50}
_VIEWS = {
    "Failed refunds": "status:failed tool:return_delivered_order_items",
    "Dear ones": "cost>0.02",
    "Slow": "duration>60s",
    "With errors": "errors>0",
}
# Those that ended, more of them from the last month, as reviewers choose them.
_LABELLED = """
SELECT session.id, session.started_at, (
    SELECT span_id FROM traces_span AS span
    WHERE span.session_id = session.id AND kind = 'tool'
        AND start_ns BETWEEN session.first_ns AND session.last_ns
    ORDER BY start_ns LIMIT 1
) FROM (
    SELECT id, started_at, first_ns, last_ns FROM traces_session
    WHERE project_id = %s AND NOT is_golden
    ORDER BY hashtextextended(id::text, %s) / 2 + CASE
        WHEN started_at > now() - interval '30 days' THEN 0 ELSE 3000000000000000000 END
    LIMIT %s
) AS session ORDER BY session.id
"""
_LABEL_COLUMNS = (
    "session_id, label_set_id, author_id, answers, first_wrong_span_id, comment, created_at, "
    "updated_at, completed_at"
)


def main() -> None:
    """Furnish the project `benchmark`; the seed is the only argument."""
    random = Random(sys.argv[1])
    project = Project.objects.get(slug="benchmark")
    people = list(_make_people(project))
    for name in AGENTS:
        _make_agent(project, name, people[0])
    _store_giants(project, random)
    _label(project, people, random)
    _collect(project, people[0])
    _check_totals(project)
    _count_days(project)


def _make_people(project: Project) -> Iterator[User]:
    for name in REVIEWERS:
        email = f"{name}@bench.example"
        user = User(username=email, email=email, name=name.title())
        user.set_unusable_password()
        user.save()
        Membership.objects.create(user=user, project=project, role="reviewer")
        yield user


def _make_agent(project: Project, name: str, by: User) -> None:
    tools = list(TOOLS[:_NUM_SHOP_TOOLS])
    agent = create_agent(project=project, name=name, description="Invented.", tools=tools, by=by)
    for number in range(1, VERSIONS_EACH + 1):
        config = VersionConfig(f"Help the customer. ({number})", MODELS[0], tools=tuple(tools))
        Version.objects.create(
            agent=agent, number=number, config=config.to_json(), content_hash=config.content_hash
        )


def _store_giants(project: Project, random: Random) -> None:
    """Store the long sessions, and one with a span whose result is 5 MB of JSON."""
    for external_id, number in GIANTS.items():
        _store(project, external_id, _long_job(number, random))
    root, *spans = _long_job(10, random)
    rows = [{"id": at, "words": _words(random, 12)} for at in range(52_000)]
    large = SpanRecord(
        **{**vars(spans[-1]), "kind": "tool", "name": TOOLS[0], "output": {"result": rows}}
    )
    _store(project, LARGE_PAYLOAD, [root, *spans[:-1], large])


def _store(project: Project, external_id: str, spans: list[SpanRecord]) -> None:
    record = SessionRecord(
        source=Session.Source.OTLP,
        external_id=external_id,
        status=Session.Status.COMPLETED,
        agent_name=AGENTS[2],
        version_name="v1",
        spans=tuple(spans),
        customer=external_id,
    )
    store_sessions(project=project, records=[record])


def _long_job(number: int, random: Random) -> list[SpanRecord]:
    """Make a job of `number` spans: steps of a hundred, model and tool by turns below each."""
    begin = to_ns(datetime.now(tz=UTC) - timedelta(hours=20))
    root, step = f"{random.getrandbits(64):016x}", ""
    content = {"content": _words(random, 20)}
    spans = [SpanRecord(root, "agent", AGENTS[2], begin, number * _SECOND, input=content)]
    for at in range(1, number):
        span_id, start = f"{random.getrandbits(64):016x}", begin + at * _SECOND
        if at % 100 == 1:
            step = span_id
            spans.append(SpanRecord(span_id, "other", "step", start, 99 * _SECOND, parent_id=root))
        else:
            spans.append(_small(random, span_id, step, start, is_model=at % 2 == 0))
    return spans


def _small(
    random: Random, span_id: str, parent_id: str, start_ns: int, *, is_model: bool
) -> SpanRecord:
    if is_model:
        return SpanRecord(
            span_id, "model", MODELS[0], start_ns, 900_000_000, parent_id, model=MODELS[0],
            input_tokens=900, output_tokens=60, output={"content": _words(random, 50)},
        )  # fmt: skip
    is_failed = random.random() < 0.02
    result = {"error": ERRORS[0]} if is_failed else {"result": {"notes": _words(random, 60)}}
    return SpanRecord(
        span_id, "tool", random.choice(TOOLS), start_ns, 400_000_000, parent_id,
        "error" if is_failed else "ok", ERRORS[0] if is_failed else "",
        input={"arguments": {"order_id": f"#A{random.randrange(10**7)}"}}, output=result,
    )  # fmt: skip


def _words(random: Random, number: int) -> str:
    return " ".join(random.choices(VOCABULARY[:2000], k=number))


def _label(project: Project, people: list[User], random: Random) -> None:
    """Label sessions; a tenth of them twice, so that some reviewers disagree."""
    label_set = ensure_label_set(project)
    codes = [cause["key"] for cause in label_set.questions[3]["choices"]]
    weights = list(accumulate(1 / rank for rank in range(1, len(codes) + 1)))
    with connection.cursor() as cursor:
        cursor.execute(_LABELLED, [project.pk, random.randrange(10**6), NUM_LABELLED])
        rows = cursor.fetchall()
        with cursor.copy(f"COPY traces_label ({_LABEL_COLUMNS}) FROM STDIN") as copy:
            for session_id, started_at, span_id in rows:
                outcome = random.choices(_OUTCOMES, cum_weights=_OUTCOME_WEIGHTS)[0]
                for person in random.sample(people, 1 + (random.random() < 0.1)):
                    if random.random() < 0.15:
                        outcome = random.choice(_OUTCOMES)
                    answers = _answers(random, outcome, codes, weights)
                    wrong = "" if outcome == "resolved" or span_id is None else span_id
                    at = min(started_at + timedelta(hours=random.randrange(1, 90)), _now())
                    copy.write_row(
                        [session_id, label_set.pk, person.pk, json.dumps(answers), wrong, ""]
                        + [at] * 3
                    )


def _answers(
    random: Random, outcome: str, codes: list[str], weights: list[float]
) -> dict[str, str]:
    if outcome == "resolved":
        return {"outcome": outcome}
    return {
        "outcome": outcome,
        "severity": random.choices(("minor", "major", "critical"), (60, 35, 5))[0],
        "fault_owner": random.choices(("agent", "tool", "user"), (70, 20, 10))[0],
        "primary_cause": random.choices(codes, cum_weights=weights)[0],
    }


def _collect(project: Project, owner: User) -> None:
    """Make queues with their items, and saved views."""
    for name, number in _QUEUES.items():
        queue = Queue.objects.create(project=project, name=name, created_by=owner)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO traces_queueitem (queue_id, session_id, added_at) "
                "SELECT %s, id, now() FROM traces_session WHERE project_id = %s "
                "ORDER BY hashtextextended(id::text, %s) LIMIT %s",
                [queue.pk, project.pk, queue.pk, number],
            )
    for name, query in _VIEWS.items():
        SavedView.objects.create(project=project, name=name, query=query)


def _count_days(project: Project) -> None:
    """Count what the triggers would have noted, which the copying leaves out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO traces_daydue (project_id, day) SELECT DISTINCT project_id, "
            "(started_at AT TIME ZONE 'UTC')::date FROM traces_session WHERE project_id = %s",
            [project.pk],
        )
    while count_days():
        pass


def _check_totals(project: Project) -> None:
    """End the process if computing the totals of a sample from its spans changes any."""
    some = project.sessions.filter(pk__lt="01" + "0" * 30)[:500]
    before = {session.pk: vars(session) for session in some}
    refresh_totals(list(before))
    for session in Session.objects.filter(pk__in=before):
        told, computed = before[session.pk], vars(session)
        wrong = [name for name in told if name != "_state" and told[name] != computed[name]]
        if wrong:
            sys.exit(f"Session {session.pk}: the generator's {wrong} are not its spans'.")
    print(f"totals of {len(before)} sessions computed from their spans: unchanged")


def _now() -> datetime:
    return datetime.now(tz=UTC)


if __name__ == "__main__":
    main()
