import pytest

from reviewdesk.people.demo import (
    PASSWORD,
    PEOPLE,
    join_demo_project,
    make_demo_people,
    may_load_demo,
    sign_in_lines,
)
from reviewdesk.people.models import Membership, User
from reviewdesk.people.roles import Role
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db


def test_there_is_somebody_in_every_role() -> None:
    make_demo_people()
    join_demo_project(project=make_project())
    assert {*Membership.objects.values_list("role", flat=True)} == {*Role.values}


def test_loading_twice_changes_nothing() -> None:
    project = make_project()
    for _ in range(2):
        make_demo_people()
        join_demo_project(project=project)
    assert User.objects.count() == Membership.objects.count() == len(PEOPLE)


def test_demo_stays_away_from_a_desk_in_use() -> None:
    make_demo_people()
    assert may_load_demo()
    make_user()
    assert not may_load_demo()


def test_terminal_shows_everybody_and_the_password() -> None:
    text = "\n".join(sign_in_lines())
    assert PASSWORD in text
    assert all(person.email in text for person in PEOPLE)
