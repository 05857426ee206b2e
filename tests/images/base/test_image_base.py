"""Images as bases of a plan, on an index made here: another Python, another platform, no network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from guard.wheelhouse import Wheelhouse
from tierproof.errors import UsageError
from tierproof.guard.judge.judge_plan import make_plan
from tierproof.guard.judge.plan import Plan, PlanVerdict
from tierproof.guard.resolve.plan_error import PlanError
from tierproof.images.base.image_base import ImageBase, make_image_base
from tierproof.images.base.loaded_set import list_loaded
from tierproof.images.base.requires_cache import RequiresCache
from tierproof.images.lists.image_index import Image, read_index
from tierproof.images.store.image_store import find_stored_image

pytest.importorskip("uv")


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    return Wheelhouse(tmp_path / "house")


def make(
    house: Wheelhouse,
    lines: Sequence[str],
    *,
    python: str = "3.12.12",
    os: str = "Ubuntu 22.04.5 LTS",
    loaded: Sequence[str] | None = (),
) -> ImageBase:
    path = house.folder / "image.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
    return make_image_base(
        Image("test:1", "cpu", path, python, os),
        loaded=loaded,
        environment=house.environment,
        cache=RequiresCache(house.folder / "requires.json"),
    )


def plan(house: Wheelhouse, made: ImageBase, *requirements: str) -> Plan:
    return make_plan(requirements, made.base, environment=house.environment)


def added(result: Plan) -> list[str]:
    return [f"{item.name} {item.version}" for item in result.add]


def test_what_the_image_declares_comes_from_the_index(house: Wheelhouse) -> None:
    house.add("numb", "2.0.2")
    house.add("frame", "2.2", "numb>=1.26", "dates; extra == 'all'")
    made = make(house, ["numb==2.0.2", "frame==2.2", "absent==1.0"])
    frame = made.base.by_name["frame"]
    assert frame.requires == ("numb>=1.26", 'dates; extra == "all"')
    assert made.undeclared == ("absent",)
    assert (made.base.name, made.base.python, made.base.platform) == (
        "test:1",
        "3.12.12",
        "x86_64-manylinux_2_35",
    )


def test_wheels_are_chosen_for_the_images_python_and_platform(house: Wheelhouse) -> None:
    for tag in ("cp312-cp312-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_17_x86_64"):
        house.add("native", "1.0", "numb" if "312" in tag else "other", tag=tag)
    house.add("native", "2.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    house.add("native", "3.0", tag="cp312-cp312-manylinux_2_39_x86_64")
    house.add("numb", "1.0")
    made = make(house, ["start==1"])
    result = plan(house, made, "native")
    assert result.verdict is PlanVerdict.ADDITIVE
    assert added(result) == ["native 1.0", "numb 1.0"]
    newer = make(house, ["start==1"], os="Ubuntu 24.04 LTS")
    assert added(plan(house, newer, "native")) == ["native 3.0"]


def test_no_wheel_for_that_python_is_infeasible(house: Wheelhouse) -> None:
    house.add("native", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    result = plan(house, make(house, ["start==1"]), "native")
    assert result.verdict is PlanVerdict.INFEASIBLE
    assert "Python 3.12.12" in result.explanation


def test_markers_are_those_of_the_image(house: Wheelhouse) -> None:
    house.add("old", "1.0")
    made = make(house, ["start==1"], python="3.13.1")
    assert added(plan(house, made, "old; python_version >= '3.13'")) == ["old 1.0"]
    assert plan(house, made, "old; python_version < '3.13'").verdict is PlanVerdict.SATISFIED


def test_a_local_version_stands_on_the_public_ones_metadata(house: Wheelhouse) -> None:
    house.add("torchy", "2.9.0", "numb", "cudas>=12")
    house.add("visor", "1.0", "torchy==2.9.0")
    made = make(house, ["torchy==2.9.0+cpu", "numb==2.0"])
    assert made.stood_in == ("torchy 2.9.0+cpu",)
    result = plan(house, made, "visor")
    assert result.verdict is PlanVerdict.ADDITIVE
    assert added(result) == ["visor 1.0"]  # not cudas: this build has it from nowhere and works without


def test_an_entry_without_a_version_satisfies_no_bound(house: Wheelhouse) -> None:
    house.add("tool", "1.0", "gateway")
    house.add("strict", "1.0", "gateway>=2")
    made = make(house, ["gateway @ git+https://h/o/gateway@abc", "start==1"], loaded=["gateway"])
    assert made.unversioned == ("gateway",)
    assert plan(house, made, "tool").verdict is PlanVerdict.ADDITIVE
    assert plan(house, made, "strict").verdict is not PlanVerdict.ADDITIVE


def test_what_only_the_image_has_is_not_asked_of_the_index(house: Wheelhouse) -> None:
    house.add("google-colab", "1.0.0", "ancient==1")
    house.add("requests", "2.32.4")
    house.add("requests", "2.33.0")
    house.add("app", "1.0", "requests>=2.33")
    lines = ["google-colab @ file:///d/google_colab-1.0.0.tar.gz", "requests==2.32.4"]
    made = make(house, lines, loaded=["google-colab"])
    assert made.base.by_name["google-colab"].requires == ("requests==2.32.4",)
    result = plan(house, made, "app")
    assert result.verdict is PlanVerdict.WAIVER  # a shadow would break what the loaded google-colab declares


def test_source_archives_tell_their_requirements_unbuilt(house: Wheelhouse, tmp_path: Path) -> None:
    marker = tmp_path / "built"
    house.add_source("legacy", "1.0", marker)
    made = make(house, ["legacy==1.0"])
    assert made.undeclared == ()
    assert not marker.exists()


def test_shadows_hold_on_an_image(house: Wheelhouse) -> None:
    house.add("arrow", "2.0")
    result = plan(house, make(house, ["arrow==1.0"]), "arrow>=2")
    assert result.verdict is PlanVerdict.SHADOW
    assert "user site" not in result.explanation


def test_the_index_is_asked_once(house: Wheelhouse) -> None:
    house.add("numb", "2.0.2", "other>=1")
    make(house, ["numb==2.0.2"])
    house.environment["UV_DEFAULT_INDEX"] = "http://127.0.0.1:9/simple"
    again = make(Offline(house.folder), ["numb==2.0.2"])
    assert again.base.by_name["numb"].requires == ("other>=1",)
    with pytest.raises(PlanError, match="cannot read the requirements"):
        make(Offline(house.folder), ["numb==2.0.1"])


class Offline(Wheelhouse):
    @property
    def environment(self) -> dict[str, str]:
        return {
            **super().environment,
            "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
            "UV_HTTP_RETRIES": "0",
        }


def test_the_python_of_an_old_list_is_read_from_its_wheels(house: Wheelhouse) -> None:
    lines = ["torch @ https://h/torch-1.13.1%2Bcu116-cp38-cp38-linux_x86_64.whl"]
    assert make(house, lines, python="").base.python == "3.8"
    with pytest.raises(UsageError, match="which Python version test:1 uses"):
        make(house, ["a==1"], python="")


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        make_image_base(Image("x", "cpu", tmp_path / "absent.txt", "3.12.1"))
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not a text file"):
        make_image_base(Image("x", "cpu", tmp_path / "binary.txt", "3.12.1"))


def write_index(folder: Path, *entries: object) -> None:
    (folder / "index.json").write_text(json.dumps(list(entries)))


def test_images_are_found_by_name_and_hardware(tmp_path: Path) -> None:
    entry = {
        "image": "colab:2026.01",
        "hardware": "cpu",
        "file": "a.txt",
        "python": "3.12.12",
        "os": "Ubuntu 24.04",
    }
    write_index(tmp_path, entry, {**entry, "hardware": "gpu", "file": "b.txt", "os": None, "python": None})
    assert [image.label for image in read_index(tmp_path)] == ["colab:2026.01", "colab:2026.01-gpu"]
    assert find_stored_image("colab:2026.01", tmp_path).platform == "x86_64-manylinux_2_39"
    gpu = find_stored_image("colab:2026.01-gpu", tmp_path)
    assert (gpu.path, gpu.python, gpu.platform) == (tmp_path / "b.txt", "", "x86_64-manylinux_2_28")
    with pytest.raises(UsageError, match="no image 'colab:2020'") as raised:
        find_stored_image("colab:2020", tmp_path)
    assert "colab:2026.01-gpu" in (raised.value.hint or "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html>", "not valid JSON"),
        ("{}", "must be a JSON list"),
        ('[{"image": "a"}]', "entry 1 .* has no hardware, no file"),
        ('[7]', "has no image"),
        ('[{"image": "a", "hardware": "cpu", "file": "../../etc/passwd"}]', "a file outside its folder"),
    ],
)  # fmt: skip
def test_a_damaged_index(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_index(tmp_path)


def test_no_index(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_index(tmp_path)


def test_loaded_sets() -> None:
    assert {"numpy", "pyarrow", "pillow", "ipykernel"} <= list_loaded()
    assert list_loaded(["captum"], kernel=False) == {"captum"}
