"""Finding credentials: by the forms that issuers give them, and by the names of their fields.

Forms come from detect-secrets' named detectors (not the ones that judge by entropy or keyword
alone), tightened where they would take delimiters with them, and from issuers' documents for keys
that are newer than that.
"""

import re
from collections.abc import Collection, Iterator

from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.cloudant import CloudantDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.ibm_cloud_iam import IbmCloudIamDetector
from detect_secrets.plugins.ibm_cos_hmac import IbmCosHmacDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.npm import NpmDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.softlayer import SoftlayerDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
from detect_secrets.plugins.twilio import TwilioKeyDetector

Span = tuple[int, int]


def _patterns(detector: type[RegexBasedDetector]) -> tuple[re.Pattern[str], ...]:
    """Return the expressions of a detector of detect-secrets."""
    return tuple(detector().denylist)


# A detector runs where the lower-cased text holds one of its literals.
_NAMED: tuple[tuple[tuple[str, ...], type[RegexBasedDetector]], ...] = (
    (("aws", "akia", "asia", "abia", "acca", "a3t"), AWSKeyDetector),
    (("accountkey=",), AzureStorageKeyDetector),
    (("://",), BasicAuthDetector),
    (("cloudant",), CloudantDetector),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), GitHubTokenDetector),
    (("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "gr1348941"), GitLabTokenDetector),
    (("glcbt-", "glimt-", "glptt-", "glagent-", "gloas-"), GitLabTokenDetector),
    (("ibm", "iam"), IbmCloudIamDetector),
    (("secret",), IbmCosHmacDetector),
    (("-us",), MailchimpDetector),
    (("_authtoken",), NpmDetector),
    (("t3blbkfj",), OpenAIDetector),
    (("pypi-",), PypiTokenDetector),
    (("sg.",), SendGridDetector),
    (("xox", "hooks.slack"), SlackDetector),
    (("softlayer",), SoftlayerDetector),
    (("sq0csp-",), SquareOAuthDetector),
    (("k_live_",), StripeDetector),
    (("ac", "sk"), TwilioKeyDetector),
)
# Issuers' own forms: prefix and length. A private key is masked to its end, a JSON Web Token with
# its signature, of which detect-secrets matches the beginning only.
_OWN: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("private key",),
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*-----|\Z)",
    ),
    (("putty-user-key-file",), r"PuTTY-User-Key-File-\d(?s:.*)"),
    (("eyj",), r"(?<![\w-])eyJ[\w=-]{5,}\.[\w=-]{5,}(?:\.[\w+/=-]*)?"),
    (("sk-",), r"(?<![\w-])sk-(?:(?:proj|ant|svcacct|admin|or|lf)-[\w-]{16,}|[A-Za-z0-9]{32,})"),
    (("aiza",), r"(?<![\w-])AIza[\w-]{35}"),
    (("ya29.",), r"(?<![\w-])ya29\.[\w-]{20,}"),
    (("github_pat_",), r"github_pat_\w{22,}"),
    (("hf_",), r"(?<!\w)hf_[A-Za-z]{30,}"),
    (("npm_",), r"(?<!\w)npm_[A-Za-z0-9]{36}"),
    (("gsk_",), r"(?<!\w)gsk_[A-Za-z0-9]{40,}"),
    (("k_test_", "whsec_"), r"(?<!\w)(?:[rs]k_test_[0-9A-Za-z]{24,}|whsec_[A-Za-z0-9+/=]{24,})"),
    (("xapp-",), r"(?<!\w)xapp-\d-[A-Z0-9]+-\d+-[a-z0-9]+"),
    (("bearer",), r"(?i:(?<!\w)bearer[ :]+)([\w.~+/-]{12,}=*)"),
    (("authorization",), r"(?i:authorization)\W{1,8}(?i:basic|token|digest) +([\w.~+/=-]{6,})"),
)
_BY_LITERAL: tuple[tuple[tuple[str, ...], tuple[re.Pattern[str], ...]], ...] = (
    *((literals, _patterns(detector)) for literals, detector in _NAMED),
    *((literals, (re.compile(pattern),)) for literals, pattern in _OWN),
)
# Those without a literal: what is tried first, then the detector's own.
_WITHOUT_LITERAL = (
    (re.compile(r"\.[\w-]{6}\.[\w-]{27}"), _patterns(DiscordBotTokenDetector)),
    (re.compile(r":(?<=[0-9]:)[\w-]{35}"), _patterns(TelegramBotTokenDetector)),
)
# What says within a few microseconds that none of all these can match. Each begins with a literal,
# to which `re` skips ten times as fast as to a class of characters.
_SIGNS = (
    re.compile(
        r"_(?:(?<=gh[pousr]_)|(?<=github_)|(?<=hf_)|(?<=npm_)|(?<=gsk_)|(?<=whsec_)|(?<=[rs]k_))"
    ),
    re.compile(
        r"-(?:(?<=gl\w\w-)|(?<=gl\w\w\w-)|(?<=glsoat-)|(?<=glagent-)|(?<=sk-)|(?<=xapp-)"
        r"|(?<=sq0csp-)|(?<=pypi-)|us\d|----BEGIN)"
    ),
    re.compile(r"A(?:Iza|(?:KIA|SIA|BIA|CCA|3T)[A-Z0-9]{8}|C[a-z0-9]{32})"),
    re.compile(r"S(?:G\.|K[a-z0-9]{32})"),
)
_RARE = ("eyJ", "ya29.", "hooks.slack", "GR1348941", "PuTTY-User", "T3BlbkFJ")

