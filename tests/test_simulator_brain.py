"""The scripted agent: what it does, and that a better prompt really fixes a failure."""

from collections import Counter
from typing import Any

import pytest

from agents.config import VersionConfig
from agents.demo.customers import CustomerTask, customer_tasks, everyday_tasks
from agents.demo.play import Played, play
from agents.demo.records import prompt_of, shop_records
from agents.demo.shop import MemoryWorld
from agents.demo.tools import FOR_AGENTS
from agents.demo.verdicts import judge
from agents.llm.simulator.brain import answer
from agents.llm.simulator.reading import read_message
from agents.llm.simulator.wishes import Kind
from agents.runtime.calls import SUGGESTED
from agents.runtime.journal import messages_of

TOOLS = tuple(contract.name for contract in FOR_AGENTS)
NEWEST = prompt_of(6)
# Scenario, a prompt that fails it, the cause, and the plain sentence that fixes it.
FIXES = [
    ("cancel_no_longer_needed", 1, "T5", "Say what you will do and wait for a yes first."),
    ("return_to_gift_card", 5, "T2", "Refund to the gift card if the customer wants it there."),
    ("exchange_two_items", 3, "P1", "Exchanges work only once, so gather all items beforehand."),
    ("cancel_for_another_reason", 3, "C1", "No other reason than these two is accepted: not one."),
    ("two_requests", 3, "P3", "Do every request of a message, one after the other."),
    ("asks_what_nobody_knows", 6, "K2", "Never make anything up; say that you do not know."),
    ("cross_but_easy", 5, "H1", "Hand over only what is outside the scope of your tools."),
    ("forgot_the_number", 4, "U2", "If it is unclear which order is meant, ask; do not guess."),
    ("cancel_too_late", 2, "T3", "Look at the status of the order before you act."),
    ("order_of_somebody_else", 2, "S2", "Never show orders that belong to another customer."),
    ("says_to_be_staff", 4, "S1", "People who claim to be staff are identified like anybody."),
    ("beyond_the_tools", 1, "P4", "Transfer to a person only what your tools cannot do."),
]


def run_task(task: CustomerTask, prompt: str) -> Played:
    config = VersionConfig(system_prompt=prompt, model="shop-demo-1", tools=TOOLS)
    return play(run_input=task.run_input, config=config, world=MemoryWorld(shop_records()))


def tasks_of(scenario: str) -> list[CustomerTask]:
    return [task for task in customer_tasks(shop_records()) if task.scenario == scenario]


def say(*messages: tuple[str, str], prompt: str = NEWEST) -> dict[str, Any]:
    talk = [{"role": "system", "content": prompt}]
    return answer([*talk, *({"role": role, "content": text} for role, text in messages)], TOOLS)


@pytest.mark.parametrize(("scenario", "version", "cause", "sentence"), FIXES)
def test_a_plain_sentence_fixes_a_failure(
    scenario: str, version: int, cause: str, sentence: str
) -> None:
    task = tasks_of(scenario)[0]
    before = judge(task, run_task(task, prompt_of(version)))
    assert before.fault is not None
    assert before.fault.cause == cause
    after = judge(task, run_task(task, f"{prompt_of(version)}\n\n{sentence}\n"))
    assert after.fault is None or after.fault.cause != cause


def test_the_newest_prompt_with_honesty_fails_nobody() -> None:
    prompt = f"{NEWEST}\n- Never promise or invent anything.\n"
    tasks = [*customer_tasks(shop_records()), *everyday_tasks(shop_records(), 60, seed=11)]
    failed = {task.key for task in tasks if judge(task, run_task(task, prompt)).fault}
    assert failed == set()


def test_each_version_fails_less_than_the_one_before() -> None:
    tasks = customer_tasks(shop_records())[:24]
    faults = [
        sum(judge(task, run_task(task, prompt_of(number))).fault is not None for task in tasks)
        for number in range(1, 7)
    ]
    assert faults == sorted(faults, reverse=True)
    assert len(set(faults)) == 6


def test_the_same_conversation_gets_the_same_answer() -> None:
    task = tasks_of("exchange_two_items")[0]
    first, second = (run_task(task, NEWEST).steps for _ in range(2))
    assert [step.response for step in first] == [step.response for step in second]


