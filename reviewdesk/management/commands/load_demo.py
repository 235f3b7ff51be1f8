"""`manage.py load_demo`: the demo shop, its people and its past weeks."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from agents.demo.load import DemoStaff, load_demo
from reviewdesk.people.demo import (
    join_demo_project,
    join_wholesale_project,
    make_demo_people,
    may_load_demo,
    people_as,
)
from reviewdesk.people.roles import Role


class Command(BaseCommand):
    """Load the demo once; a second time changes nothing."""

    help = "Load the demo shop, unless people of its own use this desk."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if not may_load_demo():
            raise CommandError(
                "This desk has people of its own. The demo's password is known to everybody, so "
                "the demo is loaded only into a desk without them."
            )
        make_demo_people()
        projects = load_demo(staff=_staff())
        join_demo_project(project=projects.shop)
        join_wholesale_project(project=projects.wholesale)


def _staff() -> DemoStaff:
    ada, mia = people_as(Role.REVIEWER)
    return DemoStaff(
        reviewers=(ada, mia),
        support=people_as(Role.SUPPORT)[0],
        engineer=people_as(Role.ENGINEER)[0],
        lead=people_as(Role.LEAD)[0],
        admin=people_as(Role.ADMIN)[0],
    )
