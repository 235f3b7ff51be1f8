"""Promoting a session with one key: the proposals are taken as they are, where they can be."""

from django.contrib.auth.base_user import AbstractBaseUser

from agents.errors import GoldenError
from agents.golden.content import LONGEST_REASON, writes
from agents.golden.judgements import Check
from agents.golden.promote import agent_of, missing_records, promote_session
from agents.golden.proposed import ProposedTest, propose_test
from agents.models import Agent, GoldenTest
from traces.models import Label, Session


def promote_at_once(*, session: Session, label: Label | None, by: AbstractBaseUser) -> GoldenTest:
    """Make a golden test of a session as it is proposed.

    Args:
        session: An ended session.
        label: Says what was wrong, or that all went well.
        by: Who promotes, and owns the test.

    Raises:
        GoldenError: A person has to decide something first; the message says what.
    """
    proposed = propose_test(session=session, label=label)
    agent = agent_of(session)
    if label is None or not label.answers.get("outcome"):
        raise GoldenError(
            "Nothing says yet what went wrong: answer the outcome, or say here why this must not "
            "come back."
        )
    if agent is None:
        raise GoldenError("This project has several agents: choose the one that is tested.")
    checks = [proposal.check for proposal in proposed.checks]
    _check_use(agent, proposed, checks)
    return promote_session(
        session=session,
        label=label,
        agent=agent,
        title=proposed.title,
        checks=checks,
        severity=proposed.severity,
        tags=proposed.tags,
        reason=reason_of(label, proposed.cause_title),
        by=by,
        expectations=proposed.expectations,
    )


def reason_of(label: Label, cause_title: str) -> str:
    """Return why the session became a test: the reviewer's comment, else the label in words."""
    if comment := label.comment.strip():
        return comment[:LONGEST_REASON]
    severity = label.answers.get("severity")
    said = [cause_title, str(label.answers["outcome"]).replace("_", " "), severity]
    return f"Labelled: {', '.join(word for word in said if word)}."


def _check_use(agent: Agent, proposed: ProposedTest, checks: list[Check]) -> None:
    """Raise `GoldenError` where a test with these checks would prove nothing."""
    if not checks:
        raise GoldenError(
            "No check follows from this recording: add what the agent must do, or must not."
        )
    if proposed.lets_mistake_pass(checks):
        raise GoldenError(
            "The recording passes every check that is proposed, so its mistake could come back "
            "unseen: add a check that it fails."
        )
    demands = [c for c in checks if c["kind"] == "tool_called" and writes(c["tool"])]
    missing = missing_records(agent=agent, recording=proposed.recording) if demands else []
    wanted = {str(value) for check in demands for value in check["arguments"].values()}
    if lacking := [record for record in missing if record.partition(" ")[2] in wanted]:
        raise GoldenError(
            f"The shop of {agent} does not have {lacking[0]}, so no run could pass: choose an "
            "agent that works on the same data."
        )
