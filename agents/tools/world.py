"""The records that tools read and write: one run's view of a shop."""

from typing import Any, Protocol


class World(Protocol):
    """Records by kind (`user`, `order`, `product`) and key, as one run sees them."""

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return a copy of the record as this run left it, or None."""
        ...

    def put(self, kind: str, key: str, data: dict[str, Any]) -> None:
        """Write the record for this run."""
        ...

    def find_user(
        self, *, email: str = "", first_name: str = "", last_name: str = "", zip_code: str = ""
    ) -> str | None:
        """Return the id of the user with this e-mail, or this name and zip code, or None."""
        ...

    def products(self) -> dict[str, str]:
        """Return product ids by product name, sorted by name."""
        ...
