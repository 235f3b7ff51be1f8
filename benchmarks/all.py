"""Run every benchmark one after the other, and print their figures beside the aims at the end.

    python benchmarks/spans.py --home /var/tmp/reviewdesk-bench     # once, 10 minutes or more
    python benchmarks/all.py --home /var/tmp/reviewdesk-bench       # under 20 minutes

Leave the machine alone meanwhile. What each prints also goes to `all.log` in the home.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
Result = dict[str, Any]


def main() -> None:
    """Run them and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, required=True, help="filled by spans.py")
    home = parser.parse_args().home.absolute()
    runs = {
        "intake": [],
        "kill_intake": [],
        "web_memory": ["--requests=8000"],
        "pages": [f"--home={home}"],
        "browser": [f"--home={home}"],
    }
    results: dict[str, Result] = {}
    with (home / "all.log").open("w") as log:
        for name, arguments in runs.items():
            began = time.monotonic()
            results[name] = _run(name, arguments, log.write)
            print(f"({name} took {time.monotonic() - began:.0f} s)\n", flush=True)
        for line in _summary(results):
            print(line)
            log.write(line + "\n")


def _run(name: str, arguments: list[str], note: Callable[[str], object]) -> Result:
    """Run a benchmark, show what it prints, and return its last line."""
    print(f"--- {name}", flush=True)
    command = [sys.executable, str(HERE / f"{name}.py"), *arguments]
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            note(line)
            last = line.strip() or last
    try:
        result: Result = json.loads(last)
    except ValueError:
        return {"failed": process.returncode}
    return result


def _summary(results: dict[str, Result]) -> Iterator[str]:
    """Yield a line per benchmark: its figures without tables, which stand above."""
    for name, result in results.items():
        plain = {key: value for key, value in result.items() if key not in ("benchmark", "rows")}
        yield f"{name:12} {json.dumps(plain)}"


if __name__ == "__main__":
    main()
