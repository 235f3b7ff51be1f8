"""Finding personal data: e-mail addresses, phone, card and account numbers, IP addresses, SSNs."""

import ipaddress
import re
from collections.abc import Iterator

Span = tuple[int, int]


def _begin(first: str) -> str:
    r"""Return a pattern of one character that begins a value.

    It follows no word, sign or dot; an escaped line end before it (`\n203…`, JSON within text) is
    no word. The character comes before the assertion because `re` then skips to it quickly.
    """
    return rf"{first}(?:(?<![\w.+-]{first})|(?<=\\[nrt]{first}))"


_DOMAIN = re.compile(
    r"@(?:[^\W_](?:[\w-]{0,62})\.){1,8}(?!(?:png|jpe?g|gif|svg|webp|js|css|py|json)\b)"
    r"[^\W\d_]{2,24}(?![\w-])"
)
_LOCAL_PART = re.compile(r"(?:(?<![\w.%+\\-])|(?<=\\[nrt]))[\w%+][\w.%+'-]{0,63}\Z")
_END = r"(?![\w-]|\.\d)"
_PHONE = re.compile(
    _begin(r"\+") + r"\d{1,3}(?:[ ./-]?\(?\d{1,5}\)?){2,6}" + _END,
)
_US_PHONE = re.compile(
    _begin("[0-9]") + r"(?:[ .-]\(?\d{3}\)?[ .-]|\d{2}[ .-]|\d{2}\) ?)\d{3}[ .-]\d{4}" + _END
)
_AFTER_PHONE = re.compile(
    r"(?:phone|mobile|cell|tel|fax|whatsapp|sms)(?:[ _-]?(?:number|num|no\.?|nr\.?))?"
    r"(?: is| to|:|=|\.)?[\s\"':=]{1,6}(\+?\(?\d[\d ().-]{5,18}\d)" + _END
)
_PHONE_WORDS = ("phone", "mobile", "cell", "tel", "fax", "whatsapp", "sms")
_PHONE_NAME = re.compile(
    r"(?:[\w-]*[_-])?(?:phone|mobile|cell|telephone|tel|fax|whatsapp|msisdn)"
    r"(?:[_-]?(?:number|num|no|nr))?\Z",
    re.IGNORECASE,
)
_CARD = re.compile(
    _begin("[0-9]") + r"(?:\d{3}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{3})?"
    r"|(?<=3)\d{3}([ -])\d{6}\2\d{4,5}|\d{12,18})" + _END
)
_IBAN = re.compile(r"[A-Z](?<![A-Za-z0-9⟦-][A-Z])[A-Z]\d{2}(?: ?[A-Z0-9]){11,30}")
_IPV4 = re.compile(
    _begin("[0-9]") + r"(?<![A-Za-z]/[0-9])[0-9]{0,2}(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}"
    rf"{_END}"
)
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_VERSION_BEFORE = re.compile(r"(?:version|release|build|\bver\.?|\bv)[\s\"':=]*\Z", re.IGNORECASE)
_SSN = re.compile(_begin("[0-8]") + r"\d{2}-\d{2}-\d{4}(?![\w-])")
_AFTER_SSN = re.compile(
    r"(?:\bssn\b|social[ _-]security(?:[ _-](?:number|no\.?))?)[^\d⟦]{0,12}"
    r"(\d{3}[ -]?\d{2}[ -]?\d{4})(?![\w-])"
)
_SSN_NAME = re.compile(
    r"(?:[\w-]*[_-])?(?:ssn|social[_-]?security[_-]?(?:number|no)?)\Z", re.IGNORECASE
)

