"""Invented sessions of ten spans, day by day, as lines that COPY reads; the same for the same seed.

Frequencies are skewed as in life: words, tools, models and customers by Zipf's law, more sessions
on weekdays and about noon, newer versions later. A day's lines depend on nothing but seed, day and
number of sessions, so that several processes may make them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from random import Random

import numpy as np

SECOND = 1_000_000_000
SPANS_EACH = 10
NUM_CUSTOMERS = 200_000

AGENTS = ("shop-support", "billing-helper", "order-mailer")
_AGENT_SHARES = (60, 30, 10)
VERSIONS_EACH = 4
# The first are the shop's own, so that the desk's autonomy page knows them.
TOOLS = [
    "get_order_details",
    "find_user_id_by_email",
    "get_user_details",
    "get_product_details",
    "calculate",
    "find_user_id_by_name_zip",
    "return_delivered_order_items",
    "exchange_delivered_order_items",
    "modify_pending_order_items",
    "cancel_pending_order",
    "modify_pending_order_address",
    "list_all_product_types",
    "modify_pending_order_payment",
    "modify_user_address",
    "transfer_to_human_agents",
    "search_manual",
    "list_invoices",
    "send_letter",
    "check_stock",
    "track_parcel",
    "read_calendar",
    "book_courier",
    "quote_price",
    "list_coupons",
    "apply_coupon",
    "list_branches",
    "read_warranty",
    "open_ticket",
    "close_ticket",
    "merge_accounts",
    "list_subscriptions",
    "pause_subscription",
    "resume_subscription",
    "print_label",
    "read_meter",
    "estimate_delivery",
    "translate_text",
    "list_recalls",
    "register_device",
    "close_account",
]
MODELS = tuple(
    f"heron-{name}" for name in ["4", "4-mini", "5", "5-mini", "3", "wide", "code", "old"]
)
_STATUSES = ("completed", "handed_over", "failed", "cancelled")
_STATUS_SHARES = (86, 7.5, 5, 1.5)
ERRORS = ("time limit reached", "not found", "rate limit reached", "no such user", "bad gateway")

SESSION_COLUMNS = (
    "id, project_id, source, external_id, status, status_reason, is_golden, agent_name, "
    "version_name, customer, title, started_at, ended_at, first_ns, last_ns, working_ns, "
    "num_steps, num_spans, num_errors, input_tokens, output_tokens, cached_tokens, "
    "reasoning_tokens, cost_usd, tools, model_names, masked, metadata, said"
)
SPAN_COLUMNS = (
    "session_id, span_id, parent_id, kind, name, start_ns, duration_ns, status, status_message, "
    "model, input_tokens, output_tokens, cached_tokens, reasoning_tokens, cost_usd, cost_from, "
    "heard, input, output, attributes, trace_id, emitter_id"
)
TRACE_COLUMNS = "project_id, trace_id, session_id, session_key"


def _zipf(number: int, exponent: float, shift: float = 0.0) -> list[float]:
    """Return cumulative weights of ranks 1 to `number` (Zipf's law with Mandelbrot's shift)."""
    return list(accumulate((rank + shift) ** -exponent for rank in range(1, number + 1)))


_TOOL_WEIGHTS = _zipf(len(TOOLS), 1.8)
_MODEL_WEIGHTS = _zipf(len(MODELS), 1.2)


def _vocabulary(number: int) -> list[str]:
    """Return invented words, most frequent first and then shorter; some in other scripts."""
    random = Random(7)
    scripts = (
        "абвгдежзиклмнопрст",
        "αβγδεζηθικλμνξοπρστ",
        "日本語中文字買物返品注文",
        "अआइईउऊएकखगघच",
    )
    words: dict[str, None] = {}
    while len(words) < number:
        syllables = 1 + (len(words) > 30) + (len(words) > 600) + random.randrange(2)
        if random.random() < 0.03 and len(words) > 200:
            word = "".join(random.choices(scripts[random.randrange(4)], k=2 + syllables))
        else:
            word = "".join(
                random.choice("bcdfghjklmnprstvwz") + random.choice("aeiou")
                for _ in range(syllables)
            ) + random.choice(("", "", "n", "r", "st"))
        words[word] = None
    return list(words)


# Frequency falls with the rank, so that searches may choose a frequent or a rare word.
VOCABULARY = _vocabulary(20_000)
_WORDS = np.array(VOCABULARY, dtype=object)
_WORD_SHARES = np.array(_zipf(len(VOCABULARY), 1.05, 2.7))
_WORD_SHARES /= _WORD_SHARES[-1]
_WORDS_EACH = 700


class Words:
    """A stream of words by frequency."""

    def __init__(self, random: np.random.Generator, number: int) -> None:
        picks = np.searchsorted(_WORD_SHARES, random.random(number))
        self._words: list[str] = _WORDS[picks].tolist()
        self._at = 0

    def take(self, number: int) -> str:
        """Return the next `number` words as text; the stream begins again at its end."""
        if self._at + number > len(self._words):
            self._at = 0
        begin, self._at = self._at, self._at + number
        return " ".join(self._words[begin : self._at])


@dataclass(frozen=True)
class Day:
    """A day (UTC) and its sessions, by their numbers.

    Attributes:
        first: Number of its first session.
        num_sessions: How many begin on it.
        end: No span starts later.
    """

    day: date
    first: int
    num_sessions: int
    end: datetime


def days_of(num_sessions: int, *, until: datetime, num_days: int = 90) -> list[Day]:
    """Return the days before `until` with their sessions, oldest first: growing, quiet weekends."""
    days = [(until - timedelta(days=back)).date() for back in range(num_days - 1, -1, -1)]
    weights = [(1 + at / num_days) * (0.5 if d.weekday() > 4 else 1) for at, d in enumerate(days)]
    weights[-1] *= (until.hour * 60 + until.minute + 1) / 1440
    shares = [0.0, *accumulate(weights)]
    bounds = [round(num_sessions * share / shares[-1]) for share in shares]
    return [
        Day(day, low, high - low, min(until, _midnight(day + timedelta(days=1))))
        for day, low, high in zip(days, bounds, bounds[1:], strict=False)
    ]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@dataclass(frozen=True)
class Lines:
    """What COPY reads: a session, its spans, its trace."""

    session: str
    spans: str
    trace: str


def lines_of(day: Day, *, seed: int, project: int, emitter: int) -> Iterator[Lines]:
    """Make the sessions of a day, by their starts."""
    random = Random(f"{seed} {day.day}")
    numbers = np.random.default_rng([seed, day.day.toordinal()])
    words = Words(numbers, _WORDS_EACH * min(day.num_sessions + 2, 4000))
    begin = _midnight(day.day)
    # A session lasts less than a quarter of an hour: none leaves its week's partition.
    seconds = (day.end - begin).total_seconds() - 900
    starts = np.sort(numbers.beta(3, 2.5, day.num_sessions)) * max(seconds, 1)
    for at, start in enumerate(starts.tolist()):
        first_ns = (int(begin.timestamp()) * 1_000_000 + int(start * 1_000_000)) * 1000
        yield _Maker(random, words, day.first + at, first_ns).lines(project, emitter)


class _Maker:
    """One session while it is made."""

    def __init__(self, random: Random, words: Words, number: int, first_ns: int) -> None:
        self.random, self.words, self.number = random, words, number
        self.first_ns = self.now_ns = first_ns
        self.session_id = f"{random.getrandbits(128):032x}"
        self.trace_id = f"{random.getrandbits(128):032x}"
        self.root_id = self._span_id()
        self.agent = random.choices(AGENTS, _AGENT_SHARES)[0]
        self.model = random.choices(MODELS, cum_weights=_MODEL_WEIGHTS)[0]
        self.status = random.choices(_STATUSES, _STATUS_SHARES)[0]
        self.error_share = 0.35 if self.status == "failed" else 0.025
        self.lines_made: list[str] = []
        self.said: list[str] = []
        self.tools: set[str] = set()
        self.num_errors = self.num_steps = self.working_ns = 0
        self.tokens = [0, 0, 0, 0]
        self.cost = 0

    def lines(self, project: int, emitter: int) -> Lines:
        """Make its ten spans, and of them the session with its totals."""
        is_received = self.random.random() < 0.75
        make = self._received if is_received else self._imported
        self.emitter = str(emitter) if is_received else r"\N"
        title = make()
        is_failed = self.status == "failed"
        root = self._line(
            self.root_id, "", "agent", self.agent, self.first_ns, self.now_ns - self.first_ns,
            "error" if is_failed else "ok", message=ERRORS[0] if is_failed else "",
        )  # fmt: skip
        self.num_errors += is_failed
        trace = f"{project}\t{self.trace_id}\t{self.session_id}\ts-{self.number}\n"
        return Lines(
            self._session(project, is_received, title),
            root + "".join(self.lines_made),
            trace if is_received else "",
        )

    def _received(self) -> str:
        """Make nine spans as instrumented programs send them; return the customer's first words."""
        asked = self._heard(40)
        self._model(heard=asked)
        self._tool()
        self._model()
        self._tool()
        self._model(answers=True)
        self._model(heard=self._heard(30))
        self._tool()
        self._tool()
        self._model(answers=True)
        return asked

    def _imported(self) -> str:
        """Make nine spans as recorded conversations have them."""
        asked = self._heard(40)
        self._customer(asked)
        self._model()
        self._tool()
        self._model(answers=True)
        self._customer(self._heard(30))
        self._model()
        self._tool()
        self._tool()
        self._model(answers=True)
        return asked

    def _heard(self, most: int) -> str:
        return self.words.take(8 + self.random.randrange(2 * most - 16))

    def _customer(self, text: str) -> None:
        self.now_ns += self.random.randrange(5, 60) * SECOND
        self.said.append(text)
        output = json.dumps({"content": text}, ensure_ascii=False)
        line = self._line(
            self._span_id(), self.root_id, "customer", "customer", self.now_ns, 0, output=output
        )
        self.lines_made.append(line)

    def _model(self, heard: str = "", *, answers: bool = False) -> None:
        random = self.random
        asked, told = random.randrange(600, 6000), random.randrange(20, 400)
        cached, reasoned = asked // 2 if random.random() < 0.4 else 0, told // 3
        cost = asked * 25 + told * 150  # in 1e-8 US dollars
        self.cost += cost
        for place, number in enumerate((asked, told, cached, reasoned)):
            self.tokens[place] += number
        content = self.words.take(20 + random.randrange(80 if answers else 40))
        self.said.append("\\n".join((heard, content)) if heard else content)
        call = {"id": f"call-{random.getrandbits(40):x}", "name": TOOLS[0], "arguments": {"id": 1}}
        output = {"content": content, "tool_calls": [] if answers else [call]}
        messages = [{"role": "user", "content": heard}] if heard else []
        line = self._line(
            self._span_id(), self.root_id, "model", self.model, *self._times(700, 4000),
            *self._outcome(), model=self.model, numbers=(asked, told, cached, reasoned),
            cost=f"0.{cost:08d}", heard=heard,
            input=json.dumps({"messages": messages, "new": 0, "tools": []}, ensure_ascii=False),
            output=json.dumps(output, ensure_ascii=False),
        )  # fmt: skip
        self.lines_made.append(line)

    def _tool(self) -> None:
        random = self.random
        name = random.choices(TOOLS, cum_weights=_TOOL_WEIGHTS)[0]
        self.tools.add(name)
        times, outcome = self._times(30, 900), self._outcome()
        arguments = {"order_id": f"#A{random.randrange(10**7)}", "reason": self.words.take(12)}
        result = {"id": random.getrandbits(40), "state": "open", "notes": self.words.take(75)}
        output = {"error": outcome[1]} if outcome[1] else {"result": result}
        line = self._line(
            self._span_id(), self.root_id, "tool", name, *times, *outcome,
            input=json.dumps({"arguments": arguments}, ensure_ascii=False),
            output=json.dumps(output, ensure_ascii=False),
            attributes=f'{{"call_id": "call-{random.getrandbits(40):x}"}}',
        )  # fmt: skip
        self.lines_made.append(line)

    def _times(self, least_ms: int, most_ms: int) -> tuple[int, int]:
        """Return start and duration of the next step, and count them."""
        start_ns = self.now_ns + 1_000_000
        duration_ns = self.random.randrange(least_ms, most_ms) * 1_000_000
        self.now_ns = start_ns + duration_ns
        self.working_ns += duration_ns
        self.num_steps += 1
        return start_ns, duration_ns

    def _outcome(self) -> tuple[str, str]:
        if self.random.random() >= self.error_share:
            return "ok", ""
        self.num_errors += 1
        return "error", self.random.choice(ERRORS)

    def _span_id(self) -> str:
        return f"{self.random.getrandbits(64):016x}"

    def _line(
        self, span_id: str, parent: str, kind: str, name: str, start_ns: int, duration_ns: int,
        status: str = "ok", message: str = "", model: str = "",
        numbers: tuple[int, ...] = (), cost: str = r"\N", heard: str = "",
        input: str = r"\N", output: str = r"\N", attributes: str = "{}",
    ) -> str:  # fmt: skip
        tokens = "\t".join(map(str, numbers)) if numbers else "\\N\t\\N\t\\N\t\\N"
        cost_from = "reported" if numbers else ""
        return (
            f"{self.session_id}\t{span_id}\t{parent}\t{kind}\t{name}\t{start_ns}\t{duration_ns}\t"
            f"{status}\t{message}\t{model}\t{tokens}\t{cost}\t{cost_from}\t{heard}\t{input}\t"
            f"{output}\t{attributes}\t{self.trace_id}\t{self.emitter}\n"
        )

    def _session(self, project: int, is_received: bool, title: str) -> str:
        random = self.random
        version = self._version()
        customer = int(NUM_CUSTOMERS * random.random() ** 2)
        tokens = "\t".join(map(str, self.tokens))
        reason = ERRORS[0] if self.status == "failed" else ""
        started, ended = (_instant(ns) for ns in (self.first_ns, self.now_ns))
        return (
            f"{self.session_id}\t{project}\t{'otlp' if is_received else 'tau2'}\ts-{self.number}\t"
            f"{self.status}\t{reason}\t{random.random() < 0.01}\t{self.agent}\t{version}\t"
            f"customer-{customer}\t{title[:140]}\t{started}\t{ended}\t{self.first_ns}\t"
            f"{self.now_ns}\t{self.working_ns}\t{self.num_steps}\t{SPANS_EACH}\t{self.num_errors}\t"
            f"{tokens}\t{self.cost / 1e8:.8f}\t{json.dumps(sorted(self.tools))}\t"
            f'["{self.model}"]\t{{}}\t{{"channel": "chat"}}\t' + "\\n".join(self.said) + "\n"
        )

    def _version(self) -> str:
        """Return a version that was live then, or now and then its canary."""
        month = self.first_ns // (28 * 86_400 * SECOND)
        number = month % VERSIONS_EACH + (self.number % 10 == 0)
        return f"v{1 + number % VERSIONS_EACH}"


def _instant(value_ns: int) -> str:
    seconds, rest = divmod(value_ns, SECOND)
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%d %H:%M:%S}.{rest // 1000:06d}+00"
