"""How well and how fast masking finds what it looks for, on real sessions.

    .venv/bin/python benchmarks/masking.py ../shared/data

How the truth was made, by kind:

- **e-mail, in the shop's sessions**: the addresses of the shop's 500 customers are known (db.json).
  Recall: of all places in 80 sessions in which one of them stands, those masked. Precision: of what
  was masked as an e-mail address, what is one of them or has their form.
- **phone, in the telecom sessions**: the values of fields named `phone_number`, wherever they are.
- **readable ids**: all order, item, product, user and payment ids of the shop; of their places in
  the same sessions, those that masking left as they were.
- **AgentDojo**: addresses, accounts and passwords in the arguments of calls and in YAML fields,
  whose names say what they hold; what follows is judged by forms written here anew, not by the
  masking's own. An IBAN counts where its check digits are right; others are counted apart.
- **planted**: cards, IBANs, IPs, US SSNs and credentials are rare in these sessions, so values are
  made up (valid by their checks) and set into 500 real sentences each. Precision of these kinds is
  what masking finds in the sessions as they are and nobody planted: each is a false one unless its
  form and check say otherwise, and its shape is printed (digits as 9, letters as a).

No value is printed, only shapes. Speed is of spans as agents send them (about 600 bytes).
"""

import argparse
import gzip
import json
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reviewdesk.settings")
django.setup()

from traces.records import SpanRecord  # noqa: E402
from traces.redaction import Masker  # noqa: E402

MASKER = Masker(b"of the benchmark, of 32 bytes at all")
LOOSE_MAIL = re.compile(r"^[^@\s,;<>\"']+@[^@\s,;<>\"']+\.[a-zA-Z]{2,}$")
PLANTED = 500


