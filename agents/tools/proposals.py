"""Raising a level: one person proposes it with the evidence frozen, another one grants it.

The database refuses a raise without a proposal that another person granted in the same
transaction (trigger `level_rises_by_proposal`).
"""

from contextlib import AbstractContextManager

import pghistory
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.urls import reverse

from agents.errors import ProposalError, ProposalVoidError
from agents.models import AgentTool, Level, LevelProposal
from agents.outbox import tell
from agents.tools.autonomy import database_now
from agents.tools.contract import ToolContract
from agents.tools.evidence import Evidence, evidence_for
from agents.tools.levels import NO_UNDO, NOTHING_TO_UNDO, meaning
from agents.tools.registry import contract_for

MIN_REASON, MAX_REASON = 3, 1000
_MAX_LEVEL_REASON = 500


def propose_raise(
    *, agent_tool: AgentTool, to_level: Level, reason: str, by: AbstractBaseUser
) -> LevelProposal:
    """Ask for a higher level, with the evidence as it is now.

    For a candidate also its own level may be asked for: granted, it has proven itself.

    Raises:
        ProposalError: No reason, no raise, one waits already, or the evidence has gaps for a
            level above `approve` (`gaps` lists them).
    """
    reason = _checked(reason, "propose a raise")
    with transaction.atomic(), _recorded(by, reason, "propose raise"):
        row = _locked(agent_tool)
        contract = contract_for(row.name, row.agent.project_id)
        _check_is_raise(row, contract, to_level)
        if waiting := row.proposals.filter(status=LevelProposal.Status.WAITING).first():
            raise ProposalError(
                f"A raise of {row.name} to {Level(waiting.to_level).label} waits already; "
                f"{waiting.proposed_by} proposed it on {waiting.proposed_at:%d %b, %H:%M} UTC."
            )
        evidence = evidence_for(row, now=database_now(), contract=contract)
        if to_level.is_acting and evidence.gaps:
            raise ProposalError(
                f"{row.name} cannot be proposed for {to_level.label} yet: "
                f"{' '.join(evidence.gaps)}",
                evidence.gaps,
            )
        proposal = LevelProposal.objects.create(
            agent_tool=row,
            from_level=row.level,
            to_level=to_level,
            contract_version=contract.version,
            reason=reason,
            evidence=evidence.to_json(),
            evidence_hash=evidence.content_hash,
            proposed_by_id=by.pk,
        )
        _tell(row, proposal)
    return proposal


def grant(*, proposal: LevelProposal, by: AbstractBaseUser, reason: str = "") -> AgentTool:
    """Raise the level as proposed; that `by` may raise at all is the caller's to check.

    Raises:
        ProposalError: `by` proposed it, it does not wait any more, or the evidence has a gap now.
        ProposalVoidError: Level, contract or live version moved since; the proposal is void now.
    """
    reason = reason.strip()[:MAX_REASON]
    with transaction.atomic(), _recorded(by, reason or proposal.reason, "grant raise"):
        row = _locked(proposal.agent_tool)
        asked = _locked_waiting(proposal)
        _check_other_person(asked, by)
        contract = contract_for(row.name, row.agent.project_id)
        moved = _what_moved(row, asked, contract)
        if moved:
            _decide(asked, LevelProposal.Status.VOID, None, f"Void: {moved}.")
        else:
            _check_still_proven(
                row, asked, evidence_for(row, now=database_now(), contract=contract)
            )
            _decide(asked, LevelProposal.Status.GRANTED, by, reason)
            _raise(row, asked, contract, by)
    if moved:
        raise ProposalVoidError(
            f"Nothing was raised, and this proposal is void: {moved}. Propose it again."
        )
    return row


def refuse(*, proposal: LevelProposal, by: AbstractBaseUser, reason: str) -> LevelProposal:
    """Refuse a proposal; the level stays.

    Raises:
        ProposalError: No reason, `by` proposed it (and may withdraw it), or it waits no more.
    """
    reason = _checked(reason, "refuse a raise")
    with transaction.atomic(), _recorded(by, reason, "refuse raise"):
        _locked(proposal.agent_tool)
        asked = _locked_waiting(proposal)
        _check_other_person(asked, by)
        _decide(asked, LevelProposal.Status.REFUSED, by, reason)
    return asked


def withdraw(*, proposal: LevelProposal, by: AbstractBaseUser, reason: str = "") -> LevelProposal:
    """Take one's own proposal back.

    Raises:
        ProposalError: Somebody else proposed it, or it waits no more.
    """
    reason = reason.strip()[:MAX_REASON]
    with transaction.atomic(), _recorded(by, reason, "withdraw raise"):
        _locked(proposal.agent_tool)
        asked = _locked_waiting(proposal)
        if asked.proposed_by_id != by.pk:
            raise ProposalError(f"Only {asked.proposed_by}, who proposed it, may withdraw it.")
        _decide(asked, LevelProposal.Status.WITHDRAWN, by, reason)
    return asked


