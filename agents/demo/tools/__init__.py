"""The demo shop's tools, by topic."""

from agents.demo.tools import delivered, desk, find, pending, undo, users

# What an agent is given; the rest is for people who take calls back.
FOR_AGENTS = (
    *find.CONTRACTS,
    *pending.CONTRACTS,
    *delivered.CONTRACTS,
    *users.CONTRACTS,
    *desk.CONTRACTS,
)
CONTRACTS = (*FOR_AGENTS, *undo.CONTRACTS)
