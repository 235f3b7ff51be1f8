"""E-mail addresses are found within quotes, as programs print them."""

import pytest

from traces.redaction.personal import find_emails


@pytest.mark.parametrize(
    "text",
    [
        "shared with 'ada.berg@trams.example'.",
        "{'email': 'ada.berg@trams.example'}",
        '{"email": "ada.berg@trams.example"}',
        r"{\'email\': \'ada.berg@trams.example\'}",
        "(ada.berg@trams.example)",
    ],
)
def test_an_address_in_quotes_is_found(text: str) -> None:
    [(start, end)] = find_emails(text)
    assert text[start:end] == "ada.berg@trams.example"


def test_an_apostrophe_within_a_name_belongs_to_it() -> None:
    text = "write to o'brien@trams.example"
    [(start, end)] = find_emails(text)
    assert text[start:end] == "o'brien@trams.example"
