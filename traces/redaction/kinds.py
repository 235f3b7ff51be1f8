"""The kinds of values that are masked, and the marker that stands in a value's place."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of value.

    Attributes:
        key: As rules, counts and markers name it.
        title: As people read it, one of them.
        plural: Several of them.
        does: What counts as one and what stays readable.
        example: An invented text that holds one.
    """

    key: str
    title: str
    plural: str
    does: str
    example: str


KINDS = (
    Kind(
        "credential",
        "credential",
        "credentials",
        "Keys and tokens by the form their issuer gives them (detect-secrets' named detectors, "
        "and newer ones), and whatever stands in a field called password, api_key, "
        "authorization, token, secret, cookie and the like. Counts of tokens stay.",
        "password=correct-horse-7",
    ),
    Kind(
        "email",
        "e-mail address",
        "e-mail addresses",
        "Addresses with a domain. Case does not matter: Ann@x.example and ann@x.example are one "
        "person.",
        "Please write to ann@example.com.",
    ),
    Kind(
        "phone",
        "phone number",
        "phone numbers",
        "Numbers with + and country code, US numbers written in groups, and any in a field or "
        "after a word that says phone. Bare runs of digits, such as product numbers, stay.",
        "Call me at (212) 555-0187.",
    ),
    Kind(
        "card",
        "card number",
        "card numbers",
        "Payment cards: length and first digits of an issuer, and the Luhn check. "
        "Ids such as credit_card_1234567 stay.",
        "It was paid with 4111 1111 1111 1111.",
    ),
    Kind(
        "iban",
        "IBAN",
        "IBANs",
        "Account numbers with the length of their country and a right check (mod 97).",
        "Transfer it to DE89 3704 0044 0532 0130 00.",
    ),
    Kind(
        "ip",
        "IP address",
        "IP addresses",
        "IPv4 and IPv6. Version numbers (v1.2.3.4, Name/1.2.3.4, four single digits), loopback "
        "and unspecified addresses stay.",
        "The request came from 203.0.113.77.",
    ),
    Kind(
        "ssn",
        "US social security number",
        "US social security numbers",
        "123-45-6789 with numbers that are given out, and nine digits after a word or in a field "
        "that says so.",
        "My SSN is 212-45-6789.",
    ),
)
KIND_KEYS = tuple(kind.key for kind in KINDS)
BY_KEY = {kind.key: kind for kind in KINDS}

# Letters and a hyphen alone: PostgreSQL's parser takes `email-abcdefghijkl` for one word, and no
# detector takes it for a value.
MARKER = re.compile(f"⟦({'|'.join(KIND_KEYS)})-([a-p]{{12}})⟧")
