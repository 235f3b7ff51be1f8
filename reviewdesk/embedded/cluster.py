"""One PostgreSQL cluster on disk: made, configured, started and stopped.

Socket only, no trust: the server asks the kernel who connects (peer) and lets in root, its own
account and whoever runs reviewdesk.
"""

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil

from reviewdesk.embedded.binaries import MAJOR, binaries_for
from reviewdesk.embedded.death import die_with_parent
from reviewdesk.embedded.errors import ServerError
from reviewdesk.embedded.place import ROLE, SUPERUSER, Place

_MEGABYTE = 1024 * 1024
_STOP_SECONDS = 20


def make_cluster(place: Place) -> None:
    """Run `initdb` unless it has been done; a half-made cluster never counts.

    Raises:
        ServerError: `initdb` fails, or the data belongs to another major version.
    """
    if place.data.exists():
        check_major(place)
        return
    part = place.directory / "data.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    if not place.account.is_own:
        os.chown(part, place.account.uid, place.account.gid)
    arguments = [
        str(binaries_for(place.account) / "initdb"),
        f"--pgdata={part}",
        f"--username={SUPERUSER}",
        "--auth=peer",
        "--data-checksums",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--no-instructions",
        *(["--no-sync"] if place.is_temporary else []),
    ]
    result = subprocess.run(  # noqa: S603
        arguments, **_as_account(place), capture_output=True, text=True, check=False
    )
    if result.returncode:
        shutil.rmtree(part, ignore_errors=True)
        raise ServerError(f"initdb could not make the database: {result.stderr.strip()}")
    part.rename(place.data)


def check_major(place: Place) -> None:
    """Refuse data that another major version of PostgreSQL wrote.

    Raises:
        ServerError: The data's major version is not the wheel's.
    """
    file = place.data / "PG_VERSION"
    if not file.exists():
        raise ServerError(
            f"{place.data} is not a PostgreSQL data directory (it has no PG_VERSION). Restore it "
            "from a backup, or move it away to start empty."
        )
    version = file.read_text().strip()
    if version != str(MAJOR):
        raise ServerError(
            f"The data in {place.data} was written by PostgreSQL {version}, and this reviewdesk "
            f"brings PostgreSQL {MAJOR}. Run pg_upgrade (with the old reviewdesk's programs as "
            f"--old-bindir and {binaries_for(place.account)} as --new-bindir), or go back to the "
            "reviewdesk that wrote it. Nothing was changed."
        )


def start_server(place: Place) -> "subprocess.Popen[bytes]":
    """Start the server as a child that stops when this process dies. Does not wait for it."""
    write_access(place)
    stop_leftover(place)
    arguments = [str(binaries_for(place.account) / "postgres"), "-D", str(place.data)]
    for name, value in settings_for(place).items():
        arguments += ["-c", f"{name}={value}"]
    parent = os.getpid()
    return subprocess.Popen(  # noqa: S603
        arguments,
        **_as_account(place),
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: die_with_parent(signal.SIGINT, parent=parent),
    )


def stop_server(process: "subprocess.Popen[bytes]") -> None:
    """Stop the server: finish what is written, or after 20 s leave it to recovery."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(number)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return


def stop_leftover(place: Place) -> None:
    """Stop a server that lost its keeper, and remove what a killed one left.

    PostgreSQL takes any living process with the number in a stale `postmaster.pid` for itself.
    """
    file = place.data / "postmaster.pid"
    if not file.exists():
        return
    process = _postmaster(file, place.data)
    if process:
        process.send_signal(signal.SIGINT)
        _, alive = psutil.wait_procs([process], timeout=_STOP_SECONDS)
        for left in alive:
            left.kill()
    for path in (file, *place.socket_directory.glob(".s.PGSQL.*")):
        path.unlink(missing_ok=True)


def settings_for(place: Place) -> dict[str, str]:
    """Return the server's settings, fit for this machine's memory.

    Shares of memory as PostgreSQL's documentation advises, but an eighth for its buffers: the
    desk's own processes and the models' clients live on the same machine.
    """
    memory = memory_bytes() // _MEGABYTE
    settings = {
        "listen_addresses": "",
        "hba_file": str(place.access_file),
        "ident_file": str(place.people_file),
        "unix_socket_directories": str(place.socket_directory),
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": f"{min(max(memory // 8, 64), 2048)}MB",
        "effective_cache_size": f"{max(memory // 2, 128)}MB",
        "work_mem": "8MB",
        "maintenance_work_mem": f"{min(max(memory // 16, 32), 512)}MB",
        "max_wal_size": "2GB",
        "random_page_cost": "1.1",
        "jit": "off",
        "max_parallel_workers_per_gather": "1",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "on",
        "log_directory": str(place.log),
        "log_filename": "postgresql-%a.log",
        "log_truncate_on_rotation": "on",
        "log_rotation_size": "0",
        "log_line_prefix": "%m [%p] ",
    }
    if place.is_temporary:
        settings |= {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "64MB",
            "autovacuum_naptime": "1h",
        }
    return settings


def memory_bytes() -> int:
    """Return the memory that this process may use: the machine's, or less in a container."""
    memory = psutil.virtual_memory().total
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else ""
    return min(memory, int(text)) if text.isdecimal() else memory


def write_access(place: Place) -> None:
    """Write who may connect: the kernel's word for it, over the socket, nobody else."""
    own = pwd.getpwuid(os.geteuid()).pw_name
    people = dict.fromkeys(["root", place.account.name, own])
    lines = [f'reviewdesk "{person}" {role}' for person in people for role in (ROLE, SUPERUSER)]
    place.access_file.write_text("local all all peer map=reviewdesk\n")
    place.people_file.write_text("\n".join(lines) + "\n")
    for file in (place.access_file, place.people_file):
        file.chmod(0o644)


def _as_account(place: Place) -> dict[str, Any]:
    """Return how a program is started under the server's account, with a plain environment."""
    environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    start: dict[str, Any] = {"env": environment, "cwd": "/", "umask": 0o077}
    if not place.account.is_own:
        start |= {"user": place.account.uid, "group": place.account.gid, "extra_groups": []}
    return start


def _postmaster(file: Path, data: Path) -> psutil.Process | None:
    """Return the living server that `postmaster.pid` names, if it is this directory's."""
    lines = file.read_text().splitlines()
    if not lines or not lines[0].strip().isdecimal():
        return None
    try:
        process = psutil.Process(int(lines[0]))
        arguments = process.cmdline()
    except psutil.Error:
        return None
    return process if "postgres" in arguments[0] and str(data) in arguments else None
