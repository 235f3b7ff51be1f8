"""Reading a judge's answer: one verdict of the list with a reason, or nonsense. Pure."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from traces.clean import clean_text

LONGEST_REASON = 4_000
_LONGEST_QUOTE = 120


class NonsenseError(ValueError):
    """The answer holds no verdict; the text says what is wrong with it.

    Attributes:
        said: The answer itself.
    """

    def __init__(self, problem: str, said: str = "") -> None:
        super().__init__(problem)
        self.said = said


@dataclass(frozen=True)
class Answer:
    """What a judge says."""

    verdict: str
    reason: str


def read_answer(content: str | None, verdicts: Collection[str]) -> Answer:
    """Return the verdict and the reason of an answer.

    A code fence around the JSON is forgiven: models that know no JSON schema like to write one.

    Raises:
        NonsenseError: It is no JSON object, its verdict is none of `verdicts`, or it has no reason.
    """
    text = _unfenced((content or "").strip())
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NonsenseError(f"it answered with {_quote(text)}, which is no JSON", text) from error
    if not isinstance(said, dict):
        raise NonsenseError(f"it answered with {_quote(text)}, which is no JSON object", text)
    verdict, reason = said.get("verdict"), said.get("reason")
    if not isinstance(verdict, str) or verdict not in verdicts:
        known = ", ".join(verdicts)
        raise NonsenseError(f"its verdict is {_quote(json.dumps(verdict))}, none of {known}", text)
    reason = clean_text(reason).strip() if isinstance(reason, str) else ""
    if not reason:
        raise NonsenseError("it gave a verdict without a reason", text)
    return Answer(verdict, reason[:LONGEST_REASON])


def _unfenced(text: str) -> str:
    if text.startswith("```") and text.endswith("```"):
        return text.strip("`").removeprefix("json").strip()
    return text


def _quote(text: str) -> str:
    line = " ".join(clean_text(text).split())
    shown = line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 1] + "…"
    return f"“{shown}”" if shown else "nothing"
