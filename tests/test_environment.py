from pathlib import Path

import pytest

from reviewdesk.environment import BadEnvironmentError, read_environment
from reviewdesk.mail_server import MailServer


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("REVIEWDESK_PORT", "web", "REVIEWDESK_PORT is 'web'"),
        ("REVIEWDESK_PORT", "0", "REVIEWDESK_PORT is '0'"),
        ("REVIEWDESK_PORT", "65536", "a number from 1 to 65535"),
        ("REVIEWDESK_DEMO", "yes", "REVIEWDESK_DEMO is 'yes'"),
        ("DATABASE_URL", "mysql://root@localhost/desk", "DATABASE_URL"),
        ("DATABASE_URL", "postgresql://localhost", "DATABASE_URL"),
        ("BROKER_URL", "kafka://localhost", "BROKER_URL"),
        ("BROKER_URL", "redis", "BROKER_URL"),
        ("OPENAI_BASE_URL", "localhost:8080", "OPENAI_BASE_URL"),
        ("REVIEWDESK_URL", "desk.example.com", "REVIEWDESK_URL"),
        ("REVIEWDESK_SHARED_SECRETS", "PAGER, A__B", "REVIEWDESK_SHARED_SECRETS names 'A__B'"),
        ("MAIL_URL", "mail.example.com", "MAIL_URL must name a host"),
        ("MAIL_URL", "smtp://[", "MAIL_URL is no URL"),
        ("MAIL_URL", "smtp://mail.example.com", "MAIL_URL needs the address that mail comes from"),
        ("MAIL_URL", "smtp://m.example.com?form=a@b.c", "MAIL_URL has the parameter 'form'"),
        ("MAIL_URL", "smtp://a%40b.c:pw@m.example.com", "in the clear; use smtps://"),
        ("MAIL_URL", "smtps://a%40b.c:pw@m.example.com?starttls=1", "with smtp:// alone"),
    ],
)
def test_bad_value_is_refused_by_name(name: str, value: str, words: str) -> None:
    with pytest.raises(BadEnvironmentError, match=words):
        read_environment({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://ada:s3cret-pw@host/desk"),
        ("DATABASE_URL", "postgresql://ada:s3cret-pw%@host/desk"),
        ("DATABASE_URL", "postgresql://ada:s3cret-pw@host:port@host/desk"),
        ("BROKER_URL", "//:s3cret-pw@host"),
        ("BROKER_URL", "ada:s3cret-pw@host"),
        ("BROKER_URL", "redis://:s3cret-pw@[host"),
        ("BROKER_URL", "mysql://ada:s3cret-pw@host"),
        ("OPENAI_BASE_URL", "s3cret-pw:x@host"),
        ("MAIL_URL", "smtp://ada:s3cret-pw@host"),
        ("MAIL_URL", "mail://ada:s3cret-pw@host"),
    ],
)
def test_password_in_a_bad_value_is_not_told(name: str, value: str) -> None:
    with pytest.raises(BadEnvironmentError, match=name) as caught:
        read_environment({name: value})
    assert "s3c" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_empty_values_are_the_defaults() -> None:
    names = ("REVIEWDESK_PORT", "REVIEWDESK_HOME", "REVIEWDESK_DEMO", "DATABASE_URL", "BROKER_URL")
    assert read_environment(dict.fromkeys(names, "")) == read_environment({})
    assert read_environment({}).port == 8000
    assert read_environment({}).is_embedded


def test_home_is_absolute_and_knows_the_users_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    environment = read_environment({"REVIEWDESK_HOME": "~/desk"})
    assert environment.home == Path("/home/somebody/desk")


def test_two_homes_have_two_ids() -> None:
    one, other = (read_environment({"REVIEWDESK_HOME": f"/srv/{name}"}) for name in "ab")
    assert one.home_id != other.home_id


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", MailServer()),
        (
            "smtp://localhost:2525?from=desk@example.com",
            MailServer("localhost", 2525, sender="desk@example.com"),
        ),
        (
            "smtps://desk%40example.com:p%40ss@mail.example.com",
            MailServer(
                "mail.example.com", 465, "desk@example.com", "p@ss", "desk@example.com", is_tls=True
            ),
        ),
        (
            "smtp://ada:pw@mail.example.com?starttls=1&from=desk@example.com",
            MailServer("mail.example.com", 587, "ada", "pw", "desk@example.com", is_starttls=True),
        ),
    ],
)
def test_mail_server_is_read_from_its_url(url: str, expected: MailServer) -> None:
    assert read_environment({"MAIL_URL": url}).mail == expected


def test_address_of_the_desk_ends_without_a_slash() -> None:
    assert read_environment({"REVIEWDESK_PORT": "8123"}).desk_url == "http://127.0.0.1:8123"
    found = read_environment({"REVIEWDESK_URL": "https://desk.example.com/"})
    assert found.desk_url == "https://desk.example.com"
