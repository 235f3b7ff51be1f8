"""Settings: members, links for new accounts, API keys, projects, and the table of roles."""

import re
import threading
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from reviewdesk.people.errors import LastAdminError, PeopleError
from reviewdesk.people.members import change_role, password_link, remove_member
from reviewdesk.people.models import Membership, User
from reviewdesk.people.roles import Role, roles_table
from tests.factories import add_member, client_as, make_project, make_user, sign_in
from traces.api_keys import project_for_key
from traces.models import ApiKey, Project

pytestmark = pytest.mark.django_db
README = Path(__file__).resolve().parent.parent / "README.md"


def admin_of(project):
    return make_user(Role.ADMIN, project)


def url(project, name, *args):
    return reverse(f"settings:{name}", args=[project.slug, *args])


def add(client, project, **data):
    values = {"email": "Mira@Example.com", "name": "Mira Okafor", "role": "reviewer"}
    return client.post(url(project, "add_member"), {**values, **data})


def test_new_person_gets_an_account_and_a_link_that_is_shown_once():
    project = make_project()
    client = sign_in(admin_of(project))
    page = add(client, project)
    link = re.search(r'value="http://testserver(/welcome/[^"]+)"', page.content.decode())[1]
    user = User.objects.get(email="mira@example.com")
    assert not user.has_usable_password()
    assert user.memberships.get().role == Role.REVIEWER
    assert "no-store" in page["Cache-Control"]
    assert link not in client.get(url(project, "index")).content.decode()


def test_link_sets_the_password_signs_in_and_opens_nothing_afterwards():
    user = make_user(Role.VIEWER)
    link = password_link(user)
    visitor = Client()
    form = visitor.get(link, follow=True)
    where = form.redirect_chain[-1][0]
    data = {"new_password1": "seventeen-otters", "new_password2": "seventeen-otters"}
    assert visitor.post(where, data)["Location"] == "/"
    assert int(visitor.session["_auth_user_id"]) == user.pk
    assert b"This link opens nothing any more" in Client().get(link, follow=True).content


def test_weak_password_is_refused():
    visitor = Client()
    where = visitor.get(password_link(make_user()), follow=True).redirect_chain[-1][0]
    page = visitor.post(where, {"new_password1": "password", "new_password2": "password"})
    assert b"too common" in page.content


def test_person_with_an_account_is_added_without_a_link():
    project = make_project()
    known = make_user(email="mira@example.com", password="seventeen-otters", name="Mira")
    page = add(sign_in(admin_of(project)), project, name="Somebody else", is_known="on")
    known.refresh_from_db()
    assert page.status_code == 303
    assert known.memberships.get().project == project
    assert known.name == "Mira"


def test_account_that_exists_is_added_only_by_somebody_who_knows_it():
    project = make_project()
    known = make_user(email="mira@example.com", password="seventeen-otters", name="Mira")
    page = add(sign_in(admin_of(project)), project)
    assert page.status_code == 409
    assert "whoever set its password will act here" in page.content.decode()
    assert 'name="is_known" value="on"' in page.content.decode()
    assert not known.memberships.exists()


def test_unused_account_of_another_project_is_not_trusted():
    theirs, ours = make_project(), make_project()
    add(sign_in(admin_of(theirs)), theirs)
    page = add(sign_in(admin_of(ours)), ours, is_known="on")
    assert page.status_code == 409
    assert "another project has made and nobody has used yet" in page.content.decode()
    assert not Membership.objects.filter(project=ours, user__email="mira@example.com").exists()


def test_link_of_a_former_project_opens_nothing():
    theirs, ours = make_project(), make_project()
    add(sign_in(admin_of(theirs)), theirs)
    user = User.objects.get(email="mira@example.com")
    old, opened = password_link(user), Client()
    form = opened.get(old, follow=True).redirect_chain[-1][0]
    remove_member(membership=user.memberships.get(), by=make_user())
    assert b"can sign in with this link" in add(sign_in(admin_of(ours)), ours).content
    data = {"new_password1": "seventeen-otters", "new_password2": "seventeen-otters"}
    assert b"opens nothing any more" in opened.post(form, data).content
    assert b"opens nothing any more" in Client().get(old, follow=True).content
    user.refresh_from_db()
    assert not user.has_usable_password()


