"""The demo's incidents, schedules, and what left its desk: nothing is really sent by it."""

from datetime import datetime, timedelta
from typing import Any

import pghistory
from django.contrib.auth.base_user import AbstractBaseUser

from agents.incidents import (
    add_note,
    assign_incident,
    close_incident,
    mitigate_incident,
    open_incident,
)
from agents.models import Agent, Incident, IncidentNote, Level, Message, Schedule
from agents.outbox.mail import NO_SERVER
from agents.outbox.webhooks import Receiver, choose_mail, make_webhook, turn_webhook
from agents.schedule_times import Times
from agents.schedules import Plan, make_schedule
from traces.models import Project, Session

_REFUNDS = "return_delivered_order_items"
_EXCHANGES = "exchange_delivered_order_items"


def fill_outgoing(
    *,
    project: Project,
    agent: Agent,
    support: AbstractBaseUser,
    engineer: AbstractBaseUser,
    lead: AbstractBaseUser,
    admin: AbstractBaseUser,
    now: datetime,
) -> None:
    """Open one incident and close another, plan two schedules, and fill the outbox's log.

    Args:
        project: The demo's.
        agent: Whose tools the incidents are about; none of them is held lower than it is.
        support: Opens incidents.
        engineer: Plans schedules.
        lead: Mitigates and closes.
        admin: Sets up the webhook.
        now: The database's clock.
    """
    _closed_incident(project, agent, support, lead, now)
    _open_incident(project, agent, support, lead)
    _schedules(agent, engineer)
    _messages(project, lead, admin, now)


def _closed_incident(
    project: Project,
    agent: Agent,
    support: AbstractBaseUser,
    lead: AbstractBaseUser,
    now: datetime,
) -> None:
    incident = open_incident(
        project=project,
        title="Exchanges name a difference that the customer was not told",
        severity=Incident.Severity.MAJOR,
        source=Incident.Source.PERSON,
        agent=agent,
        tool=_EXCHANGES,
        summary="Two customers were charged a price difference that no message had named.",
        by=support,
    )
    assign_incident(incident=incident, owner=lead, by=lead)
    add_note(incident=incident, text="Both sessions ran on v3; v4 names the amount.", by=support)
    mitigate_incident(incident=incident, note="v4 is live, the difference is named.", by=lead)
    add_note(incident=incident, text="Both customers were paid back by hand.", by=support)
    close_incident(
        incident=incident,
        note="The prompt let the amount out. Two golden tests hold it now.",
        by=lead,
    )
    _move_back(incident, now, days=12)


def _open_incident(
    project: Project, agent: Agent, support: AbstractBaseUser, lead: AbstractBaseUser
) -> None:
    labelled = Session.objects.filter(project=project, labels__answers__outcome="harmful")
    incident = open_incident(
        project=project,
        title="Refunds go to another card than the customer asked for",
        severity=Incident.Severity.MAJOR,
        source=Incident.Source.PERSON,
        agent=agent,
        tool=_REFUNDS,
        ceiling=Level.APPROVE,
        session=labelled.order_by("-started_at").first(),
        summary="The agent takes the first payment method of the order where the customer has "
        "named another. Seen in three sessions this week.",
        by=support,
    )
    assign_incident(incident=incident, owner=lead, by=lead)
    add_note(
        incident=incident,
        text="Every return waits for a person until v7 is proven. Please compare the payment "
        "method with what the customer wrote.",
        by=lead,
    )


def _move_back(incident: Incident, now: datetime, *, days: int) -> None:
    """Let the incident have happened some days ago, its notes an hour apart."""
    start = now - timedelta(days=days)
    for number, note in enumerate(incident.notes.order_by("pk")):
        at = start + timedelta(minutes=41 * number)
        IncidentNote.objects.filter(pk=note.pk).update(created_at=at)
    with pghistory.context(action="demo"):
        Incident.objects.filter(pk=incident.pk).update(
            opened_at=start,
            mitigated_at=start + timedelta(minutes=123),
            closed_at=start + timedelta(minutes=205),
        )


def _schedules(agent: Agent, engineer: AbstractBaseUser) -> None:
    for name, times, words in (
        (
            "Morning check of a stuck order",
            Times(Schedule.Kind.CRON, cron="30 6 * * 1-5", time_zone="Europe/Berlin"),
            "My order #F10267 has not moved for days. Where is it?",
        ),
        (
            "Every six hours: is the desk answered",
            Times(Schedule.Kind.INTERVAL, every_seconds=6 * 3600),
            "Hello, which payment methods can a refund go to?",
        ),
    ):
        plan = Plan(
            name=name,
            agent=agent,
            times=times,
            run_input={"messages": [{"role": "user", "content": words}], "turns": []},
            customer="a scheduled check",
        )
        make_schedule(plan=plan, by=engineer, is_on=False)


def _messages(
    project: Project, lead: AbstractBaseUser, admin: AbstractBaseUser, now: datetime
) -> None:
    receiver = Receiver(
        name="On-call pager",
        url="https://pager.example.com/hooks/reviewdesk",
        event_names=("incident_opened", "run_dead", "run_needs_review", "breaker_opened"),
        secret_name="PAGER",  # noqa: S106
    )
    webhook = make_webhook(project=project, receiver=receiver, by=admin)
    turn_webhook(webhook=webhook, is_on=False, by=admin)
    choose_mail(project=project, user=lead, event_names=["incident_opened", "level_proposed"])
    title = "Incident 1 was opened (major): exchange_delivered_order_items of Shop support."
    shared: dict[str, Any] = {
        "project": project,
        "event": "incident_opened",
        "payload": {"title": title, "url": f"/p/{project.slug}/incidents/1/", "incident": 1},
    }
    at = now - timedelta(days=12)
    rows = [
        Message(
            kind=Message.Kind.WEBHOOK,
            webhook=webhook,
            key="demo:incident:1:webhook",
            num_attempts=2,
            sent_at=at + timedelta(seconds=32),
            **shared,
        ),
        Message(
            kind=Message.Kind.MAIL,
            address=getattr(lead, "email", ""),
            key="demo:incident:1:mail",
            num_attempts=1,
            gave_up_at=at + timedelta(seconds=1),
            error=NO_SERVER,
            **shared,
        ),
    ]
    Message.objects.bulk_create(rows)
    Message.objects.filter(pk__in=[row.pk for row in rows]).update(created_at=at)
