"""The 20 traces of agent frameworks: each is read as a person would, on the session's page."""

import hashlib
import json
from functools import cache
from typing import NamedTuple

import pytest

from reviewdesk.screens.sessions.reading import read_session
from tests.factories import make_project
from tests.real_data import real_data
from traces.ingest.importers.json_file import BadRow
from traces.ingest.importers.langfuse import read_langfuse
from traces.ingest.importers.source import Source
from traces.ingest.store import store_sessions
from traces.models import Session

FILE = "frameworks/langfuse_framework_traces.jsonl.gz"


class Expected(NamedTuple):
    """What was read in the raw file.

    Attributes:
        words: Digest of the customer's first message.
        heard: Messages of the customer, and to other agents.
        said: Messages of the agent.
        tools: Each call's tool and number of arguments.
        session: Digest of the session's id, empty where the trace names none.
    """

    words: str
    heard: int
    said: int
    tools: tuple[tuple[str, int], ...]
    models: tuple[str, ...]
    tokens: tuple[int | None, int | None]
    session: str


EXPECTED = {
    0: Expected(
        "dc94592f", 1, 1, (("duckduckgo_search", 1),), ("gpt-4o-mini",), (826, 245), "2dc71ace"
    ),
    1: Expected("83d30872", 1, 1, (), ("gpt-4o",), (41, 3), "b075e555"),
    2: Expected(
        "ed45cd66",
        1,
        1,
        (("Wikipedia", 1), ("OpenMeteoTool", 2)),
        ("gpt-4o-mini",),
        (5542, None),
        "",
    ),
    3: Expected(
        "41a0768c",
        1,
        2,
        (("mcp__weather__get_weather", 1), ("mcp__weather__get_weather", 1)),
        ("claude-sonnet-4-5-20250929",),
        (34, 232),
        "acc775a7",
    ),
    4: Expected("7867b5a7", 1, 1, (), ("gpt-4o-mini",), (190, 164), ""),
    5: Expected(
        "9443f142",
        1,
        1,
        (("get_custom_report", 5), ("final_result", 3)),
        ("gemini-2.5-flash",),
        (8047, 414),
        "a5ab4351",
    ),
    6: Expected("8f434346", 1, 1, (("say_hello", 0),), ("gemini-2.0-flash",), (67, 9), "34655f39"),
    7: Expected("3a8fcd8b", 1, 1, (), ("gemini-2.5-flash",), (6, 2055), ""),
    8: Expected(
        "525667ad", 1, 1, (("ByeTool", 1), ("HelloTool", 1)), ("gpt-4o",), (215, 125), "d9ad026e"
    ),
    9: Expected(
        "e4776fae", 1, 1, (("get_weather", 1),), ("gpt-5-mini-2025-08-07",), (321, 123), ""
    ),
    10: Expected(
        "05551286", 2, 1, (("Web-Search", 1),), ("gpt-4o-2024-08-06",), (168, 66), "27bb2b01"
    ),
    11: Expected("3a8fcd8b", 1, 1, (), ("gpt-4o",), (13, 81), "b075e555"),
    12: Expected(
        "d18bd29e", 1, 1, (("get_weather", 1),), ("gpt-5-mini-2025-08-07",), (293, 106), ""
    ),
    13: Expected("d18bd29e", 1, 1, (("get_weather", 1),), ("gpt-4.1-2025-04-14",), (140, 44), ""),
    14: Expected("3a8fcd8b", 1, 1, (), ("gpt-4o-2024-08-06",), (31, 96), "b075e555"),
    15: Expected("3a8fcd8b", 1, 1, (), ("gpt-4o-2024-08-06",), (31, 96), "b075e555"),
    16: Expected(
        "dd4dcaa2",
        3,
        2,
        (
            ("get_pun_suggestion", 1),
            ("get_dad_joke_suggestion", 1),
            ("get_one_liner_suggestion", 1),
            ("final_result", 2),
        ),
        ("gpt-4o-mini-2024-07-18",),
        (1315, 209),
        "",
    ),
    17: Expected("06b0cf70", 1, 1, (), ("gemini-2.5-flash",), (40, 159), ""),
    18: Expected("0f4cbea1", 1, 0, (("getWeather", 1),), ("gpt-5-2025-08-07",), (62, 85), ""),
    19: Expected("3a8fcd8b", 1, 1, (), ("gemini-2.5-flash",), (5, 845), ""),
}


def digest(text):
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:8] if text else ""


@cache
def records():
    found = [record for _, record in read_langfuse(Source(real_data(FILE)))]
    assert not [row for row in found if isinstance(row, BadRow)]
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("number", range(20))
def test_framework_trace_reads_as_a_conversation(number):
    record = records()[number]
    project = make_project()
    store_sessions(project=project, records=[record])
    session = Session.objects.get(project=project)
    talk = read_session(session).talk
    said = [item for item in talk if item.kind == "said" and item.who != "Instructions"]
    heard = [item for item in said if not item.is_agents]
    chips = [chip for item in talk if item.kind == "calls" for chip in item.chips]
    assert not [item for item in talk if item.kind == "trouble"]
    assert EXPECTED[number] == Expected(
        words=digest(heard[0].text),
        heard=len(heard),
        said=len(said) - len(heard),
        tools=tuple(
            (chip.name, len(chip.arguments.shown) if chip.arguments else 0) for chip in chips
        ),
        models=tuple(sorted(session.model_names)),
        tokens=(session.input_tokens, session.output_tokens),
        session=digest(session.metadata.get("session_id", "")),
    )
    without_result = [chip.name for chip in chips if not chip.outcome and chip.is_whole]
    assert set(without_result) <= {"final_result"}


def test_no_frameworks_credential_is_kept():
    text = json.dumps([[span.attributes for span in each.spans] for each in records()])
    emitters = json.dumps([[span.emitter.scope for span in each.spans] for each in records()])
    assert "public_key" not in text + emitters
    assert "pk-lf-" not in text + emitters
