"""Rows for tests: `make_…(**overrides)`, each with sensible values for what is not given."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.test import Client
from django.utils import timezone
from pghistory.models import Context, Event

from agents.config import VersionConfig
from agents.models import Agent, AgentTool, Level, Release, Run, Version
from reviewdesk.people.models import Membership, User
from reviewdesk.people.roles import Role
from traces.ingest.store import store_sessions
from traces.models import Label, Project, Session
from traces.records import SessionRecord, SpanRecord, to_ns

NOON_NS = to_ns(datetime(2026, 11, 16, 12, 0, tzinfo=UTC))
SECOND = 1_000_000_000
_numbers = itertools.count(1)


def audit_tables() -> list[str]:
    """Return the tables of the audit trail: every model's events, and their contexts."""
    models = [model for model in apps.get_models() if issubclass(model, Event)]
    return sorted(model._meta.db_table for model in (*models, Context) if model._meta.managed)


def make_project(**overrides: Any) -> Project:
    number = next(_numbers)
    values = {"slug": f"project-{number}", "name": f"Project {number}"}
    return Project.objects.create(**{**values, **overrides})


def make_user(role: str = "", project: Project | None = None, **overrides: Any) -> User:
    """Make a user; with a role also its membership, of a project of its own where none is given."""
    number = next(_numbers)
    email = overrides.pop("email", f"person-{number}@example.com")
    password = overrides.pop("password", None)
    user = User(username=email.lower(), email=email, name=overrides.pop("name", f"Person {number}"))
    for name, value in overrides.items():
        setattr(user, name, value)
    if password is not None:
        user.set_password(password)
    user.save()
    if role:
        add_member(user=user, project=project or make_project(), role=role)
    return user


def add_member(*, user: User, project: Project, role: str = Role.REVIEWER) -> Membership:
    return Membership.objects.create(user=user, project=project, role=role)


def sign_in(user: User) -> Client:
    """Return a client that is signed in as `user`."""
    client = Client()
    client.force_login(user)
    return client


def client_as(role: str, project: Project) -> Client:
    """Return a client signed in as a new member of `project`."""
    return sign_in(make_user(role, project))


def customer_span(content: str, at: int = 0, **overrides: Any) -> SpanRecord:
    """Make what a customer says, `at` seconds after the session's start."""
    return make_span("customer", "customer", at=at, output={"content": content}, **overrides)


def model_span(
    content: str | None = None, at: int = 0, calls: Sequence[dict[str, Any]] = (), **overrides: Any
) -> SpanRecord:
    """Make a model call of 1 s; `calls` are `{"id", "name", "arguments"}`."""
    output = {"content": content, "tool_calls": list(calls)}
    values = {
        "model": "desk-model",
        "input_tokens": 100,
        "output_tokens": 20,
        "cost_usd": Decimal("0.0010"),
        "output": output,
        "duration_ns": SECOND,
    }
    return make_span("model", "chat", at=at, **{**values, **overrides})


def tool_span(
    name: str = "get_order_details",
    arguments: dict[str, Any] | None = None,
    result: Any = None,
    error: str = "",
    at: int = 0,
    **overrides: Any,
) -> SpanRecord:
    """Make a tool call of 0.2 s; with `error` a failed one."""
    values = {
        "input": {"arguments": arguments or {}},
        "output": {"error": error} if error else {"result": result},
        "status": "error" if error else "ok",
        "status_message": error,
        "duration_ns": SECOND // 5,
    }
    return make_span("tool", name, at=at, **{**values, **overrides})


def make_span(kind: str, name: str, at: int = 0, **overrides: Any) -> SpanRecord:
    values: dict[str, Any] = {
        "span_id": f"{next(_numbers):016x}",
        "kind": kind,
        "name": name,
        "start_ns": NOON_NS + at * SECOND,
    }
    return SpanRecord(**{**values, **overrides})


def sample_spans() -> list[SpanRecord]:
    """Make a short talk: the customer asks, a tool finds the order, the agent answers."""
    call = {"id": "call-1", "name": "get_order_details", "arguments": {"order_id": "#A1001"}}
    return [
        customer_span("Where is my order #A1001?", at=0),
        model_span(None, at=1, calls=[call]),
        tool_span(
            arguments={"order_id": "#A1001"},
            result={"order_id": "#A1001", "status": "shipped"},
            at=2,
            attributes={"call_id": "call-1"},
        ),
        model_span("Your order is on its way.", at=3),
    ]


