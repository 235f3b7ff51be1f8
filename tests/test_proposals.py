"""Raising a level: proposed with frozen evidence, granted by another lead, held by the database."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction

from agents.errors import ProposalError, ProposalVoidError
from agents.models import AgentTool, Level, LevelProposal
from agents.tools.autonomy import change_level, database_now, effective_level, give_tool, lower
from agents.tools.proposals import grant, propose_raise, refuse, withdraw
from tests.authority import judged, proven
from tests.factories import make_user
from tests.shop import make_live, make_shop_agent, make_shop_version, set_level

PAYMENT = "modify_pending_order_payment"
UNDO = Level.ACT_WITH_UNDO
pytestmark = pytest.mark.django_db


def make_tool(level: Level = Level.APPROVE) -> AgentTool:
    agent, _ = make_shop_agent(**{PAYMENT: level})
    tool: AgentTool = agent.tools.select_related("agent").get(name=PAYMENT)
    return tool


def propose(tool: AgentTool, level: Level = UNDO) -> LevelProposal:
    return propose_raise(agent_tool=tool, to_level=level, reason="It does well.", by=make_user())


def test_raise_is_proposed_with_its_evidence_and_granted_by_another() -> None:
    tool = proven(make_tool())
    proposal = propose(tool)
    assert proposal.evidence["unedited"] == 60
    row = grant(proposal=proposal, by=make_user(), reason="Agreed.")
    assert (row.level, row.contract_version, row.reason) == (UNDO, "1", "It does well.")
    assert effective_level(row, now=database_now()).level is UNDO
    proposal.refresh_from_db()
    assert (proposal.status, proposal.decision_reason) == ("granted", "Agreed.")
    event = LevelProposal.pgh_event_model.objects.order_by("pgh_id").last()
    assert event.pgh_context.metadata["reason"] == "Agreed."


def test_acting_takes_evidence_without_gaps() -> None:
    tool = make_tool()
    judged(tool, approved=27)
    with pytest.raises(ProposalError, match="Needs 23 more") as caught:
        propose(tool)
    assert len(caught.value.gaps) == 2
    assert not LevelProposal.objects.exists()


def test_up_to_approve_takes_another_lead_but_no_evidence() -> None:
    tool = make_tool(Level.OFF)
    grant(proposal=propose(tool, Level.SUGGEST), by=make_user())
    row = grant(proposal=propose(tool, Level.APPROVE), by=make_user())
    assert row.level == Level.APPROVE


def test_proposer_never_decides() -> None:
    proposal = propose(proven(make_tool()))
    by = proposal.proposed_by
    for decide in (grant, refuse):
        with pytest.raises(ProposalError, match="another lead decides"):
            decide(proposal=proposal, by=by, reason="Why not.")
    for status in ("granted", "refused"):
        with pytest.raises(IntegrityError, match="proposer_never_decides"), transaction.atomic():
            LevelProposal.objects.filter(pk=proposal.pk).update(
                status=status, decided_by=by, decided_at=database_now()
            )
    assert withdraw(proposal=proposal, by=by).status == "withdrawn"


def test_only_the_proposer_withdraws_and_a_refusal_says_why() -> None:
    proposal = propose(proven(make_tool()))
    with pytest.raises(ProposalError, match="may withdraw"):
        withdraw(proposal=proposal, by=make_user())
    with pytest.raises(ProposalError, match="3 to 1000"):
        refuse(proposal=proposal, by=make_user(), reason="")
    refuse(proposal=proposal, by=make_user(), reason="Too early.")
    with pytest.raises(ProposalError, match="refused already by"):
        grant(proposal=proposal, by=make_user())


def test_one_proposal_waits_at_a_time() -> None:
    tool = proven(make_tool())
    propose(tool)
    with pytest.raises(ProposalError, match="waits already"):
        propose(tool, Level.AUTONOMOUS)
    with pytest.raises(IntegrityError, match="level_proposal_once"), transaction.atomic():
        LevelProposal.objects.create(
            agent_tool=tool, from_level="approve", to_level="autonomous", reason="Twice.",
            evidence={}, proposed_by=make_user(),
        )  # fmt: skip


def test_what_is_no_raise_is_not_proposed() -> None:
    tool = make_tool(Level.AUTONOMOUS)
    with pytest.raises(ProposalError, match="is no raise"):
        propose(tool, Level.APPROVE)
    cancel = tool.agent.tools.get(name="cancel_pending_order")
    set_level(cancel, Level.APPROVE)
    with pytest.raises(ProposalError, match="nothing undoes it"):
        propose(cancel)


def test_lowering_makes_a_waiting_proposal_void() -> None:
    tool = proven(make_tool())
    proposal = propose(tool)
    lower(agent_tool=tool, level=Level.SUGGEST, by=make_user())
    proposal.refresh_from_db()
    assert proposal.status == "void"


def test_new_live_version_makes_it_void() -> None:
    tool = proven(make_tool())
    proposal = propose(tool)
    make_live(make_shop_version(tool.agent))
    with pytest.raises(ProposalVoidError, match="v2 of shop is live now"):
        grant(proposal=proposal, by=make_user())
    proposal.refresh_from_db()
    tool.refresh_from_db()
    assert (proposal.status, tool.level) == ("void", "approve")


def test_grant_is_refused_when_the_evidence_has_a_gap_by_now() -> None:
    tool = proven(make_tool())
    proposal = propose(tool)
    judged(tool, rejected=12)
    with pytest.raises(ProposalError, match="not proven any more"):
        grant(proposal=proposal, by=make_user())
    proposal.refresh_from_db()
    assert proposal.status == "waiting"


def test_candidate_gets_its_own_level_back_by_a_proposal() -> None:
    tool = make_tool(Level.AUTONOMOUS)
    tool.candidate_since = database_now()
    tool.candidate_why = "v2 went live"
    tool.save()
    proven(tool)
    row = grant(proposal=propose(tool, Level.AUTONOMOUS), by=make_user())
    assert row.candidate_since is None
    assert effective_level(row, now=database_now()).level is Level.AUTONOMOUS


@pytest.mark.parametrize(
    "change",
    [
        "level = 'autonomous'",
        "level = 'act_with_undo', contract_version = '9'",
    ],
)
def test_database_refuses_a_raise_that_nobody_granted(change: str) -> None:
    tool = make_tool()
    with (
        pytest.raises(IntegrityError, match="without a proposal"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE agents_agenttool SET {change} WHERE id = %s", [tool.pk])  # noqa: S608


@pytest.mark.parametrize("change", ["candidate_since = NULL", "contract_version = '9'"])
def test_database_refuses_to_free_an_acting_candidate(change: str) -> None:
    tool = make_tool(Level.AUTONOMOUS)
    tool.candidate_since = database_now()
    tool.save()
    with (
        pytest.raises(IntegrityError, match="without a proposal"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE agents_agenttool SET {change} WHERE id = %s", [tool.pk])  # noqa: S608


def test_change_level_only_lowers_and_tools_that_write_are_given_at_approve() -> None:
    tool = make_tool()
    with pytest.raises(Exception, match="Propose the raise instead"):
        change_level(agent_tool=tool, level=UNDO, reason="Trusted.", by=make_user())
    values = {"agent": tool.agent, "reason": "Needed.", "by": make_user()}
    with pytest.raises(Exception, match="given at approve at most"):
        give_tool(name="modify_user_address", level=UNDO, **values)
    assert give_tool(name="calculate", level=Level.AUTONOMOUS, **values).level == "autonomous"


@pytest.mark.django_db(transaction=True)
def test_two_leads_at_once_grant_once() -> None:
    proposal = propose(proven(make_tool()))
    leads = [make_user(), make_user()]
    outcomes: list[str] = []

    def decide(number: int) -> None:
        try:
            grant(proposal=proposal, by=leads[number])
            outcomes.append("granted")
        except ProposalError as error:
            outcomes.append(str(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=[number]) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert sorted(outcomes)[1] == "granted"
    assert "granted already" in sorted(outcomes)[0]
