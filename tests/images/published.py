"""Publish freeze lists as Colab does: a git repository with a history, served from a folder or over dumb HTTP."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loopback import Site

SHARED = Path(os.environ.get("TIERPROOF_SHARED") or Path(__file__).resolve().parents[3] / "shared")
REAL_LISTS = SHARED / "runtimes" / "colab"
HAS_REAL_LISTS = (REAL_LISTS / "index.json").exists()


def make_list(**pins: str) -> str:
    return "".join(f"{name.replace('_', '-')}=={version}\n" for name, version in pins.items())


def describe_system(python: str, system: str) -> str:
    return (
        f"# generated\n#  $ (lsb_release -ds;python --version;)\n{system}\nPython {python}\nR version 4.5.1\n"
    )


@dataclass
class Published:
    """A repository like googlecolab/backend-info, at `folder`."""

    folder: Path
    commits: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")

    def commit(self, date: str, files: Mapping[str, str | bytes | None]) -> str:
        """Commit files by path (None removes one) at noon UTC of an ISO date, and give the commit's hash."""
        for path, content in files.items():
            if content is None:
                (self.folder / path).unlink()
            else:
                (self.folder / path).write_bytes(content.encode() if isinstance(content, str) else content)
        self._git("add", "--all")
        moment = f"{date}T12:00:00+0000"
        self._git("commit", "--quiet", "--allow-empty", "-m", date, moment=moment)
        self.commits.append(self._git("rev-parse", "HEAD").strip())
        return self.commits[-1]

    def pin(self, date: str, runtimes: Mapping[str, tuple[str, str, str]]) -> str:
        """Commit a README that names runtimes: version → commit, Python, system."""
        sections = [
            f"### {version}\n\n*   {system}\n*   Python {python}\n*   numpy 2.0.2\n\nFor the details, refer to this\n"
            f"[GitHub commit](https://github.com/googlecolab/backend-info/tree/{commit}).\n"
            for version, (commit, python, system) in runtimes.items()
        ]
        head = "# Backend Information\n\n## Colab's Past Runtime Versions\n\n"
        return self.commit(date, {"README.md": head + "\n".join(sections) + "\n## Contributing\n\nPlease.\n"})

    def serve(self, site: Site, prefix: str = "/backend-info") -> str:
        """Put the repository on a site, for git's dumb protocol, and give its URL."""
        bare = self.folder.parent / f"{self.folder.name}-bare"
        subprocess.run(["rm", "-rf", bare], check=True)
        self._git("clone", "--quiet", "--bare", ".", str(bare))
        subprocess.run(["git", "update-server-info"], cwd=bare, check=True)
        for path in bare.rglob("*"):
            if path.is_file():
                site.pages[f"{prefix}/{path.relative_to(bare)}"] = path.read_bytes()
        smart = f"{prefix}/info/refs?service=git-upload-pack"
        site.pages[smart] = site.pages[f"{prefix}/info/refs"]
        return site.url + prefix

    def serve_raw(self, site: Site, prefix: str = "/raw") -> str:
        """Put every file of every commit on a site as `REVISION/FILE`, and give its URL."""
        for revision in (*self.commits, "HEAD"):
            names = self._git("ls-tree", "-r", "--name-only", revision).split()
            for name in names:
                content = subprocess.run(
                    ["git", "show", f"{revision}:{name}"], cwd=self.folder, capture_output=True, check=True
                ).stdout
                site.pages[f"{prefix}/{revision}/{name}"] = content
        return site.url + prefix

    def _git(self, *arguments: str, moment: str = "2026-01-01T12:00:00+0000") -> str:
        names = {
            f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        dates = {"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
        answer = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder.parent), **names, **dates},
            capture_output=True,
            text=True,
            check=True,
        )
        return answer.stdout


def publish_small(folder: Path) -> Published:
    """Publish two pinned runtimes and four months on up to three kinds of hardware."""
    made = Published(folder)
    made.commit("2025-11-03", {"pip-freeze.txt": make_list(numpy="1.26.4", old="1.0")})
    made.commit("2025-11-20", {"pip-freeze.txt": make_list(numpy="2.0.2", old="1.0")})
    first = made.commit(
        "2026-01-16",
        {
            "pip-freeze.txt": make_list(numpy="2.0.2", torch="2.9.0+cpu"),
            "pip-freeze.gpu.txt": make_list(numpy="2.0.2", torch="2.9.0+cu126"),
            "os-info.txt": describe_system("3.12.12", "Ubuntu 22.04.5 LTS"),
            "os-info-gpu.txt": describe_system("3.12.12", "Ubuntu 22.04.4 LTS"),
        },
    )
    made.pin("2026-01-20", {"2026.01": (first, "3.12.12", "Ubuntu 22.04.5 LTS")})
    made.commit("2026-01-31", {"pip-freeze.txt": make_list(numpy="2.0.2", torch="2.9.1+cpu")})
    second = made.commit(
        "2026-04-02",
        {
            "pip-freeze.txt": make_list(numpy="2.1.0", torch="2.10.0+cpu"),
            "pip-freeze.gpu.txt": None,
            "pip-freeze-gpu.txt": make_list(numpy="2.1.0", torch="2.10.0+cu128"),
            "pip-freeze.tpu.txt": make_list(numpy="2.1.0", jax="0.7"),
            "os-info.txt": describe_system("3.12.13", "Ubuntu 22.04.5 LTS"),
        },
    )
    made.pin("2026-04-09", {"2026.04": (second, "3.12.13", "Ubuntu 24.04 LTS")})
    made.commit("2026-04-24", {"pip-freeze.txt": make_list(numpy="2.1.1", torch="2.10.0+cpu")})
    return made


def publish_real(folder: Path) -> Published:
    """Publish the real lists, each at its date, with what the index says of their systems."""
    made = Published(folder)
    entries = json.loads((REAL_LISTS / "index.json").read_text())
    by_image: dict[str, list[dict[str, str]]] = {}
    for entry in sorted(entries, key=lambda each: each["date"]):
        by_image.setdefault(entry["image"], []).append(entry)
    pins = {}
    for name, group in by_image.items():
        files: dict[str, str | bytes | None] = {}
        for entry in group:
            hardware = "" if entry["hardware"] == "cpu" else entry["hardware"]
            files[f"pip-freeze{'.' if hardware else ''}{hardware}.txt"] = (
                REAL_LISTS / entry["file"]
            ).read_bytes()
            if entry["python"]:
                about = f"os-info{'-' if hardware else ''}{hardware}.txt"
                files[about] = describe_system(entry["python"], entry["os"])
        commit = made.commit(group[0]["date"], files)
        if group[0]["pinned"]:
            pins[name.partition(":")[2]] = (commit, group[0]["python"], group[0]["os"])
    made.pin("2026-08-20", pins)
    return made
