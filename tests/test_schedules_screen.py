"""Settings > Schedules: made, tried out, changed, turned off, run now."""

import pytest

from agents.models import Run, Schedule
from agents.schedules import archive_schedule, make_schedule, start_due_schedules
from reviewdesk.audit import read_trail
from reviewdesk.people.roles import Role
from tests.factories import client_as, make_agent, make_project, make_user, sign_in
from tests.test_schedules import cron, make_due, plan_of

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request": "true"}
FORM = {
    "name": "Morning round",
    "kind": "cron",
    "cron": "0 7 * * 1-5",
    "time_zone": "Europe/Berlin",
    "message": "Summarise the open orders.",
    "overlap": "skip",
}


def schedules_of(project, action=""):
    return f"/p/{project.slug}/settings/schedules/{action}"


def at(schedule, action=""):
    return schedules_of(schedule.project, f"{schedule.pk}/{action}")


def make_one(**overrides):
    plan = plan_of(**overrides)
    return make_schedule(plan=plan, by=make_user(Role.ENGINEER, plan.agent.project))


def text_of(answer):
    return answer.content.decode()


@pytest.mark.parametrize("path", ["", "new/", "{pk}/"])
def test_pages_answer_whole_as_fragment_and_at_history_restore(path):
    schedule = make_one()
    client = client_as(Role.ENGINEER, schedule.project)
    url = schedules_of(schedule.project, path.format(pk=schedule.pk))
    whole, fragment = client.get(url), client.get(url, headers=FRAGMENT)
    restored = client.get(url, headers={**FRAGMENT, "HX-History-Restore-Request": "true"})
    assert [b"<html" in each.content for each in (whole, fragment, restored)] == [True, False, True]


def test_list_says_when_in_words_and_what_went_wrong():
    schedule = make_one(times=cron("0 7 * * 1-5", "Europe/Berlin"))
    Schedule.objects.update(last_error="Agent has no live version.")
    page = text_of(client_as(Role.VIEWER, schedule.project).get(schedules_of(schedule.project)))
    assert "At 07:00 on Monday through Friday (Europe/Berlin)" in page
    assert "Agent has no live version." in page
    assert "are made by engineer or lead or admin" in page
    assert "Turn off" not in page


def test_empty_list_says_what_a_schedule_is():
    project = make_project()
    page = text_of(client_as(Role.LEAD, project).get(schedules_of(project)))
    assert "Nothing starts by the clock yet" in page


def test_list_asks_as_often_for_many_as_for_one(django_assert_max_num_queries):
    agent = make_agent()
    for number in range(12):
        make_one(agent=agent, name=f"Round {number}")
    client = client_as(Role.LEAD, agent.project)
    with django_assert_max_num_queries(14):
        client.get(schedules_of(agent.project))


def test_engineer_makes_a_schedule():
    agent = make_agent()
    engineer = make_user(Role.ENGINEER, agent.project)
    data = {**FORM, "agent": agent.pk, "customer": "Night shift", "version": 1}
    answer = sign_in(engineer).post(schedules_of(agent.project, "make/"), data)
    schedule = Schedule.objects.get()
    assert answer.status_code == 303
    assert (schedule.cron, schedule.time_zone) == ("0 7 * * 1-5", "Europe/Berlin")
    assert schedule.input["messages"] == [{"role": "user", "content": FORM["message"]}]
    assert (schedule.version, schedule.created_by) == (agent.live_version, engineer)
    assert schedule.next_at is not None


