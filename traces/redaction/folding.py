"""Text as it is read, whichever way it is written: the form in which values are looked for.

Full-width characters, the digits of other scripts, spaces that do not break and characters that
are not seen stand in what people paste, `%40` in every address that holds an e-mail address.
"""

import re
from unicodedata import decimal

_SPACES = [0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000]
_HYPHENS = [*range(0x2010, 0x2014), 0x2212]
_UNSEEN = [0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF]
# `re` looks quickly for a class of these, slowly for one with characters beyond.
_END = 0x10000
_PLAIN = {
    **{code: str(decimal(chr(code))) for code in range(128, _END) if chr(code).isdecimal()},
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys(_SPACES, " "),
    **dict.fromkeys(_HYPHENS, "-"),
    **dict.fromkeys(_UNSEEN, ""),
}
_AT = r"%40|&#(?:64|[xX]40);|&commat;|\\+u0040"
_LETTERS = f"[{re.escape(''.join(map(chr, _PLAIN)))}]"
# Alone, for `re` looks for one class quickly and for several things slowly.
_ODD_LETTER = re.compile(_LETTERS)
_ODD = re.compile(f"{_LETTERS}|{_AT}")


def fold(text: str) -> str:
    """Return the text in its plain form; the same object where it is plain, as most is."""
    return _ODD.sub(_plain, text) if _is_odd(text) else text


def fold_with_places(text: str) -> tuple[str, list[int]]:
    """Return the plain form, and where each of its characters, and its end, stands in the text.

    No places where the text is plain.
    """
    if not _is_odd(text):
        return text, []
    parts: list[str] = []
    places: list[int] = []
    at = 0
    for match in _ODD.finditer(text):
        parts += [text[at : match.start()], plain := _plain(match)]
        places += range(at, match.start())
        places += [match.start()] * len(plain)
        at = match.end()
    parts.append(text[at:])
    places += range(at, len(text) + 1)
    return "".join(parts), places


def _is_odd(text: str) -> bool:
    if "%40" in text or "&#" in text or "u0040" in text or "&commat;" in text:
        return True
    return not text.isascii() and _ODD_LETTER.search(text) is not None


def _plain(match: re.Match[str]) -> str:
    found = match[0]
    if len(found) > 1:
        return "@"
    plain = _PLAIN[ord(found)]
    # A dash parts groups of digits; elsewhere it parts sentences.
    if plain == "-" and not _is_between_digits(match.string, match.start()):
        return found
    return plain


def _is_between_digits(text: str, at: int) -> bool:
    return text[at - 1 : at].isdecimal() and text[at + 1 : at + 2].isdecimal()