def main() -> None:
    """Print recall and precision by kind, and the time that masking takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    data: Path = parser.parse_args().data
    shop = json.loads(_read(data / "retail/db.json.gz"))
    retail = list(_tau2_texts(data, "*retail*"))
    telecom = list(_tau2_texts(data, "*telecom*"))
    dojo = list(_dojo_texts(data))
    print("kind / where                               places   recall   precision")
    _emails(shop, retail)
    _ids(shop, retail)
    _phones(telecom)
    _dojo(dojo)
    _planted(random.Random(7), [text for text in retail if 40 < len(text) < 400])
    print("\nfound in the sessions as they are, for precision (shapes of the most frequent):")
    for name, texts in (("shop", retail), ("telecom", telecom), ("AgentDojo", dojo)):
        _found(name, texts)
    _speed(retail)


def _emails(shop: dict[str, Any], texts: list[str]) -> None:
    truth = {user["email"].lower() for user in shop["users"].values()}
    _recall("e-mail / shop's customers", truth, texts, "email")


def _ids(shop: dict[str, Any], texts: list[str]) -> None:
    ids = set(shop["orders"]) | set(shop["users"]) | set(shop["products"])
    ids |= {item for product in shop["products"].values() for item in product["variants"]}
    ids |= {method for user in shop["users"].values() for method in user["payment_methods"]}
    places = kept = 0
    for text in texts:
        masked = Counter(re.findall(r"[#\w]+", MASKER.text(text)))
        for token, num in Counter(re.findall(r"[#\w]+", text)).items():
            if token in ids:
                places += num
                kept += min(num, masked[token])
    print(f"{'readable ids / shop':40} {places:8,}  kept {kept / places:8.2%}")


def _phones(texts: list[str]) -> None:
    truth = {
        match
        for text in texts
        for match in re.findall(r"phone_number\\*[\"']?: *\\*[\"']([\d-]{7,})", text)
    }
    _recall("phone / telecom's customers", truth, texts, "phone")


def _dojo(texts: list[str]) -> None:
    field = r"(?:^|[\s\"'{{])(?:{names})\\*[\"']?: *\\*[\"']?([^\s\"'\\,}}]+)"
    patterns = {
        "email": field.format(names="email|sender|recipients|participants|recipient"),
        "iban": field.format(names="iban|recipient|sender"),
        "credential": field.format(names="password|new_password"),
    }
    for kind, pattern in patterns.items():
        values = {value for text in texts for value in re.findall(pattern, text, re.MULTILINE)}
        is_one = {"email": LOOSE_MAIL.match, "iban": _is_iban, "credential": _is_password}[kind]
        truth = {value for value in values if is_one(value) and "example" not in value}
        _recall(f"{kind} / AgentDojo", truth, texts, kind)
    loose = {v for t in texts for v in re.findall(patterns["iban"], t) if _looks_like_iban(v)}
    wrong = sum(not _is_iban(value) for value in loose)
    print(f"{'  accounts with wrong check digits':40} {wrong:8,}  left readable (by the rule)")


def _recall(name: str, truth: Iterable[str], texts: list[str], kind: str) -> None:
    known = {value.lower() for value in truth if len(value) > 3}
    if not known:
        print(f"{name:40} {0:8,}  not in these sessions")
        return
    expression = re.compile(
        r"(?<![\w.@-])(?:"
        + "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
        + r")(?![\w@-])",
        re.IGNORECASE,
    )
    places = masked = 0
    missed: Counter[str] = Counter()
    for text in texts:
        before, after = expression.findall(text), expression.findall(MASKER.text(text))
        places += len(before)
        masked += len(before) - len(after)
        missed.update(_shape(value) for value in after)
    recall = f"{masked / places:8.2%}" if places else "–"
    print(f"{name:40} {places:8,} {recall}   {len(known):,} different")
    for shape, num in missed.most_common(3):
        print(f"    missed {num:,} like {shape}")


def _planted(chance: random.Random, sentences: list[str]) -> None:
    for kind, make in (
        ("card", _a_card),
        ("iban", _an_iban),
        ("ip", _an_ip),
        ("ssn", _an_ssn),
        ("phone", _a_phone),
        ("credential", _a_credential),
    ):
        hits = 0
        missed: Counter[str] = Counter()
        for _ in range(PLANTED):
            value, before = make(chance), chance.choice(sentences)
            masked = MASKER.text(f"{before} It is {value}, please check.")
            hits += value not in masked and f"⟦{kind}-" in masked
            missed.update([_shape(value)] if value in masked else [])
        low, high = _wilson(hits, PLANTED)
        print(
            f"{kind + ' / planted':40} {PLANTED:8,} {hits / PLANTED:8.2%}   {low:.1%} to {high:.1%}"
        )
        for shape, num in missed.most_common(2):
            print(f"    missed {num:,} like {shape}")


def _found(name: str, texts: list[str]) -> None:
    """Print what is found where nobody planted anything, judged by forms written here anew."""
    counts: Counter[str] = Counter()
    doubtful: dict[str, Counter[str]] = {}
    for text in texts:
        masker = _Spotter()
        masker.text(text)
        for kind, value in masker.seen:
            counts[kind] += 1
            if not _FORMS[kind](value):
                doubtful.setdefault(kind, Counter())[_shape(value)] += 1
    print(f"  {name}, {len(texts):,} texts:")
    for kind, num in counts.most_common():
        wrong = sum(doubtful.get(kind, Counter()).values())
        low, high = _wilson(num - wrong, num)
        share = f"{(num - wrong) / num:.1%} ({low:.1%} to {high:.1%})"
        shapes = ", ".join(
            f"{n}x {shape}" for shape, n in doubtful.get(kind, Counter()).most_common(3)
        )
        print(f"    {kind:12} {num:7,}   precision {share}{'   not: ' + shapes if shapes else ''}")


class _Spotter(Masker):
    """A masker that remembers, for this process alone, what it masked."""

    def __init__(self) -> None:
        super().__init__(b"another key, also of 32 bytes in all")
        self.seen: list[tuple[str, str]] = []

    def pseudonym(self, kind: str, value: str) -> str:
        self.seen.append((kind, value))
        return super().pseudonym(kind, value)


def _speed(texts: list[str]) -> None:
    plain = [text[:300] for text in texts if not MASKER.counted_text(text[:300])[1]]
    plain = [text for text in plain if len(text) > 250][:500]
    spans = [
        SpanRecord(
            span_id=f"{number:016x}",
            kind="model",
            name="chat",
            model="a-model",
            start_ns=1,
            input={"messages": [{"role": "user", "content": text}], "new": 0, "tools": []},
            output={"content": text, "tool_calls": []},
            attributes={"temperature": 0.2, "call_id": f"call_{number:024d}"},
        )
        for number, text in enumerate(plain)
    ]
    best = min(_seconds(spans) for _ in range(5))
    print(
        f"\nwith nothing to mask: {best / len(spans) * 1e6:.1f} µs of processor time a span "
        "of about 600 bytes"
    )
    mails = [SpanRecord(**{**vars(span), "heard": "ann@example.com"}) for span in spans]
    best = min(_seconds(mails) for _ in range(3))
    print(f"with one e-mail address: {best / len(spans) * 1e6:.1f} µs")


def _seconds(spans: list[SpanRecord]) -> float:
    start = time.process_time()
    for span in spans:
        MASKER.span(span)
    return time.process_time() - start


def _tau2_texts(data: Path, pattern: str) -> Iterator[str]:
    for path in sorted((data / "tau2").glob(pattern)):
        for simulation in json.loads(_read(path))["simulations"]:
            for message in simulation["messages"]:
                yield from _texts_of(message)


def _dojo_texts(data: Path) -> Iterator[str]:
    for path in sorted((data / "agentdojo").glob("*.jsonl.gz")):
        for line in _read(path).splitlines():
            for message in json.loads(line)["messages"]:
                yield from _texts_of(message)


def _texts_of(message: dict[str, Any]) -> Iterator[str]:
    if isinstance(message.get("content"), str):
        yield message["content"]
    if message.get("tool_calls"):
        yield json.dumps(message["tool_calls"])


def _read(path: Path) -> str:
    with gzip.open(path, "rt") as file:
        return file.read()


def _shape(value: str) -> str:
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", value))[:40]


def _looks_like_iban(value: str) -> bool:
    return bool(re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", value))


def _is_iban(value: str) -> bool:
    if not _looks_like_iban(value):
        return False
    turned = value[4:] + value[:4]
    return int("".join(str(int(each, 36)) for each in turned)) % 97 == 1


def _is_password(value: str) -> bool:
    return len(value) > 5 and any(each.isdigit() for each in value)


_FORMS = {
    "email": lambda value: bool(LOOSE_MAIL.match(value)),
    "iban": lambda value: _is_iban(value.replace(" ", "")),
    "phone": lambda value: bool(
        re.fullmatch(r"(\+\d{1,3}[ .-]?)?(\(?\d{1,5}\)?[ .-]?){1,4}\d{2,9}", value)
    ),
    "card": lambda value: 13 <= len(re.sub(r"\D", "", value)) <= 19,
    "ip": lambda value: value.count(".") == 3 or ":" in value,
    "ssn": lambda value: bool(re.fullmatch(r"\d{3}-\d{2}-\d{4}", value)),
    "credential": _is_password,
}


def _a_card(chance: random.Random) -> str:
    digits = [4, *(chance.randrange(10) for _ in range(14))]
    odd = sum(sum(divmod(2 * each, 10)) for each in digits[::2])
    digits.append(-(odd + sum(digits[1::2])) % 10)
    text = "".join(map(str, digits))
    return " ".join(text[at : at + 4] for at in range(0, 16, 4)) if chance.random() < 0.5 else text


def _an_iban(chance: random.Random) -> str:
    account = "".join(str(chance.randrange(10)) for _ in range(18))
    check = 98 - int(account + "131400") % 97
    text = f"DE{check:02d}{account}"
    grouped = " ".join(text[at : at + 4] for at in range(0, 22, 4))
    return grouped if chance.random() < 0.5 else text


def _an_ip(chance: random.Random) -> str:
    if chance.random() < 0.3:
        return "2001:db8:" + ":".join(f"{chance.randrange(1, 65536):x}" for _ in range(6))
    return ".".join(str(chance.randrange(11, 240)) for _ in range(4))


def _an_ssn(chance: random.Random) -> str:
    area, group, serial = (chance.randrange(1, end) for end in (666, 100, 10_000))
    return f"{area:03d}-{group:02d}-{serial:04d}"


def _a_phone(chance: random.Random) -> str:
    area, office, line = (
        chance.randrange(200, 990),
        chance.randrange(200, 990),
        chance.randrange(10_000),
    )
    forms = ("({}) {}-{:04d}", "{}-{}-{:04d}", "+1 {} {} {:04d}", "{}.{}.{:04d}", "+49 {} {}{:04d}")
    return chance.choice(forms).format(area, office, line)


def _a_credential(chance: random.Random) -> str:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    random_text = "".join(chance.choice(letters) for _ in range(40))
    forms = (
        f"sk-proj-{random_text}",
        f"ghp_{random_text[:36]}",
        f"AKIA{random_text[:16].upper()}",
        f"glpat-{random_text[:20]}",
        f"xoxb-1234567890-{random_text[:24].lower()}",
        f"Bearer {random_text}",
        f"eyJ{random_text[:20]}.{random_text[20:]}.{random_text[:30]}",
        f"password={random_text[:12]}",
    )
    return chance.choice(forms)


def _wilson(hits: int, num: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    z, share = 1.96, hits / num
    middle = share + z * z / (2 * num)
    half = z * (share * (1 - share) / num + z * z / (4 * num * num)) ** 0.5
    return (middle - half) / (1 + z * z / num), (middle + half) / (1 + z * z / num)


if __name__ == "__main__":
    main()