_FIELD = (
    r"(?:[\w-]*[_-])?(?:api[_-]?key|apikey|secret|secret[_-]?(?:access[_-]?)?key|client[_-]?secret"
    r"|(?:pg|db|user)?passw(?:or)?d|passphrase|passcode|pwd|private[_-]?key|access[_-]?key(?:[_-]?id)?"
    r"|(?:access|auth|session|refresh|id|hf|security|bearer|oauth|api|bot)[_-]?token"
    r"|authorization|connection[_-]?string|credentials?|set-cookie|cookie)"
)
_FIELD_NAME = re.compile(rf"(?:{_FIELD}|token|bearer|cvv|cvc|auth)\Z", re.IGNORECASE)
# `dbPassword`; of dotted names, `http.request.header.cookie`, the last part counts.
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TAGGED_FIELD = re.compile(rf"<(?:{_FIELD}|token)>([^<⟦]{{3,}})</", re.IGNORECASE)
_FIELD_HINTS = (
    "key", "secret", "pass", "pwd", "token", "auth", "connection", "credential", "cookie", "cv",
    "bearer",
)  # fmt: skip
_QUOTED_FIELD = re.compile(
    rf"""(?<![\w-])\\*["']?(?:{_FIELD}|token)\\*["']?\s*[:=]\s*\\*["']([^"'\\\s⟦][^"'\\⟦]*)""",
    re.IGNORECASE,
)
_BARE_FIELD = re.compile(
    rf"""(?<![\w-])(?:{_FIELD}|token)\s?(?:=|:|\bis\b|\bto\b)\s*([^\s"'\\,;&<>⟦⟧(){{}}\[\]]{{4,}})""",
    re.IGNORECASE,
)
# As people say it: "the password has been changed to 'abc-1'".
_TOLD_FIELD = re.compile(
    r"""(?<![\w-])(?:passw(?:or)?d|passphrase|passcode|pwd|secret|api[ _-]?key)"""
    r"""(?:\s+(?:has|have|had|been|was|be|will|should|now|successfully|updated|changed|set|reset))"""
    r"""{0,6}\s+(?:is|to|as)\s*:?\s+["'`“\u2018]?([^\s"'`“”\u2018\u2019\\,;&<>⟦⟧(){}\[\]]{4,})""",
    re.IGNORECASE,
)
# What models are made to say word by word is in members of that name too, with its probability.
_BARE_TOKEN = re.compile(r"\\*[\"']?token\b", re.IGNORECASE)
_BESIDE_WORDS = frozenset({"logprob", "top_logprobs", "bytes"})
_PLAIN_WORD = re.compile(r"\s?[A-Z]?[a-z]{0,11}[.,!?]?\Z")
_WORD = re.compile(r"[A-Za-z]+[.,!?]?\Z")
_MASKED_ALREADY = re.compile(r"[*•x.]+\Z|<.*>\Z|\[.*\]\Z|\$\{.*\}\Z", re.IGNORECASE)


