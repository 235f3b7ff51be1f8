"""What `pages.py` asks for: each kind of page, with parameters that vary, drawn by a fixed seed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

import psycopg
from invented import AGENTS, MODELS, NUM_CUSTOMERS, TOOLS, VERSIONS_EACH, VOCABULARY

_RANDOM = Random(11)
_FREQUENT_WORDS, _SOME_WORDS, _RARE_WORDS = VOCABULARY[:20], VOCABULARY[300:900], VOCABULARY[15000:]


@dataclass(frozen=True)
class Facts:
    """What the filled home has, to ask for.

    Attributes:
        sessions: Ids of sessions of ten spans.
        spans: Session and span ids of tool calls.
        phrases: Neighbouring words that somebody said.
        page_50: Cursors of the fiftieth page; `deep` of pages anywhere.
        giants: Ids by external id.
        large_span: Id of the span of 5 MB, in `five-megabytes`.
        days: Days (UTC) on which sessions began.
    """

    sessions: list[str]
    spans: list[tuple[str, str]]
    phrases: list[str]
    page_50: list[str]
    deep: list[str]
    giants: dict[str, str]
    large_span: str
    days: list[str]


@dataclass(frozen=True)
class Asked:
    """A kind of page: its title, its paths below the project, and its limit."""

    title: str
    paths: Callable[[Facts], list[str]]
    limit_ms: int = 100


def read_facts(connection: "psycopg.Connection[tuple[Any, ...]]") -> Facts:
    """Draw what to ask for from the database."""

    def rows(query: str) -> list[tuple[Any, ...]]:
        return connection.execute(query).fetchall()

    some = rows(
        "SELECT id, title, started_at, "
        "(extract(epoch FROM started_at) * 1000000)::bigint || '-' || replace(id::text, '-', '') "
        "FROM traces_session TABLESAMPLE SYSTEM (1) REPEATABLE (1) "
        "WHERE num_spans = 10 AND external_id LIKE 's-%' ORDER BY md5(id::text) LIMIT 60"
    )
    later = rows(
        "SELECT (extract(epoch FROM started_at) * 1000000)::bigint || '-' || "
        "replace(id::text, '-', '') FROM traces_session WHERE NOT is_golden "
        "ORDER BY started_at DESC, id DESC OFFSET 2450 LIMIT 50"
    )
    ids = [str(row[0]) for row in some]
    spans = connection.execute(
        "SELECT session_id, span_id FROM traces_span WHERE session_id = ANY(%s::uuid[]) "
        "AND kind IN ('tool', 'model')",
        [ids],
    ).fetchall()
    giants = dict(rows("SELECT external_id, id::text FROM traces_session WHERE source = 'otlp' "
                       "AND external_id LIKE '%-%s' AND external_id NOT LIKE 's-%'"))  # fmt: skip
    large = connection.execute(
        "SELECT span_id FROM traces_span WHERE session_id = %s "
        "ORDER BY pg_column_size(output) DESC NULLS LAST LIMIT 1",
        [giants["five-megabytes"]],
    ).fetchone()
    return Facts(
        sessions=ids,
        spans=[(str(session), span) for session, span in spans],
        phrases=[" ".join(row[1].split()[1:3]) for row in some],
        page_50=[row[0] for row in later],
        deep=[row[3] for row in some],
        giants=giants,
        large_span=large[0] if large else "",
        days=sorted({row[2].date().isoformat() for row in some}),
    )


def _filtered(*queries: str, more: str = "") -> Callable[[Facts], list[str]]:
    return lambda facts: [f"sessions/?q={quote(query)}{more}" for query in queries]


def _drawn(make: Callable[[Facts, Random], str], more: str = "") -> Callable[[Facts], list[str]]:
    """Return paths of lists whose filter is drawn fifty times."""
    return lambda facts: [f"sessions/?q={quote(make(facts, _RANDOM))}{more}" for _ in range(50)]


def _one_of(*texts: str) -> Callable[[Facts, Random], str]:
    return lambda facts, random: random.choice(texts)


def _at(path: str) -> Callable[[Facts], list[str]]:
    return lambda facts: [path]


def _giant(external_id: str, more: str = "") -> Callable[[Facts], list[str]]:
    return lambda facts: [f"sessions/{facts.giants[external_id]}/{more}"]


def _list_pages() -> Iterator[Asked]:
    yield Asked("list: first page", _at("sessions/"))
    yield Asked("list: page 50", lambda f: [f"sessions/?before={at}" for at in f.page_50])
    yield Asked("list: pages anywhere", lambda f: [f"sessions/?before={at}" for at in f.deep])
    yield Asked("list: pages back", lambda f: [f"sessions/?after={at}" for at in f.deep])


def _filters() -> Iterator[Asked]:
    rare_tools, some_tools = TOOLS[-12:], TOOLS[:6]
    yield Asked("status: frequent", _filtered("status:completed"))
    yield Asked("status: sparse", _filtered("status:cancelled", "status:handed-over,cancelled"))
    yield Asked("status: none", _filtered("status:waiting"))
    yield Asked("outcome: frequent", _filtered("outcome:resolved", "outcome:any"))
    yield Asked("outcome: sparse", _filtered("outcome:harmful", "outcome:wrongly-refused"))
    yield Asked("outcome: failed", _filtered("outcome:failed"))
    yield Asked("outcome: not labelled", _filtered("outcome:none"))
    yield Asked("outcome: reviewers disagree", _filtered("outcome:disagree"))
    yield Asked("cause", _filtered("cause:T5", "cause:U1", "cause:K2"))
    yield Asked("labelled by", _filtered("labelled-by:ada", "labelled-by:mia"))
    yield Asked("agent", _filtered(*(f"agent:{agent}" for agent in AGENTS)))
    yield Asked("agent: pattern", _filtered("agent:order-*", "agent:*-helper"))
    yield Asked("version", _filtered(*(f"version:v{at + 1}" for at in range(VERSIONS_EACH))))
    yield Asked("tool: frequent", _filtered(*(f"tool:{tool}" for tool in some_tools)))
    yield Asked("tool: sparse", _filtered(*(f"tool:{tool}" for tool in rare_tools)))
    yield Asked("tool: unknown", _filtered("tool:no_such_tool"))
    yield Asked("tool: pattern", _filtered("tool:get_*", "tool:*_account"))
    yield Asked("model: frequent", _filtered(*(f"model:{model}" for model in MODELS[:2])))
    yield Asked("model: sparse", _filtered(*(f"model:{model}" for model in MODELS[-3:])))
    yield Asked("errors: frequent", _filtered("errors>0", "has:errors"))
    yield Asked("errors: sparse", _filtered("errors>4", "errors>6"))
    yield Asked("errors: none", _filtered("errors>500000"))
    yield Asked("cost: frequent", _filtered("cost>0.001"))
    yield Asked("cost: sparse", _filtered("cost>0.0085", "cost>0.009"))
    yield Asked("cost: none", _filtered("cost>5"))
    yield Asked("took: frequent", _filtered("took>10s"))
    yield Asked("took: sparse", _filtered("took>130s", "took<7s"))
    yield Asked("took: none", _filtered("took>20d"))
    yield Asked("tokens: frequent", _filtered("tokens>10k"))
    yield Asked("tokens: sparse", _filtered("tokens>28k", "tokens>29k"))
    yield Asked("tokens: none", _filtered("tokens>1000M"))
    yield Asked("customer: one", _drawn(_customer(0.2, 1.0)))
    yield Asked("customer: with many sessions", _drawn(_customer(0.0, 0.001)))
    yield Asked("time: one day", lambda f: [f"sessions/?q=since:{d}+until:{d}" for d in f.days])
    yield Asked("time: last days", _filtered("age<24h", "age<7d", "age<30d"))
    yield Asked("queue", _filtered('queue:"Weekly sample"', "queue:Escalated"))
    yield Asked("has, is", _filtered("has:label", "has:cost", "is:ended", "is:unlabelled"))
    yield Asked("golden too", _filtered("golden:too", "is:golden"))


def _customer(low: float, high: float) -> Callable[[Facts, Random], str]:
    return lambda facts, random: (
        f"customer:customer-{int(NUM_CUSTOMERS * random.uniform(low, high))}"
    )


def _combinations() -> Iterator[Asked]:
    yield Asked(
        "several: tool, status",
        _filtered(*(f"tool:{tool} status:failed" for tool in (*TOOLS[:3], *TOOLS[-3:]))),
    )
    yield Asked(
        "several: agent, version, errors, cost",
        _filtered(*(f"agent:{a} version:v2 errors>1 cost>0.004" for a in AGENTS)),
    )
    yield Asked(
        "several: sparse tool, model, day",
        lambda f: [
            f"sessions/?q=since:{d}+until:{d}+tool:{TOOLS[-1]}+model:{MODELS[-1]}" for d in f.days
        ],
    )
    yield Asked(
        "not: frequent", _filtered("-outcome:resolved", "-status:completed", f"-tool:{TOOLS[0]}")
    )
    yield Asked(
        "not: sparse",
        _filtered(f"-tool:{TOOLS[-1]}", "-outcome:none", f"-status:completed tool:{TOOLS[-2]}"),
    )


def _words() -> Iterator[Asked]:
    yield Asked("words: frequent", _drawn(_one_of(*_FREQUENT_WORDS)))
    yield Asked("words: some", _drawn(_one_of(*_SOME_WORDS)))
    yield Asked("words: rare", _drawn(_one_of(*_RARE_WORDS)))
    yield Asked("words: unknown", _drawn(_one_of("zzyzx", "qqqq")))
    yield Asked("words: two frequent", _drawn(lambda f, r: " ".join(r.sample(_FREQUENT_WORDS, 2))))
    yield Asked(
        "words: frequent and rare",
        _drawn(lambda f, r: f"{r.choice(_FREQUENT_WORDS)} {r.choice(_RARE_WORDS)}"),
    )
    yield Asked("words: phrase", _drawn(lambda f, r: f'"{r.choice(f.phrases)}"'))
    yield Asked(
        "words: frequent, and tool",
        _drawn(lambda f, r: f"{r.choice(_FREQUENT_WORDS)} tool:{r.choice(TOOLS[-8:])}"),
    )
    yield Asked("words: best match, frequent", _drawn(_one_of(*_FREQUENT_WORDS), "&sort=match"))
    yield Asked("words: best match, some", _drawn(_one_of(*_SOME_WORDS), "&sort=match"))


def _sorts() -> Iterator[Asked]:
    for sort in ("oldest", "cost", "took", "tokens", "errors"):
        yield Asked(f"sort: {sort}", _at(f"sessions/?sort={sort}"))
    yield Asked(
        "sort: cost, filtered",
        _filtered("status:failed", f"tool:{TOOLS[-1]}", "errors>0", more="&sort=cost"),
    )


def _completions() -> Iterator[Asked]:
    terms = ("to", "tool:", "tool:ge", "agent:", "version:v", "model:h", "status:", "customer:cu")
    yield Asked(
        "completion", lambda f: [f"sessions/complete/?term={quote(term)}" for term in terms]
    )


def _sessions() -> Iterator[Asked]:
    yield Asked("session: 10 spans", lambda f: [f"sessions/{pk}/" for pk in f.sessions])
    yield Asked(
        "session: 10 spans, from a list",
        lambda f: [f"sessions/{pk}/?q=tool:{TOOLS[0]}+errors%3E0" for pk in f.sessions],
    )
    yield Asked("session: one span", lambda f: [f"sessions/{pk}/spans/{s}/" for pk, s in f.spans])
    yield Asked("session: 10,000 spans", _giant("ten-thousand-spans"), 300)
    yield Asked("session: 50,000 spans", _giant("fifty-thousand-spans"), 1000)
    yield Asked("session: with a span of 5 MB", _giant("five-megabytes"))
    yield Asked(
        "session: the span of 5 MB",
        lambda f: [f"sessions/{f.giants['five-megabytes']}/spans/{f.large_span}/"],
        300,
    )


def _other_screens() -> Iterator[Asked]:
    yield Asked("overview", _at("overview/"))
    yield Asked("overview: one agent", lambda f: [f"overview/?agent={agent}" for agent in AGENTS])
    yield Asked("autonomy", _at("autonomy/"))
    yield Asked("autonomy: agent", lambda f: [f"autonomy/agents/{agent}/" for agent in AGENTS])
    yield Asked(
        "autonomy: tool",
        lambda f: [f"autonomy/agents/{a}/tools/{tool}/" for a in AGENTS for tool in TOOLS[:8]],
    )
    for path in ("approvals/", "approvals/decided/", "golden/", "releases/", "settings/"):
        yield Asked(path.strip("/").replace("/", ": "), _at(path))
    for path in ("keys", "project", "labels", "audit", "masking", "retention", "prices"):
        yield Asked(f"settings: {path}", _at(f"settings/{path}/"))


PAGES = [
    *_list_pages(),
    *_filters(),
    *_combinations(),
    *_words(),
    *_sorts(),
    *_completions(),
    *_sessions(),
    *_other_screens(),
]
