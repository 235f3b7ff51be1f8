"""Saved views: filters of the session list under a name, one's own or the whole project's."""

from collections.abc import Sequence

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from traces.models import Project, SavedView
from traces.queues import BadNameError, check_name
from traces.search import parse


def views_for(project: Project, person: AbstractBaseUser) -> QuerySet[SavedView]:
    """Return the views that a person sees: the project's, then their own, each by name."""
    mine = Q(owner=None) | Q(owner_id=person.pk)
    return project.saved_views.filter(mine).order_by(F("owner").asc(nulls_first=True), "name", "pk")


def save_view(
    *,
    project: Project,
    owner: AbstractBaseUser | None,
    name: str,
    query: str,
    columns: Sequence[str] = (),
    sort: str = "",
) -> SavedView:
    """Save a view, or change the one of this name and owner; without an owner it is everybody's.

    Raises:
        BadNameError: It cannot have this name.
    """
    kept = check_name(name, "view")
    values = {"query": str(parse(query)), "columns": list(columns), "sort": sort}
    owner_id = None if owner is None else owner.pk
    with transaction.atomic():
        view, _ = SavedView.objects.update_or_create(
            project=project, owner_id=owner_id, name=kept, defaults=values
        )
    return view


def rename_view(*, view: SavedView, name: str) -> SavedView:
    """Give the view another name.

    Raises:
        BadNameError: It cannot have this name, or another view of the same owner has it.
    """
    return _change(view, "name", name=check_name(name, "view"))


def share_view(*, view: SavedView, owner: AbstractBaseUser | None) -> SavedView:
    """Make the view everybody's (no owner), or one person's again.

    Raises:
        BadNameError: There is one of that name already.
    """
    return _change(view, "owner", owner_id=None if owner is None else owner.pk)


def delete_view(*, view: SavedView) -> None:
    """Delete the view; the sessions it showed stay."""
    with transaction.atomic():
        view.delete()


def _change(view: SavedView, field: str, **values: object) -> SavedView:
    for name, value in values.items():
        setattr(view, name, value)
    try:
        with transaction.atomic():
            view.save(update_fields=[field])
    except IntegrityError:
        view.refresh_from_db()
        raise BadNameError(f"There is a view {values.get('name', view.name)} already.") from None
    return view
