#!/usr/bin/env python
"""Run reviewdesk's commands; `manage.py up` starts the whole desk."""

import os
import sys

from django.core.management import execute_from_command_line

from reviewdesk.embedded.commands import ready_for
from reviewdesk.embedded.up import run_up


def main() -> None:
    """Hand the command line to Django, with what the command needs around it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reviewdesk.settings")
    if sys.argv[1:] == ["up"]:
        run_up()
        return
    with ready_for(sys.argv):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
