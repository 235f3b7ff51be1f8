import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis

from reviewdesk.embedded.children import describe_end
from reviewdesk.embedded.ports import free_port
from reviewdesk.embedded.up import what_is_missing
from tests.processes import (
    database_of,
    manage,
    processes_of,
    remove_home,
    running_desk,
    running_redis,
    started,
    starting_desk,
    wait_until,
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    tmp_path.chmod(0o700)
    path = tmp_path / "home"
    yield path
    remove_home(path)


def get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
        body: bytes = response.read()
    return body


def test_bad_value_stops_the_start_with_its_name(home: Path) -> None:
    result = manage(home, "up", REVIEWDESK_PORT="eighty")
    assert result.returncode == 1
    assert result.stderr.startswith("reviewdesk cannot start: REVIEWDESK_PORT is 'eighty'")
    assert not home.exists()


def test_port_in_use_stops_the_start_with_another_to_take(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = manage(home, "up", REVIEWDESK_PORT=str(port))
    assert result.returncode == 1
    assert f"port {port} is in use" in result.stderr
    assert f"REVIEWDESK_PORT={port + 1}" in result.stderr
    assert not (database_of(home) / "data").exists()


def test_home_that_is_a_file_stops_the_start(home: Path) -> None:
    home.write_text("")
    result = manage(home, "up")
    assert (result.returncode, result.stdout) == (1, "")
    assert f"The home {home} cannot be made" in result.stderr


def test_external_database_that_is_away_stops_the_start(home: Path) -> None:
    url = f"postgresql://desk@127.0.0.1:{free_port()}/desk"
    result = manage(home, "prepare", DATABASE_URL=url)
    assert result.returncode == 1
    assert "the database does not answer" in result.stderr
    assert "Traceback" not in result.stderr


def test_commands_without_a_database_make_no_home(home: Path) -> None:
    assert manage(home, "help").returncode == 0
    assert manage(home, "shell", "--help").returncode == 0
    assert not home.exists()


def test_ctrl_c_while_it_starts_stops_it(home: Path) -> None:
    with starting_desk(home) as desk:
        desk.wait_for("Making the database")
        assert desk.stop() == 0
    assert "(SIGINT)" in desk.text
    assert processes_of(home) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [(3, "ended by itself (exit code 3)"), (-9, "was ended by SIGKILL")],
)
def test_end_of_a_child_is_put_in_words(code: int, words: str) -> None:
    assert describe_end(code) == words


@pytest.mark.slow
def test_desk_starts_stops_and_finds_its_data_again(home: Path) -> None:
    with running_desk(home) as desk:
        assert get(desk.port, "/healthz") == b'{"status": "up"}'
        assert "/setup/" in desk.text
        assert manage(home, "shell", "-c", MAKE_PROJECT).returncode == 0
        assert desk.stop() == 0
    assert "reviewdesk is stopped." in desk.text
    assert processes_of(home) == []
    assert manage(home, "shell", "-c", COUNT_WORKERS).stdout.endswith("0\n")
    with running_desk(home):
        assert manage(home, "shell", "-c", COUNT_PROJECTS).stdout.endswith("1\n")
    assert home.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.slow
def test_dead_children_and_a_dead_database_are_started_again(home: Path) -> None:
    with running_desk(home) as desk:
        for name, words in [("web", "gunicorn"), ("worker", "django worker"), ("scheduler",) * 2]:
            desk.child(words).kill()
            desk.wait_for(f"{name} was ended by SIGKILL")
            desk.wait_for(f"{name} is started again")
        os.kill(int((database_of(home) / "data/postmaster.pid").read_text().split()[0]), 9)
        desk.wait_for("The database runs again")
        wait_until(lambda: not what_is_missing(desk.port))
        assert manage(home, "shell", "-c", SEND_HINT).returncode == 0
        wait_until(lambda: manage(home, "shell", "-c", COUNT_MESSAGES).stdout.endswith(" 0\n"))
        desk.stop(signal.SIGTERM)
    assert "Stopping web, worker, second worker, scheduler" in desk.text
    assert "(SIGTERM)" in desk.text
    assert processes_of(home) == []


@pytest.mark.slow
def test_killed_supervisor_leaves_nothing_that_hinders_the_next_start(home: Path) -> None:
    with running_desk(home) as desk:
        desk.process.kill()
        desk.process.wait()
        wait_until(lambda: processes_of(home) == [])
    with running_desk(home, port=desk.port) as again:
        assert again.stop() == 0


@pytest.mark.slow
def test_two_desks_run_side_by_side(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    try:
        with running_desk(home) as one, running_desk(other) as two:
            result = manage(home, "up", REVIEWDESK_PORT=str(free_port()))
            assert "A desk runs with the home" in result.stderr
            assert one.stop() == 0
            assert not what_is_missing(two.port)
    finally:
        remove_home(other)


@pytest.mark.slow
def test_commands_side_by_side_share_a_database_made_by_the_first(home: Path) -> None:
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda _: manage(home, "shell", "-c", COUNT_PROJECTS), range(4)))
    assert [result.stdout[-2:] for result in results] == ["0\n"] * 4, results
    assert processes_of(home) == []