def test_member_cannot_be_added_twice():
    project = make_project()
    client = sign_in(admin_of(project))
    add(client, project)
    again = add(client, project, email="mira@example.com", role="lead")
    assert again.status_code == 409
    assert b"is a member already, as reviewer" in again.content


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        ({"email": "no address"}, 422, "valid email address"),
        ({"role": "owner"}, 422, "owner is not one of the available choices"),
        ({"name": ""}, 409, "give a name, to make the account"),
    ],
)
def test_member_that_cannot_be_added_is_refused_with_the_reason(data, status, words):
    project = make_project()
    answer = add(sign_in(admin_of(project)), project, **data)
    assert answer.status_code == status
    assert words in answer.content.decode()


def test_role_is_changed_and_holds_at_once():
    project = make_project()
    client = sign_in(admin_of(project))
    person = make_user(Role.VIEWER, project)
    membership = person.memberships.get()
    client.post(url(project, "change_role", membership.pk), {"role": "lead"})
    membership.refresh_from_db()
    assert membership.role == Role.LEAD


def test_last_admin_can_be_neither_removed_nor_demoted():
    project = make_project()
    admin = admin_of(project)
    client, membership = sign_in(admin), admin.memberships.get()
    for name, data in (("change_role", {"role": "viewer"}), ("remove_member", {})):
        answer = client.post(url(project, name, membership.pk), data)
        assert answer.status_code == 422
        assert "is the last admin of" in answer.content.decode()
    assert Membership.objects.get(pk=membership.pk).role == Role.ADMIN


def test_database_keeps_the_last_admin_too():
    membership = admin_of(make_project()).memberships.get()
    for change in (
        lambda: Membership.objects.filter(pk=membership.pk).update(role="viewer"),
        lambda: Membership.objects.filter(pk=membership.pk).delete(),
        lambda: User.objects.filter(pk=membership.user_id).update(is_active=False),
    ):
        with transaction.atomic(), connection.cursor() as cursor:
            change()
            with pytest.raises(IntegrityError, match="without an admin"), transaction.atomic():
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            transaction.set_rollback(True)


def test_closed_account_counts_as_no_admin():
    project = make_project()
    admin = admin_of(project)
    make_user(Role.ADMIN, project, is_active=False)
    with pytest.raises(LastAdminError):
        remove_member(membership=admin.memberships.get(), by=admin)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError, match="without an admin"), transaction.atomic():
        Membership.objects.filter(user=admin).delete()


def test_account_of_one_of_two_admins_may_be_closed():
    project = make_project()
    admin, _ = admin_of(project), admin_of(project)
    User.objects.filter(pk=admin.pk).update(is_active=False)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_demote_each_other_at_once_leave_one():
    project = make_project()
    pair = [admin_of(project), admin_of(project)]
    barrier, refused = threading.Barrier(2), []

    def demote(by, whom):
        barrier.wait()
        try:
            change_role(membership=whom.memberships.get(), role=Role.VIEWER, by=by)
        except LastAdminError as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=demote, args=each) for each in (pair, pair[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert Membership.objects.filter(project=project, role=Role.ADMIN).count() == 1


def test_one_of_two_admins_may_leave_and_loses_the_project():
    project = make_project()
    admin, other = admin_of(project), admin_of(project)
    client = sign_in(admin)
    client.post(url(project, "remove_member", admin.memberships.get().pk))
    assert client.get(url(project, "index")).status_code == 404
    assert Membership.objects.get(project=project).user == other


def test_project_with_members_can_be_deleted():
    project = make_project()
    admin_of(project)
    project.delete()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert not Membership.objects.filter(project_id=project.pk).exists()


def test_member_removed_meanwhile_is_said():
    membership = make_user(Role.VIEWER).memberships.get()
    gone = Membership.objects.get(pk=membership.pk)
    remove_member(membership=membership, by=make_user())
    with pytest.raises(PeopleError, match="no member any more"):
        change_role(membership=gone, role=Role.LEAD, by=make_user())


def test_new_link_is_never_given_for_an_account_in_use_or_of_another_project():
    project = make_project()
    client = sign_in(admin_of(project))
    used = make_user(Role.VIEWER, project, password="seventeen-otters")
    shared = make_user(Role.VIEWER, project)
    shared.set_unusable_password()
    shared.save()
    add_member(user=shared, project=make_project(), role=Role.ADMIN)
    for person, words in ((used, "has a password already"), (shared, "in another project too")):
        pk = person.memberships.get(project=project).pk
        answer = client.post(url(project, "make_link", pk))
        assert answer.status_code == 409
        assert words in answer.content.decode()


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMIN])
def test_everybody_else_reads_and_is_told_why_they_may_not(role):
    project = make_project()
    member = admin_of(project).memberships.get()
    client = client_as(role, project)
    for name in ("index", "keys", "project", "labels", "audit"):
        assert client.get(url(project, name)).status_code == 200
    assert b"Members are managed by admins" in client.get(url(project, "index")).content
    for name, args in (
        ("add_member", ()),
        ("change_role", (member.pk,)),
        ("remove_member", (member.pk,)),
        ("make_link", (member.pk,)),
        ("create_key", ()),
        ("rename_project", ()),
        ("create_project", ()),
    ):
        assert client.post(url(project, name, *args)).status_code == 403


