"""Links in what an agent says, and where they lead. Pure."""

import re
from urllib.parse import urlsplit

# As browsers and renderers of Markdown take them: one slash or many, backslashes too, and www.
_LINKS = re.compile(r"(?:https?:[\\/]+|[\\/]{2}|\bwww\.(?=\w))[^\s<>\"'`\])}]+", re.IGNORECASE)
_BEGINNING = re.compile(r"(?:https?:)?[\\/]*", re.IGNORECASE)


def links_in(text: str) -> list[str]:
    """Return the links and pictures' addresses of a text, in order, as they are written."""
    return _LINKS.findall(text)


def host_of(link: str) -> str:
    """Return the host to which a browser would follow a link; empty where that cannot be told."""
    rest = _BEGINNING.sub("", link, count=1).replace("\\", "/")
    try:
        return (urlsplit(f"//{rest}").hostname or "").casefold().strip(".")
    except ValueError:
        return ""
