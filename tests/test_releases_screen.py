"""The Releases screen: pages, fragments, decisions, and who may take them."""

import pytest

from agents.config import Limits
from agents.models import EvalRun, GoldenTest, Release, Version
from agents.releases.propose import approve_release
from reviewdesk.people.roles import Role
from tests.factories import (
    add_member,
    client_as,
    make_agent,
    make_live,
    make_project,
    make_user,
    make_version,
    sign_in,
)
from tests.test_releases import make_eval_run, make_test, make_waiting

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def address(agent, rest=""):
    return f"/p/{agent.project.slug}/releases/{rest}"


def form_of(version, **changes):
    """Return what the editor posts for a version."""
    config = version.config
    values = {
        "from": version.number,
        "note": "Calmer",
        "system_prompt": config["system_prompt"],
        "model": config["model"],
        "temperature": "",
        "max_completion_tokens": "",
        "parameters": "",
        "tools": config["tools"],
        **vars(Limits()),
    }
    return {**values, **changes}


def test_list_shows_each_version_with_state_and_evidence():
    release = make_waiting()
    page = client_as(Role.VIEWER, release.agent.project).get(address(release.agent))
    text = page.content.decode()
    assert "v2 waits for approval" in text
    assert "1 of 1" in text
    assert "New versions: engineer, lead or admin" in text


def test_empty_project_says_what_would_stand_here():
    project = make_project()
    page = client_as(Role.LEAD, project).get(f"/p/{project.slug}/releases/")
    assert b"No agent yet" in page.content


def test_list_fragment_and_whole_page():
    agent = make_agent()
    client = client_as(Role.VIEWER, agent.project)
    fragment = client.get(address(agent), headers=HTMX).content
    restored = client.get(
        address(agent), headers={**HTMX, "HX-History-Restore-Request": "true"}
    ).content
    assert fragment.strip().startswith(b'<div id="results"')
    assert b"<html" in restored


def test_unknown_agent_version_and_release_are_not_found():
    agent = make_agent()
    client = client_as(Role.ADMIN, agent.project)
    for rest in ("?agent=nobody", f"{agent.slug}/v9/", "9999/", f"{agent.slug}/v1/?against=x"):
        assert client.get(address(agent, rest)).status_code == 404


def test_release_of_another_project_is_not_found():
    release, mine = make_waiting(), make_project()
    client = client_as(Role.ADMIN, mine)
    for act in ("", "approve/", "refuse/", "withdraw/"):
        method = client.post if act else client.get
        answer = method(f"/p/{mine.slug}/releases/{release.pk}/{act}", {"reason": "Mine now."})
        assert answer.status_code == 404


def test_list_takes_as_many_queries_for_many_versions(django_assert_max_num_queries):
    agent = make_agent()
    make_test(agent)
    make_eval_run(agent.live_version)
    client = client_as(Role.VIEWER, agent.project)
    with django_assert_max_num_queries(15) as few:
        client.get(address(agent))
    for _ in range(12):
        make_eval_run(make_version(agent, author=make_user()))
        make_live(agent.versions.order_by("-number").first())
    with django_assert_max_num_queries(len(few)):
        client.get(address(agent))


def test_editor_writes_a_version_and_leads_to_it():
    agent = make_agent()
    client = client_as(Role.ENGINEER, agent.project)
    data = form_of(agent.live_version, system_prompt="Ask first.\r\nThen act.", temperature="0.0")
    answer = client.post(address(agent, f"{agent.slug}/create/"), data)
    version = Version.objects.get(agent=agent, number=2)
    assert answer["Location"] == address(agent, f"{agent.slug}/v2/")
    assert version.config["system_prompt"] == "Ask first.\nThen act."
    assert version.config["parameters"] == {"temperature": 0}
    assert version.author.memberships.get().role == Role.ENGINEER


