"""The demo's batch work: sessions in which one tool was called many times, and people judged it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import F

from agents.config import content_hash
from agents.demo.history import span_id_of
from agents.demo.records import shop_records
from agents.models import Agent, Run, Step, Tier, ToolApproval, UndoableCall, Version
from agents.tools.contract import ToolContract
from agents.tools.registry import contract_for
from traces.ingest.store import store_sessions
from traces.models import Session, Span
from traces.records import SessionRecord, SpanRecord, to_ns

_SECOND = 1_000_000_000
_EVERY = timedelta(seconds=40)


@dataclass(frozen=True)
class Batch:
    """One session of batch work.

    Attributes:
        key: Names it, such as "batch-addresses".
        tool: What was called.
        says: What the back office wrote.
        answer: What the agent said in the end.
        calls: The arguments of each call.
        began_at: When.
    """

    key: str
    tool: str
    says: str
    answer: str
    calls: tuple[dict[str, Any], ...]
    began_at: datetime


def address_calls(number: int) -> tuple[dict[str, Any], ...]:
    """Return calls that put the second line of customers' addresses right."""
    users = sorted(shop_records()["user"].items())[:number]
    return tuple(
        {
            "user_id": key,
            **{part: user["address"].get(part, "") for part in _ADDRESS},
            "address2": f"Apt {index}",
        }
        for index, (key, user) in enumerate(users, 1)
    )


def payment_calls(number: int) -> tuple[dict[str, Any], ...]:
    """Return calls that pay orders by another method of their customer."""
    records = shop_records()
    calls = []
    for key, order in sorted(records["order"].items()):
        user = records["user"].get(order["user_id"])
        paid_by = order["payment_history"][0]["payment_method_id"]
        others = (
            [each for each in sorted(user["payment_methods"]) if each != paid_by] if user else []
        )
        if others:
            calls.append({"order_id": key, "payment_method_id": others[0]})
    return tuple(calls[:number])


def item_calls(number: int) -> tuple[dict[str, Any], ...]:
    """Return calls that replace an item by another variant of its product."""
    records = shop_records()
    calls = []
    for key, order in sorted(records["order"].items()):
        item = order["items"][0]
        variants = records["product"][item["product_id"]]["variants"]
        others = [each for each in sorted(variants) if each != item["item_id"]]
        if others:
            calls.append(
                {
                    "order_id": key,
                    "item_ids": [item["item_id"]],
                    "new_item_ids": [others[0]],
                    "payment_method_id": order["payment_history"][0]["payment_method_id"],
                }
            )
    return tuple(calls[:number])


def store_batch(*, agent: Agent, version: Version, batch: Batch, by: AbstractBaseUser) -> Run:
    """Write the batch's session, its run and its journal."""
    record = SessionRecord(
        source=Session.Source.DEMO,
        external_id=f"demo-{batch.key}",
        status=Session.Status.COMPLETED,
        agent_name=agent.slug,
        version_name=str(version),
        customer="Back office",
        spans=tuple(_spans(agent, batch)),
    )
    store_sessions(project=agent.project, records=[record])
    session = Session.objects.get(project=agent.project, external_id=record.external_id)
    run = Run.objects.create(
        id=session.pk,
        project=agent.project,
        agent=agent,
        version=version,
        session=session,
        status=Run.Status.COMPLETED,
        input={"messages": [{"role": "user", "content": batch.says}], "turns": []},
        started_by_id=by.pk,
        finished_at=batch.began_at + _EVERY * (len(batch.calls) + 1),
    )
    Run.objects.filter(pk=run.pk).update(created_at=batch.began_at)
    contract = contract_for(batch.tool)
    Step.objects.bulk_create(
        Step(
            run=run,
            index=index,
            kind=Step.Kind.TOOL,
            status=Step.Status.DONE,
            name=batch.tool,
            call_id=f"call_{index}",
            request={"arguments": arguments},
            response={"result": arguments},
            effect_key=f"{run.pk}:{index}",
            tool_version=contract.version,
            claim_token=1,
            span_id=span_id_of(record.external_id, index + 1),
            start_ns=to_ns(batch.began_at + _EVERY * index),
            started_at=batch.began_at + _EVERY * index,
            finished_at=batch.began_at + _EVERY * index,
        )
        for index, arguments in enumerate(batch.calls, 1)
    )
    return run


