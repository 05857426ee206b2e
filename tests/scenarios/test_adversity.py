"""Installs against a bad world: full disks, read-only folders, bad indexes, rivals, a clock that was set back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guard.throwaway import Throwaway
from loopback import Site, serve
from sampled import prefer, sample

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs mounts of Linux")


@pytest.fixture
def here(tmp_path: Path) -> Throwaway:
    throwaway = Throwaway(tmp_path)
    for name in ("basement", "helper", *(f"pack{number}" for number in range(8))):
        throwaway.index.add(name, "1.0")
    throwaway.index.add("helper", "1.5")
    throwaway.index.add("large", "1.0", files={"large.py": "x = 1\n", "large_data.txt": "x" * 3_000_000})
    throwaway.add_base("basement")
    return throwaway


def run_mounted(here: Throwaway, mounts: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run `tierproof` in a mount namespace of its own, in which `mounts` (a shell script) was run first."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this system lets nobody mount")
    script = f'{mounts} && exec "{here.python}" -m tierproof "$@"'
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *command],
        env=here.environment,
        cwd=here.folder,
        capture_output=True,
        text=True,
        check=False,
    )


def read_only(*folders: Path) -> str:
    return " && ".join(
        f'mount --bind "{each}" "{each}" && mount -o remount,ro,bind "{each}"' for each in folders
    )


def test_a_disk_that_is_full_leaves_the_old_state(here: Throwaway) -> None:
    mounts = f'mkdir -p "{here.data}" && mount -t tmpfs -o size=1m none "{here.data}"'
    script = (
        f'"{here.python}" -m tierproof install helper==1.0; '
        f'"{here.python}" -m tierproof install large || echo "code $?"; '
        f'"{here.python}" -c "import helper; print(helper.__version__)" && '
        f'"{here.python}" -m tierproof doctor && '
        f'"{here.python}" -m tierproof install pack1 && "{here.python}" -c "import pack1, helper"'
    )
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this system lets nobody mount")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-ec", f"{mounts}; {script}"],
        env=here.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "code 2" in done.stdout
    assert "The disk is full" in done.stderr
    assert "internal error" not in done.stderr


def test_read_only_site_and_no_user_site_is_refused_before_anything_is_fetched(here: Throwaway) -> None:
    done = run_mounted(here, read_only(here.site), "install", "helper")
    assert done.returncode == 2
    assert "neither site-packages nor the user site-packages is writable" in done.stderr
    assert "fetching" not in done.stderr
    assert not list(here.data.glob("environments/*/generations/*"))


def test_an_unwritable_data_folder_is_refused(here: Throwaway) -> None:
    here.data.mkdir()
    done = run_mounted(here, read_only(here.data), "install", "helper")
    assert done.returncode == 2
    assert str(here.data) in done.stderr
    assert "internal error" not in done.stderr


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as started:
        yield started


def serve_index(here: Throwaway, site: Site, name: str, *, digest: str = "") -> str:
    """Let the web server offer one package as a simple index; gives the wheel's path there."""
    wheel = here.index.add(name, "1.0")
    path = f"/files/{wheel.name}"
    site.pages[path] = wheel.read_bytes()
    fragment = f"#sha256={digest}" if digest else ""
    site.pages[f"/simple/{name}/"] = (
        f'<html><body><a href="{path}{fragment}">{wheel.name}</a></body></html>'.encode()
    )
    return path


def install_from(here: Throwaway, site: Site, name: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **here.environment,
        "UV_DEFAULT_INDEX": f"{site.url}/simple".replace("://", "://user:secret-token@"),
        "UV_HTTP_TIMEOUT": "1",
        "UV_HTTP_RETRIES": "0",
    }
    return here.run("-m", "tierproof", "install", name, env=environment)


