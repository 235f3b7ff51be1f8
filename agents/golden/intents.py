"""What customers come for: groups of an agent's recent sessions, named by their words or people."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from agents.errors import GoldenError
from agents.golden.alike import Group, cosine, group_texts, words_in
from agents.models import Agent, Intent
from agents.tools.autonomy import database_now
from traces.clean import clean_text
from traces.models import Session

MOST_SESSIONS = 5_000
MOST_EXAMPLES = 10
FEWEST_SESSIONS = 10
RECENT = timedelta(days=90)
OFTEN = timedelta(days=1)
LONGEST_NAME = 120
_NAME_WORDS = 3
# From here on a new group is the one that a person named.
_SAME_GROUP = 0.35


def regroup_intents(*, agent: Agent) -> int:
    """Group an agent's recent sessions anew by what the customer said first; return how many.

    A name that a person gave goes to the group nearest to it; if none is near, it is gone. Where
    there are too few sessions to group, what was grouped before stays.
    """
    now = database_now()
    sessions = _recent(agent, now)
    if len(sessions) < FEWEST_SESSIONS:
        return 0
    titles = [title for _, title in sessions]
    groups = group_texts(titles)
    with transaction.atomic():
        Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)
        known = Intent.objects.filter(agent=agent)
        named = _matched(list(known.filter(is_named=True).order_by("pk")), groups)
        known.exclude(pk__in=[intent.pk for intent in named.values()]).delete()
        taken = {intent.name for intent in named.values()}
        for number, group in enumerate(groups):
            intent = named.get(number) or Intent(agent=agent, name=_name_of(group, titles, taken))
            taken.add(intent.name)
            _fill(intent, group, sessions, now)
    return len(groups)


def rename_intent(*, intent: Intent, name: str) -> Intent:
    """Give an intent a name that stays when sessions are grouped anew.

    Raises:
        GoldenError: The name is empty, too long, or another intent's, or the intent is gone.
    """
    name = " ".join(clean_text(name).split())
    if not name:
        raise GoldenError("Give the intent a name: what these customers want.")
    if len(name) > LONGEST_NAME:
        raise GoldenError(f"The name has {len(name)} characters; {LONGEST_NAME} at most.")
    with transaction.atomic():
        Agent.objects.select_for_update(no_key=True).get(pk=intent.agent_id)
        row = Intent.objects.filter(pk=intent.pk).first()
        if row is None:
            raise GoldenError("The sessions were grouped anew meanwhile; choose the intent again.")
        if Intent.objects.filter(agent=row.agent_id, name=name).exclude(pk=row.pk).exists():
            raise GoldenError(f"Another intent of this agent is called “{name}”.")
        row.name, row.is_named = name, True
        row.save(update_fields=["name", "is_named"])
    return row


def regroup_due() -> None:
    """Group the sessions of each agent that was grouped a day ago or never."""
    due = database_now() - OFTEN
    agents = Agent.objects.annotate(grouped_at=Max("intents__counted_at"))
    for agent in agents.filter(Q(grouped_at=None) | Q(grouped_at__lt=due)).order_by("pk"):
        regroup_intents(agent=agent)


def sessions_of(agent: Agent) -> QuerySet[Session]:
    """Return an agent's sessions, golden runs left out: by its name, or all if it is the only one.

    One query, and the sessions themselves.
    """
    mine = Session.objects.filter(project=agent.project_id, is_golden=False)
    if Agent.objects.filter(project=agent.project_id).exclude(pk=agent.pk).exists():
        mine = mine.filter(agent_name__in=[agent.slug, agent.name])
    return mine


def _recent(agent: Agent, now: datetime) -> list[tuple[Any, str]]:
    found = sessions_of(agent).filter(started_at__gte=now - RECENT).exclude(title="")
    return list(found.order_by("-started_at", "-id").values_list("id", "title")[:MOST_SESSIONS])


def _matched(named: Sequence[Intent], groups: Sequence[Group]) -> Mapping[int, Intent]:
    """Return the named intents by the number of the group that each is now, the nearest first."""
    near = sorted(
        (
            (cosine(intent.terms, group.terms), intent.pk, number, intent)
            for intent in named
            for number, group in enumerate(groups)
        ),
        key=lambda each: (-each[0], each[1], each[2]),
    )
    matched: dict[int, Intent] = {}
    placed: set[int] = set()
    for how_near, pk, number, intent in near:
        if how_near >= _SAME_GROUP and number not in matched and pk not in placed:
            matched[number] = intent
            placed.add(pk)
    return matched


def _fill(intent: Intent, group: Group, sessions: Sequence[tuple[Any, str]], now: datetime) -> None:
    examples = [sessions[member][0] for member in group.members[:MOST_EXAMPLES]]
    intent.terms = group.terms
    intent.num_sessions, intent.num_sampled = len(group.members), len(sessions)
    intent.example_id, intent.examples = examples[0], [str(each) for each in examples]
    intent.counted_at = now
    intent.save()


def _name_of(group: Group, titles: Sequence[str], taken: Collection[str]) -> str:
    """Return the group's heaviest words, as few as make a name of its own.

    They stand in the order in which the session that shows it best has them.
    """
    said = words_in(titles[group.members[0]])
    words = list(group.terms)
    for num in range(min(_NAME_WORDS, len(words)), len(words) + 1):
        chosen = sorted(words[:num], key=lambda word: said.index(word) if word in said else 99)
        name = " ".join(chosen)[:LONGEST_NAME]
        if name not in taken:
            return name
    name = " ".join(words[:_NAME_WORDS])[: LONGEST_NAME - 10] or "other"
    return next(n for number in range(2, 1000) if (n := f"{name} {number}") not in taken)
