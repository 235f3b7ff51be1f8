"""What a customer's message says: identity, answers, details. Patterns, nothing else."""

import re
from dataclasses import dataclass

from agents.llm.simulator.wishes import Ask, orders_in, wishes_in

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


_TO_GIFT_CARD = re.compile(r"\bgift ?card\b", re.IGNORECASE)


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
        asks=wishes_in(plain),
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