# Loose: for a text dumped as JSON, where a letter may belong to an escape before the value. One
# pattern, begun by one class of characters, so that `re` passes over a text without digits.
_DIGITS = re.compile(
    r"[0-9+](?<![0-9][0-9+])(?:(?<=\+)[0-9(]"
    r"|[0-9](?<=[A-Z][A-Z][0-9][0-9]) ?[A-Z0-9]{3}"
    r"|(?<=1)[ .-]\(?[0-9]{3}\)?[ .-]"
    r"|[0-9]{2}\)?[ .-]{0,2}[0-9]{2,3}[ .-][0-9]{4}"
    r"|[0-9]{3}[ -][0-9]{4}[ -][0-9]{4}"
    r"|[0-9]{3}[ -][0-9]{6}"
    r"|([0-9]{12,})"
    r"|[0-9]{0,2}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9])"
)
# What no value is without, in a text whose digits have all become 0, capitals A, and separators of
# groups -: an IBAN, a phone or card or social security number in groups, a card in one.
_CLASSES = bytes.maketrans(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ .-", 10 * b"0" + 26 * b"A" + 3 * b"-"
)
_GROUPS, _COUNTRY, _LONG = b"00-0000", b"AA00", 13 * b"0"
# These begin with a literal, to which `re` skips ten times as fast as to a class.
_PLUS = re.compile(r"\+[0-9(]")
_DOTS = re.compile(r"\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]")
# A float of 17 to 19 digits: written so here, and in full once a column of JSON has held it.
_EXPONENT = re.compile(r"e\+?1[678](?![\w.])")
_COLONS = re.compile(r":(?::|[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:)")

# Length by country, from the IBAN registry (SWIFT, release 99).
_IBAN_LENGTHS = {
    code: int(length)
    for length, codes in (
        entry.split(":")
        for entry in (  # noqa: SIM905
            "15:NO 16:BE 18:DK,FI,FO,GL,NL,SD,FK 19:MK,SI 20:AT,BA,EE,KZ,LT,LU,XK,MN "
            "21:CH,HR,LI,LV 22:BG,BH,CR,DE,GB,GE,IE,ME,RS,VA 23:AE,GI,IL,IQ,OM,SO,TL "
            "24:AD,CZ,ES,MD,PK,RO,SA,SE,SK,TN,VG 25:LY,PT,ST 26:IS,TR 27:BI,DJ,FR,GR,IT,MC,MR,SM "
            "28:AL,AZ,BY,CY,DO,GT,HN,HU,LB,NI,PL,SV 29:BR,EG,PS,QA,UA 30:JO,KW,MU,YE 31:MT,SC "
            "32:LC 33:RU"
        ).split()
    )
    for code in codes.split(",")
}
_CARD_LENGTHS = (
    (re.compile(r"4"), {13, 16, 19}),  # Visa
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), {16}),  # Mastercard
    (re.compile(r"3[47]"), {15}),  # American Express
    (re.compile(r"6011|65|64[4-9]"), {16, 17, 18, 19}),  # Discover
    (re.compile(r"36|38|30[0-5]|3095"), {14}),  # Diners Club
    (re.compile(r"35(?:2[89]|[3-8])"), {16}),  # JCB
    (re.compile(r"62"), {16, 17, 18, 19}),  # UnionPay
    (re.compile(r"50|5[6-8]|63|67"), {16, 18, 19}),  # Maestro
)
_UNSPECIFIC = frozenset({"0.0.0.0", "127.0.0.1", "255.255.255.255", "255.255.255.0"})  # noqa: S104


def suspects(text: str, lowered: str) -> list[str]:
    """Return the kinds that a text, dumped as JSON or not, could hold; most texts none."""
    found = ["email"] if "@" in text else []
    if _has_digits(text) and any(_could_be(match) for match in _DIGITS.finditer(text)):
        found += ["phone", "card", "ssn", "iban", "ip"]
    else:
        if "phone" in lowered or "ssn" in lowered or "social" in lowered or "mobile" in lowered:
            found += ["phone", "ssn"]
        if _COLONS.search(text):
            found.append("ip")
        if _EXPONENT.search(text):
            found.append("card")
    return found


def find_emails(text: str) -> Iterator[Span]:
    """Yield where e-mail addresses stand."""
    for match in _DOMAIN.finditer(text):
        at = match.start()
        local = _LOCAL_PART.search(text, max(0, at - 66), at)
        if local:
            yield local.start(), match.end()


def find_phones(text: str) -> Iterator[Span]:
    """Yield where phone numbers stand."""
    for pattern in (_PHONE, _US_PHONE):
        for match in pattern.finditer(text):
            if 8 <= _num_digits(match[0]) <= 15:
                start = match.start()
                has_bracket = ")" in match[0] and text[start - 1 : start] == "("
                yield start - has_bracket, match.end()
    lowered = text.lower()
    if len(lowered) == len(text) and any(word in lowered for word in _PHONE_WORDS):
        for match in _AFTER_PHONE.finditer(lowered):
            if 7 <= _num_digits(match[1]) <= 15:
                yield match.span(1)


