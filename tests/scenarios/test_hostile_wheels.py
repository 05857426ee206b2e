"""Every refusal of an addition, each proved by a wheel or an archive that tries it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from guard.throwaway import Throwaway
from sampled import sample


@pytest.fixture
def here(tmp_path: Path) -> Throwaway:
    throwaway = Throwaway(tmp_path)
    throwaway.index.add(
        "basement",
        "1.0",
        files={
            "basement/__init__.py": "__version__ = '1.0'\n",
            "basement/inner/__init__.py": "",
            "spread/one.py": "",
            "single.py": "x = 1\n",
        },
    )
    throwaway.add_base("basement==1.0")
    return throwaway


def list_outside(here: Throwaway) -> set[Path]:
    """Every file that is neither tierproof's nor uv's own."""
    return {
        path
        for path in here.folder.rglob("*")
        if not path.is_relative_to(here.data) and not {"__pycache__", "cache"} & set(path.parts)
    }


def refuse(here: Throwaway, name: str) -> str:
    """Try to install; nothing may have changed. Gives what was said."""
    before, outside = here.stamp_base(), list_outside(here)
    done = here.command("install", name, "--no-trial")
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert here.stamp_base() == before
    assert list_outside(here) == outside
    assert list(here.data.glob("environments/*/staging/*")) == []
    assert list(here.data.glob("environments/*/generations/*")) == []
    return done.stderr


def endure(here: Throwaway, name: str) -> None:
    """Try to install what uv may refuse or leave out: either way, nothing hostile is there afterwards."""
    before, outside = here.stamp_base(), list_outside(here)
    done = here.command("install", name, "--no-trial")
    assert done.returncode in (0, 1, 2), (done.returncode, done.stdout, done.stderr)
    assert here.stamp_base() == before
    assert list_outside(here) - outside <= {here.site / "tierproof-packages.pth"}
    for site in here.data.glob("environments/*/generations/*/site"):
        listed = json.loads((site.parent / "inventory.json").read_text())["packages"][name]["files"]
        found = {path for path in site.rglob("*") if not path.is_dir() or path.is_symlink()}
        assert {path.relative_to(site).as_posix() for path in found} == set(listed)
        for path in found:
            assert path.is_file()
            assert not path.is_symlink()
            assert path.stat().st_mode & 0o6000 == 0
    assert here.command("doctor").returncode == 0
    here.index.add("next-one", "1.0")
    assert here.command("install", "next-one").returncode == 0


@pytest.mark.parametrize(
    ("files", "reason"),
    sample(
        [
            ({"sitecustomize.py": "x = 1\n"}, "sitecustomize.py, which Python runs at every start"),
            (
                {"usercustomize/__init__.py": ""},
                "usercustomize/__init__.py, which Python runs at every start",
            ),
            ({"json.py": "x = 1\n"}, "json.py, which has the name of a standard library module"),
            (
                {"asyncio/__init__.py": ""},
                "asyncio/__init__.py, which has the name of a standard library module",
            ),
            ({"torch/__init__.py": ""}, "tierproof never adds that library"),
            ({"nvidia/cublas/lib.py": ""}, "tierproof never adds that library"),
            ({"basement/extra.py": ""}, "the installed"),
            ({"basement.py": ""}, "the installed"),
            ({"single.py": "x = 2\n"}, "the installed"),
            ({"single/__init__.py": ""}, "the installed"),
            ({"spread/__init__.py": ""}, "the installed"),
            ({"spread/one.py": "x = 2\n"}, "the installed"),
        ],
        2,
    ),
)
def test_names_that_mean_something_already(here: Throwaway, files: dict[str, str], reason: str) -> None:
    here.index.add("hostile", "1.0", files=files)
    said = refuse(here, "hostile")
    assert "refused: hostile contains" in said
    assert reason in said


@pytest.mark.parametrize("trial", [True, False])
def test_a_path_file_is_left_out_and_the_package_added(here: Throwaway, trial: bool) -> None:
    mark = here.folder / "ran"
    code = f"import pathlib; pathlib.Path({str(mark)!r}).touch()\n"
    here.index.add("starter", "1.0", files={"starter-hook.pth": code, "starter.py": "x = 1\n"})
    before, outside = here.stamp_base(), list_outside(here)
    done = here.command("install", "starter", *([] if trial else ["--no-trial"]))
    assert done.returncode == 0, done.stderr
    assert "starter-hook.pth of starter was left out" in done.stdout
    assert here.run("-c", "import starter").returncode == 0
    assert not mark.exists()
    assert here.stamp_base() == before
    assert list_outside(here) - outside <= {here.site / "tierproof-packages.pth"}
    assert not list(here.data.rglob("starter-hook.pth"))
    assert here.command("doctor").returncode == 0


def test_what_needs_its_path_file_to_be_imported_is_refused(here: Throwaway) -> None:
    files = {"leaner.pth": "hidden\n", "hidden/inner.py": "", "leaner.py": "import inner\n"}
    here.index.add("leaner", "1.0", files=files)
    done = here.command("install", "leaner")
    assert done.returncode == 2, done.stdout
    assert "leaner cannot be imported in this environment" in done.stderr
    assert list(here.data.glob("environments/*/generations/*")) == []


def test_an_archive_with_a_path_file_is_refused(here: Throwaway, saved: Path) -> None:
    """No generation contains one, so somebody has put it there."""

    def change(contents: dict[str, bytes], _: list[tarfile.TarInfo]) -> None:
        text = b"import os\n"
        name = next(name for name in contents if name.endswith("inventory.json"))
        inventory = json.loads(contents[name])
        inventory["packages"]["helper"]["files"]["hook.pth"] = [hashlib.sha256(text).hexdigest(), len(text)]
        contents[name] = json.dumps(inventory).encode()
        contents["site/hook.pth"] = text

    rewrite(saved / "tierproof-packages.tar.gz", change)
    assert refuse_recovery(here, str(saved), "--trust")


def test_a_backport_of_the_standard_library_is_never_imported(here: Throwaway) -> None:
    here.index.add("dataclasses", "0.8", files={"dataclasses.py": "raise RuntimeError\n"})
    here.index.add("old-fashioned", "1.0", "dataclasses", files={"old_fashioned.py": "import dataclasses\n"})
    done = here.command("install", "old-fashioned")
    assert done.returncode == 0, done.stderr
    assert here.run("-c", "import old_fashioned; old_fashioned.dataclasses.dataclass").returncode == 0


def test_a_backport_with_something_beside_it_is_refused(here: Throwaway) -> None:
    here.index.add("dataclasses", "0.8", files={"dataclasses.py": "", "json.py": ""})
    assert "which has the name of a standard library module" in refuse(here, "dataclasses")


def test_a_namespace_that_two_share_is_fine(here: Throwaway) -> None:
    here.index.add("friendly", "1.0", files={"spread/two.py": "", "tests/test_it.py": ""})
    assert here.command("install", "friendly").returncode == 0
    assert here.run("-c", "import spread.one, spread.two").returncode == 0


def write_raw(here: Throwaway, name: str, change: Callable[[zipfile.ZipFile], None]) -> None:
    """Put a wheel into the index whose archive `change` adds to; RECORD does not know of that."""
    path = here.index.add(name, "1.0")
    with zipfile.ZipFile(path, "a") as archive:
        change(archive)


@pytest.mark.parametrize(
    "target",
    sample(["../escaped.py", "../../../escaped.py", "/tmp/tierproof-escaped.py", "a/../../escaped.py"], 2),
)
def test_paths_that_lead_out(here: Throwaway, target: str) -> None:
    write_raw(here, "leaver", lambda archive: archive.writestr(target, "x = 1\n"))
    endure(here, "leaver")
    assert not Path("/tmp/tierproof-escaped.py").exists()


def test_a_record_that_names_paths_outside(here: Throwaway) -> None:
    here.index.add(
        "outward", "1.0", record="outward.py,,\n../../../escaped.py,,\noutward-1.0.dist-info/RECORD,,\n"
    )
    endure(here, "outward")


LIAR = "".join(f"liar-1.0.dist-info/{file},,\n" for file in ("METADATA", "WHEEL", "RECORD"))


def test_a_record_with_another_hash(here: Throwaway) -> None:
    here.index.add("liar", "1.0", record=f"{LIAR}liar.py,sha256={'A' * 43},20\n")
    assert "liar.py does not match the RECORD (list of files and hashes) of liar" in refuse(here, "liar")


@pytest.mark.parametrize(
    "record", sample([LIAR, f"{LIAR}liar.py,,\nabsent.py,sha256=AAAA,3\n", "", 'a\nb,,,,\n"x'], 2)
)
def test_a_record_with_other_files(here: Throwaway, record: str) -> None:
    here.index.add("liar", "1.0", record=record)
    endure(here, "liar")


def test_a_link_in_a_wheel(here: Throwaway) -> None:
    def add_link(archive: zipfile.ZipFile) -> None:
        entry = zipfile.ZipInfo("linked.py")
        entry.create_system = 3
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")

    write_raw(here, "linker", add_link)
    endure(here, "linker")


def test_a_set_uid_file_in_a_wheel(here: Throwaway) -> None:
    def add_set_uid(archive: zipfile.ZipFile) -> None:
        entry = zipfile.ZipInfo("mighty.py")
        entry.create_system = 3
        entry.external_attr = 0o104755 << 16
        archive.writestr(entry, "x = 1\n")

    write_raw(here, "powerful", add_set_uid)
    endure(here, "powerful")


def test_a_wheel_of_another_name_or_version(here: Throwaway) -> None:
    path = here.index.add("masked", "1.0")
    path.rename(path.with_name("masked-2.0-py3-none-any.whl"))
    here.index._index("masked")
    refuse(here, "masked==2.0")


def test_a_wheel_with_another_hash_than_the_index_says(here: Throwaway) -> None:
    path = here.index.add("altered", "1.0")
    page = path.parent / "index.html"
    page.write_text(page.read_text().replace(f'href="{path.name}"', f'href="{path.name}#sha256={"0" * 64}"'))
    said = refuse(here, "altered")
    assert "could not be fetched" in said
    assert "Hash mismatch" in said


# Archives.


@pytest.fixture
def saved(here: Throwaway) -> Path:
    here.index.add("helper", "1.0")
    here.install("helper")
    folder = here.folder / "saved"
    assert here.command("save", str(folder)).returncode == 0
    (here.site / "tierproof-packages.pth").unlink()
    here.data = here.folder / "data-of-a-fresh-machine"
    return folder


def rewrite(archive: Path, change: Callable[[dict[str, bytes], list[tarfile.TarInfo]], None]) -> None:
    """Unpack an archive in memory, let `change` edit it or add raw members, and pack it again."""
    with tarfile.open(archive, "r:gz") as old:
        contents = {member.name: old.extractfile(member).read() for member in old if member.isreg()}  # type: ignore[union-attr]
    members: list[tarfile.TarInfo] = []
    change(contents, members)
    with tarfile.open(archive, "w:gz") as new:
        for name, data in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            new.addfile(entry, io.BytesIO(data))
        for member in members:
            new.addfile(member, io.BytesIO(b"x" * member.size))


def refuse_recovery(here: Throwaway, *arguments: str) -> str:
    before = here.stamp_base()
    done = here.command("recover", *arguments)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert here.stamp_base() == before
    assert not (here.site / "tierproof-packages.pth").exists()
    assert list(here.data.glob("environments/*/staging/*")) == []
    assert list(here.data.glob("environments/*/generations/*")) == []
    return done.stderr


def test_an_archive_needs_somebody_to_vouch_for_it(here: Throwaway, saved: Path) -> None:
    assert "was not made on this machine" in refuse_recovery(here, str(saved))
    copy = here.folder / "trusted.toml"
    copy.write_bytes((saved / "pylock.toml").read_bytes())
    rewrite(
        saved / "tierproof-packages.tar.gz",
        lambda contents, _: contents.update({"site/helper.py": b"evil = 1\n"}),
    )
    assert "does not match the lock" in refuse_recovery(here, str(saved), "--lock", str(copy))
    assert "does not match the list of files" in refuse_recovery(here, str(saved), "--trust")


@pytest.mark.parametrize("how", ["--lock", "--trust"])
def test_a_vouched_archive_needs_no_network(here: Throwaway, saved: Path, how: str) -> None:
    copy = here.folder / "trusted.toml"
    copy.write_bytes((saved / "pylock.toml").read_bytes())
    here.index.folder = here.folder / "no-index"
    options = [how, str(copy)] if how == "--lock" else [how]
    assert here.command("recover", str(saved), *options).returncode == 0
    assert here.find_version("helper") == "1.0"
    # Known now: the same archive needs no vouching again.
    (here.site / "tierproof-packages.pth").unlink()
    assert here.command("recover", str(saved)).returncode == 0


def member(name: str, kind: bytes = tarfile.REGTYPE, *, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = kind, link, mode
    entry.size = 3 if kind == tarfile.REGTYPE else 0
    return entry


@pytest.mark.parametrize(
    ("entry", "reason"),
    sample(
        [
            (member("../escaped.py"), "outside of the target folder"),
            (member("/tmp/tierproof-escaped.py"), "outside of the target folder"),
            (member("site/link.py", tarfile.SYMTYPE, link="/etc/passwd"), "link or a special file"),
            (member("site/hard.py", tarfile.LNKTYPE, link="../../escaped"), "link or a special file"),
            (member("site/pipe", tarfile.FIFOTYPE), "link or a special file"),
            (member("site/device", tarfile.CHRTYPE), "link or a special file"),
            (member("site/powerful.py", mode=0o4755), "set-uid"),
            (member("site/unnamed.py"), "which is not in the list of files"),
            (member("site/helper.py"), "cannot unpack"),
        ],
        2,
    ),
)
def test_hostile_members_of_an_archive(
    here: Throwaway, saved: Path, entry: tarfile.TarInfo, reason: str
) -> None:
    rewrite(saved / "tierproof-packages.tar.gz", lambda _, members: members.append(entry))
    assert reason in refuse_recovery(here, str(saved), "--trust")
    assert not Path("/tmp/tierproof-escaped.py").exists()


@pytest.mark.parametrize("identifier", sample(["../../../../escaped", "0" * 20, "", "x"], 2))
def test_an_archive_that_names_another_generation(here: Throwaway, saved: Path, identifier: str) -> None:
    def rename(contents: dict[str, bytes], _: list[tarfile.TarInfo]) -> None:
        document = json.loads(contents["generation.json"])
        contents["generation.json"] = json.dumps({**document, "id": identifier}).encode()

    rewrite(saved / "tierproof-packages.tar.gz", rename)
    assert "do not match the identifier" in refuse_recovery(here, str(saved), "--trust")
    lock = saved / "pylock.toml"
    text = lock.read_text()
    lock.write_text(
        "\n".join(
            f'generation = "{identifier}"' if line.startswith("generation") else line
            for line in text.splitlines()
        )
    )
    refuse_recovery(here, str(saved), "--trust")


def test_half_an_archive(here: Throwaway, saved: Path) -> None:
    archive = saved / "tierproof-packages.tar.gz"
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    assert "cannot unpack" in refuse_recovery(here, str(saved), "--trust")
    archive.write_bytes(b"")
    assert "cannot unpack" in refuse_recovery(here, str(saved), "--trust")


@pytest.mark.parametrize("text", sample(["", "{", 'a = "b"', "lock-version = 1\npackages = 3", "\x00"], 2))
def test_a_lock_that_is_none(here: Throwaway, saved: Path, text: str) -> None:
    (saved / "pylock.toml").write_text(text)
    assert "cannot read the lock" in refuse_recovery(here, str(saved), "--trust")


def test_without_its_archive_everything_is_installed_anew_exactly(here: Throwaway, saved: Path) -> None:
    here.index.add("helper", "2.0")
    (saved / "tierproof-packages.tar.gz").unlink()
    assert here.command("recover", str(saved), "--trust").returncode == 0
    assert here.find_version("helper") == "1.0"


def test_what_no_longer_fits_the_base_is_refused(here: Throwaway, saved: Path) -> None:
    here.add_base("helper")
    assert "one package cannot be there twice" in refuse_recovery(here, str(saved), "--trust")
