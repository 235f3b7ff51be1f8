"""The form in which a session becomes a golden test, and in which a test is edited."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from agents.errors import GoldenError
from agents.golden import edit, promote
from agents.golden.checks import KINDS
from agents.golden.edit import tools_of
from agents.golden.outcome import Event, events_of
from agents.golden.proposed import ProposedTest, cause_of, propose_test
from agents.golden.replay import fixture_from_json
from agents.models import Agent, GoldenTest
from reviewdesk.people.access import DeskRequest, session_for
from reviewdesk.people.models import User
from reviewdesk.people.roles import ALLOWED, Permission
from reviewdesk.screens.golden.drafts import (
    Choices,
    Draft,
    Filled,
    changes_form,
    draft_of_form,
    draft_of_proposal,
    draft_of_test,
)
from reviewdesk.screens.golden.excerpt import excerpt_of
from reviewdesk.screens.golden.judge_choices import JudgeChoices
from reviewdesk.screens.golden.views import agents_of, golden_test_for
from reviewdesk.screens.pages import go_to, render_page
from reviewdesk.screens.sessions.filters import read_filter
from traces.models import Label, Project, Session, Span

_PASSES_ALREADY = (
    "The recorded session passes all of these checks, so a version that repeats its mistake would "
    "pass, too. Add a check that it fails, or narrow one down."
)


@require_http_methods(["GET", "HEAD", "POST"])
def promote_session(request: DeskRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Propose a golden test of a session; on POST save what the reviewer made of it."""
    session = session_for(request, slug, pk, Permission.PROMOTE)
    if known := promote.promoted_test(session=session):
        messages.info(request, f"This session is a golden test already: {known.title}.")
        return go_to(request, reverse("golden:test", args=[slug, known.pk]))
    label = label_of(session, request.user.pk)
    try:
        proposed = propose_test(session=session, label=label)
    except GoldenError as error:
        return _show(request, {"session": session, "refusal": str(error)}, status=409)
    agent = promote.agent_of(session)
    choices = Choices(
        agents_of(session.project),
        people_of(session.project),
        JudgeChoices(session.project, agent),
    )
    about = _about_proposal(session, label, proposed)
    if request.method != "POST":
        about |= _warnings(agent, proposed)
        draft = draft_of_proposal(proposed, label, agent, choices, request.user.pk)
        return _show(request, {**about, "draft": draft})
    draft = draft_of_form(request.POST, proposed.tools, choices, proposed.left_out)
    if changes_form(request.POST):
        return _show(request, {**about, "draft": draft})
    return _save_new(request, session, label, proposed, draft)


@require_http_methods(["GET", "HEAD", "POST"])
def edit_test(request: DeskRequest, slug: str, pk: int) -> HttpResponse:
    """Show a test for editing; on POST save it."""
    test = golden_test_for(request, slug, pk, Permission.PROMOTE)
    tools = tools_of(test)
    project = test.agent.project
    choices = Choices(None, people_of(project, test.owner_id), JudgeChoices(project, test.agent))
    if request.method != "POST":
        return _show(request, {**_about_test(test), "draft": draft_of_test(test, tools, choices)})
    draft = draft_of_form(request.POST, tools, choices)
    if changes_form(request.POST):
        return _show(request, {**_about_test(test), "draft": draft})
    filled, draft = draft.read(tools)
    context = {**_about_test(test), "draft": draft}
    if filled is None:
        return _show(request, context, status=422)
    try:
        _save_edit(request, test, draft, filled)
    except GoldenError as error:
        return _show(request, {**context, "problem": str(error)}, status=422)
    messages.success(request, "Saved. What was proven with the test before has to be run again.")
    return go_to(request, reverse("golden:test", args=[slug, test.pk]))


def people_of(project: Project, also: int | None = None) -> list[tuple[int, str]]:
    """Return who may own a test, by id and name: who may promote, and `also`. One query."""
    roles = ALLOWED[Permission.PROMOTE]
    members = Q(memberships__project=project, memberships__role__in=roles, is_active=True)
    found = User.objects.filter(members | Q(pk=also)).distinct()
    return sorted(((user.pk, str(user)) for user in found), key=lambda each: each[1].casefold())


