"""What a worker process does with a judges' hint: judge due rows, several at a time."""

import logging
import threading

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from agents.judges.claim import JudgementClaim, claim_due_judgements
from agents.judges.judging import judge_claimed

# A judge waits for its model nearly all of its time; endpoints limit how many ask at once.
NUM_PLACES = 16
_logger = logging.getLogger(__name__)
_places = threading.Semaphore(NUM_PLACES)


def judge_due_judgements() -> None:
    """Judge with up to `NUM_PLACES` threads of this process until nothing is due.

    A process that ends leaves its judgements to others, at the end of their leases. A database
    that is away ends this; the sweeper hints again when it is back.
    """
    while _places.acquire(blocking=False):
        claims: list[JudgementClaim] = []
        try:
            claims = claim_due_judgements(limit=1)
        except (InterfaceError, OperationalError) as error:
            _logger.warning("The database is away (%s); due judgements wait for it.", error)
        if not claims:
            _places.release()
            return
        name = f"judgement {claims[0].judgement_id}"
        threading.Thread(target=_work, args=(claims[0],), name=name, daemon=True).start()


def judge_all_here() -> int:
    """Judge what is due in this thread until nothing is left; return how many were claimed."""
    count = 0
    while claims := claim_due_judgements(limit=1):
        judge_claimed(claims[0])
        count += 1
    return count


def _work(claim: JudgementClaim | None) -> None:
    try:
        while claim:
            judge_claimed(claim)
            close_old_connections()
            claim = next(iter(claim_due_judgements(limit=1)), None)
    except (InterfaceError, OperationalError) as error:
        _logger.warning("The database is away (%s); due judgements wait for it.", error)
    finally:
        connection.close()
        _places.release()
