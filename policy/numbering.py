"""The numbering plan: what a dialled string is, in which E.164 form, by which route and tariff.

Patterns are Asterisk's: `X` 0-9, `Z` 1-9, `N` 2-9, `[1-5]` a set, `.` one or more and `!` zero or
more of anything at the end; all else stands for itself. Numbers follow ITU-T E.164, tel: URIs RFC
3966. Emergency numbers are deliberately not here: `policy.emergency` sees a call first. Trunk-side
formats (0033, portability prefixes) belong to the trunks.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import unquote

from policy.model import NumberClass

SETS: Mapping[str, str] = {"X": "0123456789", "Z": "123456789", "N": "23456789"}
DIALLABLE = "0123456789+*#"
# E.164 allows fifteen digits; "+" comes on top.
MAX_E164_DIGITS = 15
# Rules are looked up by the first characters of the number; two keep every French bucket small.
BUCKET_DEPTH = 2
# Larger than any set, so that an open end is always less specific than one more fixed digit.
OPEN_END = 100

_SEPARATORS = str.maketrans("", "", "-.() ")


class PatternError(ValueError):
    """A pattern or a set of rules that can't be compiled; the text says what and where."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One compiled pattern: a set of characters per position, and how it ends.

    `open_end` is the least number of further characters, None when the length is fixed.
    """

    text: str
    positions: tuple[str, ...]
    open_end: int | None

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Read an Asterisk-style pattern (a leading `_` is allowed); raises PatternError."""
        rest = text.removeprefix("_")
        positions: list[str] = []
        while rest:
            if rest in (".", "!"):
                return cls(text, tuple(positions), 1 if rest == "." else 0)
            if rest[0] == "[":
                inside, bracket, rest = rest[1:].partition("]")
                if not bracket:
                    raise PatternError(f"{text!r}: '[' without ']'")
                positions.append(_expand(inside, text))
                continue
            positions.append(_position(rest[0], text))
            rest = rest[1:]
        if not positions:
            raise PatternError("a pattern can't be empty")
        return cls(text, tuple(positions), None)

    @property
    def specificity(self) -> tuple[int, ...]:
        """Sorts before any less specific pattern: smaller sets first, position by position."""
        sizes = tuple(len(chars) for chars in self.positions)
        return sizes if self.open_end is None else (*sizes, OPEN_END + 1 - self.open_end)

    @property
    def regex(self) -> re.Pattern[str]:
        """The same pattern for `fullmatch`."""
        body = "".join(re.escape(c) if len(c) == 1 else f"[{re.escape(c)}]" for c in self.positions)
        end = "" if self.open_end is None else f"[{re.escape(DIALLABLE)}]{{{self.open_end},}}"
        return re.compile(body + end)

    def matches(self, dialled: str) -> bool:
        """Whether the whole of `dialled` fits."""
        return self.regex.fullmatch(dialled) is not None

    def can_start(self, start: str) -> bool:
        """Whether some number that begins with `start` could fit."""
        if len(start) > len(self.positions) and self.open_end is None:
            return False
        return all(char in chars for char, chars in zip(start, self.positions, strict=False))


def _position(char: str, text: str) -> str:
    if char in SETS:
        return SETS[char]
    if char in DIALLABLE:
        return char
    reason = "only allowed at the end" if char in ".!" else "not a digit, set or + * #"
    raise PatternError(f"{text!r}: {char!r} is {reason}")


def _expand(inside: str, text: str) -> str:
    """The characters of one set: `1-5`, `135-9`."""
    chars = ""
    index = 0
    while index < len(inside):
        if inside[index + 1 : index + 2] == "-" and index + 2 < len(inside):
            low, high = inside[index], inside[index + 2]
            if not (low.isdigit() and high.isdigit() and low <= high):
                raise PatternError(f"{text!r}: bad range {inside[index : index + 3]!r}")
            chars += SETS["X"][int(low) : int(high) + 1]
            index += 3
        elif inside[index] in DIALLABLE:
            chars += inside[index]
            index += 1
        else:
            raise PatternError(f"{text!r}: {inside[index]!r} can't be in a set")
    if not chars:
        raise PatternError(f"{text!r}: empty set")
    return "".join(sorted(set(chars)))


@dataclass(frozen=True, slots=True)
class NumberRule:
    """One rule of the plan.

    The number sent on is `prefix` + dialled without its first `strip` characters. Lower `priority`
    is tried first (as in DNS SRV); among equals the most specific pattern wins. `caller_id` is
    "line" (the line's number, which may be withheld) or "shown" (never withheld). `feature` names a
    service of the switch for the classes feature and test.
    """

    name: str
    pattern: Pattern
    number_class: NumberClass
    route: str = ""
    tariff: str = ""
    strip: int = 0
    prefix: str = ""
    caller_id: str = "line"
    priority: int = 100
    feature: str = ""