def test_interval_is_given_by_number_and_unit():
    agent = make_agent()
    data = {**FORM, "agent": agent.pk, "kind": "interval", "every": "6", "unit": "3600"}
    client = client_as(Role.LEAD, agent.project)
    client.post(schedules_of(agent.project, "make/"), data)
    schedule = Schedule.objects.get()
    assert (schedule.every_seconds, schedule.cron) == (21_600, "")
    page = text_of(client.get(at(schedule)))
    assert 'name="every" value="6"' in page
    assert '<option value="3600" selected>hours' in page


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"cron": "0 7 * *"}, "has five fields"),
        ({"cron": ""}, "has five fields"),
        ({"time_zone": "Mars/Base"}, "There is no time zone &#x27;Mars/Base&#x27;"),
        ({"kind": "interval", "every": ""}, "this is 0 seconds"),
        ({"kind": "interval", "every": "90000", "unit": "86400"}, "from 60 seconds to 366 days"),
        ({"kind": "sometimes"}, "sometimes is not one of the available choices"),
        ({"version": "9"}, "has no version 9"),
        ({"message": " "}, "This field is required"),
        ({"name": ""}, "This field is required"),
    ],
)
def test_form_says_what_is_wrong(values, words):
    agent = make_agent()
    client = client_as(Role.LEAD, agent.project)
    data = {**FORM, "agent": agent.pk, **values}
    answer = client.post(schedules_of(agent.project, "make/"), data)
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert not Schedule.objects.exists()


def test_name_that_is_taken_is_told_at_the_name():
    agent = make_agent()
    make_one(agent=agent)
    client = client_as(Role.LEAD, agent.project)
    answer = client.post(schedules_of(agent.project, "make/"), {**FORM, "agent": agent.pk})
    assert answer.status_code == 422
    assert "is there already; choose a name" in text_of(answer)


def test_next_five_times_are_shown_while_editing():
    agent = make_agent()
    client = client_as(Role.ENGINEER, agent.project)
    url = schedules_of(agent.project, "preview/")
    data = {"kind": "cron", "cron": "30 7 * * *", "time_zone": "Asia/Tokyo"}
    answer = client.post(url, data, headers=FRAGMENT)
    assert text_of(answer).count("<li>") == 5
    assert ", 07:30</span>" in text_of(answer)
    assert ", 22:30 UTC" in text_of(answer)
    assert "<html" not in text_of(answer)


def test_preview_tells_what_is_wrong_and_saves_nothing():
    agent = make_agent()
    client = client_as(Role.ENGINEER, agent.project)
    url = schedules_of(agent.project, "preview/")
    answer = client.post(url, {**FORM, "cron": "61 * * * *"}, headers=FRAGMENT)
    assert "is no cron expression" in text_of(answer)
    whole = client.post(url, {**FORM, "agent": agent.pk})
    assert "At 07:00 on Monday through Friday" in text_of(whole)
    assert "<html" in text_of(whole)
    assert not Schedule.objects.exists()


def test_schedule_is_changed():
    schedule = make_one()
    client = client_as(Role.ENGINEER, schedule.project)
    data = {**FORM, "agent": schedule.agent_id, "name": "Evening round", "cron": "0 19 * * *"}
    assert client.post(at(schedule, "change/"), data).status_code == 303
    schedule.refresh_from_db()
    assert (schedule.name, schedule.cron, schedule.kind) == ("Evening round", "0 19 * * *", "cron")
    assert client.post(at(schedule, "change/"), {**data, "cron": "x"}).status_code == 422


def test_schedule_is_turned_off_and_on():
    schedule = make_one()
    client = client_as(Role.ENGINEER, schedule.project)
    client.post(at(schedule, "turn/"), {"is_on": "0"})
    schedule.refresh_from_db()
    assert (schedule.is_on, schedule.next_at) == (False, None)
    answer = client.post(at(schedule, "turn/"), {"is_on": "0"}, follow=True)
    assert "is off already" in text_of(answer)
    client.post(at(schedule, "turn/"), {"is_on": "1"})
    schedule.refresh_from_db()
    assert schedule.is_on


def test_run_now_leads_to_its_session_and_stands_among_the_last_runs():
    schedule = make_one()
    client = client_as(Role.ENGINEER, schedule.project)
    answer = client.post(at(schedule, "run/"))
    run = Run.objects.get()
    assert answer["Location"] == f"/p/{schedule.project.slug}/sessions/{run.session_id}/"
    assert str(run.session_id) in text_of(client.get(at(schedule)))


