"""Incidents: opened by people or by the desk itself, logged, mitigated, closed, opened again.

While one is open its ceiling holds tools down: `agents.tools.autonomy` reads the rows in the
transaction of each effect, so that opening one takes effect on runs that are under way.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Now

from agents.errors import IncidentError
from agents.models import Agent, Incident, IncidentNote, KillSwitch, Level
from agents.outbox.entries import tell
from agents.tools.standing import freeze_authority
from traces.models import Project, Session

_NUM_SIMILAR = 5


def open_incident(
    *,
    project: Project,
    title: str,
    severity: Incident.Severity,
    source: Incident.Source,
    source_key: str = "",
    agent: Agent | None = None,
    tool: str = "",
    ceiling: Level | str = "",
    session: Session | None = None,
    summary: str = "",
    by: AbstractBaseUser | None = None,
) -> Incident:
    """Open an incident, or return the one that this cause has opened before.

    Locks the project's row until the transaction ends, so that numbers have neither gaps nor
    doubles; take it after a run's row.

    Args:
        project: Where.
        title: One line: what happened.
        severity: How bad.
        source: What opened it.
        source_key: Names the cause; the same source and key again open nothing.
        agent: Whose tools it is about; None with a tool: of all agents.
        tool: Which tool; empty: all.
        ceiling: The highest level until it is mitigated; empty holds nothing back.
        session: Where it was seen.
        summary: What is known so far.
        by: Who opened it; None: the desk itself.

    Raises:
        IncidentError: There is no title, or the agent or session is another project's.
    """
    title = _words(title, "An incident needs a title: one line that says what happened.", 300)
    if any(each is not None and each.project_id != project.pk for each in (agent, session)):
        raise IncidentError("The agent and the session of an incident must be of its project.")
    with transaction.atomic(), _recorded(by, f"opened: {title}", "open incident"):
        # The desk opens its own within transactions that hold rows, and holds nothing back by them.
        if ceiling and by is not None:
            freeze_authority()
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        known = Incident.objects.filter(project=project, source=source, source_key=source_key)
        if source_key and (found := known.first()):
            return found
        numbers = Incident.objects.filter(project=project).aggregate(last=Max("number"))
        incident = Incident.objects.create(
            project=project,
            number=(numbers["last"] or 0) + 1,
            title=title,
            summary=summary.strip(),
            severity=severity,
            agent=agent,
            tool=tool,
            ceiling=ceiling,
            session=session,
            source=source,
            source_key=source_key,
            opened_by_id=by.pk if by else None,
        )
        _log(incident, f"Opened as {incident.get_severity_display()}.{_held(incident)}", by)
        _tell(incident)
    return incident


def add_note(*, incident: Incident, text: str, by: AbstractBaseUser | None = None) -> IncidentNote:
    """Write one entry into the log; `by` None is the desk itself.

    Raises:
        IncidentError: There is no text.
    """
    text = _words(text, "The note is empty: write what was seen or done.", 2000)
    return _log(incident, text, by)


def mitigate_incident(*, incident: Incident, note: str, by: AbstractBaseUser) -> Incident:
    """Say that it does no more harm: what it held back is free again, the incident stays.

    Raises:
        IncidentError: It is not open, or no note says why.
    """
    note = _words(note, "Say what was done: mitigating frees what the incident held back.", 1000)
    with _locked(incident, by, note, "mitigate incident") as row:
        if row.status != Incident.Status.OPEN:
            raise IncidentError(f"Incident {row.number} is {row.get_status_display()} already.")
        row.status, row.mitigated_at = Incident.Status.MITIGATED, Now()
        row.save(update_fields=["status", "mitigated_at"])
        _log(row, f"Mitigated: {note}", by)
    return _fresh(row)


def close_incident(*, incident: Incident, note: str, by: AbstractBaseUser) -> Incident:
    """Close it, with what it was and what was done about it.

    Raises:
        IncidentError: It is closed already, or no note says why.
    """
    note = _words(note, "Say what it was and what was done: closing needs a note.", 1000)
    with _locked(incident, by, note, "close incident") as row:
        if row.status == Incident.Status.CLOSED:
            raise IncidentError(f"Incident {row.number} is closed already.")
        row.status, row.closed_at = Incident.Status.CLOSED, Now()
        row.closed_by_id, row.closing_note = by.pk, note
        row.save(update_fields=["status", "closed_at", "closed_by", "closing_note"])
        _log(row, f"Closed: {note}", by)
    return _fresh(row)


def reopen_incident(*, incident: Incident, reason: str, by: AbstractBaseUser) -> Incident:
    """Open it again: what it held back is held back again.

    Raises:
        IncidentError: It is open, or no reason is given.
    """
    reason = _words(reason, "Say why it is opened again.", 1000)
    with _locked(incident, by, reason, "reopen incident", holds_back=True) as row:
        if row.status == Incident.Status.OPEN:
            raise IncidentError(f"Incident {row.number} is open already.")
        row.status, row.mitigated_at = Incident.Status.OPEN, None
        row.closed_at = row.closed_by = None
        row.closing_note = ""
        row.save(update_fields=["status", "mitigated_at", "closed_at", "closed_by", "closing_note"])
        _log(row, f"Opened again: {reason}{_held(row)}", by)
    return _fresh(row)


def change_hold(
    *, incident: Incident, ceiling: Level | str, reason: str, by: AbstractBaseUser
) -> Incident:
    """Set the highest level while it is open; an empty one holds nothing back.

    Raises:
        IncidentError: It is so already, the incident is not open, or no reason is given.
    """
    reason = _words(reason, "Say why the incident holds back more or less.", 1000)
    action = "change what an incident holds back"
    with _locked(incident, by, reason, action, holds_back=True) as row:
        if row.status != Incident.Status.OPEN:
            raise IncidentError(
                f"Incident {row.number} is {row.get_status_display()} and holds nothing back; "
                "open it again first."
            )
        if row.ceiling == ceiling:
            raise IncidentError(f"Incident {row.number} holds back just this already.")
        row.ceiling = ceiling
        row.save(update_fields=["ceiling"])
        _log(row, f"{_held(row).strip() or 'Holds nothing back any more.'} {reason}", by)
    return row


def change_severity(
    *, incident: Incident, severity: Incident.Severity, reason: str, by: AbstractBaseUser
) -> Incident:
    """Set how bad it is.

    Raises:
        IncidentError: It is so already, or no reason is given.
    """
    reason = _words(reason, "Say why it is better or worse than was thought.", 1000)
    with _locked(incident, by, reason, "change severity") as row:
        if row.severity == severity:
            raise IncidentError(f"Incident {row.number} is {severity.label} already.")
        before, row.severity = row.get_severity_display(), severity
        row.save(update_fields=["severity"])
        _log(row, f"From {before} to {severity.label}: {reason}", by)
    return row


def assign_incident(
    *, incident: Incident, owner: AbstractBaseUser | None, by: AbstractBaseUser
) -> Incident:
    """Give it an owner, or none. Whoever calls has checked that the owner is a member."""
    with _locked(incident, by, "", "assign incident") as row:
        if row.owner_id != (owner.pk if owner else None):
            row.owner_id = owner.pk if owner else None
            row.save(update_fields=["owner"])
            _log(row, f"Taken on by {owner}." if owner else "Has no owner any more.", by)
    return _fresh(row)


def is_loosened(before: Level | str, after: Level | str) -> bool:
    """Say whether a ceiling that goes from `before` to `after` lets tools do more."""
    top = len(Level)
    ranks = [Level(each).rank if each else top for each in (before, after)]
    return ranks[1] > ranks[0]


def similar_to(incident: Incident) -> list[Incident]:
    """Return other incidents of the same tool, agent or source, latest first. One query."""
    alike = Q()
    if incident.tool:
        alike |= Q(tool=incident.tool)
    elif incident.agent_id:
        alike |= Q(agent=incident.agent_id, tool="")
    if incident.source != Incident.Source.PERSON:
        alike |= Q(source=incident.source)
    if not alike:
        return []
    found = Incident.objects.filter(alike, project=incident.project_id).exclude(pk=incident.pk)
    return list(found.select_related("agent").order_by("-number")[:_NUM_SIMILAR])


def stops_over(incident: Incident) -> QuerySet[KillSwitch]:
    """Return the stops that are on over what the incident is about."""
    over = Q(scope=KillSwitch.Scope.EVERYTHING) | Q(
        scope=KillSwitch.Scope.PROJECT, project=incident.project_id
    )
    if incident.agent_id:
        over |= Q(scope=KillSwitch.Scope.AGENT, agent=incident.agent_id)
    if incident.tool:
        tool = Q(scope=KillSwitch.Scope.TOOL, project=incident.project_id, tool=incident.tool)
        over |= tool & (Q(agent=None) | Q(agent=incident.agent_id))
    found = KillSwitch.objects.filter(over, lifted_at=None)
    return found.select_related("agent", "project", "stopped_by").order_by("-stopped_at")


@contextmanager
def _locked(
    incident: Incident,
    by: AbstractBaseUser,
    reason: str,
    action: str,
    *,
    holds_back: bool = False,
) -> Iterator[Incident]:
    with transaction.atomic(), _recorded(by, reason, action):
        if holds_back:
            freeze_authority()
        yield (
            Incident.objects.select_for_update(of=("self",))
            .select_related("project", "agent")
            .get(pk=incident.pk)
        )


@contextmanager
def _recorded(by: AbstractBaseUser | None, reason: str, action: str) -> Iterator[None]:
    who = {"user": by.pk} if by else {}
    with pghistory.context(**who, reason=reason, action=action):
        yield


def _fresh(row: Incident) -> Incident:
    """Return the row with the times that the database set."""
    return Incident.objects.select_related("project", "agent", "owner", "closed_by").get(pk=row.pk)


def _log(incident: Incident, text: str, by: AbstractBaseUser | None) -> IncidentNote:
    return IncidentNote.objects.create(
        incident=incident, by_id=by.pk if by else None, text=text[:2000]
    )


def _held(incident: Incident) -> str:
    """Return what it holds back while open, as a sentence that follows another."""
    if not incident.ceiling:
        return ""
    level = Level(incident.ceiling).label
    return f" While it is open, {subject_of(incident)} may go no higher than {level}."


def subject_of(incident: Incident) -> str:
    """Return what it is about in words: a tool, an agent, or the whole project."""
    if incident.tool:
        return f"{incident.tool} of {incident.agent or 'all agents'}"
    return f"all tools of {incident.agent or 'all agents'}"


def _tell(incident: Incident) -> None:
    """Tell of it without its title, which people may write names into."""
    number, severity = incident.number, incident.get_severity_display()
    tell(
        project=incident.project,
        event="incident_opened",
        payload={
            "title": f"Incident {number} was opened ({severity}): {subject_of(incident)}.",
            "url": f"/p/{incident.project.slug}/incidents/{number}/",
            "incident": number,
            "severity": incident.severity,
            "source": incident.source,
            "agent": incident.agent.slug if incident.agent else "",
            "tool": incident.tool,
            "ceiling": incident.ceiling,
        },
        key=f"incident:{incident.pk}:opened",
    )


def _words(text: str, message: str, limit: int) -> str:
    text = text.strip()
    if len(text) < 3:
        raise IncidentError(f"{message} At least 3 characters; this has {len(text)}.")
    return text[:limit]
