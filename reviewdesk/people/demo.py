"""The demo's people: one for each role, two reviewers, all with the same password."""

from dataclasses import dataclass

import pghistory
from django.contrib.auth.hashers import make_password
from django.db import transaction

from reviewdesk.people.models import Membership, User
from reviewdesk.people.roles import Role
from traces.models import Project

PASSWORD = "reviewdesk-demo"  # noqa: S105  # printed at each start: the demo is no secret
DOMAIN = "demo.example"


@dataclass(frozen=True)
class DemoPerson:
    """Somebody of the demo; signs in with `email`."""

    name: str
    email: str
    role: Role


PEOPLE = (
    DemoPerson("Ada Lindqvist", f"ada@{DOMAIN}", Role.REVIEWER),
    DemoPerson("Mia Tanaka", f"mia@{DOMAIN}", Role.REVIEWER),
    DemoPerson("Jo Whitfield", f"jo@{DOMAIN}", Role.SUPPORT),
    DemoPerson("Jonas Weber", f"jonas@{DOMAIN}", Role.ENGINEER),
    DemoPerson("Samuel Ortiz", f"samuel@{DOMAIN}", Role.LEAD),
    DemoPerson("Helena Brandt", f"helena@{DOMAIN}", Role.ADMIN),
    DemoPerson("Priya Raman", f"priya@{DOMAIN}", Role.VIEWER),
)


def may_load_demo() -> bool:
    """Say whether nobody but the demo's people has an account here.

    Their password is known to everybody, so they never join a desk that is in real use.
    """
    others = User.objects.exclude(email__in=[person.email for person in PEOPLE])
    return not others.filter(is_active=True).exists()


def is_demo_loaded() -> bool:
    """Say whether the demo's people are here: they come with the demo, or not at all."""
    return User.objects.filter(email=PEOPLE[0].email).exists()


@transaction.atomic
def make_demo_people() -> None:
    """Make the accounts that are missing; accounts that exist stay as they are."""
    known = set(User.objects.values_list("email", flat=True))
    missing = [person for person in PEOPLE if person.email not in known]
    if missing:
        password = make_password(PASSWORD)  # once: each takes a fifth of a second, on purpose
        User.objects.bulk_create(
            User(username=person.email, email=person.email, password=password, name=person.name)
            for person in missing
        )


@transaction.atomic
def join_demo_project(*, project: Project) -> None:
    """Give the demo's people their roles in `project`, unless they have one there."""
    with pghistory.context(action="load the demo"):
        for person in PEOPLE:
            Membership.objects.get_or_create(
                project=project,
                user=User.objects.get(email=person.email),
                defaults={"role": person.role},
            )


@transaction.atomic
def join_wholesale_project(*, project: Project) -> None:
    """Give the admin alone a role in the demo's second project: the others never see it."""
    with pghistory.context(action="load the demo"):
        Membership.objects.get_or_create(
            project=project, user=people_as(Role.ADMIN)[0], defaults={"role": Role.ADMIN}
        )


def people_as(role: Role) -> list[User]:
    """Return the demo's people of one role, in the order of `PEOPLE`."""
    emails = [person.email for person in PEOPLE if person.role is role]
    return [User.objects.get(email=email) for email in emails]


def sign_in_lines() -> list[str]:
    """Return what the terminal prints: each person's role, address and the password."""
    width = max(len(person.email) for person in PEOPLE)
    people = [
        f"  {person.email:<{width}}  {person.role.label:<8}  {person.name}" for person in PEOPLE
    ]
    return [f"Sign in with one of these addresses and the password {PASSWORD}", *people]
