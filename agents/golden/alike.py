"""Grouping short texts by their words: TF-IDF and k-means, always with the same outcome. Pure."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

MOST_WORDS = 2_000
MOST_GROUPS = 20
_SEED = 20_261_121
_ROUNDS = 25
_STARTS = 3
_MOST_TERMS = 30
_LONGEST = 30
# A word that most texts have tells nothing.
_TOO_COMMON = 0.5
_SMALLEST_SHARE = 0.01
_WORD = re.compile(r"[^\W\d_]+")
# Who somebody is says nothing about what they want.
_WHO = re.compile(r"\S+@\S+|https?://\S+|⟦[^⟧]*⟧|\b(?:zip|postal) code\b", re.IGNORECASE)
_SMALL_WORDS = (
    "a about account all also am an and another any anything are as at be because been but by can "
    "cannot could customer did do does doing don email for from get got guy had has have having he "
    "hello help her here hey hi him his how i if in is it its just know let ll like look mail me "
    "most my name need no not now of on one only or our out please re really recent recently s she "
    "should so some something still t than thank thanks that the their them then there these they "
    "thing this those to today too two under up us ve very want was we were what when where which "
    "who why will wish with would yes you your zip"
)
_SMALL = frozenset(_SMALL_WORDS.split())

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """Texts that are alike.

    Attributes:
        terms: The heaviest words of the centre, with their weights.
        members: Numbers of its texts, those nearest to the centre first.
    """

    terms: dict[str, float]
    members: tuple[int, ...]


def words_in(text: str) -> list[str]:
    """Return the words that tell what a text is about, plurals as singulars, each once."""
    found = (word.casefold() for word in _WORD.findall(_WHO.sub(" ", text)))
    return list(
        dict.fromkeys(
            _singular(word) for word in found if 1 < len(word) <= _LONGEST and word not in _SMALL
        )
    )


def likeness(words: Sequence[str], terms: Mapping[str, float], known: Mapping[str, float]) -> float:
    """Return how like a group's centre a text is, from 0 to 1.

    Args:
        words: Of the text, as `words_in` returns them.
        terms: Of the group.
        known: Terms of all groups; other words of the text do not count.
    """
    num = sum(word in known for word in words)
    length = math.sqrt(sum(weight * weight for weight in terms.values()))
    if not num or not length:
        return 0.0
    return sum(terms.get(word, 0.0) for word in words) / (math.sqrt(num) * length)


def cosine(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    """Return how alike two centres are, from 0 to 1."""
    lengths = [math.sqrt(sum(weight**2 for weight in each.values())) for each in (left, right)]
    if not all(lengths):
        return 0.0
    shared = sum(weight * right.get(word, 0.0) for word, weight in left.items())
    return shared / (lengths[0] * lengths[1])


def group_texts(texts: Sequence[str]) -> list[Group]:
    """Return groups of texts that are alike, the largest first; odd ones out are in none."""
    bags = [words_in(text) for text in texts]
    vocabulary = _vocabulary(bags)
    rows = [number for number, bag in enumerate(bags) if any(word in vocabulary for word in bag)]
    if len(rows) < 2:
        return []
    matrix = _matrix([bags[number] for number in rows], vocabulary)
    centres, labels = _cluster(matrix, _num_groups(len(rows)))
    near = np.asarray(matrix @ centres.T)
    names = list(vocabulary)
    groups = []
    for number in range(len(centres)):
        inside = np.flatnonzero(labels == number)
        if len(inside) >= max(2, _SMALLEST_SHARE * len(rows)):
            ordered = inside[np.argsort(-near[inside, number], kind="stable")]
            members = tuple(rows[index] for index in ordered)
            groups.append(Group(_terms(centres[number], names), members))
    return sorted(groups, key=lambda group: (-len(group.members), group.members))


def _num_groups(num_texts: int) -> int:
    return max(2, min(MOST_GROUPS, round(math.sqrt(num_texts / 3))))


def _singular(word: str) -> str:
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith(("ches", "shes", "xes", "sses")) else word[:-1]


def _vocabulary(bags: Sequence[Sequence[str]]) -> dict[str, tuple[int, float]]:
    """Return the words to go by: their columns and how telling they are."""
    counts = Counter(word for bag in bags for word in bag)
    most = max(2.0, _TOO_COMMON * len(bags))
    fit = [(word, num) for word, num in counts.items() if 2 <= num <= most]
    kept = sorted(fit, key=lambda pair: (-pair[1], pair[0]))[:MOST_WORDS]
    return {
        word: (column, math.log((1 + len(bags)) / (1 + num)) + 1)
        for column, (word, num) in enumerate(kept)
    }


def _matrix(
    bags: Sequence[Sequence[str]], vocabulary: Mapping[str, tuple[int, float]]
) -> sparse.csr_array:
    values: list[float] = []
    columns: list[int] = []
    ends = [0]
    for bag in bags:
        known = [vocabulary[word] for word in bag if word in vocabulary]
        length = math.sqrt(sum(weight * weight for _, weight in known))
        columns += [column for column, _ in known]
        values += [weight / length for _, weight in known]
        ends.append(len(values))
    shape = (len(bags), len(vocabulary))
    return sparse.csr_array((values, columns, ends), shape=shape)  # type: ignore[no-untyped-call]


def _cluster(matrix: sparse.csr_array, num: int) -> tuple[Vector, NDArray[np.int64]]:
    """Return the best of a few starts of spherical k-means: centres and each row's group."""
    random = np.random.default_rng(_SEED)
    runs = [_one_start(matrix, num, random) for _ in range(_STARTS)]
    centres, labels, _ = max(runs, key=lambda run: run[2])
    return centres, labels