def test_members_and_keys_of_another_project_are_not_found():
    mine, theirs = make_project(), make_project()
    client = sign_in(admin_of(mine))
    member = admin_of(theirs).memberships.get()
    key = ApiKey.objects.create(project=theirs, name="Theirs", prefix="rd_abc", digest="d")
    for name, pk in (
        ("change_role", member.pk),
        ("remove_member", member.pk),
        ("make_link", member.pk),
        ("revoke_key", key.pk),
    ):
        assert client.post(url(mine, name, pk), {"role": "viewer"}).status_code == 404


def test_key_is_shown_once_works_and_can_be_revoked():
    project = make_project()
    client = sign_in(admin_of(project))
    page = client.post(url(project, "create_key"), {"name": "Helpdesk bridge"})
    key = re.search(r'value="(rd_[\w-]{40})"', page.content.decode())[1]
    assert project_for_key(key).project == project
    assert f'"Authorization=Bearer%20{key}"' in page.content.decode()
    assert key not in client.get(url(project, "keys")).content.decode()
    client.post(url(project, "revoke_key", ApiKey.objects.get().pk))
    assert project_for_key(key) is None
    assert b"revoked" in client.get(url(project, "keys")).content


def test_key_needs_a_name():
    project = make_project()
    assert sign_in(admin_of(project)).post(url(project, "create_key")).status_code == 422


def test_project_is_renamed_and_keeps_its_address():
    project = make_project()
    client = sign_in(admin_of(project))
    client.post(url(project, "rename_project"), {"name": "Returns"})
    assert client.post(url(project, "rename_project"), {"name": " "}).status_code == 422
    assert Project.objects.get(pk=project.pk).name == "Returns"


def test_new_project_has_its_maker_as_admin_and_the_default_label_set():
    project = make_project()
    admin = admin_of(project)
    answer = sign_in(admin).post(url(project, "create_project"), {"name": "Gift Cards"})
    made = Project.objects.get(slug="gift-cards")
    assert answer["Location"] == url(made, "index")
    assert Membership.objects.get(project=made).user == admin
    assert made.label_sets.get().version == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"name": "Other", "slug": "taken"}, "is taken; choose another"),
        ({"name": "日本"}, "Give an address"),
        ({"name": "Other", "slug": "not so"}, "valid"),
    ],
)
def test_project_that_cannot_be_made_is_refused(data, words):
    project = make_project(slug="taken")
    answer = sign_in(admin_of(project)).post(url(project, "create_project"), data)
    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_label_set_page_shows_every_cause():
    project = make_project()
    page = client_as(Role.VIEWER, project).get(url(project, "labels")).content.decode()
    assert "Skipped a required check or confirmation" in page
    assert "Wrongly refused" in page


def test_members_page_takes_as_many_queries_for_many(django_assert_max_num_queries):
    project = make_project()
    client = sign_in(admin_of(project))
    with django_assert_max_num_queries(12) as few:
        client.get(url(project, "index"))
    for _ in range(15):
        make_user(Role.VIEWER, project)
    with django_assert_max_num_queries(len(few)):
        client.get(url(project, "index"))


def test_actions_answer_only_to_post():
    project = make_project()
    client = sign_in(admin_of(project))
    for name in ("add_member", "create_key", "rename_project", "create_project"):
        assert client.get(url(project, name)).status_code == 405
    assert client.post(url(project, "audit")).status_code == 405


def test_readme_shows_the_table_of_roles_that_the_code_holds(capsys):
    call_command("roles_table")
    assert capsys.readouterr().out.strip() == roles_table()
    shown = README.read_text().partition("<!-- roles -->")[2].partition("<!-- /roles -->")[0]
    assert shown.strip() == roles_table(), "put the output of `manage.py roles_table` there"
