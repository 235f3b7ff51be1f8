"""Which sessions a judge is asked about: all that people have labelled, or a random part."""

from django.db.models import Exists, OuterRef, QuerySet

from agents.judges.calibration import labels_by_others
from agents.models import Judgement, JudgeVersion
from traces.models import Session

MOST_LOOKED_AT = 20_000
_ENDED = (Session.Status.COMPLETED, Session.Status.HANDED_OVER, Session.Status.FAILED)


def labelled_sessions(version: JudgeVersion) -> QuerySet[Session]:
    """Return the labelled sessions that the version has not been asked about, newest first.

    Labelled by others than its author: what the author says does not measure it.
    """
    return _open_sessions(version).filter(_is_labelled(version)).order_by("-started_at", "-pk")


def random_sessions(version: JudgeVersion) -> QuerySet[Session]:
    """Return unlabelled sessions that the version has not been asked about, in random order.

    Of the newest `MOST_LOOKED_AT` only, so that a long past costs nothing.
    """
    newest = version.judge.project.sessions.filter(is_golden=False, status__in=_ENDED)
    ids = newest.order_by("-started_at", "-pk").values("pk")[:MOST_LOOKED_AT]
    return _open_sessions(version).filter(~_is_labelled(version), pk__in=ids).order_by("?")


def _open_sessions(version: JudgeVersion) -> QuerySet[Session]:
    asked = Judgement.objects.filter(version=version, session=OuterRef("pk"), eval_result=None)
    said = asked.exclude(status=Judgement.Status.FAILED)
    ended = Session.objects.filter(
        project=version.judge.project_id, is_golden=False, status__in=_ENDED
    )
    return ended.filter(~Exists(said))


def _is_labelled(version: JudgeVersion) -> Exists:
    return Exists(labels_by_others(version).filter(session=OuterRef("pk")))
