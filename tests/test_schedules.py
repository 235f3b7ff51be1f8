"""Schedules: times with zones and changed clocks, and runs that start once per due time."""

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.errors import ScheduleError
from agents.models import Run, Schedule
from agents.runtime.hints import send_hint
from agents.runtime.sweeper import sweep
from agents.schedule_times import Times, latest_due, next_time, upcoming
from agents.schedules import (
    Plan,
    change_schedule,
    make_schedule,
    run_schedule_now,
    start_due_schedules,
    turn_schedule,
)
from agents.tools.autonomy import database_now
from reviewdesk.people.roles import Role
from tests.factories import make_agent, make_user, make_version

CRON, INTERVAL = Schedule.Kind.CRON, Schedule.Kind.INTERVAL
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
HELLO = {"messages": [{"role": "user", "content": "Summarise the open orders."}]}


def cron(expression, zone="UTC"):
    return Times(CRON, cron=expression, time_zone=zone)


def every(seconds):
    return Times(INTERVAL, every_seconds=seconds)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shown(times, after, count=3):
    found = upcoming(times, after=utc(after))
    return [f"{next(found):%Y-%m-%d %H:%M}" for _ in range(count)]


def plan_of(agent=None, **overrides):
    values = {"name": "Morning round", "times": every(3600), "run_input": HELLO}
    return Plan(agent=agent or make_agent(), **{**values, **overrides})


def make_due(minutes=1, **overrides):
    """Make a schedule that was due `minutes` ago."""
    plan = plan_of(**overrides)
    schedule = make_schedule(plan=plan, by=make_user(Role.LEAD, plan.agent.project))
    schedule.next_at = database_now() - timedelta(minutes=minutes)
    schedule.save(update_fields=["next_at"])
    return schedule


# Berlin: forward 29 March 2026 at 02:00, back 25 October 2026 at 03:00. New York: forward 8 March
# 2026 at 02:00, back 1 November 2026 at 02:00. Read by hand from the zones' rules.
@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # An ordinary day: 07:00 in winter is 06:00 UTC, in summer 05:00.
        ("0 7 * * *", "Europe/Berlin", "2026-01-10T12:00", ["2026-01-11 06:00"]),
        ("0 7 * * *", "Europe/Berlin", "2026-07-10T12:00", ["2026-07-11 05:00"]),
        # 02:30 does not exist: at the first minute after the gap, 03:00 +02:00.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00",
            ["2026-03-29 01:00", "2026-03-30 00:30"],
        ),
        (
            "30 2 * * *",
            "America/New_York",
            "2026-03-07T12:00",
            ["2026-03-08 07:00", "2026-03-09 06:30"],
        ),
        # 02:30 comes twice: the first time alone.
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00",
            ["2026-10-25 00:30", "2026-10-26 01:30"],
        ),
        (
            "30 1 * * *",
            "America/New_York",
            "2026-10-31T12:00",
            ["2026-11-01 05:30", "2026-11-02 06:30"],
        ),
        # Asked within the second passing of the hour, the first is not given again.
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", ["2026-10-26 01:30"]),
        ("30 1 * * *", "America/New_York", "2026-11-01T06:10", ["2026-11-02 06:30"]),
        # Every half hour goes by the hours that pass, through both passings.
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-25T00:00",
            ["2026-10-25 00:30", "2026-10-25 01:00", "2026-10-25 01:30", "2026-10-25 02:00"],
        ),
        (
            "0 * * * *",
            "Europe/Berlin",
            "2026-03-28T23:30",
            ["2026-03-29 00:00", "2026-03-29 01:00", "2026-03-29 02:00"],
        ),
    ],
)
def test_cron_in_its_zone(expression, zone, after, expected):
    assert shown(cron(expression, zone), after, len(expected)) == expected


def test_interval_keeps_step_with_its_first_time():
    due = utc("2026-03-29T00:10")
    found = next_time(every(900), after=utc("2026-03-29T01:00"), due=due)
    assert found == utc("2026-03-29T01:10")
    assert next_time(every(900), after=due) == utc("2026-03-29T00:25")