def test_editor_saved_unchanged_leads_to_the_version_it_came_from():
    agent = make_agent()
    client = client_as(Role.ENGINEER, agent.project)
    answer = client.post(
        address(agent, f"{agent.slug}/create/"), form_of(agent.live_version), follow=True
    )
    assert b"Nothing new was written: v1 has exactly this content." in answer.content
    assert agent.versions.count() == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"system_prompt": ""}, "The system prompt is empty"),
        ({"temperature": "9"}, "from 0 to 2"),
        ({"parameters": "{"}, "This is no JSON"),
        ({"parameters": "[]"}, "must be an object"),
        ({"parameters": "[" * 2000}, "cannot be read"),
        ({"parameters": f'{{"seed": {"7" * 5000}}}'}, "cannot be read"),
        ({"parameters": '{"extra_body": ' * 400 + "1" + "}" * 400}, "over 20 levels"),
        ({"parameters": '{"temperature": 1}'}, "has a field of its own"),
        ({"parameters": '{"messages": []}'}, "not a known parameter"),
        ({"max_steps": "0"}, "from 1 to 1000"),
        ({"tools": ["teleport"]}, "teleport"),
    ],
)
def test_editor_refuses_what_cannot_be_run(change, words):
    agent = make_agent()
    client = client_as(Role.ENGINEER, agent.project)
    answer = client.post(
        address(agent, f"{agent.slug}/create/"), form_of(agent.live_version, **change)
    )
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert agent.versions.count() == 1


def test_preview_shows_the_difference_and_saves_nothing():
    agent = make_agent()
    client = client_as(Role.ENGINEER, agent.project)
    data = form_of(agent.live_version, system_prompt="Help the client. (1)")
    fragment = client.post(
        address(agent, f"{agent.slug}/preview/"), data, headers=HTMX
    ).content.decode()
    assert "<del>customer</del><ins>client</ins>" in fragment
    assert "<html" not in fragment
    assert agent.versions.count() == 1


def test_prompt_is_escaped_wherever_it_is_shown():
    agent = make_agent()
    version = make_version(agent, system_prompt="<script>alert(1)</script>")
    page = client_as(Role.LEAD, agent.project).get(address(agent, f"{agent.slug}/v2/"))
    assert version.number == 2
    assert b"<script>alert" not in page.content


def test_request_is_made_on_the_newest_eval_run():
    agent = make_agent()
    make_test(agent)
    run = make_eval_run(make_version(agent))
    data = {"reason": "Refunds went wrong.", "eval_run": run.pk}
    answer = client_as(Role.ENGINEER, agent.project).post(
        address(agent, f"{agent.slug}/v2/request/"), data
    )
    release = Release.objects.get(version=run.version)
    assert answer["Location"] == address(agent, f"{release.pk}/")
    assert release.eval_run == run


def test_request_without_reason_or_evidence_is_refused():
    agent = make_agent()
    make_test(agent)
    run = make_eval_run(make_version(agent), status=EvalRun.Status.FAILED)
    client = client_as(Role.ENGINEER, agent.project)
    url = address(agent, f"{agent.slug}/v2/request/")
    assert client.post(url, {"reason": "", "eval_run": run.pk}).status_code == 422
    answer = client.post(url, {"reason": "Please.", "eval_run": run.pk})
    assert (answer.status_code, Release.objects.filter(status="waiting").count()) == (409, 0)
    assert b"a release needs one that passed" in answer.content


def test_version_page_asks_again_only_while_its_eval_run_goes_on():
    agent = make_agent()
    make_test(agent)
    run = make_eval_run(make_version(agent))
    client = client_as(Role.ENGINEER, agent.project)
    page = address(agent, f"{agent.slug}/v{run.version.number}/")
    assert b'<div id="version" class="desk-release">' in client.get(page).content
    EvalRun.objects.update(status=EvalRun.Status.RUNNING)
    text = client.get(page).content.decode()
    # The policy on scripts refuses htmx's filters in brackets, and then nothing is asked.
    assert '<div id="version" class="desk-release" hx-get=' in text
    assert 'hx-trigger="every 2s"' in text
    assert "js/poll.js" in text


