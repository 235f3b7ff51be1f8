import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from reviewdesk.embedded.account import server_account
from reviewdesk.embedded.binaries import binaries_for
from reviewdesk.embedded.cluster import memory_bytes, settings_for
from reviewdesk.embedded.errors import AccountError, HomeError, SchemaError, ServerError
from reviewdesk.embedded.home import hold_home, prepare_home
from reviewdesk.embedded.lease import Lease
from reviewdesk.embedded.paths import secret_key_of, short_socket_directory
from reviewdesk.embedded.place import DATABASE, ROLE, Place
from reviewdesk.embedded.schema import check_not_newer, migrate
from reviewdesk.embedded.testing import temporary_place
from reviewdesk.environment import CHECKOUT, MAX_SOCKET_PATH, read_environment
from tests.processes import as_nobody, wait_until

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def place() -> Iterator[Place]:
    """A cluster that survives its users, as a desk's does; removed after the test."""
    place = replace(temporary_place(), is_temporary=False)
    yield place
    shutil.rmtree(place.directory, ignore_errors=True)


def connect(place: Place, user: str = ROLE) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(
        host=str(place.socket_directory), dbname=DATABASE, user=user, autocommit=True
    )


def ask(place: Place, query: str) -> object:
    with connect(place) as own:
        row = own.execute(query.encode()).fetchone()
    return row[0] if row else None


@pytest.mark.django_db
def test_tests_have_a_message_queue() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), to_regnamespace('pgmq') IS NOT NULL")
        name, has_queue = cursor.fetchone() or ("", False)
    assert name.startswith("test_")
    assert has_queue


def test_network_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"198\.51\.100\.1"):
        socket.create_connection(("198.51.100.1", 80))


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db
def test_newer_database_is_refused() -> None:
    MigrationRecorder(connection).record_applied("traces", "0999_from_the_future")
    with pytest.raises(SchemaError, match=r"newer reviewdesk.*traces\.0999_from_the_future"):
        check_not_newer()


@pytest.mark.django_db
def test_database_that_fits_is_left_alone() -> None:
    assert not migrate()


def test_server_is_private_checked_and_ours(place: Place) -> None:
    with Lease(place):
        assert ask(place, "SHOW listen_addresses") == ""
        assert ask(place, "SHOW data_checksums") == "on"
        assert ask(place, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        for folder in (place.data, place.log, place.socket_directory):
            assert folder.stat().st_mode & 0o777 == 0o700
            assert folder.stat().st_uid == place.account.uid
        assert "trust" not in place.access_file.read_text()


def test_last_user_stops_the_server_and_the_data_stays(place: Place) -> None:
    with Lease(place):
        with Lease(place) as second:
            with connect(place) as own:
                own.execute("CREATE TABLE note AS SELECT 'kept' AS text")
            assert not second.ensure_running()
        assert ask(place, "SELECT text FROM note") == "kept"
    assert not (place.data / "postmaster.pid").exists()
    with Lease(place):
        assert ask(place, "SELECT text FROM note") == "kept"


def test_killed_user_leaves_nothing_behind() -> None:
    place = temporary_place()
    code = (
        "import sys, time; from reviewdesk.embedded.keeper import _place_from;"
        "from reviewdesk.embedded.lease import Lease;"
        "lease = Lease(_place_from(sys.argv[1:])).__enter__();"
        "print('up', flush=True); time.sleep(60)"
    )
    arguments = [str(place.directory), str(place.socket_directory), place.account.name]
    user = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, "--temporary"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
    )
    with user:
        assert user.stdout
        assert user.stdout.readline() == b"up\n"
        assert (place.data / "postmaster.pid").exists()
        user.kill()
    wait_until(lambda: not place.directory.exists())


