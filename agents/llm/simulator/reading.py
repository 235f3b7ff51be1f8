"""What a customer's message says: identity, wishes, answers. Patterns, nothing else."""

import re
from dataclasses import dataclass
from enum import StrEnum

ORDER_ID = re.compile(r"#?\b([A-Z]\d{5,8})\b")
CUSTOMER_ID = re.compile(r"\b(C-\d{4})\b")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_WORD = r"[^\W\d_][\w'-]*"
_UPPER = r"(?-i:[A-ZÀ-ÖØ-ÞĀ-Ž])"
_NAME = re.compile(
    rf"\b(?:i am|i'm|this is|my name is|my name's|name is|name:|it's|here is|under|hello,|hi,)\s+"
    rf"({_UPPER}(?!')[\w'-]+)\s+((?:(?:van|de|der|da|von|le)\s+)?{_UPPER}[\w'-]+)",
    re.IGNORECASE,
)
_NAME_ALONE = re.compile(rf"^\W*({_UPPER}[\w'-]*)\s+({_UPPER}[\w'-]*)\W+(?:zip\D*)?\d{{5}}\b")
_ZIP = re.compile(r"(?<![#\w-])(\d{5})\b")
_ADDRESS = re.compile(
    rf"(\d+[a-z]?\s+{_WORD}(?:\s+{_WORD})*)\s*,\s*"
    rf"(?:((?:apt|apartment|suite|unit|floor|flat|ste)\.?\s*[\w-]+)\s*,\s*)?"
    rf"({_WORD}(?:[ .]+{_WORD})*)\s*,\s*([A-Z]{{2}})\s*,?\s*(\d{{5}})",
    re.IGNORECASE,
)
_YES = re.compile(
    r"^\W*(?:yes|yep|yeah|yup|sure|ok|okay|please do|go ahead|correct|confirmed?|i confirm|right|"
    r"do it|that'?s (?:right|correct|fine)|perfect|sounds good|absolutely|exactly|agreed)\b|"
    r"\b(?:go ahead|please proceed|i confirm)\b",
    re.IGNORECASE,
)
_NO = re.compile(
    r"^\W*(?:no|nope|stop|wait|hold on|do not|don'?t)\b|\b(?:never ?mind|leave it|forget it)\b",
    re.IGNORECASE,
)
_THANKS = re.compile(r"\b(?:thanks?|thank you|cheers|great|perfect|that'?s all|bye)\b", re.I)
_UPSET = re.compile(
    r"\b(?:ridiculous|unacceptable|furious|angry|annoy\w*|upset|fed up|terrible|disappoint\w*|"
    r"worst|not happy|unhappy|frustrat\w*)\b",
    re.IGNORECASE,
)
_STAFF = re.compile(
    r"\b(?:i work (?:for|at)|i'm (?:the|a) (?:store|shop|branch|floor) manager|head office|"
    r"i am (?:the|a) (?:store|shop|branch) manager|(?:your|a) (?:colleague|employee)|"
    r"from (?:the )?(?:it|security|audit|fraud) (?:team|department)|"
    r"(?:ignore|override|disable|skip) (?:\w+ ){0,4}(?:rules|instructions|verification|checks?))\b",
    re.IGNORECASE,
)


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
_TO_GIFT_CARD = re.compile(r"\bgift ?card\b", re.IGNORECASE)


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


@dataclass(frozen=True)
class Reading:
    """What one message says.

    Attributes:
        name: (first, last) name, or None.
        address: A whole address, as the tools take it, or None.
        order_ids: Orders named, in order, each with its '#'.
        is_yes: Whether it begins with consent; `has_but` if it takes something back.
        is_staff: Whether the customer claims to be staff, or to be above the rules.
    """

    text: str
    asks: tuple[Ask, ...] = ()
    email: str = ""
    name: tuple[str, str] | None = None
    zip_code: str = ""
    customer_id: str = ""
    address: dict[str, str] | None = None
    order_ids: tuple[str, ...] = ()
    is_yes: bool = False
    has_but: bool = False
    is_no: bool = False
    is_thanks: bool = False
    is_upset: bool = False
    is_staff: bool = False

    @property
    def is_informative(self) -> bool:
        """Say whether the message tells something to go on with."""
        return bool(self.asks or self.email or self.name or self.address or self.order_ids)


def read_message(text: str) -> Reading:
    """Read one message of a customer."""
    plain = " ".join(text.replace("\u2019", "'").replace("\u2013", "-").split())
    address = _ADDRESS.search(plain)
    without_address = plain.replace(address.group(0), " ") if address else plain
    email = EMAIL.search(plain)
    name = _NAME.search(plain) or _NAME_ALONE.search(plain)
    zip_code = _ZIP.search(without_address)
    customer_id = CUSTOMER_ID.search(plain)
    return Reading(
        text=plain,
        asks=_asks(plain),
        email=email.group(0).rstrip(".") if email else "",
        name=(name.group(1), name.group(2)) if name else None,
        zip_code=zip_code.group(1) if zip_code else "",
        customer_id=customer_id.group(1) if customer_id else "",
        address=_address(address) if address else None,
        order_ids=orders_in(plain),
        is_yes=bool(_YES.search(plain)),
        has_but=bool(re.search(r"\bbut\b|\bexcept\b|\bonly\b", plain, re.IGNORECASE)),
        is_no=bool(_NO.search(plain)),
        is_thanks=bool(_THANKS.search(plain)),
        is_upset=bool(_UPSET.search(plain)),
        is_staff=bool(_STAFF.search(plain)),
    )


def orders_in(text: str) -> tuple[str, ...]:
    """Return the order ids of a text in order, each once and with its '#'."""
    return tuple(dict.fromkeys(f"#{number}" for number in ORDER_ID.findall(text)))


def reason_in(text: str) -> str:
    """Return the reason to cancel: one of the shop's two, `other`, or empty."""
    lower = text.lower()
    if re.search(
        r"mistake|accident|by error|ordered (?:it )?twice|wrong (?:one|item|thing)", lower
    ):
        return "ordered by mistake"
    if re.search(
        r"no longer (?:need|want)|(?:don'?t|do not|not) need|no use|changed my mind|not needed",
        lower,
    ):
        return "no longer needed"
    if re.search(
        r"cheaper|price|too (?:long|slow|expensive|late)|elsewhere|because|since|delay|"
        r"doesn'?t arrive|sale",
        lower,
    ):
        return "other"
    return ""


def method_in(text: str) -> str:
    """Return the payment method meant: `gift_card`, `paypal`, `credit_card`, `original`, empty."""
    lower = text.lower()
    if _TO_GIFT_CARD.search(lower):
        return "gift_card"
    if "paypal" in lower:
        return "paypal"
    if re.search(r"\boriginal\b|same (?:card|method|way|payment)|how i paid|i paid with", lower):
        return "original"
    if re.search(r"\b(?:credit card|visa|mastercard|amex|card)\b", lower):
        return "credit_card"
    return ""


def means_everything(text: str) -> bool:
    """Say whether the text means all items of an order."""
    return bool(
        re.search(
            r"\b(?:everything|all (?:of|the|items)|all of (?:it|them)|both|whole order|"
            r"entire order|complete order|the lot)\b",
            text,
            re.IGNORECASE,
        )
    )


def _address(match: re.Match[str]) -> dict[str, str]:
    first, second, city, state, zip_code = (group or "" for group in match.groups())
    return {
        "address1": first.strip(),
        "address2": second.strip(),
        "city": city.strip(),
        "state": state.upper(),
        "country": "USA",
        "zip": zip_code,
    }


def _asks(text: str) -> tuple[Ask, ...]:
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