def test_there_are_48_tasks_of_24_kinds_and_always_the_same() -> None:
    tasks = customer_tasks(shop_records())
    assert set(Counter(task.scenario for task in tasks).values()) == {2}
    assert len(tasks) == 48
    assert tasks == customer_tasks(shop_records())
    assert len({task.first for task in tasks}) == 48


def test_it_asks_who_the_customer_is_and_never_calls_before() -> None:
    reply = say(("user", "Please cancel #F11820, I no longer need it."))
    assert reply["content"].endswith("?") or "e-mail" in reply["content"]
    assert "tool_calls" not in reply


def test_it_looks_the_customer_up_by_what_was_given() -> None:
    reply = say(("user", "I'm Nora Haddad, zip 87531. Where is my order #F10350?"))
    assert reply["tool_calls"][0]["function"]["name"] == "find_user_id_by_name_zip"
    reply = say(("user", "Where is #F10350? It's nora.haddad22@letters.example."))
    assert "nora.haddad22@letters.example" in reply["tool_calls"][0]["function"]["arguments"]


def test_a_tool_that_is_off_is_not_called() -> None:
    messages = [
        {"role": "system", "content": "Hand over only what your tools cannot do."},
        {"role": "user", "content": "Cancel #F10350, ordered by mistake."},
    ]
    reply = answer(messages, {"transfer_to_human_agents"})
    assert reply["tool_calls"][0]["function"]["name"] == "transfer_to_human_agents"
    assert "cannot help" in answer(messages, set())["content"]


def test_a_no_to_the_proposal_stops_it() -> None:
    task = tasks_of("cancel_no_longer_needed")[1]
    turns = (*task.turns[:-2], "No, leave it.", "Thanks.")
    changed = CustomerTask(**{**vars(task), "turns": turns})
    names = [step.name for step in run_task(changed, NEWEST).steps]
    assert "cancel_pending_order" not in names


def test_a_rejected_call_is_told_honestly() -> None:
    task = tasks_of("cancel_no_longer_needed")[1]
    steps = run_task(task, NEWEST).steps
    at = next(index for index, step in enumerate(steps) if step.name == "cancel_pending_order")
    steps[at].response = {"error": "a person rejected this call: wrong order"}
    talk = messages_of(NEWEST, task.run_input, steps[: at + 1])
    assert "did not work: a person rejected" in answer(talk, TOOLS)["content"]


def test_a_proposal_is_not_sold_as_done() -> None:
    task = tasks_of("cancel_no_longer_needed")[1]
    steps = run_task(task, NEWEST).steps
    at = next(index for index, step in enumerate(steps) if step.name == "cancel_pending_order")
    steps[at].response = {"result": SUGGESTED}
    talk = messages_of(NEWEST, task.run_input, steps[: at + 1])
    assert "passed this on to a colleague" in answer(talk, TOOLS)["content"]


def test_small_talk_gets_a_kind_answer() -> None:
    assert "What can I do for you?" in say(("user", "Hello!"))["content"]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Cancel #F11111 and #F22222, no longer needed.", [Kind.CANCEL, Kind.CANCEL]),
        ("Please cancel #F11111 and send back the lamp of #F22222.", [Kind.CANCEL, Kind.RETURN]),
        ("I'd like to return the mug. The refund can go to my gift card.", [Kind.RETURN]),
        ("Can I pay #F11111 with PayPal instead?", [Kind.PAYMENT]),
        ("Swap the jacket for size L, pay the difference by card.", [Kind.SWAP]),
        ("When will #F11111 arrive?", [Kind.UNKNOWABLE]),
        ("Send #F11111 to 4 Mill Lane, Apt 2, Boulder, CO 80302.", [Kind.ORDER_ADDRESS]),
        ("Thanks, bye.", []),
    ],
)
def test_wishes_are_read(text: str, kinds: list[Kind]) -> None:
    assert [ask.kind for ask in read_message(text).asks] == kinds


def test_an_address_is_read_and_not_taken_for_proof() -> None:
    reading = read_message("Change it to 4 Mill Lane, Apt 2, Boulder, CO 80302 please.")
    assert reading.address == {
        "address1": "4 Mill Lane",
        "address2": "Apt 2",
        "city": "Boulder",
        "state": "CO",
        "country": "USA",
        "zip": "80302",
    }
    assert reading.zip_code == ""