def _one_start(
    matrix: sparse.csr_array, num: int, random: np.random.Generator
) -> tuple[Vector, NDArray[np.int64], float]:
    centres = _first_centres(matrix, num, random)
    labels = np.full(matrix.shape[0], -1, dtype=np.int64)
    score = 0.0
    for _ in range(_ROUNDS):
        near = np.asarray(matrix @ centres.T)
        newest = near.argmax(axis=1)
        score = float(near.max(axis=1).sum())
        if np.array_equal(newest, labels):
            break
        labels = newest
        centres = _means(matrix, labels, centres)
    return centres, labels, score


def _first_centres(matrix: sparse.csr_array, num: int, random: np.random.Generator) -> Vector:
    """Choose rows far from each other, as k-means++ does."""
    chosen = [int(random.integers(matrix.shape[0]))]
    far = np.ones(matrix.shape[0])
    while len(chosen) < min(num, matrix.shape[0]):
        last = matrix[[chosen[-1]]].toarray()[0]
        far = np.minimum(far, np.clip(1 - np.asarray(matrix @ last), 0, None) ** 2)
        if far.sum() < 1e-9:
            break
        chosen.append(int(random.choice(len(far), p=far / far.sum())))
    return np.asarray(matrix[chosen].toarray(), dtype=np.float64)


def _means(matrix: sparse.csr_array, labels: NDArray[np.int64], centres: Vector) -> Vector:
    """Return the mean direction of each group; one without rows keeps its centre."""
    rows = np.arange(len(labels))
    shape = (len(centres), len(labels))
    belongs = sparse.csr_array((np.ones(len(labels)), (labels, rows)), shape=shape)  # type: ignore[no-untyped-call]
    sums = np.asarray((belongs @ matrix).toarray(), dtype=np.float64)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1), centres)


def _terms(centre: Vector, names: Sequence[str]) -> dict[str, float]:
    heaviest = np.argsort(-centre, kind="stable")[:_MOST_TERMS]
    return {names[index]: round(float(centre[index]), 4) for index in heaviest if centre[index] > 0}