def _check_is_raise(row: AgentTool, contract: ToolContract, to_level: Level) -> None:
    now = Level(row.level)
    if meaning(to_level, contract)[0] is not to_level:
        why = NOTHING_TO_UNDO if contract.is_read else NO_UNDO
        raise ProposalError(f"{row.name} cannot act with undo: {why}.")
    is_confirmed = to_level is now and now.is_acting and _is_candidate(row, contract)
    if to_level.rank <= now.rank and not is_confirmed:
        raise ProposalError(
            f"{row.name} is at {now.label}; {to_level.label} is no raise. Lower it directly."
        )


def _is_candidate(row: AgentTool, contract: ToolContract) -> bool:
    return row.candidate_since is not None or row.contract_version != contract.version


def _what_moved(row: AgentTool, asked: LevelProposal, contract: ToolContract) -> str:
    """Say what is no longer as it was proposed, or nothing."""
    if row.level != asked.from_level:
        before = asked.get_from_level_display()
        return f"{row.name} is at {Level(row.level).label} now, not at {before}"
    if contract.version != asked.contract_version:
        return (
            f"the contract of {row.name} is at version {contract.version} now, "
            f"not {asked.contract_version}"
        )
    version = row.agent.live_version
    if (version.number if version else None) != asked.evidence.get("live_version"):
        return f"{version or 'no version'} of {row.agent} is live now"
    return ""


def _check_still_proven(row: AgentTool, asked: LevelProposal, evidence: Evidence) -> None:
    if Level(asked.to_level).is_acting and evidence.gaps:
        raise ProposalError(
            f"{row.name} is not proven any more: {' '.join(evidence.gaps)} Refuse the proposal, or "
            "let it wait for better evidence.",
            evidence.gaps,
        )


def _raise(
    row: AgentTool, asked: LevelProposal, contract: ToolContract, by: AbstractBaseUser
) -> None:
    row.level, row.reason = asked.to_level, asked.reason[:_MAX_LEVEL_REASON]
    row.changed_by_id, row.contract_version = by.pk, contract.version
    fields = ["level", "reason", "changed_by", "changed_at", "contract_version"]
    if Level(asked.to_level).is_acting:
        row.candidate_since, row.candidate_why = None, ""
        fields += ["candidate_since", "candidate_why"]
    row.save(update_fields=fields)


def _decide(
    asked: LevelProposal, status: LevelProposal.Status, by: AbstractBaseUser | None, reason: str
) -> None:
    asked.status, asked.decision_reason, asked.decided_at = status, reason, database_now()
    asked.decided_by_id = by.pk if by else None
    asked.save(update_fields=["status", "decision_reason", "decided_at", "decided_by"])


def _check_other_person(asked: LevelProposal, by: AbstractBaseUser) -> None:
    if asked.proposed_by_id == by.pk:
        raise ProposalError(
            "You proposed this raise, so another lead decides it. You may withdraw it."
        )


def _locked(agent_tool: AgentTool) -> AgentTool:
    rows = AgentTool.objects.select_for_update(of=("self",))
    return rows.select_related("agent__project", "agent__live_version").get(pk=agent_tool.pk)


def _locked_waiting(proposal: LevelProposal) -> LevelProposal:
    rows = LevelProposal.objects.select_for_update(of=("self",))
    asked = rows.select_related("proposed_by", "decided_by").get(pk=proposal.pk)
    if asked.status != LevelProposal.Status.WAITING:
        who = f" by {asked.decided_by}" if asked.decided_by else ""
        raise ProposalError(
            f"This proposal is {asked.get_status_display()} already{who}. Nothing was changed."
        )
    return asked


def _tell(row: AgentTool, proposal: LevelProposal) -> None:
    agent = row.agent
    payload = {
        "title": f"{row.name} of {agent} is proposed for {proposal.get_to_level_display()}.",
        "url": reverse("autonomy:tool", args=[agent.project.slug, agent.slug, row.name]),
        "proposal": proposal.pk,
    }
    tell(project=agent.project, event="level_proposed", payload=payload, key=f"raise:{proposal.pk}")


def _recorded(by: AbstractBaseUser, reason: str, action: str) -> AbstractContextManager[object]:
    context: AbstractContextManager[object] = pghistory.context(
        user=by.pk, reason=reason, action=action
    )
    return context


def _checked(reason: str, act: str) -> str:
    reason = reason.strip()
    if not MIN_REASON <= len(reason) <= MAX_REASON:
        raise ProposalError(
            f"To {act} takes a reason of {MIN_REASON} to {MAX_REASON} characters; this one has "
            f"{len(reason)}."
        )
    return reason
