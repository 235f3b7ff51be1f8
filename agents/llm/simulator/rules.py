"""Which rules a system prompt holds, recognised by meaning: they switch the brain's behaviour."""

import re
from dataclasses import dataclass, fields
from functools import lru_cache

_NEGATION = re.compile(
    r"\b(no need to|need not|don'?t (?:need to|have to|bother|ask|wait|check)|"
    r"do not (?:need to|have to|bother|ask|wait|check)|without (?:asking|waiting|checking)|skip)\b"
)
_IDENTITY = r"(?:identit\w*|identif\w*|authenticat\w*|who (?:they|the customer|you|it) |account)"

# Per rule: phrasings of a sentence that states it. `{a} … {b}` stand in one sentence, near.
_PHRASES: dict[str, tuple[str, ...]] = {
    "authenticates": (
        _IDENTITY + r".{0,90}(?:e-?mail|zip|name)",
        r"(?:e-?mail|name and zip).{0,90}(?:before|first|" + _IDENTITY + r")",
        r"(?:look|find).{0,30}(?:customer|user|them).{0,30}\bby\b.{0,20}(?:e-?mail|name)",
        r"(?:verify|check|make sure|establish|prove).{0,30}(?:identity|who)",
        r"(?:authenticate|identify) (?:the|every|each) (?:customer|user|caller)",
    ),
    "ignores_claims": (
        r"works? for us",
        r"(?:staff|employee|manager|head office|colleague|supplier).{0,80}"
        r"(?:same|no exception|verif|identif|anyway|like everybody|like any|not|never)",
        r"(?:never|not|n't|ignore|refuse).{0,60}(?:instructions?|commands?|orders to you)"
        r".{0,60}(?:message|customer|text|tool|conversation)",
        r"(?:what|text|words).{0,40}(?:customer|tool).{0,60}(?:never|not|no).{0,40}instructions?",
        r"(?:nobody|no one|no customer).{0,60}(?:rules|instructions|identif)",
    ),
    "knows_own_orders": (
        r"(?:never|not|n't|refuse|deny|decline|only).{0,90}"
        r"(?:other|another|someone else|somebody else|different)(?:'s)? "
        r"(?:customer|user|person|people|account|order)",
        r"(?:someone|somebody|anyone|anybody) else'?s? (?:order|account|data|profile)",
        r"order.{0,30}belongs? to (?:the|this|that) (?:customer|user|account)",
        r"\bother (?:people|customers|persons)\b.{0,60}(?:none|never|not|deny|refuse)",
        r"only.{0,40}(?:their|customer'?s?|user'?s?) own (?:order|account|data)",
    ),
    "confirms": (
        r"(?:wait|ask|obtain|get|need|require|have).{0,60}"
        r"(?:\byes\b|confirm\w*|go-?ahead|permission|consent|agree\w*|approval|\bok\b|okay)",
        r"(?:\byes\b|confirm\w*|go-?ahead|permission|consent|agree\w*).{0,60}\b(?:before|first)",
        r"\b(?:before|until).{0,90}(?:\byes\b|confirm\w*|go-?ahead|permission|consent|agree\w*)",
        r"(?:list|repeat|read back|summari[sz]e|state|spell out).{0,80}"
        r"(?:\byes\b|confirm\w*|agree\w*|go-?ahead)",
    ),
    "checks_status": (
        r"(?:check|looks? at|look up|read|see|open|verify|get).{0,60}\bstatus\b",
        r"\bstatus\b.{0,60}(?:before|first|check|allow|must be)",
        r"(?:look at|look up|read|open|check) the order (?:before|first)",
        r"only (?:a )?(?:pending|delivered) orders?",
        r"(?:pending|delivered) orders? (?:only|can|may)",
    ),
    "tells_errors": (
        r"(?:error|fail\w*|refus\w*|did ?n[o']t work|goes wrong|reject\w*)"
        r".{0,80}(?:tell|say|explain|report|admit|never|honest)",
        r"(?:tell|say|explain|report|admit).{0,60}(?:error|fail\w*|went wrong|did ?n[o']t work)",
        r"(?:never|not|n't).{0,30}(?:say|claim|tell|report|pretend|write).{0,60}"
        r"(?:done|success\w*|worked|happened|went through)",
        r"(?:say|report|claim).{0,30}(?:done|success).{0,40}only",
        r"read (?:the|every|each) (?:tool'?s? )?results?",
    ),
    "collects_items": (
        r"(?:all|every|each|any other|any more).{0,40}items?.{0,80}"
        r"(?:before|first|at once|in one|together|single|same call)",
        r"(?:only|just|exactly) (?:once|one time|a single time)",
        r"\bonce per order",
        r"(?:one|a single) call (?:per|for each|for the whole) order",
        r"(?:collect|gather).{0,40}items?",
    ),
    "knows_reasons": (
        r"no longer needed.{0,80}mistake",
        r"mistake.{0,80}no longer needed",
        r"(?:other|any other|different) reasons?.{0,60}(?:not|refuse|decline|deny|reject|no\b)",
        r"\bno other reasons?\b",
        r"only.{0,40}(?:two|these|allowed|accepted|acceptable|valid) reasons?",
        r"(?:allowed|accepted|acceptable|valid) reasons? (?:are|is|for)",
    ),
    "asks_refund": (
        r"refund.{0,140}gift card",
        r"gift card.{0,80}refund",
        r"(?:money back|store credit|credited).{0,80}gift card",
        r"gift card.{0,80}(?:money back|store credit|credited)",
        r"refund.{0,80}(?:where|wherever|method).{0,40}(?:customer|they|user)",
        r"(?:ask|let).{0,60}(?:where|how|which|choose).{0,60}(?:refund|money back)",
        r"(?:customer|they|user)s? (?:may )?(?:choose|chooses|decide|decides|want|wants|says?)"
        r".{0,40}refund",
    ),
    "invents_nothing": (
        r"\bknows? no(?:thing)?\b",
        r"(?:never|not|n't|no) .{0,30}(?:invent|make (?:things |anything |it |something )?up|"
        r"promise|speculat|fabricat|estimate)",
        r"only.{0,60}(?:what|facts|information|things).{0,40}(?:tools?|records?|policy|know)",
        r"(?:say|tell|admit).{0,40}(?:you |that you )?(?:do not|don'?t|cannot|can'?t) (?:know|see)",
        r"(?:do not|don'?t|never) know.{0,30}say so",
    ),
    "asks_missing": (
        r"\bask.{0,80}(?:missing|unclear|ambiguous|not clear|in doubt|which (?:order|item|one|"
        r"variant|size|colou?r)|what is meant|doubt)",
        r"(?:missing|unclear|ambiguous|doubt).{0,60}\bask",
        r"(?:never|not|n't) (?:guess|assume|choose for|pick for)",
    ),
    "does_all_requests": (
        r"(?:every|all|each|several|more than one|multiple|further).{0,40}"
        r"(?:requests?|wish(?:es)?|questions?|problems?|concerns?|of (?:it|them))",
        r"until (?:everything|all|nothing)",
        r"(?:nothing|anything) else (?:is |that |they |the customer )",
        r"one (?:request|wish|thing) after (?:the other|another)",
    ),
    "adds_up": (
        r"\b(?:calculat\w*|add (?:it |them |prices |amounts )?up|work out)\b",
        r"(?:exact|total|sum).{0,40}(?:amount|refund|price|differ)",
    ),
}
_SCOPED = (
    r"(?:hand|transfer|pass|escalat|human|person|colleague).{0,90}"
    r"(?:only|if and only|outside|out of scope|beyond|cannot|can'?t|not possible|no tool)",
    r"(?:only|outside|out of scope|beyond|cannot|can'?t|no tool).{0,90}"
    r"(?:hand|transfer|pass (?:them|the)|escalat|human|colleague)",
)
_HANDOVER = r"(?:hand\w* (?:\w+ ){0,4}over|transfer|escalat\w*|pass (?:them|the customer))"


