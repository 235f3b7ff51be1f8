"""The shop's tools: what they change, what they refuse, and what always holds."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.demo.records import shop_records
from agents.demo.shop import DatabaseWorld, MemoryWorld
from agents.demo.tools import FOR_AGENTS
from agents.demo.tools.desk import calculate
from agents.models import ShopRecord, ShopWrite
from agents.tools.contract import ToolError
from agents.tools.executor import argument_problems
from agents.tools.registry import UnknownToolError, contract_for, contracts
from tests.factories import make_run

LAMP = {"finish": "brass", "bulb": "warm"}
OTHER = {"finish": "black", "bulb": "warm"}
RECORDS: dict[str, dict[str, dict[str, Any]]] = {
    "user": {
        "C-1": {
            "user_id": "C-1",
            "name": {"first_name": "Tia", "last_name": "Test"},
            "address": {"address1": "1 A Road", "zip": "10115"},
            "email": "tia@mail.example",
            "payment_methods": {
                "card-1": {
                    "source": "credit_card",
                    "id": "card-1",
                    "brand": "visa",
                    "last_four": "4471",
                },
                "gift-1": {"source": "gift_card", "id": "gift-1", "balance": 30.0},
                "paypal-1": {"source": "paypal", "id": "paypal-1"},
            },
            "orders": ["#F1", "#F2"],
        }
    },
    "product": {
        "P-1": {
            "name": "Reading Lamp",
            "product_id": "P-1",
            "variants": {
                "I-1": {"item_id": "I-1", "options": LAMP, "available": True, "price": 40.1},
                "I-2": {"item_id": "I-2", "options": OTHER, "available": True, "price": 44.4},
                "I-3": {"item_id": "I-3", "options": {}, "available": False, "price": 1.0},
                "I-4": {"item_id": "I-4", "options": {}, "available": True, "price": 99.0},
            },
        }
    },
    "order": {
        f"#F{number}": {
            "order_id": f"#F{number}",
            "user_id": "C-1",
            "address": {"address1": "1 A Road"},
            "items": [
                {
                    "name": "Reading Lamp",
                    "product_id": "P-1",
                    "item_id": "I-1",
                    "price": 40.1,
                    "options": LAMP,
                }
            ],
            "status": status,
            "fulfillments": [],
            "payment_history": [
                {"transaction_type": "payment", "amount": 40.1, "payment_method_id": method}
            ],
        }
        for number, status, method in (
            (1, "pending", "card-1"),
            (2, "delivered", "card-1"),
            (3, "pending", "gift-1"),
        )
    },
}
ADDRESS = {
    "address1": "9 New Lane",
    "address2": "",
    "city": "Salem",
    "state": "OR",
    "country": "USA",
    "zip": "97301",
}


def call(name: str, world: MemoryWorld | None = None, **arguments: Any) -> Any:
    return contract_for(name).function(world or MemoryWorld(RECORDS), **arguments)


def balance(world: MemoryWorld) -> float:
    user = world.get("user", "C-1")
    assert user is not None
    return float(user["payment_methods"]["gift-1"]["balance"])


def test_agents_are_given_fifteen_tools_and_an_unknown_one_says_which() -> None:
    assert len(FOR_AGENTS) == 15
    with pytest.raises(UnknownToolError, match=r"no tool called 'buy'; there are calculate"):
        contract_for("buy")


def test_every_schema_refuses_missing_and_further_arguments() -> None:
    for contract in contracts():
        assert argument_problems(contract, {"nonsense": 1}), contract.name


def test_every_text_must_say_something_but_the_second_line_of_an_address() -> None:
    for contract in contracts():
        for name, schema in contract.parameters["properties"].items():
            empty = [""] if schema["type"] == "array" else ""
            found = argument_problems(contract, {name: empty})
            is_refused = any(problem.startswith(name) for problem in found)
            assert is_refused is (name != "address2"), (contract.name, name)


def test_users_are_found_by_email_or_name_and_zip_whatever_the_case() -> None:
    assert call("find_user_id_by_email", email="TIA@mail.example") == "C-1"
    names = {"first_name": "tia", "last_name": "TEST"}
    assert call("find_user_id_by_name_zip", **names, zip="10115") == "C-1"
    with pytest.raises(ToolError, match="User not found"):
        call("find_user_id_by_name_zip", **names, zip="10116")


def test_an_order_shows_every_optional_attribute() -> None:
    order = call("get_order_details", order_id="#F1")
    assert order["cancel_reason"] is None
    assert order["return_items"] is None


def test_cancelling_refunds_a_gift_card_at_once() -> None:
    world = MemoryWorld(RECORDS)
    order = call("cancel_pending_order", world, order_id="#F3", reason="no longer needed")
    assert order["status"] == "cancelled"
    assert order["payment_history"][-1]["transaction_type"] == "refund"
    assert balance(world) == 70.1


def test_cancelling_twice_is_refused() -> None:
    world = MemoryWorld(RECORDS)
    call("cancel_pending_order", world, order_id="#F1", reason="no longer needed")
    with pytest.raises(ToolError, match="Non-pending order cannot be cancelled"):
        call("cancel_pending_order", world, order_id="#F1", reason="no longer needed")


def test_cancelling_after_a_changed_payment_refunds_the_new_one_only() -> None:
    world = MemoryWorld(RECORDS)
    call("modify_pending_order_payment", world, order_id="#F1", payment_method_id="paypal-1")
    order = call("cancel_pending_order", world, order_id="#F1", reason="ordered by mistake")
    refunds = [each for each in order["payment_history"] if each["transaction_type"] == "refund"]
    assert [each["payment_method_id"] for each in refunds] == ["card-1", "paypal-1"]


def test_paying_by_a_gift_card_needs_its_balance() -> None:
    with pytest.raises(ToolError, match="Insufficient gift card balance"):
        call("modify_pending_order_payment", order_id="#F1", payment_method_id="gift-1")


def test_changed_items_take_price_and_options_of_their_own_variant() -> None:
    world = MemoryWorld(RECORDS)
    order = call(
        "modify_pending_order_items",
        world,
        order_id="#F1",
        item_ids=["I-1"],
        new_item_ids=["I-2"],
        payment_method_id="gift-1",
    )
    assert order["status"] == "pending (item modified)"
    assert order["items"][0]["options"] == OTHER
    assert order["payment_history"][-1]["amount"] == pytest.approx(4.3)
    assert balance(world) == 25.7


@pytest.mark.parametrize(
    ("new_ids", "message"),
    [
        ([], "should match"),
        (["I-1"], "should be different"),
        (["I-3"], "not found or available"),
        (["I-9"], "not found or available"),
        (["I-4"], "Insufficient gift card balance"),
    ],
)
def test_items_are_not_changed_to(new_ids: list[str], message: str) -> None:
    with pytest.raises(ToolError, match=message):
        call(
            "modify_pending_order_items",
            order_id="#F1",
            item_ids=["I-1"],
            new_item_ids=new_ids,
            payment_method_id="gift-1",
        )


def test_an_item_can_be_exchanged_for_the_same_one_when_it_is_broken() -> None:
    order = call(
        "exchange_delivered_order_items",
        order_id="#F2",
        item_ids=["I-1"],
        new_item_ids=["I-1"],
        payment_method_id="card-1",
    )
    assert order["status"] == "exchange requested"
    assert order["exchange_price_difference"] == 0


def test_a_refund_goes_to_the_original_payment_or_a_gift_card_only() -> None:
    arguments = {"order_id": "#F2", "item_ids": ["I-1"]}
    order = call("return_delivered_order_items", **arguments, payment_method_id="gift-1")
    assert (order["status"], order["return_items"]) == ("return requested", ["I-1"])
    with pytest.raises(ToolError, match="should be the original payment method"):
        call("return_delivered_order_items", **arguments, payment_method_id="paypal-1")


def test_an_item_cannot_be_returned_more_often_than_it_was_ordered() -> None:
    with pytest.raises(ToolError, match="not found in the order 2 times"):
        call(
            "return_delivered_order_items",
            order_id="#F2",
            item_ids=["I-1", "I-1"],
            payment_method_id="card-1",
        )


def test_addresses_of_orders_and_profiles_are_apart() -> None:
    world = MemoryWorld(RECORDS)
    call("modify_user_address", world, user_id="C-1", **ADDRESS)
    order = call("get_order_details", world, order_id="#F1")
    assert order["address"] == {"address1": "1 A Road"}
    names = {"first_name": "Tia", "last_name": "Test"}
    assert call("find_user_id_by_name_zip", world, **names, zip="97301") == "C-1"


@pytest.mark.parametrize(
    ("expression", "value"), [("1166.98 - 481.5", 685.48), ("-(2 + 3) * 4 / 8", -2.5)]
)
def test_sums_are_calculated(expression: str, value: float) -> None:
    assert call("calculate", expression=expression) == value


@pytest.mark.parametrize(
    "expression", ["__import__('os')", "2 ** 99", "1 / 0", "a + 1", "1e999", "(" * 150, "True + 1"]
)
def test_nothing_but_sums_is_calculated(expression: str) -> None:
    with pytest.raises(ToolError):
        call("calculate", expression=expression)


@given(st.text(max_size=60))
def test_any_text_is_a_sum_or_a_tool_error(text: str) -> None:
    with suppress(ToolError):
        assert isinstance(calculate(MemoryWorld(RECORDS), expression=text), float)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("cancel_pending_order"), st.sampled_from(["#F1", "#F3"])),
        st.tuples(
            st.just("modify_pending_order_payment"),
            st.sampled_from(["#F1", "#F3"]),
            st.sampled_from(["card-1", "gift-1", "paypal-1"]),
        ),
        st.tuples(
            st.just("modify_pending_order_items"),
            st.sampled_from(["#F1", "#F3"]),
            st.sampled_from(["card-1", "gift-1"]),
            st.sampled_from(["I-1", "I-2", "I-3", "I-4"]),
        ),
    ),
    max_size=8,
)


@given(STEPS)
def test_no_money_is_lost_made_or_overdrawn(steps: list[tuple[str, ...]]) -> None:
    world = MemoryWorld(RECORDS)
    for name, order_id, *rest in steps:
        try:
            call(name, world, order_id=order_id, **_arguments(name, rest))
        except ToolError:
            continue
    assert balance(world) >= 0
    for order_id in ("#F1", "#F3"):
        order = world.get("order", order_id)
        assert order is not None
        signs = {"payment": 1, "refund": -1}
        paid = sum(
            signs[each["transaction_type"]] * each["amount"] for each in order["payment_history"]
        )
        due = 0 if order["status"] == "cancelled" else sum(i["price"] for i in order["items"])
        assert paid == pytest.approx(due)


def _arguments(name: str, rest: list[str]) -> dict[str, Any]:
    if name == "cancel_pending_order":
        return {"reason": "no longer needed"}
    if name == "modify_pending_order_payment":
        return {"payment_method_id": rest[0]}
    return {"item_ids": ["I-1"], "new_item_ids": [rest[1]], "payment_method_id": rest[0]}


@given(STEPS)
def test_a_refused_call_writes_nothing_and_records_stay_fresh(steps: list[tuple[str, ...]]) -> None:
    world = MemoryWorld(RECORDS)
    for name, order_id, *rest in steps:
        before = len(world.written)
        try:
            call(name, world, order_id=order_id, **_arguments(name, rest))
        except ToolError:
            assert len(world.written) == before
    assert RECORDS["order"]["#F1"]["status"] == "pending"
    assert RECORDS["user"]["C-1"]["payment_methods"]["gift-1"]["balance"] == 30.0


@pytest.mark.django_db
def test_the_database_world_shows_a_run_its_own_writes_only() -> None:
    for kind, records in RECORDS.items():
        for key, data in records.items():
            ShopRecord.objects.create(dataset="t", kind=kind, key=key, data=data)
    worlds = [
        DatabaseWorld(run=make_run(), dataset="t", tool="modify_user_address", effect_key="k")
        for _ in range(2)
    ]
    contract_for("modify_user_address").function(worlds[0], user_id="C-1", **ADDRESS)
    names = {"first_name": "TIA", "last_name": "test"}
    assert worlds[0].find_user(**names, zip_code="97301") == "C-1"
    assert worlds[1].find_user(**names, zip_code="97301") is None
    assert worlds[0].find_user(email="Tia@mail.example") == "C-1"
    assert worlds[0].products() == {"Reading Lamp": "P-1"}
    write = ShopWrite.objects.get()
    assert (write.tool, write.effect_key, write.key) == ("modify_user_address", "k", "C-1")


def test_the_demo_shop_is_sound() -> None:
    records = shop_records()
    assert (len(records["product"]), len(records["user"]), len(records["order"])) == (20, 80, 220)
    statuses = {order["status"] for order in records["order"].values()}
    assert {"pending", "processed", "delivered", "cancelled", "return requested"} <= statuses
    for order in records["order"].values():
        user = records["user"][order["user_id"]]
        assert order["order_id"] in user["orders"]
        assert order["payment_history"][0]["payment_method_id"] in user["payment_methods"]
        for item in order["items"]:
            variant = records["product"][item["product_id"]]["variants"][item["item_id"]]
            assert (item["price"], item["options"]) == (variant["price"], variant["options"])
