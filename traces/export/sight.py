"""How much of the sessions an export tells."""

from dataclasses import dataclass

from traces.models import Label


@dataclass(frozen=True)
class Sight:
    """What whoever asked for an export may read.

    Attributes:
        blind_id: A person who labels, and reads others' labels of a session only after completing
            their own. None where there is nobody to keep from them.
        has_masked: Whether what was masked is told, by kind and count.
        has_planted: Whether a request that waits is told to be planted (see `traces.planted`).
    """

    blind_id: int | None = None
    has_masked: bool = True
    has_planted: bool = True

    def labels_of(self, labels: list[Label]) -> list[Label]:
        """Return which of a session's completed labels are told: none, or all."""
        if self.blind_id is None or any(each.author_id == self.blind_id for each in labels):
            return labels
        return []


EVERYTHING = Sight()
