"""Two conversations step by step: which step of one answers to which of the other."""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

# Cells of the table that the best alignment is computed in: 0.2 s of work.
MAX_CELLS = 90_000
_WORD = re.compile(r"\w+")

Match = tuple[int | None, int | None]


@dataclass(frozen=True)
class Line:
    """A step as it is compared.

    Attributes:
        kind: "said", "call" or "trouble".
        name: Who said it, or the tool's name.
        text: What was said, or what went wrong; of a call, arguments and result on one line.
        arguments: Of a call: (name, value) of each plain value, in order.
        result: Likewise.
    """

    span_id: str
    kind: str
    name: str
    text: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    result: tuple[tuple[str, str], ...] = ()
    duration_ns: int = 0
    is_failed: bool = False

    @property
    def sort(self) -> Hashable:
        """Return what two steps must have in common to stand beside each other."""
        return self.kind, self.name

    @property
    def key(self) -> Hashable:
        """Return what two steps have in common that are the same; results may differ."""
        return self.kind, self.name, self.arguments or self.text

    @cached_property
    def words(self) -> frozenset[str]:
        """Return the words of what was said, or the values of the arguments."""
        if self.kind == "call":
            return frozenset(f"{name}={value}" for name, value in self.arguments)
        return frozenset(_WORD.findall(self.text[:4000].lower()))


def align(left: Sequence[Line], right: Sequence[Line]) -> list[Match]:
    """Return every step of both once, in order: beside each other, or alone (None).

    Where both are short enough (`MAX_CELLS`) it is the alignment with the most in common
    (Needleman and Wunsch 1970, with gaps that cost nothing); longer ones are cut at steps that are
    the same, and what is still too long between is aligned by kind and name.
    """
    if len(left) * len(right) <= MAX_CELLS:
        return _best(left, right)
    return _by_blocks(left, right, is_exact=True)


def likeness(left: Line, right: Line) -> float:
    """Return how much two steps have in common, 0-1; steps of another kind or name have nothing."""
    if left.sort != right.sort:
        return 0.0
    if left.key == right.key:
        return 1.0
    both = left.words | right.words
    return 0.3 + 0.6 * (len(left.words & right.words) / len(both) if both else 1.0)


def _by_blocks(left: Sequence[Line], right: Sequence[Line], *, is_exact: bool) -> list[Match]:
    first, second = (
        [line.key if is_exact else line.sort for line in side] for side in (left, right)
    )
    matches: list[Match] = []
    for tag, i, j, k, m in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if tag == "equal":
            matches += [(i + n, k + n) for n in range(j - i)]
            continue
        if (j - i) * (m - k) <= MAX_CELLS:
            block = _best(left[i:j], right[k:m])
        elif is_exact:
            block = _by_blocks(left[i:j], right[k:m], is_exact=False)
        else:
            block = [(n, None) for n in range(j - i)] + [(None, n) for n in range(m - k)]
        matches += [(None if a is None else a + i, None if b is None else b + k) for a, b in block]
    return matches


def _best(left: Sequence[Line], right: Sequence[Line]) -> list[Match]:
    scores = _scores(left, right)
    matches: list[Match] = []
    a = b = 0
    while a < len(left) and b < len(right):
        here = scores[a][b]
        likes = likeness(left[a], right[b])
        if likes and here == scores[a + 1][b + 1] + likes:
            matches.append((a, b))
            a, b = a + 1, b + 1
        elif here == scores[a + 1][b]:
            matches.append((a, None))
            a += 1
        else:
            matches.append((None, b))
            b += 1
    matches += [(n, None) for n in range(a, len(left))]
    return matches + [(None, n) for n in range(b, len(right))]


def _scores(left: Sequence[Line], right: Sequence[Line]) -> list[list[float]]:
    """Return how much the rests from each pair of places on have in common at best."""
    below = [0.0] * (len(right) + 1)
    scores = [below]
    for one in reversed(left):
        row = [0.0] * (len(right) + 1)
        for b in range(len(right) - 1, -1, -1):
            best = max(below[b], row[b + 1])
            likes = likeness(one, right[b])
            row[b] = max(best, below[b + 1] + likes) if likes else best
        scores.append(row)
        below = row
    scores.reverse()
    return scores
