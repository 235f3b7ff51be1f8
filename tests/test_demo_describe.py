"""Waiting calls in words, from the shop's records."""

from decimal import Decimal

from agents.demo.describe import describe_call
from agents.demo.shop import MemoryWorld
from tests.test_demo_tools import ADDRESS, RECORDS

WORLD = MemoryWorld(RECORDS)


def test_a_return_names_items_amount_and_where_the_money_goes() -> None:
    arguments = {"order_id": "#F2", "item_ids": ["I-1"], "payment_method_id": "gift-1"}
    summary = describe_call("return_delivered_order_items", arguments, WORLD)
    rows = dict(summary.rows)
    assert summary.title == "Return 1 item of #F2"
    assert summary.amount == Decimal("40.10")
    assert rows["Items"] == "Reading Lamp, brass, warm (I-1), $40.10"
    assert rows["Refund to"] == "Gift card ··ft-1, balance $30.00"


def test_a_cancellation_names_what_is_refunded() -> None:
    arguments = {"order_id": "#F3", "reason": "no longer needed"}
    summary = describe_call("cancel_pending_order", arguments, WORLD)
    assert summary.title == "Cancel order #F3"
    assert summary.amount == Decimal("40.10")
    assert dict(summary.rows)["Reason"] == "no longer needed"


def test_an_exchange_says_who_pays_the_difference() -> None:
    arguments = {
        "order_id": "#F1",
        "item_ids": ["I-1"],
        "new_item_ids": ["I-2"],
        "payment_method_id": "paypal-1",
    }
    summary = describe_call("modify_pending_order_items", arguments, WORLD)
    assert summary.amount == Decimal("-4.30")
    assert dict(summary.rows)["Difference"] == "$4.30; the customer pays it"
    assert dict(summary.rows)["Settled by"] == "PayPal account"


def test_addresses_are_shown_before_and_after() -> None:
    summary = describe_call("modify_user_address", {"user_id": "C-1", **ADDRESS}, WORLD)
    assert summary.title == "Change the default address of Tia Test"
    assert dict(summary.rows)["New address"] == "9 New Lane, Salem, OR, 97301, USA"
    assert summary.amount is None


def test_what_does_not_fit_the_records_is_shown_as_it_is() -> None:
    for arguments in ({"order_id": "#F99", "reason": 7}, {"order_id": ["x"]}, {}):
        summary = describe_call("cancel_pending_order", arguments, WORLD)
        assert summary.title == "Cancel pending order"
        assert len(summary.rows) == len(arguments)


def test_a_tool_without_words_of_its_own_is_shown_by_its_arguments() -> None:
    summary = describe_call("get_order_details", {"order_id": "#F1"}, WORLD)
    assert (summary.title, summary.rows) == ("Get order details", (("Order id", "#F1"),))
    assert describe_call("fly", {"to": "moon"}, WORLD).rows == (("To", "moon"),)


def test_lists_stand_a_line_each_and_a_tools_own_words_are_not_its_outcome() -> None:
    arguments = {"item_ids": ["I-1", "I-2"], "deep": {"a": True}, "none": []}
    summary = describe_call("ship__items", arguments, WORLD, "Ships items.")
    assert summary.title == "Ship items"
    assert dict(summary.rows) == {
        "Item ids": "I-1\nI-2",
        "Deep": '{"a": true}',
        "None": "none",
    }
    assert (summary.afterwards, summary.about) == ("", "Ships items.")
