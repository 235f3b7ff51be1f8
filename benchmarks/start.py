"""How long a newcomer waits: first `make run`, second `make run`, and with --test `make test`.

Clones the checkout's HEAD into a new directory with an empty home and prints wall times in
seconds. What pip downloads counts, so run it twice to see a warm package cache.

    python benchmarks/start.py [--test]
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
READY = "reviewdesk is ready at "


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="reviewdesk-start-") as name:
        directory = Path(name)
        clone = directory / "reviewdesk"
        subprocess.run(["git", "clone", "--quiet", str(CHECKOUT), str(clone)], check=True)
        (directory / "home").mkdir()
        environment = _environment(directory / "home")
        print(f"first `make run` to ready   {_seconds_to_ready(clone, environment):6.1f} s")
        print(f"second `make run` to ready  {_seconds_to_ready(clone, environment):6.1f} s")
        if "--test" in sys.argv:
            began = time.monotonic()
            subprocess.run(["make", "test"], cwd=clone, env=environment, check=True)
            print(f"`make test`                 {time.monotonic() - began:6.1f} s")


def _environment(home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("REVIEWDESK_")}
    for name in ("DATABASE_URL", "BROKER_URL", "VIRTUAL_ENV"):
        kept.pop(name, None)
    return {**kept, "HOME": str(home), "REVIEWDESK_PORT": str(_free_port())}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _seconds_to_ready(clone: Path, environment: dict[str, str]) -> float:
    began = time.monotonic()
    with subprocess.Popen(
        ["make", "run"], cwd=clone, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        seconds = None
        for line in process.stdout:
            if line.startswith(READY):
                seconds = time.monotonic() - began
                process.send_signal(signal.SIGINT)
    if seconds is None:
        sys.exit("`make run` ended without being ready; its reason stands above.")
    return seconds


if __name__ == "__main__":
    main()