def test_version_page_says_why_a_release_cannot_be_requested():
    agent = make_agent()
    make_test(agent)
    make_version(agent)
    page = client_as(Role.ENGINEER, agent.project).get(address(agent, f"{agent.slug}/v2/"))
    assert b"It has no gate and no eval run: run the gate first." in page.content


def test_lead_approves_and_it_is_live_at_once():
    release = make_waiting()
    agent = release.agent
    client = client_as(Role.LEAD, agent.project)
    data = {"live": agent.live_version_id, "reason": ""}
    page = client.post(address(agent, f"{release.pk}/approve/"), data, follow=True)
    agent.refresh_from_db()
    assert agent.live_version == release.version
    assert b"v2 is live." in page.content


def test_author_sees_why_they_may_not_decide_and_is_refused():
    project = make_project()
    author = make_user(Role.LEAD, project)
    release = make_waiting(make_agent(project), author=author)
    client = sign_in(author)
    page = client.get(address(release.agent, f"{release.pk}/")).content.decode()
    assert "You wrote this version, so another person decides." in page
    assert "may not: author of v2" in page
    answer = client.post(address(release.agent, f"{release.pk}/approve/"), {"reason": ""})
    assert answer.status_code == 403
    assert Release.objects.get(pk=release.pk).status == Release.Status.WAITING


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SUPPORT, Role.REVIEWER, Role.ENGINEER])
def test_other_roles_are_told_which_roles_decide(role):
    release = make_waiting()
    client = client_as(role, release.agent.project)
    page = client.get(address(release.agent, f"{release.pk}/")).content.decode()
    assert "It takes the role lead or admin." in page
    for act in ("approve", "refuse"):
        answer = client.post(address(release.agent, f"{release.pk}/{act}/"), {"reason": "Sure."})
        assert answer.status_code == 403


def test_sole_lead_is_told_that_another_one_is_needed():
    project = make_project()
    sole = make_user(Role.ADMIN, project)
    release = make_waiting(make_agent(project), author=sole, by=sole)
    draft = make_version(release.agent, author=sole)
    paths = [f"{release.pk}/", f"{release.agent.slug}/v{draft.number}/"]
    client = sign_in(sole)
    for path in paths:
        page = client.get(address(release.agent, path)).content.decode()
        assert "another lead or admin is needed" in page
        assert f'<a href="/p/{project.slug}/settings/">Settings → Members</a>' in page
    make_user(Role.LEAD, project)
    for path in paths:
        page = client.get(address(release.agent, path)).content.decode()
        assert "another lead or admin is needed" not in page


def test_second_lead_is_told_who_was_faster():
    release = make_waiting()
    client = client_as(Role.LEAD, release.agent.project)
    faster = make_user(name="Helena Brandt")
    approve_release(release=release, by=faster)
    answer = client.post(address(release.agent, f"{release.pk}/refuse/"), {"reason": "Too risky."})
    assert answer.status_code == 409
    assert b"decided already: live by Helena Brandt" in answer.content


def test_approval_of_a_stale_page_is_refused():
    release = make_waiting()
    agent = release.agent
    seen = agent.live_version_id
    make_live(make_version(agent))
    client = client_as(Role.LEAD, agent.project)
    answer = client.post(address(agent, f"{release.pk}/approve/"), {"live": seen, "reason": ""})
    assert answer.status_code == 409
    assert b"you compared with v1" in answer.content


def test_void_evidence_is_shown_before_and_said_after():
    release = make_waiting()
    GoldenTest.objects.update(content_hash="c" * 64)
    agent = release.agent
    client = client_as(Role.LEAD, agent.project)
    page = client.get(address(agent, f"{release.pk}/")).content.decode()
    assert "does not hold any more" in page
    assert 'id="approve"' not in page
    assert "It cannot be approved: golden test changed" in page
    assert "Run the golden tests on v2" in page
    data = {"live": agent.live_version_id, "reason": ""}
    answer = client.post(address(agent, f"{release.pk}/approve/"), data)
    assert answer.status_code == 409
    assert b"this request is void: golden test changed" in answer.content


