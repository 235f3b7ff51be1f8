"""Build tabler.desk.css, the rules of tabler.min.css that the desk uses: python build_css.py.

A rule stays if every class in its selector is a word somewhere in the templates, the scripts or the
desk's Python; so does one without a class. A fifth is left to fetch and to parse.
"""

import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[2]
SOURCES = ("templates/**/*.html", "static/js/*.js", "reviewdesk/**/*.py")
BUILT = HERE / "tabler.desk.css"
_WORD = re.compile(r"[A-Za-z][\w-]*")
_CLASS = re.compile(r"\.((?:[\w-]|\\.)+)")
_INNER = re.compile(r":(?:not|is|where|has)\([^()]*\)")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_NESTING = ("@media", "@supports", "@layer", "@container")


def used_words() -> set[str]:
    """Return every word of the sources: a class that is not among them is used nowhere."""
    files = (file for pattern in SOURCES for file in CHECKOUT.glob(pattern))
    return {word for file in files for word in _WORD.findall(file.read_text())}


def used_rules(words: set[str]) -> list[str]:
    """Return what is used of Tabler, a rule each."""
    return list(_kept((HERE / "tabler.min.css").read_text(), words))


def _kept(text: str, words: set[str]) -> Iterator[str]:
    for head, body in _rules(text):
        if body is None:
            yield head
        elif head.startswith(_NESTING):
            inner = "".join(_kept(body, words))
            if inner:
                yield f"{head}{{{inner}}}"
        elif head.startswith("@"):
            yield f"{head}{{{body}}}"
        else:
            selectors = [each for each in _split(head) if _is_used(each, words)]
            if selectors:
                yield f"{','.join(selectors)}{{{body}}}"


def _is_used(selector: str, words: set[str]) -> bool:
    classes = _CLASS.findall(_INNER.sub("", selector))
    return all(name.replace("\\", "") in words for name in classes)


def _rules(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield head and body of each rule; of a statement like @charset there is no body."""
    text = _COMMENT.sub("", text)
    depth = start = body_start = 0
    head = ""
    for at, letter in _outside_strings(text):
        if letter == "{":
            if depth == 0:
                head, body_start = text[start:at].strip(), at + 1
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == 0:
                yield head, text[body_start:at]
                start = at + 1
        elif letter == ";" and depth == 0:
            yield text[start : at + 1].strip(), None
            start = at + 1


def _outside_strings(text: str) -> Iterator[tuple[int, str]]:
    quote = ""
    for at, letter in enumerate(text):
        if quote:
            if letter == quote and text[at - 1] != "\\":
                quote = ""
        elif letter in "\"'":
            quote = letter
        else:
            yield at, letter


def _split(selectors: str) -> list[str]:
    """Return the selectors of a list; commas inside brackets belong to them."""
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(selectors):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append(selectors[start:at])
            start = at + 1
    return [*parts, selectors[start:]]


if __name__ == "__main__":
    full = (HERE / "tabler.min.css").read_text()
    licence = full[full.index("/*!") : full.index("*/") + 2]
    charset, *rules = used_rules(used_words())
    BUILT.write_text("\n".join([charset, licence, *rules]) + "\n")
