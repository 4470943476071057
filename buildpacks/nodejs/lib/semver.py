"""npm version ranges over plain releases, as in `engines.node`.

A range becomes a union of half-open intervals of (major, minor, patch), which is all that
matching needs. Source: https://docs.npmjs.com/cli/v11/using-npm/semver
"""

import re
from collections.abc import Iterable

Version = tuple[int, int, int]
Interval = tuple[Version, Version]

LOWEST: Version = (0, 0, 0)
BEYOND: Version = (10**9, 0, 0)
COMPARATOR = re.compile(r"^(\^|~>?|>=|<=|>|<|=)?v?([\dxX*]+)(?:\.([\dxX*]+))?(?:\.([\dxX*]+))?(?:[-+][\w.+-]+)?$")


def parse(text: str) -> Version | None:
    """Gives (major, minor, patch), or None for a pre-release or anything that is no version."""
    found = re.match(r"^v?(\d+)\.(\d+)\.(\d+)$", text.strip())
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def intervals(text: str) -> list[Interval]:
    """The union of intervals a range stands for. Raises ValueError when it is no range."""
    return [_alternative(part.strip()) for part in text.split("||")]


def satisfies(version: Version, text: str) -> bool:
    """Whether a version is inside a range."""
    return any(low <= version < high for low, high in intervals(text))


def newest(versions: Iterable[str], text: str) -> str | None:
    """The highest release of `versions` inside the range, None when there is none."""
    wanted = intervals(text)
    parsed = ((parse(version), version) for version in versions)
    inside = [
        (version, name)
        for version, name in parsed
        if version is not None and any(low <= version < high for low, high in wanted)
    ]
    return max(inside)[1] if inside else None


def _alternative(text: str) -> Interval:
    hyphen = re.match(r"^(\S+)\s+-\s+(\S+)$", text)
    if hyphen:
        text = f">={hyphen[1]} <={hyphen[2]}"
    text = re.sub(r"(\^|~>?|>=|<=|>|<|=)\s+", r"\1", text)
    low, high = LOWEST, BEYOND
    for comparator in text.split() or ["*"]:
        part_low, part_high = _comparator(comparator)
        low, high = max(low, part_low), min(high, part_high)
    return low, high


def _comparator(text: str) -> Interval:
    if text in ("latest", "current", "node"):
        return LOWEST, BEYOND
    found = COMPARATOR.match(text)
    if not found:
        raise ValueError(f"`{text}` is not a version range")
    numbers: list[int] = []
    for part in found.groups()[1:]:
        if part is None or not part.isdigit():
            break
        numbers.append(int(part))
    return _interval(found[1] or "=", numbers)


def _interval(operator: str, numbers: list[int]) -> Interval:
    if not numbers:
        return (LOWEST, BEYOND) if operator not in ("<", ">") else (LOWEST, LOWEST)
    low = _padded(numbers)
    after = _padded([*numbers[:-1], numbers[-1] + 1])
    if operator == "^":
        fixed = next((i for i, n in enumerate(numbers) if n), len(numbers) - 1)
        return low, _padded([*numbers[:fixed], numbers[fixed] + 1])
    if operator.startswith("~"):
        kept = numbers[:2]
        return low, _padded([*kept[:-1], kept[-1] + 1])
    return {
        "=": (low, after), ">=": (low, BEYOND), ">": (after, BEYOND), "<": (LOWEST, low), "<=": (LOWEST, after),
    }[operator]


def _padded(numbers: list[int]) -> Version:
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch
