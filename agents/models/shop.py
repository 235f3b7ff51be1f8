"""The demo shop's data: records that never change, and what runs wrote on top of them."""

from django.db import models

from agents.models.run import Run


class ShopRecord(models.Model):
    """A user, order or product of a shop data set, as it is before any run."""

    class Kind(models.TextChoices):
        USER = "user", "user"
        ORDER = "order", "order"
        PRODUCT = "product", "product"

    dataset = models.CharField(max_length=60)
    kind = models.CharField(max_length=20, choices=Kind)
    key = models.CharField(max_length=80)
    data = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "kind", "key"], name="shop_record_once")
        ]

    def __str__(self) -> str:
        return f"{self.dataset} {self.kind} {self.key}"


class ShopWrite(models.Model):
    """A record as a run's tool call left it; the latest of a key is the state that run sees.

    Append-only and without a uniqueness rule on purpose: it is the ledger in which an effect that
    was done twice would show twice.
    """

    run = models.ForeignKey(Run, models.CASCADE, related_name="shop_writes")
    kind = models.CharField(max_length=20, choices=ShopRecord.Kind)
    key = models.CharField(max_length=80)
    data = models.JSONField()
    tool = models.CharField(max_length=80)
    effect_key = models.CharField(max_length=120, help_text="The call's idempotency key.")
    written_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["run", "kind", "key", "-id"], name="shop_write_latest")]

    def __str__(self) -> str:
        return f"{self.tool} wrote {self.kind} {self.key}"
