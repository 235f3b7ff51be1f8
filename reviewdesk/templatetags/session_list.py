"""Cells of the session list, each column in one function: a page has some 500 of them."""

import re
from collections.abc import Callable

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from reviewdesk.screens.sessions.columns import Column
from reviewdesk.screens.sessions.listing import SNIPPET_START, SNIPPET_STOP, Row
from reviewdesk.templatetags import desk
from reviewdesk.templatetags.masking import mask_chips, without_marks
from reviewdesk.templatetags.sessions import highlight
from traces.models import Session

register = template.Library()

_MARKS = re.compile(f"{SNIPPET_START}([^{SNIPPET_STOP}]*){SNIPPET_STOP}")
_BESIDE_SNIPPET = 40
_OPEN = (Session.Status.RUNNING, Session.Status.WAITING)


@register.simple_tag
def session_cell(row: Row, column: Column, words: str, url: str) -> SafeString:
    """Return the cell of a row; `url` is the session's page, `words` are marked."""
    classes = f"{column.css} num" if column.is_number else column.css
    if column.key == "words":
        content: str | SafeString = _words(row, words, url)
    elif column.key == "customer":
        content = mask_chips(highlight(row.session.customer, words))
    else:
        content = _CELLS[column.key](row)
    title = row.session.agent_name if column.key == "version" else _full(row, column.key)
    if title:
        return format_html('<td class="{}" title="{}">{}</td>', classes, title, content)
    return format_html('<td class="{}">{}</td>', classes, content)


def _words(row: Row, words: str, url: str) -> SafeString:
    session = row.session
    return format_html(
        '{}{}<a class="text-reset" data-row-open href="{}">{}</a>{}',
        _failed(session),
        _golden(session),
        url,
        mask_chips(highlight(_title(row), words)),
        _snippet(row.snippet),
    )


def _title(row: Row) -> str:
    """Return the first words; only a few of them beside a match that stands further on."""
    title = row.session.title or "No words yet"
    return Truncator(without_marks(title)).chars(_BESIDE_SNIPPET) if row.snippet else title


def _snippet(text: str) -> SafeString | str:
    """Return the place of a match: escaped first, then marked."""
    if not text:
        return ""
    marked = format_html_join(
        "",
        "{}",
        (
            (format_html("<mark>{}</mark>", piece) if number % 2 else mask_chips(_flat(piece)),)
            for number, piece in enumerate(_MARKS.split(text))
        ),
    )
    return format_html(' <span class="s-snippet">{} …</span>', marked)


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _failed(session: Session) -> SafeString | str:
    if not session.num_errors:
        return ""
    plural = "" if session.num_errors == 1 else "s"
    return format_html(
        '<span class="bad" title="{} failed step{}">{}</span> ',
        session.num_errors,
        plural,
        desk.icon("alert-triangle", "s", "with failed steps"),
    )


def _golden(session: Session) -> SafeString | str:
    # A golden test's run waits for nobody; what waits is planted, and that must not be told.
    if not session.is_golden or session.status == Session.Status.WAITING:
        return ""
    icon = desk.icon("test-pipe", "s", "golden test")
    return format_html('<span class="faint" title="Run of a golden test">{}</span> ', icon)


def _outcome(row: Row) -> SafeString:
    if row.session.status in _OPEN:
        return _status(row)
    return desk.outcome_pill(row.verdict.outcome)


def _status(row: Row) -> SafeString:
    return desk.pill(*row.pill) if row.pill else desk.status_pill(row.session.status)


def _cause(row: Row) -> SafeString | str:
    if not row.verdict.cause:
        return ""
    return format_html(
        '<span class="desk-code" title="{}">{}</span>', row.cause_title, row.verdict.cause
    )


def _by(row: Row) -> SafeString:
    names = format_html_join(
        "",
        '<span title="{}: {}">{}</span> ',
        ((label.author, label.outcome or "", label.author.initials) for label in row.labels),
    )
    if not row.verdict.disagrees:
        return names
    icon = desk.icon("arrows-split-2", "s", "reviewers disagree")
    return format_html('{}<span class="warn">{}</span>', names, icon)


def _tokens(row: Row) -> str:
    known = [row.session.input_tokens, row.session.output_tokens]
    return desk.thousands(None if known == [None, None] else sum(each or 0 for each in known))


def _full(row: Row, key: str) -> str:
    """Return the whole of what a narrow column cuts off."""
    session = row.session
    match key:
        case "model":
            return ", ".join(session.model_names)
        case "queue":
            return ", ".join(row.queues)
        case "customer":
            return session.customer
        case "agent":
            return session.agent_name
        case "words":
            return session.title
    return ""


_CELLS: dict[str, Callable[[Row], str | SafeString]] = {
    "started": lambda row: desk.when(row.session.started_at),
    "outcome": _outcome,
    "cause": _cause,
    "agent": lambda row: row.session.agent_name,
    "version": lambda row: row.session.version_name,
    "model": lambda row: ", ".join(row.session.model_names[:3]),
    "status": _status,
    "steps": lambda row: desk.thousands(row.session.num_steps),
    "errors": lambda row: desk.thousands(row.session.num_errors),
    "tokens": _tokens,
    "took": lambda row: desk.took(row.session),
    "cost": lambda row: desk.money(row.session.cost_usd),
    "source": lambda row: row.session.get_source_display(),
    "by": _by,
    "queue": lambda row: ", ".join(row.queues),
}
