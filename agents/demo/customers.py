"""The demo's customers: what they say, and what should come of it, made from the shop's records.

Everything is derived from a seed, so the same call always gives the same tasks.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.demo.scenarios import SCENARIOS
from agents.demo.scenarios.case import Case, Expectation, Talk

Records = Mapping[str, Mapping[str, dict[str, Any]]]
NUM_TASKS = 48
_SEED = 71


@dataclass(frozen=True)
class CustomerTask:
    """A customer with a wish.

    Attributes:
        key: Names the task, such as "return_to_gift_card-2".
        scenario: Name of the function in `agents.demo.scenarios` that made it.
        customer: Name, as the session list shows it.
        customer_id: The customer's id in the shop.
        first: The first message.
        turns: What is said after each answer.
        expectation: What should happen.
    """

    key: str
    scenario: str
    customer: str
    customer_id: str
    first: str
    turns: tuple[str, ...]
    expectation: Expectation = field(default_factory=Expectation)

    @property
    def run_input(self) -> dict[str, Any]:
        """Return the input of a run."""
        messages = [{"role": "user", "content": self.first}]
        return {"messages": messages, "turns": list(self.turns)}


def customer_tasks(records: Records, num_tasks: int = NUM_TASKS) -> list[CustomerTask]:
    """Return the tasks that runs can be started with: every scenario as often as the others."""
    return list(_tasks(records, random.Random(_SEED), _in_turn(), num_tasks))  # noqa: S311


def everyday_tasks(records: Records, num_tasks: int, seed: int) -> list[CustomerTask]:
    """Return as many tasks as asked for, scenarios as often as they come up on a usual day."""
    rng = random.Random(seed)  # noqa: S311
    return list(_tasks(records, rng, _by_weight(rng), num_tasks))


def _tasks(
    records: Records,
    rng: random.Random,
    order: Iterator[tuple[str, Callable[[Case], Talk | None]]],
    num_tasks: int,
) -> Iterator[CustomerTask]:
    users = list(records["user"].values())
    used: set[str] = set()
    made = 0
    while made < num_tasks:
        name, scenario = next(order)
        for user in rng.sample(users, len(users)):
            talk = scenario(Case(user, records, rng))
            if talk is None or talk.first in used:
                continue
            used.add(talk.first)
            made += 1
            yield CustomerTask(
                key=f"{name}-{made}",
                scenario=name,
                customer=f"{user['name']['first_name']} {user['name']['last_name']}",
                customer_id=user["user_id"],
                first=talk.first,
                turns=talk.turns,
                expectation=talk.expectation,
            )
            break


def _in_turn() -> Iterator[tuple[str, Callable[[Case], Talk | None]]]:
    while True:
        yield from ((name, scenario) for name, (scenario, _) in SCENARIOS.items())


def _by_weight(
    rng: random.Random,
) -> Iterator[tuple[str, Callable[[Case], Talk | None]]]:
    names = list(SCENARIOS)
    weights = [SCENARIOS[name][1] for name in names]
    while True:
        name = rng.choices(names, weights)[0]
        yield name, SCENARIOS[name][0]
