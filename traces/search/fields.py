"""The fields of the filter language: what each is called, takes and finds."""

from dataclasses import dataclass
from enum import StrEnum

from traces.models import Session


class Kind(StrEnum):
    """What a field's values are; the value is how a message calls them."""

    TEXT = "a name, with * for any letters"
    CHOICE = "one of its values"
    NUMBER = "a number such as 3, 10k or 1.5M"
    MONEY = "US dollars such as 0.10 or $2"
    DURATION = "a duration such as 500ms, 30s, 5min, 2h or 7d"
    DAY = "a day such as 2026-11-01"


@dataclass(frozen=True)
class Field:
    """A field of the language.

    Attributes:
        help: What a term with it finds.
        example: A term as one would write it.
        choices: The values that there are, where they are few and fixed.
        aliases: Other names that mean the same.
    """

    name: str
    kind: Kind
    help: str
    example: str
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def compares(self) -> bool:
        """Say whether values are compared by < and >."""
        return self.kind in (Kind.NUMBER, Kind.MONEY, Kind.DURATION)


OUTCOMES = ("resolved", "partly", "not-resolved", "wrongly-refused", "harmful")
# What an outcome term may say beside an outcome: of nobody, one of the bad ones, not the same.
OUTCOME_WORDS = ("none", "any", "failed", "disagree")
STATUSES = tuple(value.replace("_", "-") for value in Session.Status.values)

FIELDS: tuple[Field, ...] = (
    Field(
        "outcome",
        Kind.CHOICE,
        "Labelled so; failed is any bad one, none is not labelled, disagree is by reviewers",
        "outcome:not-resolved,harmful",
        (*OUTCOMES, *OUTCOME_WORDS),
        ("label",),
    ),
    Field("cause", Kind.TEXT, "Primary cause of a label", "cause:T2"),
    Field("labelled-by", Kind.TEXT, "Labelled by this person", "labelled-by:ada"),
    Field(
        "score",
        Kind.TEXT,
        "Scored so by a program: any score of this name, =label, or compared by < <= > >= =",
        "score:relevance<0.5",
    ),
    Field("status", Kind.CHOICE, "How it ended, or that it goes on", "status:failed", STATUSES),
    Field("agent", Kind.TEXT, "Agent", "agent:shop-*"),
    Field("version", Kind.TEXT, "Version of the agent", "version:v6"),
    Field("tool", Kind.TEXT, "Called this tool", "tool:refund"),
    Field("model", Kind.TEXT, "Used this model", "model:gpt-4*"),
    Field(
        "customer",
        Kind.TEXT,
        "Customer's name or id; of nobody called just that, a part of it",
        "customer:mia",
    ),
    Field("id", Kind.TEXT, "The session's id here or at its source", "id:order-77*"),
    Field(
        "source",
        Kind.CHOICE,
        "Where it came from",
        "source:otlp",
        tuple(Session.Source.values),
    ),
    Field("cost", Kind.MONEY, "Cost in US dollars", "cost>0.10"),
    Field("tokens", Kind.NUMBER, "Tokens in and out", "tokens>10k"),
    Field("took", Kind.DURATION, "Duration, waits included", "took>30s"),
    Field("working", Kind.DURATION, "Duration of models and tools", "working>5s"),
    Field("steps", Kind.NUMBER, "Steps: models and tools", "steps>=5"),
    Field("errors", Kind.NUMBER, "Failed steps", "errors>0"),
    Field("age", Kind.DURATION, "Started not longer ago than", "age<7d"),
    Field("since", Kind.DAY, "Started on this day (UTC) or later", "since:2026-11-01"),
    Field("until", Kind.DAY, "Started on this day (UTC) or before", "until:2026-11-07"),
    Field("queue", Kind.TEXT, "Waits in this queue", "queue:weekly"),
    Field(
        "has",
        Kind.CHOICE,
        "Has such a thing",
        "has:errors",
        ("errors", "label", "comment", "cost", "tools", "customer", "masked", "queue"),
    ),
    Field(
        "is",
        Kind.CHOICE,
        "Is so; golden shows golden tests' runs, which are else left out",
        "is:ended",
        ("ended", "live", "labelled", "unlabelled", "golden"),
    ),
    Field("golden", Kind.CHOICE, "Golden tests' runs too, or only", "golden:too", ("too", "only")),
    Field("masked", Kind.TEXT, "Had values of this kind masked", "masked:email"),
)
_BY_NAME = {name: field for field in FIELDS for name in (field.name, *field.aliases)}


def field_named(name: str) -> Field | None:
    """Return the field of this name or alias; `_` is as good as `-`, and case does not matter."""
    return _BY_NAME.get(name.lower().replace("_", "-"))