def check_refused(here: Throwaway, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode in (1, 2), done.stderr
    assert "internal error" not in done.stderr
    assert "secret-token" not in done.stdout + done.stderr
    assert here.find_version("helper") == "1.0"
    assert here.command("doctor").returncode == 0
    assert here.command("install", "pack1").returncode == 0
    assert here.find_version("pack1") == "1.0"


def stall(here: Throwaway, site: Site) -> str:
    path = serve_index(here, site, "pack")
    site.stall_paths.add(path)
    return path


def drop(here: Throwaway, site: Site) -> str:
    path = serve_index(here, site, "pack")
    wheel = site.pages[path]
    assert isinstance(wheel, bytes)
    site.pages[path] = wheel[: len(wheel) // 2]
    return path


def fail(here: Throwaway, site: Site) -> str:
    path = serve_index(here, site, "pack")
    site.pages[path] = 500
    return path


def lie(here: Throwaway, site: Site) -> str:
    return serve_index(here, site, "pack", digest="0" * 64)


@pytest.mark.parametrize("harm", prefer([stall, drop, fail, lie], [stall, lie]))
def test_an_index_that_stalls_drops_or_lies(
    here: Throwaway, site: Site, harm: Callable[[Throwaway, Site], str]
) -> None:
    here.install("helper==1.0")
    path = harm(here, site)
    refused = install_from(here, site, "pack")
    assert path in site.requests
    assert harm is not lie or "Hash mismatch" in refused.stderr
    check_refused(here, refused)
    serve_index(here, site, "honest")
    assert install_from(here, site, "honest").returncode == 0


def test_an_index_that_is_gone(here: Throwaway) -> None:
    here.install("helper==1.0")
    environment = {
        **here.environment,
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0",
    }
    check_refused(here, here.run("-m", "tierproof", "install", "pack2", env=environment))


@pytest.mark.parametrize("count", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_several_at_once_all_arrive(here: Throwaway, count: int) -> None:
    command = [str(here.python), "-m", "tierproof", "install", "--json"]
    rivals = [
        subprocess.Popen(
            [*command, f"pack{number}"],
            env=here.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    for rival in rivals:
        _, words = rival.communicate(timeout=300)
        assert rival.returncode == 0, words
    assert here.run("-c", f"import {', '.join(f'pack{number}' for number in range(count))}").returncode == 0
    entries = json.loads(here.command("history", "--json").stdout)["entries"]
    assert [entry["number"] for entry in entries] == list(range(1, count + 1))
    assert len(entries[-1]["packages"]) == count
    assert here.command("doctor").returncode == 0


def test_a_clock_that_was_set_back(here: Throwaway) -> None:
    here.install("helper==1.0")
    back = "import time\nreal = time.time\ntime.time = lambda: real() - 10_000_000\nfrom tierproof.cli.main import main\n"
    done = here.run("-c", f"{back}raise SystemExit(main(['install', 'helper==1.5']))")
    assert done.returncode == 0, done.stderr
    assert here.find_version("helper") == "1.5"
    assert "(present)" in here.command("history").stdout.splitlines()[-1]
    assert here.run("-c", f"{back}raise SystemExit(main(['gc', '--keep', '0']))").returncode == 0
    assert here.command("rollback", "2").returncode == 0
    assert here.find_version("helper") == "1.5"


@pytest.mark.parametrize("content", sample([b'{"number": 1', b"", b"\x00\xff", b"{", b"[]"], 5))
def test_half_written_files_of_its_own(here: Throwaway, content: bytes) -> None:
    here.install("helper==1.0")
    folder = next(here.data.glob("environments/*"))
    (folder / "lock").write_bytes(content)
    (folder / "launchers.json").write_bytes(content)
    (folder / "history" / "000002.json").write_bytes(content)
    (folder / "history" / ".000003.json.x").write_bytes(content)
    (folder / "staging" / "1-1-x").mkdir(parents=True)
    assert here.install("pack3")["changed"]
    assert here.run("-c", "import helper, pack3").returncode == 0
    assert here.command("history").returncode == 0
    present = next(path for path in folder.glob("generations/*") if (path / "site" / "pack3.py").exists())
    (present / "generation.json").write_bytes(content)
    refused = here.command("install", "pack4")
    assert refused.returncode == 2
    assert "recover" in refused.stderr
    assert here.command("recover").returncode == 0
    assert here.command("install", "pack4").returncode == 0
    assert here.run("-c", "import helper, pack3, pack4").returncode == 0


def test_a_path_file_that_names_something_else_is_nobodys(here: Throwaway) -> None:
    here.install("helper==1.0")
    (here.site / "tierproof-packages.pth").write_text("half a lin")
    assert here.command("recover").returncode == 0
    assert here.find_version("helper") == "1.0"


def test_settings_that_would_leak_are_left_out(here: Throwaway) -> None:
    environment = {
        **here.environment,
        "UV_TARGET": "/nowhere",
        "UV_PRERELEASE": "allow",
        "UV_CONSTRAINT": "/nowhere/constraints.txt",
        "UV_SYSTEM_PYTHON": "1",
        "UV_NO_BINARY": "1",
        "PIP_TARGET": "/nowhere",
        "PIP_PREFIX": "/nowhere",
    }
    assert here.run("-m", "tierproof", "install", "helper", env=environment).returncode == 0
    assert here.find_version("helper") == "1.5"


def test_works_while_an_installed_package_cannot_be_imported(here: Throwaway) -> None:
    for name in ("numpy", "torch"):
        (here.site / name).mkdir()
        (here.site / name / "__init__.py").write_text("raise ImportError('broken')\n")
    assert here.install("helper")["changed"]
    assert here.command("doctor").returncode == 0


def test_interrupted_while_fetching_leaves_the_old_state(here: Throwaway, site: Site) -> None:
    import signal
    import time

    here.install("helper==1.0")
    stalled = serve_index(here, site, "stalling")
    site.stall_paths.add(stalled)
    environment = {**here.environment, "UV_DEFAULT_INDEX": f"{site.url}/simple", "UV_HTTP_TIMEOUT": "60"}
    process = subprocess.Popen(
        [here.python, "-m", "tierproof", "install", "stalling"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while stalled not in site.requests:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "interrupted" in words
    assert here.find_version("helper") == "1.0"
    assert list(here.data.glob("environments/*/staging/*")) == []
    assert here.command("install", "pack1").returncode == 0
