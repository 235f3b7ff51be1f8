"""The demo shop's tools, by topic."""

from agents.demo.tools import delivered, desk, find, pending, users

CONTRACTS = (
    *find.CONTRACTS,
    *pending.CONTRACTS,
    *delivered.CONTRACTS,
    *users.CONTRACTS,
    *desk.CONTRACTS,
)
