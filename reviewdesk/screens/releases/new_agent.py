"""Adding an agent: the step before its first version."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from agents.errors import AgentsError
from agents.roster import create_agent
from agents.tools.contract import ToolContract
from agents.tools.registry import contracts
from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.pages import go_to, render_page


class AgentForm(forms.Form):
    """A new agent's name, what it is for, and its tools."""

    name = forms.CharField(
        label="Name", max_length=60, widget=forms.TextInput(attrs={"class": "form-control"})
    )
    description = forms.CharField(
        label="What it is for",
        max_length=500,
        required=False,
        widget=forms.TextInput(attrs={"class": "form-control"}),
    )
    tools = forms.MultipleChoiceField(label="Tools", required=False)

    def __init__(self, *args: Any, tools: Sequence[ToolContract], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(contract.name, contract.name) for contract in tools]
        self.fields["tools"].choices = choices  # type: ignore[attr-defined]


@require_safe
def new_agent(request: DeskRequest, slug: str) -> HttpResponse:
    """Show the form."""
    project = project_for(request, slug, Permission.WRITE_VERSIONS)
    tools = contracts(project.pk)
    return _page(request, AgentForm(tools=tools), tools)


@require_POST
def add_agent(request: DeskRequest, slug: str) -> HttpResponse:
    """Add the agent and lead on to its first version."""
    project = project_for(request, slug, Permission.WRITE_VERSIONS)
    tools = contracts(project.pk)
    form = AgentForm(request.POST, tools=tools)
    if not form.is_valid():
        return _page(request, form, tools, status=422)
    try:
        agent = create_agent(project=project, by=request.user, **form.cleaned_data)
    except AgentsError as error:
        form.add_error("name", str(error))
        return _page(request, form, tools, status=422)
    messages.success(request, f"{agent} is added. Write its first version next.")
    return go_to(request, reverse("releases:new", args=[slug, agent.slug]))


def _page(
    request: DeskRequest, form: AgentForm, tools: Sequence[ToolContract], status: int = 200
) -> HttpResponse:
    context = {"form": form, "contracts": tools}
    return render_page(request, "releases/new_agent.html", context, partial="form", status=status)