def decide_batch(*, run: Run, tool: str, by: AbstractBaseUser, num_edited: int = 0) -> None:
    """Have all calls of a batch approved as proposed, but the first `num_edited` of them."""
    contract = contract_for(tool)
    steps = list(run.steps.filter(kind=Step.Kind.TOOL).order_by("index"))
    ToolApproval.objects.bulk_create(_waiting(run, step, contract) for step in steps)
    rows = ToolApproval.objects.filter(run=run, status=ToolApproval.Status.WAITING)
    at = run.finished_at
    rows.update(created_at=steps[0].started_at)
    first = [step.pk for step in steps[:num_edited]]
    decided = {"decided_by_id": by.pk, "decided_at": at, "consumed_at": at}
    rows.filter(step__in=first).update(
        status=ToolApproval.Status.EDITED,
        decided_arguments={**steps[0].request["arguments"], "address2": "Apartment 1"},
        **decided,
    )
    rows.update(status=ToolApproval.Status.APPROVED, decided_arguments=F("arguments"), **decided)


def undo_batch(*, run: Run, tool: str, by: AbstractBaseUser, reason: str) -> None:
    """Note that all calls of a batch were made with undo, and undone."""
    agent_tool = run.agent.tools.get(name=tool)
    UndoableCall.objects.bulk_create(
        UndoableCall(
            run=run,
            step=step,
            agent_tool=agent_tool,
            status=UndoableCall.Status.UNDONE,
            undo_tool=contract_for(tool).policy.undo_tool,
            undo_arguments={"call": step.effect_key},
            until=step.started_at + timedelta(hours=1),
            reason=reason,
            result={"result": {"restored": []}},
            undone_by_id=by.pk,
            undone_at=step.started_at + timedelta(minutes=9),
        )
        for step in run.steps.filter(kind=Step.Kind.TOOL)
    )


_ADDRESS = ("address1", "address2", "city", "state", "country", "zip")


def _waiting(run: Run, step: Step, contract: ToolContract) -> ToolApproval:
    arguments = step.request["arguments"]
    return ToolApproval(
        run=run,
        step=step,
        tool=contract.name,
        tool_version=contract.version,
        tier=Tier(contract.tier),
        level="approve",
        contract_hash=contract.policy_hash,
        arguments=arguments,
        arguments_hash=content_hash(arguments),
        why="the tool's level",
    )


def _spans(agent: Agent, batch: Batch) -> Sequence[SpanRecord]:
    external_id = f"demo-{batch.key}"
    root, start_ns = span_id_of(external_id, 0), to_ns(batch.began_at)
    end_ns = to_ns(batch.began_at + _EVERY * (len(batch.calls) + 1))
    spans = [
        SpanRecord(root, Span.Kind.AGENT, agent.slug, start_ns, end_ns - start_ns),
        SpanRecord(
            span_id_of(external_id, 1),
            Span.Kind.CUSTOMER,
            "customer",
            start_ns + 1,
            parent_id=root,
            output={"content": batch.says},
            attributes={"given": True},
        ),
    ]
    spans += [
        SpanRecord(
            span_id_of(external_id, index + 1),
            Span.Kind.TOOL,
            batch.tool,
            to_ns(batch.began_at + _EVERY * index),
            _SECOND // 8,
            parent_id=root,
            input={"arguments": arguments},
            output={"result": arguments},
            attributes={"call_id": f"call_{index}"},
        )
        for index, arguments in enumerate(batch.calls, 1)
    ]
    spans.append(
        SpanRecord(
            span_id_of(external_id, len(batch.calls) + 2),
            Span.Kind.MODEL,
            "desk-scripted",
            end_ns - _SECOND,
            _SECOND,
            parent_id=root,
            output={"content": batch.answer, "tool_calls": []},
        )
    )
    return spans