def find_cards(text: str) -> Iterator[Span]:
    """Yield where card numbers stand: ISO/IEC 7812 prefixes and lengths, and the Luhn check."""
    for match in _CARD.finditer(text):
        if is_card(only_digits(match[0])):
            yield match.span()


def find_ibans(text: str) -> Iterator[Span]:
    """Yield where IBANs stand; text in capitals after one is left (ISO 13616, mod 97)."""
    for match in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(match[0][:2], 0)
        end = match.start()
        num = 0
        while num < length and end < match.end():
            num += text[end] != " "
            end += 1
        compact = match[0][: end - match.start()].replace(" ", "")
        if num == length and length and _is_iban(compact):
            yield match.start(), end


def find_ips(text: str) -> Iterator[Span]:
    """Yield where IP addresses stand; version numbers are none."""
    for match in _IPV4.finditer(text):
        if int(match[0].split(".")[0]) > 255:
            continue
        is_version = all(len(part) == 1 for part in match[0].split("."))
        before = text[max(0, match.start() - 20) : match.start()]
        if not (is_version or match[0] in _UNSPECIFIC or _VERSION_BEFORE.search(before)):
            yield match.span()
    for match in _IPV6.finditer(text):
        if _is_ipv6(match[0]):
            yield match.span()


def find_ssns(text: str) -> Iterator[Span]:
    """Yield where US social security numbers stand (numbers that are given out)."""
    yield from (match.span() for match in _SSN.finditer(text) if _is_given_out(match[0]))
    lowered = text.lower()
    if len(lowered) == len(text) and ("ssn" in lowered or "social" in lowered):
        for match in _AFTER_SSN.finditer(lowered):
            if _is_given_out(match[1]):
                yield match.span(1)


def kind_of_field(name: str, value: object) -> str:
    """Return the kind that a field of this name holds where the value alone would not say."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value)
    num_digits = _num_digits(text)
    if num_digits < len(text) / 2 or "⟦" in text:
        return ""
    if 7 <= num_digits <= 15 and _PHONE_NAME.match(name):
        return "phone"
    return "ssn" if num_digits == 9 and _SSN_NAME.match(name) else ""


def is_card(digits: str) -> bool:
    """Say whether digits are a card's: length by issuer, and the Luhn check."""
    if not any(
        len(digits) in lengths and prefix.match(digits) for prefix, lengths in _CARD_LENGTHS
    ):
        return False
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(each), 10)) for each in even)) % 10 == 0


def only_digits(text: str) -> str:
    """Return the digits of a text."""
    return "".join(each for each in text if each.isdecimal())


def _has_digits(text: str) -> bool:
    """Say within a microsecond whether digits stand as values have them; most texts have none."""
    classes = text.encode(errors="replace").translate(_CLASSES)
    return (
        _GROUPS in classes
        or _COUNTRY in classes
        or _LONG in classes
        or _PLUS.search(text) is not None
        or _DOTS.search(text) is not None
    )


def _could_be(match: re.Match[str]) -> bool:
    """Say whether a loose match could be something: of digits alone, only a card."""
    return match[1] is None or is_card(match[0])


def _is_given_out(ssn: str) -> bool:
    """Say whether the number is one that the Social Security Administration gives out."""
    digits = only_digits(ssn)
    return (
        digits[:3] not in {"000", "666"}
        and digits[0] != "9"
        and digits[3:5] != "00"
        and digits[5:] != "0000"
    )


def _num_digits(text: str) -> int:
    return sum(each.isdecimal() for each in text)


def _is_iban(compact: str) -> bool:
    return int("".join(str(int(each, 36)) for each in compact[4:] + compact[:4])) % 97 == 1


def _is_ipv6(text: str) -> bool:
    groups = [group for group in text.split(":") if group]
    if len(groups) < 3 and not (len(groups) == 2 and len(groups[0]) == 4):
        return False
    try:
        return not ipaddress.IPv6Address(text).is_loopback
    except ValueError:
        return False