def make_session(
    project: Project | None = None,
    spans: Sequence[SpanRecord] | None = None,
    started_at: datetime | None = None,
    **overrides: Any,
) -> Session:
    """Store a session with its spans through `store_sessions`.

    `started_at` moves all spans; overrides are fields of `SessionRecord`, or of `Session`, which
    are set afterwards.
    """
    project = project or make_project()
    spans = list(spans if spans is not None else sample_spans())
    shift = to_ns(started_at) - spans[0].start_ns if started_at else 0
    root = make_span("agent", "shop-support", duration_ns=10 * SECOND)
    moved = [
        SpanRecord(
            **{
                **vars(span),
                "start_ns": span.start_ns + shift,
                "parent_id": span.parent_id or ("" if span is root else root.span_id),
            }
        )
        for span in [root, *spans]
    ]
    values: dict[str, Any] = {
        "source": Session.Source.DEMO,
        "external_id": f"session-{next(_numbers)}",
        "status": Session.Status.COMPLETED,
        "agent_name": "shop-support",
        "version_name": "v1",
        "customer": "Mira Okafor",
    }
    later = {}
    for name, value in overrides.items():
        (values if name in SessionRecord.__dataclass_fields__ else later)[name] = value
    record = SessionRecord(**values, spans=tuple(moved))
    store_sessions(project=project, records=[record])
    found = Session.objects.filter(project=project, external_id=record.external_id)
    if later:
        found.update(**later)
    return found.get()


def make_label(session: Session, author: User | None = None, **overrides: Any) -> Label:
    """Make a completed label; `outcome`, `severity`, `fault_owner`, `primary_cause` are answers."""
    author = author or make_user(Role.REVIEWER, session.project)
    label_set, _ = session.project.label_sets.get_or_create(
        version=1, defaults={"questions": overrides.pop("questions", [])}
    )
    keys = ("outcome", "severity", "fault_owner", "primary_cause", "secondary_causes")
    answers = {key: overrides.pop(key) for key in keys if key in overrides}
    is_completed = overrides.pop("is_completed", True)
    values = {"label_set": label_set, "answers": answers or {"outcome": "resolved"}}
    label = Label.objects.create(session=session, author=author, **{**values, **overrides})
    if is_completed:
        label.completed_at = timezone.now()
        label.save(update_fields=["completed_at"])
    return label


def make_agent(project: Project | None = None, **overrides: Any) -> Agent:
    """Make an agent with one version, which is live, and its tools at `approve`."""
    project = project or make_project()
    tools = overrides.pop("tools", {"get_order_details": Level.AUTONOMOUS})
    config = overrides.pop("config", None)
    slug = overrides.pop("slug", f"agent-{next(_numbers)}")
    name = overrides.pop("name", slug)
    agent = Agent.objects.create(project=project, slug=slug, name=name, **overrides)
    for tool, level in tools.items():
        AgentTool.objects.create(agent=agent, name=tool, level=level, reason="As the test needs.")
    make_live(make_version(agent, config=config, tools=tuple(tools)))
    agent.refresh_from_db()
    return agent


def make_live(version: Version) -> Release:
    """Make the version live, as if two people had asked for it and approved it."""
    agent = version.agent
    agent.releases.filter(status=Release.Status.LIVE).update(status=Release.Status.SUPERSEDED)
    release = Release.objects.create(
        agent=agent,
        version=version,
        baseline=agent.live_version,
        author=version.author,
        requested_by=make_user(),
        reason="As the test needs.",
        evidence_note="Made for a test.",
        status=Release.Status.LIVE,
        decided_by=make_user(),
        decided_at=timezone.now(),
    )
    agent.live_version = version
    agent.save(update_fields=["live_version"])
    return release


def make_version(
    agent: Agent | None = None, config: VersionConfig | None = None, **overrides: Any
) -> Version:
    """Make the agent's next version; overrides are fields of `VersionConfig`, `note`, `author`."""
    agent = agent or make_agent()
    note = overrides.pop("note", "")
    author = overrides.pop("author", None)
    number = agent.versions.count() + 1
    values = {"system_prompt": f"Help the customer. ({number})", "model": "desk-model"}
    config = config or VersionConfig(**{**values, **overrides})
    return Version.objects.create(
        agent=agent,
        number=number,
        config=config.to_json(),
        content_hash=config.content_hash,
        note=note,
        author=author,
    )


def make_run(agent: Agent | None = None, **overrides: Any) -> Run:
    """Make a queued run with its session, without a hint to any worker."""
    agent = agent or make_agent()
    session = overrides.pop("session", None) or make_session(
        agent.project, status=Session.Status.RUNNING, source=Session.Source.RUNTIME
    )
    values = {
        "project": agent.project,
        "agent": agent,
        "version": agent.live_version,
        "session": session,
        "input": {"messages": [{"role": "user", "content": "Hello"}], "turns": []},
    }
    return Run.objects.create(**{**values, **overrides})
