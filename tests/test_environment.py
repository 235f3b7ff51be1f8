from pathlib import Path

import pytest

from reviewdesk.environment import BadEnvironmentError, read_environment


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
