"""`manage.py load_demo`: the demo shop, its people and its past weeks."""

from typing import Any

from agents.demo.load import load_demo
from django.core.management.base import BaseCommand, CommandError

from reviewdesk.people.demo import join_demo_project, make_demo_people, may_load_demo


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
        join_demo_project(project=load_demo())
