"""Pages of the Golden screen: the board, a test in its panel, and an eval run."""

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from agents.gate.words import margin_words
from agents.golden.coverage import coverage_of
from agents.models import Agent, EvalRun, GoldenTest
from reviewdesk.people.access import DeskRequest, may, project_for
from reviewdesk.people.roles import Permission, roles_with
from reviewdesk.screens.golden.board import Board
from reviewdesk.screens.golden.columns import Pick, choices_of
from reviewdesk.screens.golden.gate_pages import decision_of, gate_between
from reviewdesk.screens.golden.panel import read_panel
from reviewdesk.screens.golden.progress import running_of
from reviewdesk.screens.golden.reading import read_board
from reviewdesk.screens.golden.sentence import aside_of, compare_sentence
from reviewdesk.screens.golden.suites import KEYS, read_rail
from reviewdesk.screens.pages import render_page
from traces.models import Project

PAGE_SIZE = 50
COMPARED_TABS = (
    ("all", "All"),
    ("broken", "Broken"),
    ("worse", "Worse"),
    ("better", "Better"),
    ("flaky", "Flaky"),
    ("new", "New"),
)
PLAIN_TABS = (("all", "All"), ("failing", "Failing"), ("new", "Not run"))
_EMPTY = {
    "failing": "The live version passes every test it was run on.",
    "broken": "No test passed every time before and fails every time now.",
    "worse": "No test passes less often than before.",
    "better": "No test passes more often than before.",
    "flaky": "No test passes only at times on both sides.",
    "new": "Every test has been run on both sides.",
    "quarantine": "No test is in quarantine.",
    "retired": "No test has been retired.",
}


@require_safe
def index(request: DeskRequest, slug: str) -> HttpResponse:
    """List an agent's golden tests against its last versions, what moved first."""
    project = project_for(request, slug)
    agents = agents_of(project)
    agent = chosen_agent(agents, request.GET.get("agent", ""))
    context = board_context(request, agents, agent)
    return render_page(request, "golden/index.html", context, partial="results")


@require_safe
def test_page(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Show one test beside the board: checks, what happened instead, where it comes from."""
    test = golden_test_for(request, slug, pk)
    context = panel_context(request, test)
    return render_page(request, "golden/index.html", context, partial="panel")


def golden_test_for(
    request: HttpRequest, slug: str, pk: int, permission: Permission = Permission.VIEW
) -> GoldenTest:
    """Return the project's golden test. Two queries; raises like `project_for`."""
    project = project_for(request, slug, permission)
    found = GoldenTest.objects.filter(agent__project=project, pk=pk).select_related(
        "agent__live_version", "source_session", "source_label__label_set", "promoted_by", "owner"
    )
    test = found.select_related("source_label__author").first()
    if test is None:
        raise Http404(f"This project has no golden test {pk}.")
    return test


def eval_run_for(
    request: HttpRequest, slug: str, pk: int, permission: Permission = Permission.VIEW
) -> EvalRun:
    """Return the project's eval run. Two queries; raises like `project_for`."""
    project = project_for(request, slug, permission)
    found = EvalRun.objects.filter(agent__project=project, pk=pk)
    eval_run = found.select_related("agent", "version", "requested_by").first()
    if eval_run is None:
        raise Http404(f"This project has no eval run {pk}.")
    return eval_run


def agents_of(project: Project) -> list[Agent]:
    """Return the project's agents by name. One query."""
    return list(
        Agent.objects.filter(project=project).select_related("live_version").order_by("name", "pk")
    )


def chosen_agent(agents: list[Agent], slug: str) -> Agent | None:
    """Return the agent asked for, or else one with golden tests, a live one first, or the first.

    Raises:
        Http404: No such agent.
    """
    agent = next((each for each in agents if each.slug == slug), None)
    if slug and agent is None:
        raise Http404(f"This project has no agent {slug}.")
    return agent or _with_tests(agents)


def board_context(request: HttpRequest, agents: list[Agent], agent: Agent | None) -> dict[str, Any]:
    """Return what the list shows; without an asked-for test its first one is in the panel."""
    words = request.GET.get("q", "")[:100]
    suite = request.GET.get("suite", "")
    context: dict[str, Any] = {
        "agents": agents,
        "agent": agent,
        "suite": suite if suite in KEYS else "",
        "words": words,
        **permissions(request),
    }
    if agent is None:
        return context
    pick = Pick(request.GET.get("a", "")[:10], request.GET.get("b", "")[:10])
    board = read_board(agent, suite=context["suite"], pick=pick)
    gate = gate_between(board)
    decision = decision_of(gate) if gate else None
    tabs = COMPARED_TABS if board.is_compared else PLAIN_TABS
    show = request.GET.get("show", "all")
    show = show if show in dict(tabs) else "all"
    page = Paginator(board.shown(show, words), PAGE_SIZE).get_page(request.GET.get("page"))
    return {
        **context,
        "board": board,
        "rail": read_rail(agent),
        "coverage": coverage_of(agent),
        "show": show,
        "tabs": [(name, title, board.num_shown(name)) for name, title in tabs],
        "choices": choices_of(agent),
        "page": page,
        "sentence": compare_sentence(board, decision),
        "aside": aside_of(board),
        "gate": gate,
        "gate_words": margin_words(decision) if decision else "",
        "running": running_of(agent.pk),
        "empty": "" if words else _EMPTY.get(show) or _EMPTY.get(suite) or "This suite is empty.",
        "newest_version": agent.versions.order_by("-number").defer("config").first(),
        "panel": _first_panel(agent, board, page.object_list),
        "is_preview": True,
    }


def panel_context(request: HttpRequest, test: GoldenTest, **more: Any) -> dict[str, Any]:
    """Return what the board shows with this test in its panel."""
    agents = agents_of(test.agent.project)
    agent = next(each for each in agents if each.pk == test.agent_id)
    context = board_context(request, agents, agent)
    panel = read_panel(agent, test, context["board"].columns)
    return {**context, "panel": panel, "is_preview": False, **more}


def permissions(request: HttpRequest) -> dict[str, Any]:
    """Return what the person may do here, and which roles may, for the reasons shown."""
    return {
        "may_promote": may(request, Permission.PROMOTE),
        "may_run": may(request, Permission.RUN_GOLDEN),
        "promoters": _or(roles_with(Permission.PROMOTE)),
        "runners": _or(roles_with(Permission.RUN_GOLDEN)),
    }


def _with_tests(agents: list[Agent]) -> Agent | None:
    """Return the first agent that has golden tests, one with a live version before others."""
    having = set(
        GoldenTest.objects.filter(agent__in=agents, archived_at=None).values_list(
            "agent_id", flat=True
        )
    )
    tested = [agent for agent in agents if agent.pk in having]
    live = [agent for agent in tested if agent.live_version_id]
    return next(iter([*live, *tested, *agents]), None)


def _first_panel(agent: Agent, board: Board, rows: Any) -> Any:
    if not rows:
        return None
    found = GoldenTest.objects.select_related(
        "source_session", "source_label__label_set", "source_label__author", "promoted_by", "owner"
    )
    return read_panel(agent, found.get(pk=rows[0].test.pk), board.columns)


def _or(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
