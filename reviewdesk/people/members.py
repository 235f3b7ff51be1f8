"""Members of a project: added, given another role, removed. A project keeps an admin.

Each function locks the project's row first, so that two admins cannot remove each other at once;
the database holds the same rule by a trigger.

The desk sends no e-mail, so an address proves nothing: whoever set an account's password is the
person. An account that an admin makes is therefore its first project's affair until its password
is set, and any other project's admin says that they know the account before they trust it.
"""

from dataclasses import dataclass

import pghistory
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from reviewdesk.people.errors import KnownAccountError, LastAdminError, MemberError
from reviewdesk.people.models import Membership, User
from reviewdesk.people.roles import Role
from traces.models import Project


@dataclass(frozen=True)
class NewMember:
    """A membership that was added.

    Attributes:
        needs_link: Whether nobody has used the account: it has no password yet.
    """

    membership: Membership
    needs_link: bool


class LinkTokens(PasswordResetTokenGenerator):
    """Tokens of set-password links: void as soon as the person joins or leaves any project."""

    key_salt = "reviewdesk.people.members.LinkTokens"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        ids = Membership.objects.filter(user_id=user.pk).order_by("pk").values_list("pk", flat=True)
        return f"{super()._make_hash_value(user, timestamp)}{list(ids)}"


link_tokens = LinkTokens()


def add_member(
    *, project: Project, email: str, name: str, role: Role, by: User, is_known: bool = False
) -> NewMember:
    """Make a person a member; somebody without an account gets one without a password.

    Args:
        project: Where.
        email: Names the person; its case does not matter.
        name: Of a new account; an account that exists keeps its own.
        role: What they may do.
        by: Who adds them.
        is_known: Whether `by` knows that an account which exists is this person's.

    Raises:
        KnownAccountError: The account exists and has a password, and `is_known` is false.
        MemberError: They are a member already, another project has made the account and nobody
            has used it yet, or a new account has no name.
    """
    email = email.strip().lower()
    with transaction.atomic(), pghistory.context(user=by.pk, action="add member"):
        _lock(project)
        user = User.objects.select_for_update(no_key=True).filter(email__iexact=email).first()
        if user is None:
            user = _new_user(email, name.strip())
        known = Membership.objects.filter(project=project, user=user).first()
        if known is not None:
            raise MemberError(
                f"{user} is a member already, as {known.get_role_display()}; change the role below."
            )
        _check_account(user, is_known=is_known)
        membership = Membership.objects.create(project=project, user=user, role=role)
    return NewMember(membership, needs_link=not user.has_usable_password())


def change_role(*, membership: Membership, role: Role, by: User) -> Membership:
    """Give a member another role; it holds from their next request.

    Raises:
        LastAdminError: It is the last admin.
        MemberError: They have the role already.
    """
    with transaction.atomic(), pghistory.context(user=by.pk, action="change role"):
        row = _locked(membership)
        if row.role == role:
            raise MemberError(f"{row.user} is {role.label} already; nothing was changed.")
        _keep_an_admin(row, "another role")
        row.role = role
        row.save(update_fields=["role"])
    return row


def remove_member(*, membership: Membership, by: User) -> None:
    """Take a person out of a project; what they did there stays theirs.

    Raises:
        LastAdminError: It is the last admin.
    """
    with transaction.atomic(), pghistory.context(user=by.pk, action="remove member"):
        row = _locked(membership)
        _keep_an_admin(row, "removal")
        row.delete()


def is_elsewhere(membership: Membership) -> bool:
    """Say whether the person is a member of another project too. One query."""
    others = Membership.objects.filter(user=membership.user_id)
    return others.exclude(project=membership.project_id).exists()


def why_no_link(membership: Membership, *, is_elsewhere: bool) -> str:
    """Return why no set-password link may be given for a member, in words; empty if it may.

    A link opens the whole account, so it is for accounts that nobody has used and that belong to
    no other project: else an admin of one project could enter another.
    """
    user = membership.user
    if user.has_usable_password():
        return f"{user} has a password already."
    if is_elsewhere:
        return f"{user} is in another project too; whoever runs the desk can set the password."
    return ""


def password_link(user: User) -> str:
    """Return the path of a page that sets the password, once, within three days.

    It opens nothing any more when the person has joined or left a project meanwhile.
    """
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("people:set_password", args=[uid, link_tokens.make_token(user)])


def _check_account(user: User, *, is_known: bool) -> None:
    if user.has_usable_password():
        if not is_known:
            raise KnownAccountError(
                f"{user.email} has an account already, of the name {user}. The desk cannot tell "
                "whose address it is: whoever set its password will act here as this person. Add "
                "them only if you know that the account is theirs."
            )
    elif Membership.objects.filter(user=user).exists():
        raise MemberError(
            f"{user.email} has an account that another project has made and nobody has used yet. "
            "It can be added here once this person has set its password."
        )


def _new_user(email: str, name: str) -> User:
    if not name:
        raise MemberError(f"Nobody has the address {email} yet: give a name, to make the account.")
    user = User(username=email, email=email, name=name)
    user.set_unusable_password()
    user.save()
    return user


def _lock(project: Project) -> None:
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _locked(membership: Membership) -> Membership:
    _lock(membership.project)
    found = Membership.objects.select_related("user", "project").filter(pk=membership.pk).first()
    if found is None:
        raise MemberError("This person is no member any more; nothing was changed.")
    return found


def _keep_an_admin(membership: Membership, what: str) -> None:
    if membership.role != Role.ADMIN:
        return
    others = Membership.objects.filter(
        project=membership.project_id, role=Role.ADMIN, user__is_active=True
    )
    if not others.exclude(pk=membership.pk).exists():
        raise LastAdminError(
            f"{membership.user} is the last admin of {membership.project}, so no {what}: make "
            "somebody else admin first."
        )