@dataclass(frozen=True, slots=True)
class Classified:
    """What the plan says of one dialled string; `number` is E.164 with `+` or a short number."""

    number_class: NumberClass
    number: str
    route: str = ""
    tariff: str = ""
    caller_id: str = "line"
    rule: str = ""
    feature: str = ""


@dataclass(frozen=True, slots=True)
class NumberingPlan:
    """A compiled plan; build it with `NumberingPlan.compile`.

    `country_code` is the home code without `+`: +33 and 0033 in front of a national number are read
    as the national prefix, so rules are written once. `forbidden_caller_prefixes` are E.164 ranges
    that a line may not present (06/07 for fixed telephony).
    """

    country_code: str
    international_prefix: str
    national_prefix: str
    forbidden_caller_prefixes: tuple[str, ...]
    rules: tuple[NumberRule, ...]
    buckets: Mapping[str, tuple[tuple[re.Pattern[str], NumberRule], ...]]

    @classmethod
    def compile(
        cls,
        rules: Iterable[NumberRule],
        country_code: str = "33",
        international_prefix: str = "00",
        national_prefix: str = "0",
        forbidden_caller_prefixes: Iterable[str] = (),
    ) -> "NumberingPlan":
        """Order and index the rules; raises PatternError if two rules are equally good."""
        ordered = sorted(rules, key=lambda rule: (rule.priority, rule.pattern.specificity))
        _refuse_doubles(ordered)
        compiled = [(rule.pattern.regex, rule) for rule in ordered]
        starts = [""]
        level = [""]
        for _ in range(BUCKET_DEPTH):
            level = [start + char for start in level for char in DIALLABLE]
            starts += level
        return cls(
            country_code,
            international_prefix,
            national_prefix,
            tuple(forbidden_caller_prefixes),
            tuple(ordered),
            {
                start: tuple(pair for pair in compiled if pair[1].pattern.can_start(start))
                for start in starts
            },
        )

    def canonical(self, dialled: str) -> str:
        """The dialled string without URI dress, in `+` or national form (maybe no number)."""
        text = bare(dialled)
        if text.startswith(self.international_prefix) and len(text) > 2:
            text = "+" + text[len(self.international_prefix) :]
        home = "+" + self.country_code
        # +330... is a wrong number, not 00...: only a real national number takes the prefix.
        if text.startswith(home) and "1" <= text[len(home) : len(home) + 1] <= "9":
            return self.national_prefix + text[len(home) :]
        return text

    def classify(self, dialled: str) -> Classified:
        """Class, E.164 (or short) number, tariff, route and caller-ID rule of a dialled string."""
        return self.classify_canonical(self.canonical(dialled))

    def classify_canonical(self, text: str) -> Classified:
        """The same for what `canonical` returned."""
        for regex, rule in self.buckets.get(text[:BUCKET_DEPTH], ()):
            if regex.fullmatch(text) is None:
                continue
            number = rule.prefix + text[rule.strip :]
            if len(number) > MAX_E164_DIGITS + 1:
                break
            return Classified(
                rule.number_class,
                number,
                rule.route,
                rule.tariff,
                rule.caller_id,
                rule.name,
                rule.feature,
            )
        return Classified(NumberClass.UNKNOWN, text)

    def e164(self, number: str) -> str:
        """A number in any spelling as E.164; what is no number of the plan comes back bare."""
        found = self.classify(number)
        text = found.number
        if found.number_class is not NumberClass.UNKNOWN:
            return text
        if text.startswith(self.national_prefix) and text[:1] != "+":
            return f"+{self.country_code}{text[len(self.national_prefix) :]}"
        return text

    def may_present(self, number: str) -> bool:
        """Whether a line may show this E.164 number as its own."""
        return not number.startswith(self.forbidden_caller_prefixes)


def bare(dialled: str) -> str:
    """A dialled string without tel:, parameters, escapes, visual separators (RFC 3966 §5.1.1)."""
    if dialled.isdigit():
        return dialled
    text = unquote(dialled) if "%" in dialled else dialled
    if text[:4].lower() == "tel:":
        text = text[4:]
    return text.partition(";")[0].translate(_SEPARATORS)


def _refuse_doubles(ordered: list[NumberRule]) -> None:
    for first, second in pairwise(ordered):
        one, two = first.pattern, second.pattern
        same = one.positions == two.positions and one.open_end == two.open_end
        if same and first.priority == second.priority:
            raise PatternError(
                f"rules {first.name!r} and {second.name!r} have the same pattern "
                f"{two.text!r} and priority"
            )
