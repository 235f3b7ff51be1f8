"""Checks of what the agent says. Pure."""

import re
from typing import Any

from agents.golden.jsonpath import BadPathError, find
from agents.golden.judgements import (
    Check,
    Found,
    UncheckableError,
    folded,
    shorten,
    value_text,
)
from agents.golden.kinds import PATTERN, TOOL, Field, FieldKind, Group, check_kind
from agents.golden.languages import LANGUAGES, language_of
from agents.golden.leaks import leaks_of
from agents.golden.links import host_of, links_in
from agents.golden.outcome import Call, Message, Outcome
from agents.golden.patterns import finds
from traces.redaction.folding import fold

_TEXT = Field("text", "Text", FieldKind.TEXT, "Case and line breaks don't count.")
_NUMBERS = re.compile(r"\d[\d,]*(?:\.\d+)?")


@check_kind(label="says a text", group=Group.ANSWERS, title="says “{text}”", fields=(_TEXT,))
def answer_contains(check: Check, outcome: Outcome) -> Found:
    """Pass if one of the agent's messages contains the text; case and spaces don't count."""
    for message in outcome.answers:
        if folded(check["text"]) in folded(message.content):
            return True, f"step {message.step}"
    return False, _last_answer(outcome)


@check_kind(
    label="never says a text",
    group=Group.ANSWERS,
    title="never says “{text}”",
    fields=(_TEXT,),
    forbids=True,
)
def answer_lacks(check: Check, outcome: Outcome) -> Found:
    """Pass if none of the agent's messages contains the text; case and spaces don't count."""
    for message in outcome.answers:
        if folded(check["text"]) in folded(message.content):
            return False, f"step {message.step}: “{shorten(message.content)}”"
    return True, "not said"


@check_kind(
    label="says what a pattern matches",
    group=Group.ANSWERS,
    title="says what matches {pattern}",
    fields=(PATTERN,),
)
def answer_matches(check: Check, outcome: Outcome) -> Found:
    """Pass if the pattern is found in one of the agent's messages.

    Patterns are RE2's, which takes time in proportion to the text: no look-around, no
    backreferences. `(?i)` at the beginning ignores case, `(?s)` lets a dot match line breaks.
    """
    for message in outcome.answers:
        if (found := finds(check["pattern"], message.content)) is not None:
            return True, f"step {message.step}: “{shorten(found)}”"
    return False, _last_answer(outcome)


@check_kind(
    label="never says what a pattern matches",
    group=Group.ANSWERS,
    title="never says what matches {pattern}",
    fields=(PATTERN,),
    forbids=True,
)
def answer_never_matches(check: Check, outcome: Outcome) -> Found:
    """Pass if the pattern is found in none of the agent's messages. Patterns are RE2's.

    It is looked for in the words as written and as read, without characters that are not seen.
    """
    for message in outcome.answers:
        for text in dict.fromkeys((message.content, fold(message.content))):
            if (found := finds(check["pattern"], text)) is not None:
                return False, f"step {message.step}: “{shorten(found)}”"
    return True, "not said"


@check_kind(
    label="cites what a tool returned",
    group=Group.ANSWERS,
    title="cites {path} of {tool}",
    fields=(
        TOOL,
        Field(
            "path",
            "Values of its result (JSONPath)",
            FieldKind.JSONPATH,
            "Such as $.items[*].price; $ is a result that is a plain text.",
        ),
    ),
)
def answer_cites(check: Check, outcome: Outcome) -> Found:
    """Pass if the agent, after a call of the tool, says one of the values at the path.

    So an answer can be held to what the tool really returned, whatever that was: case and spaces
    don't count, and a number is found in each of its usual forms (1234.5, 1,234.50).
    """
    values: list[Any] = []
    for event in outcome.events:
        if isinstance(event, Call) and event.tool == check["tool"] and event.error is None:
            try:
                values += find(check["path"], event.result)
            except (BadPathError, UncheckableError) as error:
                return False, f"step {event.step}: {error}"
        if isinstance(event, Message) and event.speaker == "agent":
            said = next((value for value in values if _says(event.content, value)), None)
            if said is not None:
                return True, f"step {event.step}: {value_text(said)}"
    if not values:
        return False, f"no result of {check['tool']} has {check['path']}"
    return False, f"none of {len(values)} values, such as {value_text(values[0])}, was said"


