"""`manage.py apply_retention`: delete the sessions that are over their project's time."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from agents.retention import keep_only_wanted, kept_sessions
from traces.models import TracePolicy
from traces.retention import plan_retention


class Command(BaseCommand):
    help = (
        "Delete the sessions that are over their project's time (Settings > Retention), and drop "
        "the partitions of weeks that are empty. The scheduler does so every ten minutes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")

    def handle(self, *args: Any, **options: Any) -> None:
        policies = TracePolicy.objects.select_related("project").order_by("project__slug")
        for policy in policies:
            plan = plan_retention(
                project=policy.project,
                keep_days=policy.keep_days,
                keeps_labelled=policy.keeps_labelled,
                kept=kept_sessions(),
            )
            if plan.before is None:
                self.stdout.write(f"{policy.project.slug}: everything is kept.")
                continue
            kept = "".join(f"; {num:,} kept: {why}" for why, num in plan.kept.items())
            self.stdout.write(
                f"{policy.project.slug}: {plan.num_due:,} sessions ended before "
                f"{plan.before:%Y-%m-%d %H:%M} UTC and are not kept{kept}."
            )
        if not options["dry_run"]:
            self.stdout.write(f"{keep_only_wanted(most=None):,} sessions deleted.")