def test_form_asks_for_a_version_where_none_is_live():
    agent = make_agent()
    version, agent.live_version = agent.live_version, None
    agent.save(update_fields=["live_version"])
    client = client_as(Role.LEAD, agent.project)
    answer = client.post(schedules_of(agent.project, "make/"), {**FORM, "agent": agent.pk})
    assert "has no live version: name the version to run" in text_of(answer)
    assert not Schedule.objects.exists()
    named = {**FORM, "agent": agent.pk, "version": version.number}
    assert client.post(schedules_of(agent.project, "make/"), named).status_code == 303


def test_run_now_without_a_live_version_says_so():
    schedule = make_one()
    schedule.agent.live_version = None
    schedule.agent.save(update_fields=["live_version"])
    client = client_as(Role.ENGINEER, schedule.project)
    assert "has no live version" in text_of(client.post(at(schedule, "run/"), follow=True))


def test_schedule_whose_times_cannot_be_read_still_has_a_page():
    schedule = make_due()
    Schedule.objects.update(kind="cron", cron="gone", every_seconds=None)
    client = client_as(Role.ENGINEER, schedule.project)
    assert client.get(at(schedule)).status_code == 200
    assert "times that cannot be read" in text_of(client.get(schedules_of(schedule.project)))


@pytest.mark.parametrize("action", ["change/", "turn/", "run/"])
def test_support_may_not_schedule_and_a_get_is_refused(action):
    schedule = make_one()
    client = client_as(Role.SUPPORT, schedule.project)
    assert client.post(at(schedule, action), FORM).status_code == 403
    assert client.get(at(schedule, action)).status_code == 405
    assert client.post(schedules_of(schedule.project, "make/"), FORM).status_code == 403
    assert client.get(schedules_of(schedule.project, "new/")).status_code == 403


def test_schedule_of_another_project_is_not_found():
    schedule = make_one()
    project = make_project()
    client = client_as(Role.ADMIN, project)
    for action in ("", "change/", "turn/", "run/"):
        url = schedules_of(project, f"{schedule.pk}/{action}")
        answer = client.post(url, FORM) if action else client.get(url)
        assert answer.status_code == 404


def test_archived_schedule_leaves_the_list_and_starts_nothing():
    schedule = make_due(name="Morning round")
    client = client_as(Role.ENGINEER, schedule.project)
    answer = client.post(at(schedule, "archive/"))
    assert answer["Location"] == schedules_of(schedule.project)
    page = text_of(client.get(schedules_of(schedule.project)))
    assert "Nothing starts by the clock yet" in page
    assert start_due_schedules() == 0
    page = text_of(client.get(at(schedule)))
    assert "it starts nothing any more" in page
    assert "Run now" not in page


@pytest.mark.parametrize("action", ["archive/", "turn/", "run/", "change/"])
def test_archived_schedule_stays_as_it_is(action):
    schedule = make_one()
    archive_schedule(schedule=schedule, by=make_user())
    client = client_as(Role.ENGINEER, schedule.project)
    data = {**FORM, "agent": schedule.agent_id, "is_on": "1"}
    answer = client.post(at(schedule, action), data, follow=True)
    assert "was archived on" in text_of(answer)
    assert not Run.objects.exists()
    assert not Schedule.objects.get().is_on


def test_name_of_an_archived_schedule_is_free_and_the_trail_names_it():
    schedule = make_one(name="Morning round")
    lead = make_user(Role.LEAD, schedule.project, name="Lea Lead")
    archive_schedule(schedule=schedule, by=lead)
    make_one(agent=schedule.agent, name="Morning round")
    (entry, *_) = [
        each
        for each in read_trail(project=schedule.project, kinds=["schedules"]).entries
        if each.who == lead
    ]
    assert entry.line.did == "schedule archived"


def test_only_who_may_schedule_archives():
    schedule = make_one()
    assert (
        client_as(Role.VIEWER, schedule.project).post(at(schedule, "archive/")).status_code == 403
    )
    assert client_as(Role.LEAD, schedule.project).get(at(schedule, "archive/")).status_code == 405
