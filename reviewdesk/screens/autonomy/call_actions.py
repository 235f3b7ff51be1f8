"""Taking back a call that was made with undo."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST

from agents.errors import UndoError
from agents.models import UndoableCall
from agents.tools.undo import undo_call
from reviewdesk.people.access import DeskRequest, project_for
from reviewdesk.people.roles import Permission
from reviewdesk.screens.autonomy.answers import tool_changed, tool_page
from reviewdesk.screens.autonomy.forms import ReasonForm
from reviewdesk.screens.autonomy.views import contract_or_404


@require_POST
def undo(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Undo one call, within its window."""
    call = _call_for(request, slug, pk)
    agent = call.agent_tool.agent
    contract = contract_or_404(call.agent_tool.name, agent.project_id)
    form = ReasonForm(request.POST, prefix="undo")
    if not form.is_valid():
        return tool_page(request, agent, contract, status=422, undo_form=form, undo_at=pk)
    try:
        undo_call(call=call, reason=form.cleaned_data["reason"], by=request.user)
    except UndoError as error:
        return tool_page(
            request, agent, contract, status=409, undo_form=form, undo_at=pk, problem=str(error)
        )
    return tool_changed(request, agent, contract, f"The call of {contract.name} is undone.")


def _call_for(request: DeskRequest, slug: str, pk: int) -> UndoableCall:
    """Return the project's call. Two queries; raises like `project_for`."""
    project = project_for(request, slug, Permission.LOWER_AUTONOMY)
    calls = UndoableCall.objects.select_related("agent_tool__agent__live_version", "run", "step")
    found = calls.filter(run__project=project, pk=pk).first()
    if found is None:
        raise Http404(f"This project has no call {pk} that could be undone.")
    return found
