"""Turn the exception of a forward pass into lessons about its inputs."""

# ruff: noqa: E501, ARG005 - a table: one message and what it means on a line
from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable

from tierproof.model.call.solve.failed_condition import read_condition
from tierproof.model.call.solve.failed_place import FailedPlace, find_failed_place, parse_file
from tierproof.model.call.solve.failed_unpacking import read_unpacking
from tierproof.model.call.solve.last_operation import LastOperation
from tierproof.model.call.solve.lesson import (
    Keys,
    Kind,
    Larger,
    Lesson,
    MoreAxes,
    Multiple,
    Needed,
    Rank,
    Sizes,
    Whole,
)


def read_failure(error: Exception, last: LastOperation | None = None) -> list[Lesson]:
    """The lessons of an exception, the surest first; none where it has nothing to do with inputs."""
    text = str(error)
    place = find_failed_place(error)
    lessons: list[Lesson] = []
    if place is not None and isinstance(error, AssertionError | ValueError | RuntimeError | TypeError):
        lessons += read_condition(place)
    if place is not None and "values to unpack" in text:
        lessons += read_unpacking(place)
    if isinstance(error, ZeroDivisionError):
        lessons.append(Larger())  # of a length that holds not one window
    for pattern, read in _PATTERNS if not lessons or "values to unpack" not in text else ():
        found = pattern.search(text)
        if found is not None:
            lessons += read(found)
            break
    if isinstance(error, IndexError) and "index out of range in self" in text and last is not None:
        lessons += [Sizes(pair) for pair in [last.beyond_the_table()] if pair]
        lessons += [Whole()] if last.below_the_table() or lessons else []
    if place is not None and isinstance(error, IndexError | TypeError | ValueError | KeyError):
        lessons += _read_keys(place)
    if isinstance(error, KeyError) and error.args[:1] in ((2,), (3,), (4,), (5,)):
        rank = int(error.args[0])  # a table of what to do for each number of axes
        lessons += [Rank(rank, rank + 1), Rank(rank, rank - 1)]
    lessons += _read_needed(text)
    return list(dict.fromkeys(lessons))


# "You must specify exactly one of input_ids or inputs_embeds"; "cannot specify both" is also said where neither is.
_ASKS = re.compile(
    r"\b(?:must|should|need(?:s|ed)? to|ha(?:ve|s) to|please)\b.{0,20}?\b(?:specif|provid|pass|give|suppl|set)"
    r"|cannot (?:specify|pass) both",
    re.IGNORECASE,
)


def _read_needed(text: str) -> list[Lesson]:
    """Arguments that were left out: the one that is named, else an optional one that was None."""
    named = re.search(r"`?(\w+)`? (?:must|should|can|may) ?not be None", text)
    lessons: list[Lesson] = [] if named is None else [Needed(named.group(1))]
    if _ASKS.search(text):
        lessons += [Needed(name) for name in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", text)]
        lessons.append(Needed())
    missing = "NoneType" in text and "not callable" not in text  # what is called is a layer, not an input
    if missing or re.search(r"must be Tensor, not \w+", text):
        lessons.append(Needed())
    return lessons


def _equal(*pairs: tuple[int, int]) -> list[Lesson]:
    different = tuple(pair for pair in pairs if pair[0] != pair[1])
    return [Sizes(different)] if different else []


def _either(a: str, b: str) -> list[Lesson]:
    return [*_equal((int(a), int(b))), *_equal((int(b), int(a)))]


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"-?\d+", text)]


def _read_view(found: re.Match[str]) -> list[Lesson]:
    """`shape '[2, -1, 4]' is invalid for input of size 30`."""
    sizes, total = _numbers(found.group(1)), int(found.group(2))
    product = math.prod(size for size in sizes if size > 0)
    if -1 in sizes:
        return [Multiple(total, product)] if product > 1 else []
    return _equal((total, product))


def _read_two_shapes(found: re.Match[str]) -> list[Lesson]:
    return _read_shape_of(_numbers(found.group(1)), _numbers(found.group(2)))


def _read_shape_of(want: list[int], got: list[int]) -> list[Lesson]:
    if len(want) != len(got):
        return [Rank(len(got), len(want))] if len(got) > 1 else []
    return _equal(*zip(got, want, strict=True))


def _read_rank(found: re.Match[str]) -> list[Lesson]:
    """`Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [2, 16]`."""
    wanted = [int(number) for number in re.findall(r"(\d)-?D", found.group(1))]
    told = found.group(2)
    number = re.search(r"(\d)-?D", told)
    got = int(number.group(1)) if number else len(_numbers(told)) or None
    return [Rank(got, max(wanted))] if wanted else []


def _read_norm(found: re.Match[str]) -> list[Lesson]:
    want, got = _numbers(found.group(1)), _numbers(found.group(2))
    return _equal(*zip(got[-len(want) :], want, strict=False))


