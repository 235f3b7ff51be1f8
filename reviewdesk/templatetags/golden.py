"""Small parts of the Golden screen: squares per repeat, checks in words, moves, JSON."""

import json
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from agents.golden.checks import KINDS, Code
from agents.golden.judgements import Check, shorten
from agents.models import EvalRun
from agents.releases.proof import Move
from reviewdesk.screens.golden.board import Cell
from reviewdesk.templatetags.desk import pill

register = template.Library()

MOVES = {
    Move.BROKEN: ("bad", "circle-x"),
    Move.WORSE: ("warn", "trending-down"),
    Move.BETTER: ("good", "trending-up"),
    Move.FLAKY: ("none", "wave-sine"),
    Move.NEW: ("info", "sparkles"),
}
EVAL_RUNS = {
    EvalRun.Status.RUNNING: ("accent", "player-play", "running"),
    EvalRun.Status.PASSED: ("good", "circle-check", "passed"),
    EvalRun.Status.FAILED: ("bad", "circle-x", "failed"),
    EvalRun.Status.INCONCLUSIVE: ("warn", "alert-triangle", "inconclusive"),
    EvalRun.Status.VOID: ("none", "ban", "void"),
    EvalRun.Status.CANCELLED: ("none", "ban", "cancelled"),
}
_LONGEST_JSON = 4000


@register.simple_tag
def reps(cell: Cell) -> SafeString:
    """Return a cell's repeats as squares, with the words for those who don't see them."""
    letters = ("p" for _ in cell.letters) if cell.is_outdated else cell.letters
    squares = format_html_join(
        "", '<i class="{}"></i>', (("" if letter == "g" else letter,) for letter in letters)
    )
    return format_html(
        '<span class="desk-reps" role="img" aria-label="{}" title="{}">{}</span>',
        cell.words,
        cell.words,
        squares,
    )


@register.simple_tag
def move_pill(move: Move | None) -> SafeString | str:
    """Return what moved as a pill; "same" stays quiet, nothing is a dash."""
    if move is None:
        return format_html('<span class="faint">{}</span>', "not run")
    if move not in MOVES:
        return format_html('<span class="faint">{}</span>', move.value)
    return pill(*MOVES[move], move.value)


@register.simple_tag
def eval_pill(eval_run: EvalRun) -> SafeString:
    """Return an eval run's status as a pill."""
    return pill(*EVAL_RUNS[EvalRun.Status(eval_run.status)])


@register.simple_tag
def check_words(check: Check) -> SafeString:
    """Return what a check demands, names of tools in code."""
    return format_html_join(
        "",
        "{}",
        (
            (format_html("<code>{}</code>", part) if isinstance(part, Code) else part,)
            for part in KINDS[check["kind"]].title(check)
        ),
    )


@register.filter
def json_text(value: Any) -> str:
    """Return a JSON value as people read it; a very long one is cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    if len(text) <= _LONGEST_JSON:
        return text
    return f"{text[:_LONGEST_JSON]}\n… {len(text) - _LONGEST_JSON:,} more characters"


@register.filter
def one_line(value: Any) -> str:
    """Return a JSON value on one line: an object's values alone, cut at 60 characters."""
    if isinstance(value, dict):
        parts = [each if isinstance(each, str) else json.dumps(each) for each in value.values()]
        return shorten(" · ".join(parts), 60)
    return shorten(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 60)


@register.filter
def time_left(seconds: int | None) -> str:
    """Return an estimate of seconds as people say it; nothing where there is none."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"about {max(1, seconds)} s left"
    return f"about {round(seconds / 60)} min left"
