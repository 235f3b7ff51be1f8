"""What can go wrong with agents, in words for the person who asked.

AgentsError
├── RunError             a run cannot be started, continued or cancelled
├── ClaimLostError       another worker holds the run now; this one stops without a trace
├── ModelError           a model call failed
│   ├── ModelUnavailableError   may be retried
│   └── ModelRefusedError       will fail again
├── ApprovalError        a waiting call cannot be decided so
│   ├── AlreadyDecidedError
│   └── InvalidArgumentsError
├── AutonomyError        a level cannot be changed so
│   ├── StopError               something cannot be stopped, or a stop lifted, so
│   ├── ProposalError           a raise cannot be proposed or decided so
│   │   └── ProposalVoidError       what it was about has changed
│   └── UndoError               a call cannot be taken back
├── BudgetError          a budget cannot be set so
├── IncidentError        an incident cannot be opened or changed so
├── ScheduleError        a schedule cannot be made or changed so
├── OutboxError          a webhook or message cannot be changed so
├── ToolUnavailableError an attempt at a tool outside failed and may be repeated
├── ToolSourceError      an OpenAPI document, MCP server or contract cannot be used so
│   ├── HostRefusedError        an address that may not be reached
│   └── SecretError             a secret is missing, or may not be read
├── GoldenError          a golden test or eval run cannot be made so
├── JudgeError           a judge cannot be written or asked so
├── GateError            a gate cannot be run, or its thresholds be changed, so
└── ReleaseError         a version or release cannot be made or decided so
"""

from collections.abc import Sequence
from dataclasses import dataclass


class AgentsError(Exception):
    """Base of every error of this package; its text is for people."""


class RunError(AgentsError):
    """A run cannot be started, continued or cancelled."""


class ClaimLostError(AgentsError):
    """The run's fencing token has moved on: another worker holds it, or it was ended."""


@dataclass(frozen=True)
class Usage:
    """What a model call used, as its endpoint reported it; None where it did not."""

    model: str
    input_tokens: int | None
    output_tokens: int | None


class ModelError(AgentsError):
    """A model call failed."""


class ModelUnavailableError(ModelError):
    """The endpoint is away, slow or limits the rate; the same call may succeed later.

    Attributes:
        retry_after: Seconds that the endpoint asked to wait, or None.
        is_rate_limit: Whether it was refused for its rate alone.
    """

    def __init__(
        self, message: str, retry_after: float | None = None, *, is_rate_limit: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.is_rate_limit = is_rate_limit


class ModelRefusedError(ModelError):
    """The endpoint refused the call or answered with nonsense; the same call would fail again.

    Attributes:
        usage: What an answer that cannot be used has used all the same, or None.
    """

    def __init__(self, message: str, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.usage = usage


class ApprovalError(AgentsError):
    """A waiting call cannot be decided so."""


class AlreadyDecidedError(ApprovalError):
    """Somebody, or the clock, was faster."""


class InvalidArgumentsError(ApprovalError):
    """Edited arguments do not fit the tool's schema.

    Attributes:
        problems: One sentence per problem.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


class AutonomyError(AgentsError):
    """A level or ceiling cannot be changed so."""


class StopError(AutonomyError):
    """Something cannot be stopped, or a stop lifted, so."""


class ProposalError(AutonomyError):
    """A raise cannot be proposed or decided so.

    Attributes:
        gaps: What is missing in the evidence, a sentence each; empty where that is not why.
    """

    def __init__(self, message: str, gaps: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.gaps = tuple(gaps)


class ProposalVoidError(ProposalError):
    """Level, contract or version moved since the proposal; it is void now."""


class UndoError(AutonomyError):
    """A call cannot be taken back: too late, done already, or something was built on it."""


class IncidentError(AgentsError):
    """An incident cannot be opened or changed so."""


class ScheduleError(AgentsError):
    """A schedule cannot be made or changed so."""


class OutboxError(AgentsError):
    """A webhook or a message cannot be made, changed or sent so."""


class ToolUnavailableError(AgentsError):
    """A tool outside is away, slow or limits the rate; the same call may succeed later.

    Attributes:
        retry_after: Seconds that the tool asked to wait, or None.
        is_sent: Whether the call may have reached the tool. False: it surely did nothing, so that
            even a call whose every attempt counts may be repeated.
    """

    def __init__(
        self, message: str, retry_after: float | None = None, *, is_sent: bool = True
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.is_sent = is_sent


class ToolSourceError(AgentsError):
    """An OpenAPI document, an MCP server or a contract cannot be used so."""


class HostRefusedError(ToolSourceError):
    """The address is not on the source's list of hosts, or leads to where it may not."""


class SecretError(ToolSourceError):
    """A secret is not set, too short to be masked, or its file is open to others."""


class BudgetError(AgentsError):
    """A budget cannot be set so."""


class GoldenError(AgentsError):
    """A golden test or eval run cannot be made so."""


class JudgeError(AgentsError):
    """A judge cannot be written or asked so."""


class GateError(AgentsError):
    """A gate cannot be run, or its thresholds be changed, so."""


class ReleaseError(AgentsError):
    """A version or release cannot be made or decided so."""