@pytest.mark.slow
def test_second_scheduler_takes_over_from_a_dead_one(home: Path) -> None:
    def is_leader(process: "subprocess.Popen[bytes]") -> bool:
        return f"scheduler {process.pid}\n" in manage(home, "shell", "-c", LEADER).stdout

    def stands_by(process: "subprocess.Popen[bytes]") -> bool:
        return f"scheduler {process.pid}\n" in manage(home, "shell", "-c", CONNECTED).stdout

    with started(home, "scheduler") as first:
        wait_until(lambda: is_leader(first), seconds=90)  # it migrates first
        with started(home, "scheduler") as second:
            wait_until(lambda: stands_by(second))
            first.kill()
            wait_until(lambda: is_leader(second))
            second.terminate()
            assert second.wait(10) == 0


@pytest.mark.slow
def test_newer_database_stops_the_start(home: Path) -> None:
    assert manage(home, "migrate").returncode == 0
    assert manage(home, "shell", "-c", TRAVEL).returncode == 0
    for command in ("up", "shell"):
        result = manage(home, command, REVIEWDESK_PORT=str(free_port()))
        assert result.returncode == 1
        assert "A newer reviewdesk has used this database" in result.stderr
    assert processes_of(home) == []


@pytest.mark.slow
def test_external_broker_carries_the_messages(home: Path) -> None:
    with running_redis() as url, running_desk(home, BROKER_URL=url) as desk:
        assert manage(home, "shell", "-c", SEND_HINT, BROKER_URL=url).returncode == 0
        wait_until(lambda: redis.from_url(url).llen("celery") == 0)
        assert manage(home, "shell", "-c", COUNT_MESSAGES).stdout.endswith("no queue\n")
        assert desk.stop() == 0


@pytest.mark.slow
def test_external_database_serves_a_desk(home: Path) -> None:
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as own:
        own.execute("CREATE DATABASE outside")
    try:
        with running_desk(home, DATABASE_URL=url.replace("/reviewdesk?", "/outside?")) as desk:
            assert "Starting the database" not in desk.text
            assert desk.stop() == 0
    finally:
        with psycopg.connect(url, autocommit=True) as own:
            own.execute("DROP DATABASE outside WITH (FORCE)")
    assert not database_of(home).exists()


MAKE_PROJECT = "from traces.models import Project; Project.objects.create(slug='kept', name='Kept')"
COUNT_PROJECTS = "from traces.models import Project; print(Project.objects.count())"
COUNT_WORKERS = "from agents.models import WorkerHeartbeat as W; print(W.objects.count())"
SEND_HINT = "from agents.runtime.hints import send_hint; send_hint()"
COUNT_MESSAGES = (
    "from django.db import connection; cursor = connection.cursor();"
    "cursor.execute('SELECT to_regclass(%s) IS NULL', ['pgmq.q_celery']); none = cursor.fetchone();"
    "none[0] or cursor.execute('SELECT count(*) FROM pgmq.q_celery');"
    "print('there is', 'no queue' if none[0] else cursor.fetchone()[0])"
)
LEADER = (
    "from django.db import connection; cursor = connection.cursor();"
    "cursor.execute('SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = %s AND granted', ['advisory']); print(*cursor.fetchall()[0])"
)
CONNECTED = (
    "from django.db import connection; cursor = connection.cursor();"
    "cursor.execute('SELECT application_name FROM pg_stat_activity');"
    "print(*(name for name, in cursor.fetchall()), sep=chr(10))"
)
TRAVEL = (
    "from django.db import connection;"
    "from django.db.migrations.recorder import MigrationRecorder;"
    "MigrationRecorder(connection).record_applied('traces', '0999_from_the_future')"
)
