"""What a worker's thread does with a hint."""

import logging

from django.db import InterfaceError, OperationalError, close_old_connections

from agents.models import Run
from agents.runtime.claim import claim_due_run
from agents.runtime.hints import send_hint
from agents.runtime.loop import advance_claimed
from agents.tools.autonomy import database_now

_logger = logging.getLogger(__name__)


def advance_due_runs() -> None:
    """Claim and advance due runs, one after the other, until none is left.

    Whoever starts while more is due sends one further hint, which wakes one further thread: a
    burst spreads over the pool although it was announced by a single message. A database that is
    away ends this; the sweeper hints again when it is back.
    """
    try:
        claim = claim_due_run()
        due = Run.objects.filter(status=Run.Status.QUEUED, next_at__lte=database_now())
        if claim and due.exists():
            send_hint()
        while claim:
            advance_claimed(claim)
            close_old_connections()
            claim = claim_due_run()
    except (InterfaceError, OperationalError) as error:
        _logger.warning("The database is away (%s); due runs wait for it.", error)
