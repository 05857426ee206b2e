"""Numbers for people; the unit is read from the name that carries it (`peak_bytes`, `latency_ms`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from tierproof.core.json_value import JsonValue
from tierproof.reporters.clean_text import clean_line

_SPELLED = {"NaN": "NaN", "Infinity": "∞", "-Infinity": "−∞"}
_UNITS = ("_flops_per_s", "_per_s", "_bytes", "_flops", "_ms", "_us", "_s", "_share", "_percent")
_WORDS = {
    "flops": "FLOPs",
    "p50": "median",
    "std": "standard deviation",
    "lr": "learning rate",
    "dtype": "dtype",
    "nan": "NaN",
    "inf": "infinite",
}
_MOST_ITEMS = 6


def format_value(name: str, value: JsonValue, *, unit: str = "") -> str:
    """Give `value` as text; its unit comes from the ending of `name`, else from `unit` (of what holds it)."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return _SPELLED.get(value, clean_line(value))
    if isinstance(value, int | float):
        return _format_number(value, unit_of(name) or unit)
    unit = unit_of(name) or unit
    if isinstance(value, Mapping):
        return _join([f"{name_of(key)} {format_value(key, item, unit=unit)}" for key, item in value.items()])
    return _format_sequence(value, unit)


def unit_of(name: str) -> str:
    """The unit a name ends in, without its underscore; empty where it carries none."""
    for ending in _UNITS:
        if name.endswith(ending) or name == ending[1:]:
            return ending[1:]
    return ""


def name_of(name: str) -> str:
    """A measurement's name in words, without its unit: `peak_bytes` reads as "peak"."""
    unit = unit_of(name)
    if unit and unit not in ("share", "per_s") and name != unit:
        name = name[: -len(unit) - 1]
    elif unit == "per_s":
        name = name.removesuffix("_per_s")
    words = [_WORDS.get(word, word) for word in clean_line(name).split("_") if word]
    return " ".join(words) or "value"


def format_count(count: float) -> str:
    """A count: exact below a million, then 124.4 M."""
    if isinstance(count, int) and abs(count) < 1_000_000:
        return f"{count:,}"
    return _scale(count, 1000, ("", " k", " M", " G", " T", " P", " E"))


def format_bytes(size: float) -> str:
    """Bytes in binary units: 512 B, 1.5 KiB, 474.7 MiB."""
    if abs(size) < 1024:
        return f"{size:.4g} B"
    return _scale(size, 1024, (" B", " KiB", " MiB", " GiB", " TiB", " PiB"))


def format_seconds(seconds: float) -> str:
    """A duration in the unit that suits it: 850 µs, 12.3 ms, 4.2 s, 3 min 20 s."""
    size = abs(seconds)
    if size == 0:
        return "0 s"
    if size < 0.000_999_5:
        return f"{seconds * 1e6:.3g} µs"
    if size < 0.9995:
        return f"{seconds * 1e3:.3g} ms"
    if size < 99.95:
        return f"{seconds:.1f} s"
    if size < 1e7:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{seconds:.3g} s"


def _format_number(number: float, unit: str) -> str:
    if isinstance(number, float) and not math.isfinite(number):
        return _SPELLED["NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"]
    if isinstance(number, int) and abs(number) >= 10**18:
        number = float(number) if abs(number) < 10**300 else math.copysign(1e300, 1 if number > 0 else -1)
    return _FORMATS.get(unit, _format_plain)(number)


def _format_plain(number: float) -> str:
    if isinstance(number, int) or 1e6 <= abs(number) < 1e18:
        return format_count(number)
    return f"{number:.4g}"


def _format_flops(flops: float) -> str:
    return _scale(flops, 1000, (" FLOP", " kFLOP", " MFLOP", " GFLOP", " TFLOP", " PFLOP"))


def _scale(number: float, step: int, units: Sequence[str]) -> str:
    value, place = float(number), 0
    while abs(value) >= step * 0.99995 and place < len(units) - 1:
        value, place = value / step, place + 1
    if not place or abs(value) < 1 or abs(value) >= 1e6:
        return f"{value:.4g}{units[place]}"
    return f"{value:.2f}{units[place]}" if abs(value) < 9.995 else f"{value:.1f}{units[place]}"


def _format_sequence(value: Sequence[JsonValue], unit: str) -> str:
    if any(isinstance(item, Mapping | list | tuple) for item in value) and len(value) > 2:
        return f"{len(value)} entries"
    return _join([_format_item(item, unit) for item in value])


def _format_item(item: JsonValue, unit: str) -> str:
    """One of several: without commas of its own, so that a shape reads as 2, 16, 50257."""
    if isinstance(item, int) and not isinstance(item, bool) and not unit and abs(item) < 1_000_000:
        return str(item)
    return format_value("", item, unit=unit)


def _join(parts: Sequence[str]) -> str:
    shown = ", ".join(parts[:_MOST_ITEMS])
    return f"{shown}, … ({len(parts)} in all)" if len(parts) > _MOST_ITEMS else shown or "none"


_FORMATS: Mapping[str, Callable[[float], str]] = {
    "bytes": format_bytes,
    "s": format_seconds,
    "ms": lambda number: format_seconds(number / 1e3),
    "us": lambda number: format_seconds(number / 1e6),
    "flops": _format_flops,
    "flops_per_s": lambda number: f"{_format_flops(number)}/s",
    "per_s": lambda number: f"{format_count(number)}/s",
    "share": lambda number: f"{100 * number:.3g} %",
    "percent": lambda number: f"{number:.3g} %",
}
