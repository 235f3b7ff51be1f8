"""What a worker's thread does with a hint."""

from agents.models import Run
from agents.runtime.claim import claim_due_run
from agents.runtime.hints import send_hint
from agents.runtime.loop import advance_claimed
from agents.tools.autonomy import database_now


def advance_due_runs() -> None:
    """Claim and advance due runs, one after the other, until none is left.

    Whoever starts while more is due sends one further hint, which wakes one further thread: a
    burst spreads over the pool although it was announced by a single message.
    """
    claim = claim_due_run()
    if claim and Run.objects.filter(status=Run.Status.QUEUED, next_at__lte=database_now()).exists():
        send_hint()
    while claim:
        advance_claimed(claim)
        claim = claim_due_run()
