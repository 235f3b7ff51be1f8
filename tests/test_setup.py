from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from reviewdesk.environment import read_environment
from reviewdesk.people.demo import PASSWORD, make_demo_people
from reviewdesk.people.models import Membership, User
from reviewdesk.people.roles import Role
from reviewdesk.people.setup import offer_setup, read_setup_token
from tests.factories import make_user
from traces.models import LabelSet

pytestmark = pytest.mark.django_db
ANSWERS = {
    "name": "Noor Haddad",
    "email": "Noor@Example.com",
    "password": "a long enough one",
    "project_name": "Parts Shop",
}


@pytest.fixture
def home(tmp_path: Path, settings: object) -> Path:
    settings.ENVIRONMENT = read_environment({"REVIEWDESK_HOME": str(tmp_path)})  # type: ignore[attr-defined]
    return tmp_path


def link(home: Path) -> str:
    offer_setup(home)
    return f"/setup/{read_setup_token(home)}/"


def test_link_makes_the_first_admin_and_signs_them_in(client: Client, home: Path) -> None:
    response = client.post(link(home), ANSWERS, follow=True)
    assert response.redirect_chain[-1][0] == "/p/parts-shop/overview/"
    membership = Membership.objects.get(user__email="noor@example.com")
    assert (membership.role, membership.project.name) == (Role.ADMIN, "Parts Shop")
    assert LabelSet.objects.filter(project=membership.project).exists()


def test_link_is_dead_once_there_is_a_user(client: Client, home: Path) -> None:
    url = link(home)
    make_user()
    assert client.get(url).status_code == 404
    assert client.post(url, ANSWERS).status_code == 404
    assert User.objects.count() == 1


def test_form_posted_empty_says_what_is_missing(client: Client, home: Path) -> None:
    response = client.post(link(home))
    assert response.status_code == 422
    assert b"This field is required" in response.content


def test_wrong_token_is_not_found(client: Client, home: Path) -> None:
    link(home)
    assert client.get("/setup/guess/").status_code == 404


def test_token_is_kept_until_it_is_used(home: Path) -> None:
    first = link(home)
    assert link(home) == first
    assert (home / "setup_token").stat().st_mode & 0o777 == 0o600
    make_user()
    assert link(home) == "/setup//"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("password", "password", "too common"),
        ("email", "noor", "valid email address"),
        ("project_name", "…", "at least one letter"),
        ("name", "", "required"),
    ],
)
def test_invalid_answers_come_back(
    client: Client, home: Path, field: str, value: str, words: str
) -> None:
    response = client.post(link(home), ANSWERS | {field: value})
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not User.objects.exists()


def test_page_takes_no_other_method(client: Client, home: Path) -> None:
    assert client.delete(link(home)).status_code == 405


def test_file_with_the_link_is_private_also_in_an_open_home(home: Path, settings: object) -> None:
    variables = {"REVIEWDESK_HOME": str(home), "REVIEWDESK_DEMO": "0"}
    settings.ENVIRONMENT = read_environment(variables)  # type: ignore[attr-defined]
    home.chmod(0o755)
    (home / "welcome").write_text("from an older start")
    (home / "welcome").chmod(0o644)
    call_command("prepare")
    assert "/setup/" in (home / "welcome").read_text()
    assert {file.stat().st_mode & 0o777 for file in home.iterdir()} == {0o600}


def test_demo_with_one_more_account_tells_its_sign_ins(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_demo_people()
    make_user()
    call_command("prepare")
    assert PASSWORD in (home / "welcome").read_text()
    assert "left out" not in capsys.readouterr().out


def test_demo_is_left_out_of_a_desk_in_use(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_user()
    call_command("prepare")
    assert (home / "welcome").read_text() == ""
    assert "The demo is left out" in capsys.readouterr().out