def is_suspect(text: str, lowered: str) -> bool:
    """Say whether a text (and itself lower-cased) could hold a credential; most could not."""
    for hint in _FIELD_HINTS:
        if hint in lowered:
            return True
    for literal in _RARE:
        if literal in text:
            return True
    for sign in _SIGNS:
        if sign.search(text):
            return True
    for sign, _ in _WITHOUT_LITERAL:
        if sign.search(text):
            return True
    return "xox" in lowered or ("://" in text and "@" in text)


def find_credentials(text: str) -> Iterator[Span]:
    """Yield where credentials stand in a text, in no order; they may overlap."""
    lowered = text.lower()
    for literals, patterns in _BY_LITERAL:
        if any(literal in lowered for literal in literals):
            yield from _matches(patterns, text)
    for hint, patterns in _WITHOUT_LITERAL:
        if hint.search(text):
            yield from _matches(patterns, text)
    if any(hint in lowered for hint in _FIELD_HINTS):
        yield from (match.span(1) for match in _TAGGED_FIELD.finditer(text))
        for match in _QUOTED_FIELD.finditer(text):
            if not _MASKED_ALREADY.match(match[1]) and not _is_said(match):
                yield match.span(1)
        for pattern in (_BARE_FIELD, _TOLD_FIELD):
            yield from (match.span(1) for match in pattern.finditer(text) if _is_value(match))


def is_secret_name(name: str) -> bool:
    """Say whether a field of this name holds a credential, whatever the value looks like."""
    name = _CAMEL.sub("_", name.rpartition(".")[2])
    return _FIELD_NAME.match(name) is not None


def is_said_token(name: str, value: object, beside: Collection[object]) -> bool:
    """Say whether a member is a model's token and none that opens anything.

    Args:
        name: Of the member.
        value: Of the member.
        beside: All names of the object.
    """
    return name.lower() == "token" and (
        not _BESIDE_WORDS.isdisjoint(beside)
        or (isinstance(value, str) and _PLAIN_WORD.match(value) is not None)
    )


def is_secret_value(value: object) -> bool:
    """Say whether the value of such a field is one: not empty, not struck out already."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return True
    return (
        isinstance(value, str) and bool(value.strip()) and not _MASKED_ALREADY.match(value.strip())
    )


def _matches(patterns: tuple[re.Pattern[str], ...], text: str) -> Iterator[Span]:
    for pattern in patterns:
        for match in pattern.finditer(text):
            # A group is the secret within its surroundings, or only how it begins.
            group = 1 if pattern.groups and match[1] and match.end() - match.end(1) <= 3 else 0
            if "⟦" not in match[group]:
                yield match.span(group)


def _is_said(match: re.Match[str]) -> bool:
    """Say whether what stands in quotes after `token` is a plain word."""
    return _BARE_TOKEN.match(match[0]) is not None and _PLAIN_WORD.match(match[1]) is not None


def _is_value(match: re.Match[str]) -> bool:
    """Say whether what follows a field's name in running text is a value and not a word."""
    value = match[1]
    if _MASKED_ALREADY.match(value):
        return False
    is_assigned = match[0][: match.start(1) - match.start()].rstrip().endswith("=")
    return is_assigned or (not _WORD.match(value) and any(each.isdigit() for each in value))