Reader = Callable[[re.Match[str]], list[Lesson]]
_READERS: tuple[tuple[str, Reader], ...] = (
    (
        r"same number of dimensions: got (\d+) and (\d+)",
        lambda m: [Rank(int(m[2]), int(m[1])), Rank(int(m[1]), int(m[2]))],
    ),
    (r"mixed dtype|expect parameter to have scalar type of Float", lambda m: [Kind("float")]),
    (
        r"mat1 and mat2 shapes cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)",
        lambda m: _equal((int(m[1]), int(m[2]))),
    ),
    (r"normalized_shape=\[([\d, ]+)\].*?input of size\s*\[([\d, ]+)\]", _read_norm),
    (r"to have (\d+) channels, but got (\d+) channels", lambda m: _equal((int(m[2]), int(m[1])))),
    (r"running_mean should contain (\d+) elements not (\d+)", lambda m: _equal((int(m[1]), int(m[2])))),
    (
        r"Target size \(torch\.Size\(\[([\d, ]+)\]\)\) must be the same as input size \(torch\.Size\(\[([\d, ]+)\]",
        lambda m: _read_shape_of(_numbers(m[2]), _numbers(m[1])),
    ),
    (
        r"Provided sizes \[([-\d, ]+)\] don't multiply up to the size of dim \d+ \((\d+)\)",
        _read_view,
    ),
    (
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)",
        lambda m: _either(m[1], m[2]),
    ),
    (
        r"subscript \w has size (\d+) for operand \d+ which does not broadcast with previously seen size (\d+)",
        lambda m: _either(m[1], m[2]),
    ),
    (r"Expected size (\d+) but got size (\d+)", lambda m: _either(m[2], m[1])),
    (r"divide axis of length (\d+) in chunks of (\d+)", lambda m: [Multiple(int(m[1]), int(m[2]))]),
    (r"[Ee]xpected (\d+) dims\. Received (\d+)-dim", lambda m: [Rank(int(m[2]), int(m[1]))]),
    (r"Shape mismatch, (\d+) != (\d+)", lambda m: _either(m[1], m[2])),
    (
        r"not enough values to unpack \(expected (?:at least )?(\d+), got (\d+)\)",
        lambda m: [MoreAxes(int(m[1]) - int(m[2]))],
    ),
    (r"too many values to unpack \(expected (\d+)(?:, got (\d+))?\)", lambda m: [Rank(None, int(m[1]))]),
    (
        r"Dimension out of range \(expected to be in range of \[-(\d+), \d+\], but got (-?\d+)\)",
        lambda m: [Rank(int(m[1]), int(m[2]) + 1 if int(m[2]) >= 0 else -int(m[2]))],
    ),
    (
        r"input\.dim\(\) = (\d+) is not equal to len\(dims\) = (\d+)",
        lambda m: [Rank(int(m[1]), int(m[2]))],
    ),
    (r"too many indices for tensor of dimension (\d+)", lambda m: [Rank(int(m[1]), int(m[1]) + 1)]),
    (r"tuple index out of range", lambda m: [MoreAxes(1)]),
    (r"shape '\[([-\d, ]+)\]' is invalid for input of size (\d+)", _read_view),
    (r"[Ee]xpected hidden\S* size \(([\d, ]+)\), got [\[(]([\d, ]+)[\])]", _read_two_shapes),
    (
        r"(?:[Kk]ernel size can't be greater|[Oo]utput size is too small|non-?positive|Padding size should be less|non-empty|must be greater than 0|more than 1 (?:value|spatial element))",
        lambda m: [Larger()],
    ),
    (r"([Ee]xpected .*?\dD.*?)(?:but got|\(got|got)(.*)", _read_rank),
    (r"expected scalar type Long but found Float", lambda m: [Kind("float"), Kind("int")]),
    (
        r"(scalar types: Long, Int|used as indices must be|only applicable to index tensor|to be a LongTensor|expected .*Long but (?:got|found) Float|Expected dtype int64)",
        lambda m: [Kind("int")],
    ),
    (
        r"(boolean masks|to be a boolean tensor|must be (?:a )?bool|only (?:implemented|supports) .*[Bb]ool|expected .*Bool)",
        lambda m: [Kind("bool")],
    ),
    (
        r"(got Long and|got: long|Input type \(\w*(?:[Ll]ong)\w*|not implemented for '(?:Long|Int|Bool)'|found Long|must be either a floating point|must be floating|floating.point.{0,30}(?:Long|Int|Bool)|same dtype.*[Ll]ong|Long and Float|LongTensor\[.*expected a tensor of floating point|type Float can't be cast to the desired output type Long)",
        lambda m: [Kind("float")],
    ),
    (
        r"missing \d+ required (?:positional|keyword-only) arguments?: (.*)",
        lambda m: [Needed(name) for name in re.findall(r"'(\w+)'", m[1])],
    ),
    (
        r"expected (?:embedding )?(?:dim(?:ension)?s? )?(?:of |to be |size )?(\d+),? (?:but )?(?:got|found) (?:\w+ )?(\d+)",
        lambda m: _equal((int(m[2]), int(m[1]))),
    ),
    (
        r"[Ee]xpected (?:\D{0,40})(\d+)\D{1,40}(?:got|found|received)\D{0,30}(\d+)",
        lambda m: _equal((int(m[2]), int(m[1]))),
    ),
    (
        r"(\d+)\)? (?:must|should) be (?:divisible by|a multiple of|evenly divisible by)\D{0,30}(\d+)",
        lambda m: [Multiple(int(m[1]), int(m[2]))],
    ),
    (r"(?:divisible by|multiple of)\D{0,40}(\d+)", lambda m: [Multiple(0, int(m[1]))]),
    (r"(\d+) (?:doesn't match|does not match|!=|vs\.?) \D{0,40}(\d+)", lambda m: _either(m[1], m[2])),
)
_PATTERNS = [(re.compile(pattern, re.DOTALL), read) for pattern, read in _READERS]


def _read_keys(place: FailedPlace) -> list[Lesson]:
    """The keys that the failing function takes of a parameter, which must then be a dict."""
    tree = parse_file(place.path)
    if tree is None:
        return []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef) or not node.lineno <= place.line <= (node.end_lineno or 0):
            continue
        names = {a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
        keys: dict[str, list[str]] = {}
        for inner in ast.walk(node):
            match inner:
                case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key))) if (
                    name in names
                ):
                    keys.setdefault(name, []).append(key)
        return [Keys(name, tuple(dict.fromkeys(found))) for name, found in keys.items()]
    return []
