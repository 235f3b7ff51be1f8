"""Published list prices, US dollars per million tokens, as they were read on `READ_ON`.

Sources: the providers' price pages (platform.claude.com/docs/en/about-claude/pricing,
developers.openai.com/api/docs/pricing, ai.google.dev/gemini-api/docs/pricing, mistral.ai/pricing)
and tables that quote them. Left out: what could not be confirmed, and models whose price depends
on the length of the prompt or the time of day, beyond their usual price. Standard processing;
no batch, priority or long-context rates. The demo's prices are invented.
"""

from datetime import date

READ_ON = date(2026, 11, 21)

# (patterns, input, cached input or "", output, first day or None for always)
ListPrice = tuple[tuple[str, ...], str, str, str, date | None]


def _dated(*names: str) -> tuple[str, ...]:
    """Return patterns of names alone, with a snapshot's date, and as `-latest`."""
    return tuple(each for name in names for each in (name, f"{name}-20*", f"{name}-latest"))


def _claude(*names: str) -> tuple[str, ...]:
    """Return patterns of names as Anthropic, Bedrock and Google Cloud write them."""
    ends = ("", "-20*", "@*", "-latest", "-v1*")
    return tuple(
        f"{start}claude-{name}{end}" for name in names for end in ends for start in ("", "*.")
    )


LIST_PRICES: tuple[ListPrice, ...] = (
    (("shop-demo*",), "0.40", "", "1.60", None),
    (_dated("gpt-4o"), "2.50", "1.25", "10.00", None),
    (_dated("gpt-4o-mini"), "0.15", "0.075", "0.60", None),
    (_dated("gpt-4.1"), "2.00", "0.50", "8.00", None),
    (_dated("gpt-4.1-mini"), "0.40", "0.10", "1.60", None),
    (_dated("gpt-4.1-nano"), "0.10", "0.025", "0.40", None),
    (("ft:gpt-4.1-20*",), "3.00", "0.75", "12.00", None),
    (_dated("gpt-4.5-preview"), "75.00", "37.50", "150.00", None),
    (_dated("o1"), "15.00", "7.50", "60.00", None),
    (_dated("o3-mini"), "1.10", "0.55", "4.40", None),
    (_dated("gpt-5", "gpt-5.1"), "1.25", "0.125", "10.00", None),
    (_dated("gpt-5-mini"), "0.25", "0.025", "2.00", None),
    (_dated("gpt-5-nano"), "0.05", "0.005", "0.40", None),
    (_dated("gpt-5.2", "gpt-5.2-codex", "gpt-5.3-codex"), "1.75", "0.175", "14.00", None),
    (_dated("gpt-5.4"), "2.50", "0.25", "15.00", None),
    (_dated("gpt-5.4-mini"), "0.75", "0.075", "4.50", None),
    (_claude("opus-4", "opus-4-0", "opus-4-1"), "15.00", "1.50", "75.00", None),
    (
        _claude("opus-4-5", "opus-4-6", "opus-4-7", "opus-4-8", "opus-5"),
        "5.00",
        "0.50",
        "25.00",
        None,
    ),
    (_claude("3-7-sonnet", "sonnet-4", "sonnet-4-0"), "3.00", "0.30", "15.00", None),
    (_claude("sonnet-4-5", "sonnet-4-6"), "3.00", "0.30", "15.00", None),
    (_claude("sonnet-5", "sonnet-5-5"), "2.00", "0.20", "10.00", None),
    (_claude("sonnet-5-5"), "2.00", "0.10", "10.00", date(2026, 10, 7)),
    (_claude("3-5-haiku", "haiku-3-5"), "0.80", "0.08", "4.00", None),
    (_claude("haiku-4-5"), "1.00", "0.10", "5.00", None),
    (("gemini-2.5-pro", "gemini-2.5-pro-0*"), "1.25", "", "10.00", None),
    (("gemini-2.5-flash", "gemini-2.5-flash-0*"), "0.30", "0.03", "2.50", None),
    (("gemini-2.5-flash-lite", "gemini-2.5-flash-lite-0*"), "0.10", "", "0.40", None),
    (("mistral-large-2411",), "2.00", "", "6.00", None),
    (("mistral-large-2512",), "0.50", "", "1.50", None),
    (("mistral-medium-2505", "mistral-medium-2508"), "0.40", "", "2.00", None),
    (("mistral-small-2506",), "0.10", "", "0.30", None),
)
