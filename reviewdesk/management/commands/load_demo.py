"""`manage.py load_demo`: the demo shop, its people and its past weeks."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents.demo.load import load_demo
from reviewdesk.people.demo import (
    demo_staff,
    join_demo_project,
    join_wholesale_project,
    make_demo_people,
    may_load_demo,
)


class Command(BaseCommand):
    """Load the demo once; a second time changes nothing."""

    help = "Load the demo shop, unless people of its own use this desk."

    def handle(self, *args: Any, **options: Any) -> None:
        if not may_load_demo():
            raise CommandError(
                "This desk has people of its own. The demo's password is known to everybody, so "
                "the demo is loaded only into a desk without them."
            )
        make_demo_people()
        projects = load_demo(staff=demo_staff())
        join_demo_project(project=projects.shop)
        join_wholesale_project(project=projects.wholesale)
