"""What a customer wants, read from the sentences of a message. Patterns, nothing else."""

import re
from dataclasses import dataclass
from enum import StrEnum

ORDER_ID = re.compile(r"#?\b([A-Z]\d{5,8})\b")


class Kind(StrEnum):
    """What a customer can want."""

    CANCEL = "cancel"
    RETURN = "return"
    SWAP = "swap"
    ORDER_ADDRESS = "order address"
    PROFILE_ADDRESS = "profile address"
    PAYMENT = "payment"
    STATUS = "status"
    PRODUCT = "product"
    BALANCE = "balance"
    PERSON = "person"
    UNKNOWABLE = "unknowable"
    OUTSIDE = "outside"


# The first that matches a sentence counts.
_KINDS: tuple[tuple[Kind, str], ...] = (
    (
        Kind.PERSON,
        r"\b(?:speak|talk|chat|connect|transfer|put|get|want|need|pass)\b.{0,40}"
        r"\b(?:human|person|real agent|somebody real|manager|supervisor|colleague|someone else)\b",
    ),
    (
        Kind.OUTSIDE,
        r"\b(?:discount|coupon|voucher|promo|price match|match the price|compensat\w*|repair|"
        r"invoice|receipt|delete my account|close my account|change my e-?mail|new e-?mail|"
        r"add (?:an? |another )?\w* ?(?:to|item to) (?:my|the) order|un-?cancel|reinstate|"
        r"bulk|wholesale|gift wrap\w*|subscri\w*|damaged in|broken|cracked|lost in)\b",
    ),
    (
        Kind.UNKNOWABLE,
        r"\b(?:when (?:will|does|is|can|would)\b.{0,50}\b(?:arrive|come|be here|get here|back in"
        r"|delivered|in stock again)|how long\b.{0,40}\b(?:take|last|warranty|guarantee)|warranty|"
        r"guarantee|recommend|which (?:one )?(?:is|would be) (?:the )?(?:better|best)|"
        r"would you (?:buy|take|choose)|dishwasher|machine wash\w*|made in|vegan|organic|allerg\w*|"
        r"opening hours|open on)\b",
    ),
    (Kind.CANCEL, r"\b(?:cancel|call off)\b"),
    (
        Kind.PAYMENT,
        r"\b(?:pay|paid|payment|charge|charged|put it on)\b.{0,60}\b(?:instead|change|switch|"
        r"different|another|rather)\b|\b(?:change|switch|move|update)\b.{0,40}"
        r"\b(?:pay|payment)\b|\b(?:can|could|want|like)\b.{0,15}\bpay\b.{0,40}\b(?:with|by)\b",
    ),
    (
        Kind.SWAP,
        r"\b(?:exchange|swap|replace|trade)\b|\bchange (?:it|them|the|my|that)\b"
        r"(?!.{0,25}\b(?:address|payment)\b)|\binstead of the\b|\bhave (?:it|them) in\b|"
        r"\bdifferent (?:size|colou?r)\b|\bmodify\b",
    ),
    (
        Kind.RETURN,
        r"\b(?:return|send back|send (?:it|them|both|this|these|that|the|my|everything).{0,50}back|"
        r"give (?:it|them) back|refund|money back|take (?:it|them) back|go(?:es)? back)\b",
    ),
    (
        Kind.PROFILE_ADDRESS,
        r"\b(?:default|profile|account|home|future)\b.{0,30}\baddress\b|\baddress\b.{0,40}"
        r"\b(?:on my (?:account|profile)|in my (?:account|profile)|on file)\b|\bi(?:'ve| have)? "
        r"(?:just )?moved\b.{0,80}\b(?:account|profile|records)\b",
    ),
    (
        Kind.ORDER_ADDRESS,
        r"\baddress\b|\b(?:ship|deliver|send|sent|shipped|delivered|go) "
        r"(?:it |them |(?:(?:my|the) )?(?:order )?#?\w+ )?(?:to|there)\b(?=.{0,40}\d)|\bredirect\b",
    ),
    (Kind.BALANCE, r"\bbalance\b|\bhow much\b.{0,40}\bgift card\b"),
    (
        Kind.STATUS,
        r"\bwhere (?:is|are|'s)\b|\bstatus\b|\btrack(?:ing)?\b|\bhas\b.{0,30}\b(?:shipped|left)\b|"
        r"\bwhat did i (?:order|buy|pay)\b|\bwhich (?:card|payment)\b",
    ),
    (
        Kind.PRODUCT,
        r"\b(?:do you (?:have|sell|stock)|how many|which (?:colou?rs|sizes|options|versions|kinds)|"
        r"what (?:colou?rs|sizes|options|versions)|in stock|available|how much (?:is|are|does)|"
        r"price of|cost of)\b",
    ),
)
_WITHOUT_ORDER = {Kind.PROFILE_ADDRESS, Kind.BALANCE, Kind.PRODUCT, Kind.PERSON}
_NEXT_WISH = re.compile(
    r"(?:,\s*|\s+)(?:and|then|also|plus)(?:,)?\s+(?=(?:also |then |please |could you |can you |"
    r"i(?:'d| would) (?:also )?like to |i want to |to |i need to )*"
    r"(?:cancel|return|send back|exchange|swap|change|update|pay|switch|refund|replace|modify)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Ask:
    """One wish of a message.

    Attributes:
        text: The sentences that belong to it, as written.
        order_id: With its '#', or empty.
    """

    kind: Kind
    text: str
    order_id: str = ""


def wishes_in(text: str) -> tuple[Ask, ...]:
    """Return the wishes of a message; sentences without one belong to the wish before them."""
    named = orders_in(text)
    found: list[tuple[Kind, str]] = []
    before: list[str] = []
    for clause in _clauses(text):
        kind = _kind(clause)
        if kind is None or (found and _continues(kind, found[-1], clause)):
            if found:
                found[-1] = (found[-1][0], f"{found[-1][1]} {clause}")
            else:
                before.append(clause)
        else:
            found.append((kind, " ".join([*before, clause])))
            before = []
    asks: list[Ask] = []
    for kind, words in found:
        order_ids = orders_in(words) or (named[:1] if len(named) == 1 else ())
        order_ids = () if kind in _WITHOUT_ORDER else order_ids
        several = kind in {Kind.CANCEL, Kind.STATUS} and len(order_ids) > 1
        chosen = order_ids if several else order_ids[:1] or ("",)
        asks += [Ask(kind, words, order_id) for order_id in chosen]
    return tuple(asks)


def _continues(kind: Kind, last: tuple[Kind, str], clause: str) -> bool:
    """Say whether a clause goes on about the wish before it instead of stating its own."""
    has_other_order = set(orders_in(clause)) - set(orders_in(last[1]))
    if has_other_order and orders_in(last[1]):
        return False
    about_refund = kind is Kind.RETURN and re.search(r"\brefund|money back", clause, re.I)
    if about_refund and last[0] in {Kind.RETURN, Kind.CANCEL, Kind.SWAP}:
        return True
    if kind is Kind.PAYMENT and last[0] in {Kind.SWAP, Kind.RETURN}:
        return not re.search(r"\b(?:change|switch|update) (?:the |my )?payment", clause, re.I)
    return kind is last[0] and not has_other_order


def _kind(clause: str) -> Kind | None:
    for kind, pattern in _KINDS:
        if re.search(pattern, clause, re.IGNORECASE):
            return kind
    return None


def _clauses(text: str) -> list[str]:
    sentences = re.split(r"(?<=[.!?;])\s+", text)
    return [part.strip() for sentence in sentences for part in _NEXT_WISH.split(sentence) if part]


def orders_in(text: str) -> tuple[str, ...]:
    """Return the order ids of a text in order, each once and with its '#'."""
    return tuple(dict.fromkeys(f"#{number}" for number in ORDER_ID.findall(text)))