def label_of(session: Session, user_id: int | None) -> Label | None:
    """Return the label a test is made from: completed before drafts, one's own before others'."""
    labels = list(session.labels.select_related("label_set", "author").order_by("-updated_at"))
    labels.sort(key=lambda label: (label.completed_at is None, label.author_id != user_id))
    usable = (x for x in labels if x.completed_at is not None or x.author_id == user_id)
    return next(usable, None)


def _save_new(
    request: DeskRequest,
    session: Session,
    label: Label | None,
    proposed: ProposedTest,
    draft: Draft,
) -> HttpResponse:
    filled, draft = draft.read(proposed.tools)
    context = {**_about_proposal(session, label, proposed), "draft": draft}
    if filled is None:
        return _show(request, context, status=422)
    if filled.checks and proposed.lets_mistake_pass(filled.checks):
        return _show(request, {**context, "problem": _PASSES_ALREADY}, status=422)
    try:
        test = promote.promote_session(
            session=session,
            label=label,
            checks=filled.checks,
            run_input={"messages": proposed.messages, "turns": draft.said},
            by=request.user,
            **draft.form.cleaned_data,
            **filled.parts,
        )
    except GoldenError as error:
        return _show(request, {**context, "problem": str(error)}, status=422)
    return _go_on(request, session, test)


def _go_on(request: DeskRequest, session: Session, test: GoldenTest) -> HttpResponse:
    """Go on to the session that is to be reviewed next, where there is one, else to the test."""
    slug = session.project.slug
    try:
        following = uuid.UUID(request.GET.get("next", ""))
    except ValueError:
        messages.success(request, f"Promoted: {test.title}. Run it next.")
        return go_to(request, reverse("golden:test", args=[slug, test.pk]))
    messages.success(request, f"Promoted: {test.title}.")
    query = read_filter(request.GET).query
    url = reverse("sessions:detail", args=[slug, following])
    return go_to(request, f"{url}?{query}" if query else url)


def _save_edit(request: DeskRequest, test: GoldenTest, draft: Draft, filled: Filled) -> None:
    edit.edit_test(
        test=test,
        checks=filled.checks,
        run_input={**test.input, "turns": draft.said},
        by=request.user,
        **draft.form.cleaned_data,
        **filled.parts,
    )


def _show(request: DeskRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    turns = context["draft"].turns if "draft" in context else ()
    rest = [turn for turn in context.get("left_out", ()) if turn not in turns]
    full = {**context, "kinds": KINDS.values(), "left_out": rest}
    return render_page(request, "golden/editor.html", full, partial="form", status=status)


def _warnings(agent: Agent | None, proposed: ProposedTest) -> dict[str, Any]:
    checks = [proposal.check for proposal in proposed.checks]
    recording = proposed.recording
    return {
        "missing": promote.missing_records(agent=agent, recording=recording) if agent else [],
        "lets_pass": bool(checks) and proposed.lets_mistake_pass(checks),
    }


def _about_proposal(
    session: Session, label: Label | None, proposed: ProposedTest
) -> dict[str, Any]:
    wrong = proposed.recording.wrong
    return {
        "session": session,
        "label": label,
        "cause": (proposed.cause, proposed.cause_title),
        "excerpt": excerpt_of(proposed.recording.events, around=wrong.span_id if wrong else ""),
        "wrong": wrong,
        "given": proposed.messages,
        "added": [turn.content for turn in proposed.turns if turn.is_added],
        "left_out": proposed.left_out,
        "tools": sorted(proposed.tools),
        "fixtures": proposed.fixtures,
    }


def _about_test(test: GoldenTest) -> dict[str, Any]:
    return {
        "test": test,
        "session": test.source_session,
        "label": test.source_label,
        "cause": cause_of(test.source_label),
        "excerpt": excerpt_of(_events_of(test.source_session), around=test.source_span_id),
        "given": test.input["messages"],
        "added": [],
        "tools": sorted(tools_of(test)),
        "fixtures": [fixture_from_json(data) for data in test.fixtures],
    }


def _events_of(session: Session | None) -> Sequence[Event]:
    if session is None:
        return ()
    return events_of(Span.objects.filter(session=session).order_by("start_ns"))[0]