@pytest.mark.parametrize(
    ("times", "due", "now", "expected"),
    [
        (cron("0 7 * * *"), "2026-03-01T07:00", "2026-03-01T07:00", "2026-03-01T07:00"),
        (cron("0 7 * * *"), "2026-03-01T07:00", "2026-03-05T06:59", "2026-03-04T07:00"),
        (every(600), "2026-03-01T07:00", "2026-03-01T08:05", "2026-03-01T08:00"),
        # In the second passing of the hour: its first passing is the latest.
        (
            cron("30 2 * * *", "Europe/Berlin"),
            "2026-10-23T00:30",
            "2026-10-25T01:10",
            "2026-10-25T00:30",
        ),
    ],
)
def test_only_the_latest_missed_time_is_due(times, due, now, expected):
    assert latest_due(times, due=utc(due), now=utc(now)) == utc(expected)


@settings(deadline=None, max_examples=60)
@given(
    start=st.integers(0, 730 * 24 * 60).map(lambda minutes: NEW_YEAR + timedelta(minutes=minutes)),
    hours=st.integers(0, 24 * 40),
    expression=st.sampled_from(["30 2 * * *", "*/20 * * * *", "15 1,2,3 * * 0", "0 0 1 * *"]),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_latest_due_is_the_last_of_the_times_that_went_by(start, hours, expression, zone):
    times = cron(expression, zone)
    due = next_time(times, after=start)
    now = due + timedelta(hours=hours, minutes=7)
    expected = due
    for at in upcoming(times, after=due):
        if at > now:
            break
        expected = at
    assert latest_due(times, due=due, now=now) == expected
    assert next_time(times, after=now) > now


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": CRON, "cron": "0 7 * *"}, "has five fields .* has 4"),
        ({"kind": CRON, "cron": "0 0 7 * * *"}, "five fields .* has 6"),
        ({"kind": CRON, "cron": "61 7 * * *"}, "'61 7 \\* \\* \\*' is no cron expression"),
        ({"kind": CRON, "cron": "0 0 30 2 *"}, "no cron expression"),
        ({"kind": CRON, "cron": "0 7 * * *", "time_zone": "Mars/Base"}, "no time zone 'Mars/Base'"),
        ({"kind": CRON, "cron": "0 7 * * *", "time_zone": "../etc"}, "no time zone"),
        ({"kind": INTERVAL, "every_seconds": 59}, "this is 59 seconds"),
        ({"kind": INTERVAL, "every_seconds": None}, "this is 0 seconds"),
    ],
)
def test_times_that_cannot_be_are_refused_with_the_value(arguments, message):
    with pytest.raises(ScheduleError, match=message):
        Times(**arguments)


def test_times_read_as_words():
    weekdays = cron("0 7 * * 1-5", "Europe/Berlin")
    assert weekdays.words == "At 07:00 on Monday through Friday (Europe/Berlin)"
    assert [every(60).words, every(7200).words, every(90).words] == [
        "Every minute",
        "Every 2 hours",
        "Every 90 seconds",
    ]


@pytest.mark.django_db
def test_due_schedule_starts_one_run_and_is_due_again_later():
    schedule = make_due(customer="Night shift")
    assert start_due_schedules() == 1
    assert start_due_schedules() == 0
    run = Run.objects.get()
    schedule.refresh_from_db()
    assert run.schedule == schedule
    assert run.idempotency_key == f"schedule:{schedule.pk}:{schedule.last_due_at.isoformat()}"
    assert run.version == schedule.agent.live_version
    assert (run.session.customer, run.session.metadata["schedule"]) == (
        "Night shift",
        "Morning round",
    )
    assert schedule.next_at == schedule.last_due_at + timedelta(hours=1) > database_now()


@pytest.mark.django_db
def test_of_the_missed_times_only_the_latest_is_made_up_for():
    schedule = make_due(minutes=60 * 50 + 5)
    due = schedule.next_at
    start_due_schedules()
    schedule.refresh_from_db()
    assert Run.objects.count() == 1
    assert schedule.last_due_at == due + timedelta(hours=50)


@pytest.mark.django_db
def test_time_is_left_out_while_the_run_before_is_not_finished():
    schedule = make_due()
    start_due_schedules()
    Schedule.objects.update(next_at=database_now())
    start_due_schedules()
    schedule.refresh_from_db()
    assert Run.objects.count() == 1
    assert schedule.last_error.endswith("the run before it is not finished.")
    assert schedule.next_at > database_now()


@pytest.mark.django_db
def test_schedule_may_start_another_beside_the_one_before():
    make_due(overlap=Schedule.Overlap.START)
    start_due_schedules()
    Schedule.objects.update(next_at=database_now())
    start_due_schedules()
    assert Run.objects.count() == 2


