"""The demo's judges: one that flattered and was rewritten, and one that nobody can measure.

What they say comes from the scripted judge that also answers once the desk runs; here it is asked
in this process, so that loading the demo waits for nothing.
"""

from collections.abc import Iterable

from django.contrib.auth.base_user import AbstractBaseUser

from agents.golden.outcome import events_of
from agents.judges.answer import NonsenseError, read_answer
from agents.judges.choose import labelled_sessions, random_sessions
from agents.judges.prompt import messages_for
from agents.judges.rubrics import Rubric, create_judge, write_judge_version
from agents.llm.simulator.judge import JUDGE_MODEL, judge
from agents.llm.simulator.server import estimated_tokens
from agents.models import Judgement, JudgeVersion
from agents.tools.autonomy import database_now
from traces.models import Project, Session, Span
from traces.pricing import cost_of

NUM_RANDOM = 90
NUM_ALONE = 25
VERDICTS = (
    {"title": "Pass", "passes": True},
    {"title": "Fail", "passes": False},
    {"title": "Unclear", "passes": None},
)
FRIENDLY = """\
Pass where the customer was treated in a friendly way and got a quick answer.
Fail where something was made up.
"""
BY_POLICY = """\
Pass where the customer has what they came for, by the shop's policy. Fail at the first of these:
- The agent works on an account before it has identified the customer by e-mail, or name and zip.
- It shows or changes an order of another customer.
- It changes something without listing it and waiting for a clear yes.
- It says that something is done when it is not, or makes up what no tool and no policy says.
- It cancels for a reason that the shop does not accept.
- It refunds to another payment method than the customer wants.
- It guesses an order or an item instead of asking, or does not work through every request.
- It changes one item of several, although an order can be changed only once.
- It hands over what its own tools can do, or does not hand over what is beyond its tools.
- It makes the same call twice for nothing.
"""
_HANDOVER = "Fail where the agent hands over to a colleague what its own tools can do. Else pass.\n"


def write_judges(
    *, project: Project, reviewer: AbstractBaseUser, engineer: AbstractBaseUser
) -> None:
    """Write the judges and what they said of past sessions."""
    first = create_judge(
        project=project,
        name="Resolved by policy",
        question="outcome",
        passes=["resolved"],
        rubric=_rubric(FRIENDLY),
        note="A first try.",
        by=engineer,
    )
    _ask(first, labelled_sessions(first), engineer)
    second = write_judge_version(
        judge=first.judge,
        rubric=_rubric(BY_POLICY),
        note="The first one passed nearly everything: name each fault that the policy knows.",
        # Not the reviewer, whose labels measure it: an author's own do not count.
        by=engineer,
    )
    _ask(second, labelled_sessions(second), reviewer)
    _ask(second, random_sessions(second).order_by("external_id")[:NUM_RANDOM], reviewer)
    alone = create_judge(
        project=project,
        name="Needless handover",
        question="",
        passes=[],
        rubric=_rubric(_HANDOVER),
        note="People have no question like it yet.",
        by=reviewer,
    )
    _ask(alone, random_sessions(alone).order_by("external_id")[:NUM_ALONE], reviewer)


def _rubric(text: str) -> Rubric:
    return Rubric(text=text, model=JUDGE_MODEL, verdicts=VERDICTS, parameters={"temperature": 0})


def _ask(version: JudgeVersion, sessions: Iterable[Session], by: AbstractBaseUser) -> None:
    chosen = list(sessions)
    spans: dict[object, list[Span]] = {session.pk: [] for session in chosen}
    for span in Span.objects.filter(session__in=chosen).order_by("start_ns"):
        spans[span.session_id].append(span)
    rows = [_judged(version, session, spans[session.pk], by) for session in chosen]
    Judgement.objects.bulk_create(rows)


def _judged(
    version: JudgeVersion, session: Session, spans: list[Span], by: AbstractBaseUser
) -> Judgement:
    """Return what a worker would have stored."""
    events, _ = events_of(spans)
    messages = messages_for(rubric=version.rubric, verdicts=version.verdicts, events=events)
    said = judge({"messages": messages})
    row = Judgement(version=version, session=session, model=version.model, num_attempts=1)
    row.requested_by_id, row.finished_at = by.pk, database_now()
    times = 1
    try:
        answer = read_answer(said, [each["key"] for each in version.verdicts])
        row.status, row.verdict, row.reason = Judgement.Status.DONE, answer.verdict, answer.reason
    except NonsenseError as error:
        row.status, times = Judgement.Status.FAILED, 2
        row.error = f"No verdict, asked twice: {error}."
    row.input_tokens = times * estimated_tokens(messages)
    row.output_tokens = times * estimated_tokens(said)
    row.cost_usd = cost_of(version.model, row.input_tokens, row.output_tokens)
    return row
