"""The first account of an empty desk, made behind a link that the terminal prints.

The link holds a token that lies in the home, where only whoever runs the desk can read it. It
works until there is a user.
"""

import secrets
from pathlib import Path

import pghistory
from django.db import connection, transaction

from reviewdesk.embedded.paths import write_once
from reviewdesk.people.models import Membership, User
from reviewdesk.people.roles import Role
from traces.label_sets import ensure_label_set
from traces.models import Project

_FILE = "setup_token"
_LOCK = 7_310_004


def offer_setup(home: Path) -> None:
    """Have a token while nobody has an account, and none afterwards."""
    if User.objects.exists():
        (home / _FILE).unlink(missing_ok=True)
    else:
        write_once(home / _FILE, secrets.token_urlsafe(24))


def read_setup_token(home: Path) -> str:
    """Return the token, empty when the desk has been set up."""
    file = home / _FILE
    return file.read_text().strip() if file.exists() else ""


def is_setup_token(home: Path, token: str) -> bool:
    """Say whether `token` is the home's, and still opens the page."""
    known = read_setup_token(home)
    return bool(known) and secrets.compare_digest(known, token) and not User.objects.exists()


class AlreadySetUpError(Exception):
    """Somebody has an account; the first one cannot be made again."""


@transaction.atomic
def set_up_desk(*, name: str, email: str, password: str, project_name: str, slug: str) -> User:
    """Make the first account, its project and its role as admin there.

    Raises:
        AlreadySetUpError: There is a user already.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    if User.objects.exists():
        raise AlreadySetUpError
    user = User.objects.create_user(username=email, email=email, password=password, name=name)
    with pghistory.context(user=user.pk, action="set up the desk"):
        project = Project.objects.create(slug=slug, name=project_name)
        ensure_label_set(project)
        Membership.objects.create(user=user, project=project, role=Role.ADMIN)
    return user