@pytest.mark.django_db
def test_agent_without_live_version_is_told_and_tried_at_the_next_time():
    schedule = make_due()
    schedule.agent.live_version = None
    schedule.agent.save(update_fields=["live_version"])
    start_due_schedules()
    schedule.refresh_from_db()
    assert "has no live version" in schedule.last_error
    assert schedule.next_at > database_now()
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_one_that_cannot_be_read_any_more_keeps_no_other_from_starting():
    broken, good = make_due(minutes=5), make_due(minutes=1)
    Schedule.objects.filter(pk=broken.pk).update(kind="cron", cron="gone", every_seconds=None)
    assert start_due_schedules() == 2
    broken.refresh_from_db()
    assert (broken.next_at, Run.objects.get().schedule) == (None, good)
    assert "five fields" in broken.last_error


@pytest.mark.django_db
def test_schedule_that_is_off_starts_nothing_and_makes_up_for_nothing():
    schedule = make_due()
    lead = make_user(Role.LEAD, schedule.project)
    assert turn_schedule(schedule=schedule, is_on=False, by=lead).next_at is None
    assert start_due_schedules() == 0
    assert turn_schedule(schedule=schedule, is_on=True, by=lead).next_at > database_now()
    with pytest.raises(ScheduleError, match="is on already"):
        turn_schedule(schedule=schedule, is_on=True, by=lead)


@pytest.mark.django_db
def test_run_now_leaves_the_times_as_they_are():
    plan = plan_of()
    lead = make_user(Role.LEAD, plan.agent.project)
    schedule = make_schedule(plan=plan, by=lead)
    run = run_schedule_now(schedule=schedule, by=lead)
    run.refresh_from_db()
    assert (run.schedule, run.started_by, run.idempotency_key) == (schedule, lead, "")
    assert Schedule.objects.get().next_at == schedule.next_at


@pytest.mark.django_db
def test_schedule_runs_the_version_it_names():
    agent = make_agent()
    version = make_version(agent)
    make_due(agent=agent, version=version)
    start_due_schedules()
    assert Run.objects.get().version == version
    plan, lead = plan_of(name="Of another agent", version=version), make_user(Role.LEAD)
    with pytest.raises(ScheduleError, match="is no version of"):
        make_schedule(plan=plan, by=lead)


@pytest.mark.django_db
def test_name_is_taken_once_in_a_project():
    plan = plan_of()
    lead = make_user(Role.LEAD)
    make_schedule(plan=plan, by=lead)
    with pytest.raises(ScheduleError, match="called Morning round is there already"):
        make_schedule(plan=plan, by=lead)


@pytest.mark.django_db
def test_each_change_tells_who_in_the_audit_trail():
    plan = plan_of()
    lead = make_user(Role.LEAD, plan.agent.project)
    schedule = make_schedule(plan=plan, by=lead)
    changed = plan_of(plan.agent, times=cron("0 7 * * *", "Europe/Berlin"))
    change_schedule(schedule=schedule, plan=changed, by=lead)
    start_due_schedules()
    told = Schedule.pgh_event_model.objects.order_by("pgh_id")
    assert [event.cron for event in told] == ["", "0 7 * * *"]
    assert {event.pgh_context.metadata["user"] for event in told} == {lead.pk}


@pytest.mark.django_db
def test_changed_times_are_counted_from_now():
    plan = plan_of()
    lead = make_user(Role.LEAD, plan.agent.project)
    schedule = make_schedule(plan=plan, by=lead)
    changed = plan_of(plan.agent, times=cron("0 7 * * *", "Asia/Tokyo"))
    schedule = change_schedule(schedule=schedule, plan=changed, by=lead)
    local = schedule.next_at.astimezone(ZoneInfo("Asia/Tokyo"))
    assert (local.hour, local.minute) == (7, 0)
    assert schedule.next_at > database_now()


@pytest.mark.django_db
def test_the_sweep_starts_what_is_due():
    make_due()
    sweep()
    assert Run.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_schedule_that_another_scheduler_is_starting_is_left_to_it():
    held, free = make_due(minutes=5, name="Held"), make_due(minutes=1, name="Free")
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT 1 FROM agents_schedule WHERE id = %s FOR UPDATE", [held.pk])
        assert start_due_schedules() == 1
        assert Run.objects.get().schedule == free
    assert start_due_schedules() == 1
    assert Run.objects.filter(schedule=held).count() == 1


@pytest.mark.django_db(transaction=True)
def test_several_schedulers_start_a_due_time_once():
    make_due()
    # The queue's client is not made by several threads at once without one getting lost.
    send_hint()
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        start_due_schedules()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Run.objects.count() == 1
