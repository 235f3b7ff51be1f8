"""`manage.py run_agent`: starts a run, says when nobody works, and follows the conversation."""

import io

import pytest
from django.core.management import CommandError, call_command

from agents.models import Level, Run
from agents.runtime.claim import beat
from agents.runtime.follow import follow
from agents.runtime.loop import advance
from agents.runtime.start import start_run
from tests.factories import make_agent, make_version
from tests.model_server import model_server
from tests.shop import CANCEL, LOOK, make_shop_agent

pytestmark = pytest.mark.django_db


def run_command(agent, *extra, **options):
    out, err = io.StringIO(), io.StringIO()
    call_command(
        "run_agent",
        "--project",
        agent.project.slug,
        "--agent",
        agent.slug,
        "--message",
        "Where is my order?",
        *extra,
        stdout=out,
        stderr=err,
        **options,
    )
    return out.getvalue(), err.getvalue()


def test_a_run_is_started_and_named():
    beat()
    out, err = run_command(make_agent(), "--turn", "Thanks", "--customer", "Ada")
    run = Run.objects.get()
    assert (out.strip(), err) == (str(run.pk), "")
    assert run.input["turns"] == ["Thanks"]
    assert run.session.customer == "Ada"


def test_without_a_worker_it_says_so():
    _, err = run_command(make_agent())
    assert "No worker is alive" in err
    assert "manage.py up" in err


def test_a_version_can_be_named():
    agent = make_agent()
    version = make_version(agent)
    run_command(agent, "--version", str(version.number))
    assert Run.objects.get().version == version


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--version", "9"], "has no version 9; it has 1."),
        (["--agent", "nobody"], "has no agent 'nobody'; it has support."),
        (["--agent", "a\udcff"], r"has no agent 'a\\udcff'; it has support."),
        (["--project", "nowhere"], "There is no project 'nowhere'; there are: "),
        (["--message", " "], "Message 1 must have"),
    ],
)
def test_what_does_not_exist_is_named_with_the_way_out(extra, message):
    with pytest.raises(CommandError, match=message.replace("?", r"\?")):
        run_command(make_agent(slug="support"), *extra)


@pytest.mark.parametrize(
    ("level", "answers", "lines"),
    [
        (
            Level.AUTONOMOUS,
            ([LOOK], "It is pending."),
            ["agent: It is pending.", "The run is completed."],
        ),
        (
            Level.APPROVE,
            ([CANCEL], "Done."),
            ["The run waits for a person to decide the call of cancel_pending_order."],
        ),
    ],
)
def test_following_tells_the_conversation_and_how_it_stands(level, answers, lines):
    with model_server(*answers) as server:
        agent, version = make_shop_agent(server.base_url, cancel_pending_order=level)
        run_input = {"messages": [{"role": "user", "content": "Where is #T1?"}], "turns": []}
        run = start_run(agent=agent, version=version, run_input=run_input)
        advance(run.pk)
    told = list(follow(run, poll_seconds=0))
    assert told[0] == "customer: Where is #T1?"
    assert told[-len(lines) :] == lines


def test_following_shows_calls_with_their_results():
    with model_server([LOOK], "It is pending.") as server:
        agent, version = make_shop_agent(server.base_url)
        run_input = {"messages": [{"role": "user", "content": "Where is #T1?"}], "turns": []}
        run = start_run(agent=agent, version=version, run_input=run_input)
        advance(run.pk)
    call = list(follow(run, poll_seconds=0))[1]
    assert call.startswith('  get_order_details {"order_id":"#T1"} -> {"address":{},')
    assert len(call) == 160


def test_arguments_that_are_no_utf_8_are_cleaned():
    run_command(make_agent(slug="support"), "--customer", "Ad\udcff", "--message", "Hi \udcff")
    run = Run.objects.get()
    assert run.session.customer == "Ad\N{REPLACEMENT CHARACTER}"
    assert run.input["messages"][0]["content"] == "Hi \N{REPLACEMENT CHARACTER}"