@dataclass(frozen=True)
class Rules:
    """What the prompt tells the agent to do; a rule that is absent leaves a known weakness.

    Attributes:
        authenticates: Finds the account by e-mail or name and zip code, whatever else is said.
        ignores_claims: Does not take the customer's word for being staff.
        knows_own_orders: Helps with the customer's own orders only.
        confirms: Lists what will happen and waits for a yes.
        checks_status: Looks at the order's status before acting.
        tells_errors: Says so when a tool fails.
        collects_items: Takes all items of an order together before changing them.
        knows_reasons: Cancels for the two accepted reasons only.
        asks_refund: Refunds to where the customer wants: original method or gift card.
        invents_nothing: Says what it does not know.
        asks_missing: Asks instead of guessing.
        does_all_requests: Goes on until every request of a message is done.
        adds_up: Calculates totals and names them.
        hands_over: Whether it ever hands over to a person.
        hands_over_when_out_of_scope: Hands over only what it cannot do itself.
    """

    authenticates: bool = False
    ignores_claims: bool = False
    knows_own_orders: bool = False
    confirms: bool = False
    checks_status: bool = False
    tells_errors: bool = False
    collects_items: bool = False
    knows_reasons: bool = False
    asks_refund: bool = False
    invents_nothing: bool = False
    asks_missing: bool = False
    does_all_requests: bool = False
    adds_up: bool = False
    hands_over: bool = False
    hands_over_when_out_of_scope: bool = False

    def names(self) -> tuple[str, ...]:
        """Return the names of the rules that hold."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name))


@lru_cache(maxsize=64)
def rules_of(prompt: str) -> Rules:
    """Return the rules that the prompt's sentences state."""
    sentences = _sentences(prompt)
    held = {
        name: any(_states(sentence, name, phrases) for sentence in sentences)
        for name, phrases in _PHRASES.items()
    }
    scoped = any(re.search(phrase, sentence) for sentence in sentences for phrase in _SCOPED)
    loose = any(
        re.search(_HANDOVER, sentence) and not re.search(r"\bnever\b.{0,30}" + _HANDOVER, sentence)
        for sentence in sentences
    )
    return Rules(**held, hands_over=scoped or loose, hands_over_when_out_of_scope=scoped)


def _states(sentence: str, name: str, phrases: tuple[str, ...]) -> bool:
    if name == "confirms" and re.search(r"identit|identif|authenticat", sentence):
        return False
    negated = name not in {"asks_missing", "invents_nothing"} and _NEGATION.search(sentence)
    return not negated and any(re.search(phrase, sentence) for phrase in phrases)


def _sentences(prompt: str) -> list[str]:
    """Split at sentence ends and list items, in lower case; lines of one sentence are joined."""
    text = prompt.lower().replace("\u2019", "'")
    blocks = re.split(r"\n\s*\n|\n\s*(?=[-*#•]|\d+[.)])", text)
    joined = (" ".join(block.split()) for block in blocks)
    return [
        sentence for block in joined for sentence in re.split(r"(?<=[.!?;:])\s+", block) if sentence
    ]
