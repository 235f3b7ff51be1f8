"""`manage.py import_tools`: connect a source of tools from the shell, or read one again.

Without `--apply` it shows what would change. Who may run it may run programs on the machine, so
it asks for no role; the changes stand in the audit trail under `--as`.
"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError

from agents.errors import ToolSourceError
from agents.models import ToolSource
from agents.tools import connecting, imports
from agents.tools.imports import Change, Choice, ImportPlan
from reviewdesk.people.models import Membership, User
from reviewdesk.people.roles import Role
from traces.models import Project

_MARKS = {Change.ADDED: "+", Change.CHANGED: "~", Change.REMOVED: "-"}


class Command(BaseCommand):
    """Import tools from an OpenAPI document or an MCP server."""

    help = "Import tools from an OpenAPI document or an MCP server into a project."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the source, and what is to be done with it."""
        parser.add_argument("--project", required=True, help="The project's slug.")
        parser.add_argument(
            "--as",
            dest="email",
            default="",
            help="E-mail of who imports; the first admin if left out.",
        )
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument(
            "--openapi", metavar="FILE", type=Path, help="A document, JSON or YAML."
        )
        source.add_argument("--mcp-url", metavar="URL", help="An MCP server (streamable HTTP).")
        parser.add_argument(
            "--name", default="", help="The source's; one of this name is read again."
        )
        parser.add_argument(
            "--base-url", default="", help="Where an OpenAPI document's paths begin."
        )
        parser.add_argument(
            "--host",
            action="append",
            default=[],
            help="A host it may reach; left out, that of the URL.",
        )
        parser.add_argument("--reason", default="Imported from the shell.")
        parser.add_argument("--apply", action="store_true", help="Import, as guessed.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read the source, say what differs, and import it where that is asked for."""
        project = Project.objects.filter(slug=options["project"]).first()
        by = _person(project, options["email"])
        if project is None or by is None:
            known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True))
            raise CommandError(
                f"There is no project {options['project']!r} (there are {known})."
                if project is None
                else f"There is nobody with the e-mail {options['email']!r} in {project}."
            )
        try:
            source = _source(project, by, options)
            data = options["openapi"].read_bytes() if options["openapi"] else None
            document = connecting.read_source(source=source, data=data)
            connecting.store_document(source=source, document=document)
            source.refresh_from_db()
            plan = imports.plan_import(source)
            self._show(plan)
            if options["apply"] and plan.changes:
                num = imports.apply_import(
                    source=source,
                    digest=plan.digest,
                    choices={tool.name: Choice(tool.effect, tool.tier) for tool in plan.changes},
                    reason=options["reason"],
                    by=by,
                )
                self.stdout.write(f"{num} changed; new tools are given to no agent.")
            elif plan.changes:
                self.stdout.write("Nothing was imported; --apply does it as shown.")
        except OSError as error:
            raise CommandError(f"{options['openapi']} cannot be read: {error.strerror}.") from error
        except ToolSourceError as error:
            raise CommandError(str(error)) from error

    def _show(self, plan: ImportPlan) -> None:
        for tool in plan.changes:
            self.stdout.write(
                f"{_MARKS[tool.change]} {tool.name}: {tool.effect.label}, tier {tool.tier.label}"
            )
        for what, why in plan.drafts.left_out:
            self.stdout.write(f"  left out: {what}: {why}")
        if not plan.changes:
            self.stdout.write("Nothing differs.")


def _person(project: Project | None, email: str) -> User | None:
    members = Membership.objects.filter(project=project, user__is_active=True)
    wanted = members.filter(user__email__iexact=email) if email else members.filter(role=Role.ADMIN)
    found = wanted.select_related("user").order_by("pk").first()
    return found.user if found else None


def _source(project: Project, by: User, options: dict[str, Any]) -> ToolSource:
    is_http = options["openapi"] is None
    name = options["name"] or (
        options["mcp_url"] if is_http else options["openapi"].stem.replace("_", " ")
    )
    url = options["mcp_url"] or options["base_url"]
    found = ToolSource.objects.filter(project=project, name=name).first()
    if found is not None:
        return found
    return connecting.add_source(
        project=project,
        name=name,
        kind=ToolSource.Kind.MCP_HTTP if is_http else ToolSource.Kind.OPENAPI,
        url=url,
        allowed_hosts=options["host"] or ([urlsplit(url).netloc] if url else []),
        reason=options["reason"],
        by=by,
    )
