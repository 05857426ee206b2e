"""How Colab publishes its images: README, system files, and one list for each month."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tierproof.images.store.colab_repository import (
    ListChange,
    PinnedRuntime,
    choose_monthly,
    find_hardware,
    name_month,
    parse_readme,
    parse_system,
)

README = """# Backend Information

Currently available past runtime versions are as follows:

### 2026.01

*   Ubuntu 22.04.5 LTS
*   Python 3.12.12
*   TensorFlow 2.19.0 (not included in TPU runtimes)
*   R version 4.5.2 (2025-10-31) -- "[Not] Part in a Rumble"

For the exact details, refer to the individual `*.txt` files at this
[GitHub commit](https://github.com/googlecolab/backend-info/tree/bd8aaa4580401a7fbf96a52fab5a7acf96f50b73).

### 2025.07

- Python 3.11.13
[GitHub commit](https://github.com/googlecolab/backend-info/tree/ef1cba030a9f7a39bf42912a42f6462d6d4908e8).

### 2024.01

No commit here.

## Contributing

See https://github.com/o/r/tree/0000000000000000000000000000000000000000
"""


def test_a_readme_names_the_pinned_runtimes() -> None:
    assert parse_readme(README) == (
        PinnedRuntime("2026.01", "bd8aaa4580401a7fbf96a52fab5a7acf96f50b73", "3.12.12", "Ubuntu 22.04.5 LTS"),
        PinnedRuntime("2025.07", "ef1cba030a9f7a39bf42912a42f6462d6d4908e8", "3.11.13", ""),
    )
    assert parse_readme(README)[0].name == "colab:2026.01"


@given(st.text(max_size=300))
def test_no_readme_crashes(text: str) -> None:
    for made in (parse_readme(text), parse_readme(f"### 2026.01\n{text}"), parse_system(text)):
        assert isinstance(made, tuple)


def test_a_system_file() -> None:
    text = (
        "# by (lsb_release -ds;python --version;)\n# Python 9.9\nUbuntu 22.04.4 LTS\nPython 3.11.13\njulia 1"
    )
    assert parse_system(text) == ("3.11.13", "Ubuntu 22.04.4 LTS")
    assert parse_system("<html>") == ("", "")


def test_lists_by_hardware_under_every_name() -> None:
    names = ["pip-freeze.txt", "pip-freeze.gpu.txt", "pip-freeze-gpu.txt", "pip-freeze.tpu.txt", "README.md"]
    assert [find_hardware(name) for name in names] == ["cpu", "gpu", "gpu", "tpu", ""]


DAYS = st.integers(1_640_000_000, 1_790_000_000)


@given(st.lists(st.tuples(st.sampled_from(["cpu", "gpu", "tpu"]), DAYS), max_size=40))
def test_the_last_change_of_a_month_stands_for_it(made: list[tuple[str, int]]) -> None:
    changes = [
        ListChange(hardware, "x", f"{number:040x}", at_s)
        for number, (hardware, at_s) in enumerate(sorted(made, key=lambda each: -each[1]))
    ]
    chosen = choose_monthly(changes)
    months = [(name_month(each.date), each.hardware) for each in chosen]
    assert len(set(months)) == len(months)
    assert set(months) == {(name_month(each.date), each.hardware) for each in changes}
    for each in chosen:
        same = [c for c in changes if (c.date[:7], c.hardware) == (each.date[:7], each.hardware)]
        assert each.at_s == max(c.at_s for c in same)
    assert [each.date for each in chosen] == sorted((each.date for each in chosen), reverse=True)
