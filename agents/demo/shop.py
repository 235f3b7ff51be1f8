"""The demo shop as tools see it: one run's view in the database, or records in memory."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.models import Run, ShopRecord, ShopWrite

KINDS = (ShopRecord.Kind.USER, ShopRecord.Kind.ORDER, ShopRecord.Kind.PRODUCT)


@dataclass(frozen=True)
class DatabaseWorld:
    """A data set as one run left it: its latest write of a key, else the record.

    Attributes:
        run: Whose writes are seen, and who writes.
        dataset: The records underneath.
        tool: Name of the tool that writes, for the ledger.
        effect_key: The call's idempotency key, for the ledger.
    """

    run: Run
    dataset: str
    tool: str = ""
    effect_key: str = ""

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return a copy of the record as this run left it, or None (at most two queries)."""
        writes = ShopWrite.objects.filter(run=self.run, kind=kind, key=key)
        written = writes.order_by("-id").values_list("data", flat=True).first()
        if written is not None:
            return dict(written)
        records = ShopRecord.objects.filter(dataset=self.dataset, kind=kind, key=key)
        data = records.values_list("data", flat=True).first()
        return None if data is None else dict(data)

    def put(self, kind: str, key: str, data: dict[str, Any]) -> None:
        """Add the record's new state to the run's ledger."""
        ShopWrite.objects.create(
            run=self.run,
            kind=kind,
            key=key,
            data=data,
            tool=self.tool,
            effect_key=self.effect_key,
        )

    def take_back(self, effect_key: str) -> list[dict[str, str]] | None:
        """Put the records that a call wrote back to what this run saw before it.

        Returns:
            `{"kind", "key"}` of each record; None, with nothing written, where one of them was
            written again since.
        """
        restored = []
        writes = ShopWrite.objects.filter(run=self.run)
        written = writes.filter(effect_key=effect_key).values_list("kind", "key")
        for kind, key in sorted(written.distinct()):
            of_record = writes.filter(kind=kind, key=key).order_by("-id")
            latest = of_record.first()
            if latest is None or latest.effect_key != effect_key:
                return None
            restored.append((kind, key, self._before(kind, key, effect_key)))
        for kind, key, data in restored:
            self.put(kind, key, data)
        return [{"kind": kind, "key": key} for kind, key, _ in restored]

    def _before(self, kind: str, key: str, effect_key: str) -> dict[str, Any]:
        """Return the record as it was before a call first wrote it."""
        writes = ShopWrite.objects.filter(run=self.run, kind=kind, key=key)
        first = writes.filter(effect_key=effect_key).order_by("id").values_list("pk", flat=True)[0]
        earlier = writes.filter(pk__lt=first).order_by("-id").values_list("data", flat=True).first()
        if earlier is not None:
            return dict(earlier)
        record = ShopRecord.objects.get(dataset=self.dataset, kind=kind, key=key)
        return dict(record.data)

    def find_user(
        self, *, email: str = "", first_name: str = "", last_name: str = "", zip_code: str = ""
    ) -> str | None:
        """Return the id of the user with this e-mail, or this name and zip code, or None."""
        users = ShopRecord.objects.filter(dataset=self.dataset, kind=ShopRecord.Kind.USER)
        if email:
            users = users.filter(data__email__iexact=email.strip())
        else:
            users = users.filter(
                data__name__first_name__iexact=first_name.strip(),
                data__name__last_name__iexact=last_name.strip(),
            )
        for key in users.order_by("key").values_list("key", flat=True):
            user = self.get(ShopRecord.Kind.USER, key)
            if user and (email or user["address"]["zip"] == zip_code.strip()):
                return key
        return None

    def products(self) -> dict[str, str]:
        """Return product ids by product name, sorted by name."""
        products = ShopRecord.objects.filter(dataset=self.dataset, kind=ShopRecord.Kind.PRODUCT)
        return dict(sorted(products.values_list("data__name", "key")))


@dataclass
class MemoryWorld:
    """Records in memory; its own copies, so that writing changes nobody else's.

    Attributes:
        records: `{kind: {key: record}}`, the kinds being `user`, `order` and `product`.
        written: Keys written so far, as (kind, key), in order.
    """

    records: Mapping[str, Mapping[str, dict[str, Any]]]
    written: list[tuple[str, str]] = field(default_factory=list)
    _changed: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return a copy of the record as it is now, or None."""
        data = self._changed.get((kind, key)) or self.records.get(kind, {}).get(key)
        return copy.deepcopy(data)

    def put(self, kind: str, key: str, data: dict[str, Any]) -> None:
        """Write the record, leaving `records` as they were."""
        self.written.append((kind, key))
        self._changed[kind, key] = copy.deepcopy(data)

    def find_user(
        self, *, email: str = "", first_name: str = "", last_name: str = "", zip_code: str = ""
    ) -> str | None:
        """Return the id of the user with this e-mail, or this name and zip code, or None."""
        wanted = (first_name.strip().lower(), last_name.strip().lower(), zip_code.strip())
        for key, user in sorted(self._users()):
            name = user["name"]
            own = (name["first_name"].lower(), name["last_name"].lower(), user["address"]["zip"])
            if user["email"].lower() == email.strip().lower() if email else own == wanted:
                return key
        return None

    def products(self) -> dict[str, str]:
        """Return product ids by product name, sorted by name."""
        products = self.records.get(ShopRecord.Kind.PRODUCT, {})
        return dict(sorted((data["name"], key) for key, data in products.items()))

    def _users(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for key, data in self.records.get(ShopRecord.Kind.USER, {}).items():
            yield key, self._changed.get((ShopRecord.Kind.USER, key), data)
