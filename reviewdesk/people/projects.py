"""Projects: made and renamed by admins."""

import pghistory
from django.db import IntegrityError, transaction

from reviewdesk.people.errors import PeopleError
from reviewdesk.people.models import Membership, User
from reviewdesk.people.roles import Role
from traces.label_sets import ensure_label_set
from traces.models import Project


def create_project(*, name: str, slug: str, by: User) -> Project:
    """Make a project with the default label set, and `by` its admin.

    Raises:
        PeopleError: The address is taken.
    """
    try:
        with transaction.atomic(), pghistory.context(user=by.pk, action="create project"):
            project = Project.objects.create(name=name.strip(), slug=slug)
            ensure_label_set(project)
            Membership.objects.create(user=by, project=project, role=Role.ADMIN)
    except IntegrityError as error:
        raise PeopleError(f"The address {slug!r} is taken; choose another.") from error
    return project


def rename_project(*, project: Project, name: str) -> Project:
    """Give a project another name; its address stays, so that links keep working."""
    project.name = name.strip()
    project.save(update_fields=["name"])
    return project
