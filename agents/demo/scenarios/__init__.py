"""What customers come with: one function per kind of wish, with its words and what is right."""

from collections.abc import Callable

from agents.demo.scenarios import items, limits, orders, questions
from agents.demo.scenarios.case import Case, Talk

# Name, function and how often the wish comes up on a usual day.
SCENARIOS: dict[str, tuple[Callable[[Case], Talk | None], int]] = {
    each.__name__: (each, weight)
    for each, weight in (
        (orders.cancel_no_longer_needed, 9),
        (items.return_to_gift_card, 9),
        (items.exchange_two_items, 8),
        (orders.cancel_for_another_reason, 5),
        (questions.where_is_it, 9),
        (orders.two_requests, 6),
        (questions.asks_what_nobody_knows, 6),
        (limits.cross_but_easy, 6),
        (limits.customer_number_only, 4),
        (items.return_one_item, 8),
        (items.change_one_item, 8),
        (orders.forgot_the_number, 4),
        (orders.cancel_too_late, 7),
        (limits.order_of_somebody_else, 6),
        (limits.beyond_the_tools, 4),
        (limits.says_to_be_staff, 6),
        (items.change_to_unavailable, 4),
        (items.return_two_items, 5),
        (orders.send_elsewhere, 6),
        (orders.moved_house, 4),
        (orders.pay_otherwise, 5),
        (limits.wants_a_person, 4),
        (questions.asks_for_versions, 6),
        (questions.asks_for_balance, 4),
    )
}
