"""Projects as commands are given them."""

from django.core.management.base import CommandError

from traces.clean import clean_text
from traces.models import Project

_SHOWN = 20


def project_named(slug: str) -> Project:
    """Return the project; `slug` may be any argument of a command line, UTF-8 or not.

    Raises:
        CommandError: There is none; the message lists those there are.
    """
    project = Project.objects.filter(slug=clean_text(slug)).first()
    if project is None:
        known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:_SHOWN])
        way_out = f"there are: {known}." if known else "there is none yet: start reviewdesk first."
        raise CommandError(f"There is no project {slug!r}; {way_out}")
    return project
