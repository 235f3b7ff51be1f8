"""The versions of a golden test's content: one row at every change, which eval runs pin."""

from collections.abc import Collection

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import F

from agents.golden.content import content_of
from agents.models import GoldenTest, GoldenTestVersion


def record_version(*, test: GoldenTest, by: AbstractBaseUser | None) -> GoldenTestVersion:
    """Write the content that a test has now as its version `number`, in the caller's transaction.

    The test's row is new or locked, `content_hash` is that of its content, and no version has its
    number yet.
    """
    return GoldenTestVersion.objects.create(
        test=test,
        number=test.number,
        content=content_of(test),
        content_hash=test.content_hash,
        author_id=by.pk if by else None,
    )


def current_version(test: GoldenTest) -> GoldenTestVersion:
    """Return the version of a test's content of now. One query."""
    return current_versions([test])[test.pk]


def current_versions(tests: Collection[GoldenTest]) -> dict[int, GoldenTestVersion]:
    """Return the version of each test's content of now, by the test's id.

    One query; three where a test was written without a version, which it gets then.
    """
    found = _read(tests)
    lacking = [test for test in tests if test.pk not in found]
    if not lacking:
        return found
    GoldenTestVersion.objects.bulk_create(
        (
            GoldenTestVersion(
                test=test,
                number=test.number,
                content=content_of(test),
                content_hash=test.content_hash,
                author_id=test.promoted_by_id,
            )
            for test in lacking
        ),
        ignore_conflicts=True,
    )
    return found | _read(lacking)


def _read(tests: Collection[GoldenTest]) -> dict[int, GoldenTestVersion]:
    of_now = GoldenTestVersion.objects.filter(test__in=tests, number=F("test__number"))
    return {version.test_id: version for version in of_now}