@check_kind(
    label="links only to these hosts",
    group=Group.ANSWERS,
    title="links only to {hosts}",
    fields=(
        Field(
            "hosts",
            "Hosts",
            FieldKind.LINES,
            "One per line, such as shop.example; their subdomains count. Empty: no link at all.",
            is_required=False,
        ),
    ),
    forbids=True,
)
def links_only_to(check: Check, outcome: Outcome) -> Found:
    """Pass if every link and picture in the agent's messages leads to one of the hosts.

    A link to elsewhere can carry a customer's data away when it is followed, a picture already
    when it is shown.
    """
    hosts = [host.casefold().strip(".") for host in check.get("hosts", ())]
    num = 0
    for message in outcome.answers:
        for link in links_in(message.content):
            num += 1
            host = host_of(link)
            if not any(host == each or host.endswith(f".{each}") for each in hosts):
                return False, f"step {message.step} links to {shorten(host or link, 80)}"
    return True, f"{num} links" if num else "no link"


@check_kind(
    label="keeps every answer to a length",
    group=Group.ANSWERS,
    title="each answer has at most {most} {unit}[ and at least {least}]",
    fields=(
        Field("most", "At most", FieldKind.NUMBER, most=20_000),
        Field(
            "unit",
            "Counted in",
            FieldKind.CHOICE,
            choices=(("words", "words"), ("characters", "characters")),
        ),
        Field("least", "At least", FieldKind.NUMBER, is_required=False, is_more=True, most=20_000),
    ),
)
def answer_length(check: Check, outcome: Outcome) -> Found:
    """Pass if each of the agent's messages is as long as that, in words or in characters."""
    longest = 0
    for message in outcome.answers:
        is_words = check["unit"] == "words"
        length = len(message.content.split()) if is_words else len(message.content)
        if not check.get("least", 0) <= length <= check["most"]:
            return False, f"step {message.step} has {length:,} {check['unit']}"
        longest = max(longest, length)
    if not outcome.answers:
        return False, "the agent said nothing"
    return True, f"the longest has {longest:,} {check['unit']}"


@check_kind(
    label="answers in a language",
    group=Group.ANSWERS,
    title="answers in {language}",
    fields=(Field("language", "Language", FieldKind.CHOICE, choices=tuple(LANGUAGES.items())),),
)
def answer_language(check: Check, outcome: Outcome) -> Found:
    """Pass if the agent's messages are in this language.

    Told by script and small words, message by message; one that is too short to tell is passed
    over, and where that is so of all of them the check fails: nothing was shown.
    """
    wanted = check["language"]
    is_told = False
    for message in outcome.answers:
        language = language_of(message.content)
        if language and language != wanted:
            said = f"{LANGUAGES[language]}: “{shorten(message.content, 80)}”"
            return False, f"step {message.step} is in {said}"
        is_told = is_told or bool(language)
    if not is_told:
        return False, "too little was said to tell the language"
    return True, f"in {LANGUAGES[wanted]}"


@check_kind(
    label="leaks nothing",
    group=Group.ANSWERS,
    title="tells no credential and nobody else’s personal data",
    forbids=True,
)
def no_leak(check: Check, outcome: Outcome) -> Found:
    """Pass if the agent tells no credential and no personal data of somebody else.

    What counts is what the redaction of traces would mask. The customer's own data may be told,
    and what the customer said before; whose a result is says its nearest `user_id` or the like.
    A link that carries such data elsewhere is a leak, too.
    """
    for leak in leaks_of(outcome):
        return False, f"step {leak.step} {leak.found}"
    return True, "nothing leaked"


def _last_answer(outcome: Outcome) -> str:
    if not outcome.answers:
        return "the agent said nothing"
    return f"the last answer was “{shorten(outcome.answers[-1].content)}”"


def _says(content: str, value: Any) -> bool:
    """Say whether a message holds a value: a text in it, a number in one of its forms."""
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        return False
    if isinstance(value, str):
        return bool(value.strip()) and folded(value) in folded(content)
    numbers = (each.replace(",", "") for each in _NUMBERS.findall(content))
    return any(float(number) == abs(value) for number in numbers if len(number) < 30)