def test_killed_server_is_started_again_with_its_data(place: Place) -> None:
    with Lease(place) as lease:
        with connect(place) as own:
            own.execute("CREATE TABLE note AS SELECT 'kept' AS text")
        pid = int((place.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not lease.is_kept)
        assert lease.ensure_running()
        assert ask(place, "SELECT text FROM note") == "kept"


def test_stale_pid_file_that_names_a_living_process_is_no_obstacle(place: Place) -> None:
    with Lease(place):
        lines = (place.data / "postmaster.pid").read_text().splitlines()
    lines[0] = str(os.getpid())
    (place.data / "postmaster.pid").write_text("\n".join(lines) + "\n")
    with Lease(place):
        assert ask(place, "SELECT 1") == 1


def test_half_made_cluster_is_made_again(place: Place) -> None:
    part = place.directory / "data.part"
    part.mkdir()
    (part / "PG_VERSION").write_text("18\n")
    with Lease(place):
        assert not part.exists()


def test_other_major_version_is_refused_untouched(place: Place) -> None:
    place.data.mkdir()
    (place.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(ServerError, match=r"written by PostgreSQL 17.*Run pg_upgrade"):
        Lease(place).__enter__()
    assert [file.name for file in place.data.iterdir()] == ["PG_VERSION"]


def test_server_that_does_not_start_says_why(place: Place) -> None:
    with Lease(place):
        pass
    (place.data / "global" / "pg_control").unlink()
    with pytest.raises(ServerError, match=r"(?s)does not start.*Its log is in"):
        Lease(place).__enter__()


@pytest.mark.skipif(not IS_ROOT, reason="only root can become somebody else")
def test_other_accounts_cannot_reach_the_socket(place: Place) -> None:
    other = replace(place, account=server_account("daemon"))
    shutil.rmtree(place.directory)
    other.directory.mkdir(mode=0o711)
    other.directory.chmod(0o711)
    with Lease(other):
        assert "Permission denied" in as_nobody(lambda: connect(other).close())


@pytest.mark.skipif(not IS_ROOT, reason="only root runs the server under another account")
def test_closed_folder_above_is_named_and_stays_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    place = Place(tmp_path / "desk", tmp_path / "desk" / "run", server_account("nobody"))
    with pytest.raises(AccountError, match=r"nobody.*may not enter"):
        Lease(place).__enter__()
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not IS_ROOT, reason="only root chooses the account")
@pytest.mark.parametrize("name", ["root", "no-such-account"])
def test_account_must_be_an_unprivileged_one(name: str) -> None:
    with pytest.raises(AccountError, match=f"REVIEWDESK_ACCOUNT is '{name}'"):
        server_account(name)


def test_home_is_private_and_keeps_its_secret(tmp_path: Path) -> None:
    environment = read_environment({"REVIEWDESK_HOME": str(tmp_path / "desk")})
    prepare_home(environment)
    secret = (environment.home / "secret_key").read_text()
    prepare_home(environment)
    assert environment.home.stat().st_mode & 0o777 == 0o700
    assert (environment.home / "secret_key").read_text() == secret
    assert {file.stat().st_mode & 0o777 for file in environment.home.iterdir()} == {0o600}


def test_folders_above_the_home_keep_their_mode(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    prepare_home(read_environment({"REVIEWDESK_HOME": str(closed / "desk")}))
    assert closed.stat().st_mode & 0o777 == 0o700


def test_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.name.startswith(("pytest-", "popen-", "test_")):
            folder.chmod(0o755)
    readonly = tmp_path / "readonly"
    readonly.mkdir()
    readonly.chmod(0o555)
    for home in (readonly, readonly / "desk"):
        environment = read_environment({"REVIEWDESK_HOME": str(home)})
        message = as_nobody(lambda environment=environment: prepare_home(environment))  # type: ignore[misc]
        assert str(home) in message
        assert "REVIEWDESK_HOME" in message


def test_home_below_a_closed_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o000)
    environment = read_environment({"REVIEWDESK_HOME": str(tmp_path / "desk")})
    message = as_nobody(lambda: prepare_home(environment))
    assert f"The home {tmp_path / 'desk'} cannot be made" in message
    assert "REVIEWDESK_HOME" in message

    def read_key() -> None:
        secret_key_of(environment)

    assert as_nobody(read_key) == ""
    tmp_path.chmod(0o700)


def test_home_runs_one_desk_at_a_time(tmp_path: Path) -> None:
    environment = read_environment({"REVIEWDESK_HOME": str(tmp_path), "REVIEWDESK_PORT": "8123"})
    with hold_home(environment), pytest.raises(HomeError, match=r"127\.0\.0\.1:8123"):
        hold_home(environment).__enter__()


def test_socket_path_is_short_however_deep_the_home() -> None:
    deep = Path("/srv") / ("x" * 120)
    sockets = short_socket_directory(deep, "0123abcd")
    assert len(f"{sockets}/.s.PGSQL.5432.lock") <= MAX_SOCKET_PATH


def test_memory_settings_fit_this_machine(place: Place) -> None:
    buffers = int(settings_for(place)["shared_buffers"].removesuffix("MB"))
    assert 64 <= buffers <= max(64, memory_bytes() // 8 // 2**20)


def test_programs_can_be_run_by_the_servers_account() -> None:
    programs = binaries_for(server_account("nobody"))
    version = subprocess.run(
        [programs / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    assert "PostgreSQL) 18" in version.stdout