def test_refusal_needs_a_reason_and_is_shown_with_it():
    release = make_waiting()
    client = client_as(Role.LEAD, release.agent.project)
    url = address(release.agent, f"{release.pk}/refuse/")
    assert client.post(url, {"reason": " "}).status_code == 422
    page = client.post(url, {"reason": "Too risky on Fridays."}, follow=True)
    assert b"Too risky on Fridays." in page.content


def test_requester_withdraws():
    project = make_project()
    engineer = make_user(Role.ENGINEER, project)
    release = make_waiting(make_agent(project), by=engineer)
    sign_in(engineer).post(address(release.agent, f"{release.pk}/withdraw/"))
    assert Release.objects.get(pk=release.pk).status == Release.Status.WITHDRAWN


def test_roll_back_from_the_page():
    agent = make_agent()
    first = agent.live_version
    make_live(make_version(agent))
    agent.refresh_from_db()
    client = client_as(Role.LEAD, agent.project)
    url = address(agent, f"{agent.slug}/roll-back/")
    data = {"to": 1, "live": agent.live_version_id}
    assert client.post(url, {**data, "reason": ""}).status_code == 422
    assert client.post(url, {**data, "reason": "Refunds failed."}).status_code == 303
    agent.refresh_from_db()
    assert agent.live_version == first
    late = client.post(url, {**data, "reason": "Refunds failed."})
    assert late.status_code == 409
    assert b"v1 is live already" in late.content


def test_actions_answer_only_to_post_and_pages_only_to_get():
    agent = make_agent()
    client = client_as(Role.ADMIN, agent.project)
    for rest in ("1/approve/", "1/refuse/", f"{agent.slug}/create/", f"{agent.slug}/roll-back/"):
        assert client.get(address(agent, rest)).status_code == 405
    for rest in ("", "1/", f"{agent.slug}/new/", f"{agent.slug}/v1/"):
        assert client.post(address(agent, rest)).status_code == 405


def test_members_beyond_the_deciders_are_counted_not_listed():
    release = make_waiting()
    for _ in range(20):
        add_member(user=make_user(), project=release.agent.project, role=Role.SUPPORT)
    client = client_as(Role.LEAD, release.agent.project)
    page = client.get(address(release.agent, f"{release.pk}/")).content.decode()
    assert "and 20 others of this project" in page


def test_editor_keeps_the_fallback_model_and_the_limits_of_loops():
    agent = make_agent()
    client = client_as(Role.ENGINEER, agent.project)
    change = {"fallback_model": " spare-model ", "max_repeats": "2", "max_tool_calls": "9"}
    client.post(address(agent, f"{agent.slug}/create/"), form_of(agent.live_version, **change))
    written = agent.versions.get(number=2)
    assert written.config["fallback_model"] == "spare-model"
    limits = written.config["limits"]
    assert (limits["max_repeats"], limits["max_tool_calls"]) == (2, 9)
    page = client.get(address(agent, f"{agent.slug}/v2/")).content.decode()
    assert "spare-model" in page
    assert "one more is taken for a loop" in page, "the diff explains the limit"
    assert "<del>5</del>" in page, "a limit that was left out had its default"


def test_editor_refuses_the_model_itself_as_its_fallback():
    agent = make_agent()
    client = client_as(Role.ENGINEER, agent.project)
    change = {"fallback_model": agent.live_version.config["model"]}
    answer = client.post(
        address(agent, f"{agent.slug}/create/"), form_of(agent.live_version, **change)
    )
    assert answer.status_code == 422
    assert "the model itself" in answer.content.decode()
