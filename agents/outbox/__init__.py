"""The outbox: mail and webhooks, written with what they tell and sent afterwards."""

from agents.outbox.entries import tell

__all__ = ["tell"]
