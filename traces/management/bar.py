"""A progress bar on a terminal's standard error."""

import sys

_WIDTH = 30


class Bar:
    """How much is done; nothing is drawn where nobody watches."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_watched = sys.stderr.isatty()

    def draw(self, share: float, num_done: int) -> None:
        """Draw the bar anew; `share` is 0-1, and 1 ends its line."""
        if not self._is_watched:
            return
        filled = round(share * _WIDTH)
        bar = "█" * filled + "░" * (_WIDTH - filled)
        end = "\n" if share == 1 else ""
        sys.stderr.write(f"\r{bar} {share:4.0%} {num_done:,} {self._what}{end}")
        sys.stderr.flush()
