"""Customers of golden tests who are played: by lines, or by a model with a goal. Pure.

A scripted customer says the first line that it has not said yet and whose `when` is in the agent's
last answer, and leaves when none is. A simulated one is a model that is told its goal and says
`DONE` when it has what it wants, or sees that it will not get it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

DONE = "DONE"
ANY = "*"
_LONGEST = 4000
_TASK = """You play the customer of a support desk in a test. You are not an assistant.

What you want:
{goal}

Say what this customer would say next, in one short message, in the customer's own words and
language. Give only facts that stand above; where you are asked for another one, say that you do not
have it. Answer questions; agree only to what you want. When you have what you want, or are told
for certain that you will not get it, or are handed over to a person, answer with the one word
{done} and nothing else."""


def next_line(lines: Sequence[Mapping[str, str]], said: Sequence[str], answer: str) -> str | None:
    """Return what a scripted customer says to an answer; None if it has nothing to say.

    Args:
        lines: `[{when, say}]`; `when` is part of the answer, case and spaces apart, or `*`.
        said: What the customer has said by the script so far.
        answer: The agent's last words.
    """
    left = list(said)
    for line in lines:
        if line["say"] in left:
            left.remove(line["say"])
        elif line["when"] == ANY or _folded(line["when"]) in _folded(answer):
            return line["say"]
    return None


def customer_messages(goal: str, conversation: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return what the model that plays the customer is asked.

    Args:
        goal: What the customer wants and knows.
        conversation: Speaker (`customer` or `agent`) and words, from the beginning. The model
            sees it from the customer's side: the agent's words are what it answers to.
    """
    roles = {"customer": "assistant", "agent": "user"}
    task = _TASK.format(goal=goal, done=DONE)
    return [
        {"role": "system", "content": task},
        *({"role": roles[speaker], "content": words} for speaker, words in conversation),
    ]


def words_of(content: str | None) -> str | None:
    """Return what a simulated customer says; None if it has left."""
    words = (content or "").strip()
    if not words or words.strip(".!#* ").upper() == DONE:
        return None
    return words[:_LONGEST]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
