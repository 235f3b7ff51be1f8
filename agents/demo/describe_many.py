"""Many waiting calls described at once, with as many queries for many as for few."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from agents.demo.checks import checks_of
from agents.demo.describe import CallSummary, describe_call
from agents.demo.shop import MemoryWorld
from agents.models import ShopRecord, ShopWrite, ToolApproval
from agents.tools.registry import contracts_named

Key = tuple[str, str]
Records = dict[Key, dict[str, Any]]


def describe_calls(approvals: Sequence[ToolApproval]) -> dict[int, CallSummary]:
    """Return what each call would do, by the approval's pk. Five queries.

    Reads `approval.run.agent` and `.session` (select them); all are of one project. Each call is
    described by the shop as its run left it.
    """
    keys = {text for approval in approvals for text in _texts(approval.arguments)}
    shops = _Shops(approvals)
    shops.load(keys)
    shops.load(shops.named_by_orders())
    project_id = approvals[0].run.project_id if approvals else None
    tools = contracts_named({approval.tool for approval in approvals}, project_id)
    summaries = {}
    for approval in approvals:
        world = shops.world_of(approval)
        summary = describe_call(
            approval.tool,
            approval.arguments,
            world,
            tools[approval.tool].description if approval.tool in tools else None,
        )
        customer = approval.run.session.customer
        checks = checks_of(approval.tool, approval.arguments, world, customer)
        summaries[approval.pk] = replace(summary, checks=checks)
    return summaries


class _Shops:
    """The records that some calls touch: those of their data sets, and what their runs wrote."""

    def __init__(self, approvals: Sequence[ToolApproval]) -> None:
        self._runs = {approval.run_id for approval in approvals}
        self._datasets = {approval.run.agent.dataset for approval in approvals}
        self._records: dict[str, Records] = defaultdict(dict)
        self._writes: dict[object, Records] = defaultdict(dict)

    def load(self, keys: Iterable[str]) -> None:
        """Read the records with these keys. Two queries."""
        wanted = list(keys)
        records = ShopRecord.objects.filter(dataset__in=self._datasets, key__in=wanted)
        for record in records:
            self._records[record.dataset][record.kind, record.key] = record.data
        writes = ShopWrite.objects.filter(run__in=self._runs, key__in=wanted).order_by("pk")
        for write in writes:
            self._writes[write.run_id][write.kind, write.key] = write.data

    def named_by_orders(self) -> set[str]:
        """Return the keys of the customers and products of the orders read so far."""
        found: set[str] = set()
        for records in (*self._records.values(), *self._writes.values()):
            for (kind, _), order in records.items():
                if kind == ShopRecord.Kind.ORDER:
                    found.add(order["user_id"])
                    found.update(item["product_id"] for item in order["items"])
        return found

    def world_of(self, approval: ToolApproval) -> MemoryWorld:
        """Return the shop as the call's run sees it."""
        merged = {
            **self._records[approval.run.agent.dataset],
            **self._writes[approval.run_id],
        }
        by_kind: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        for (kind, key), data in merged.items():
            by_kind[kind][key] = data
        return MemoryWorld(by_kind)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
