"""Run inside the ghost environment: `pip install …` up to the end of its resolution, and write what it would install.

pip's own resolver and finder decide. Two things differ from `pip install --dry-run`. Metadata is read by
`release_metadata.py`: an index may not serve it beside the wheel, whole wheels of a GPU image are gigabytes, and a
source release is not built; it is reported as what pip would build. And nothing is downloaded once the resolution is
done.

    python pip_dry_run.py REPORT.json install ARGUMENT…
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from pip._internal.cli.main import main
from pip._internal.index.package_finder import PackageFinder
from pip._internal.metadata import get_metadata_distribution
from pip._internal.models.candidate import InstallationCandidate
from pip._internal.models.link import Link
from pip._internal.operations.prepare import RequirementPreparer
from release_metadata import FOLDER_VARIABLE, read_metadata

_FOUND: dict[str, Any] = {}
_READ: dict[str, Any] = {}
_FIND = PackageFinder.find_all_candidates.__wrapped__


def find_candidates(self: PackageFinder, name: str) -> Any:
    """Give the files of a project that fit this Python, from an earlier command of the same run if there was one."""
    if name not in _FOUND:
        kept = Path(os.environ[FOLDER_VARIABLE], "pages", f"{name}.json")
        if kept.exists():
            _FOUND[name] = [
                InstallationCandidate(
                    spelled, version, Link(url, requires_python=python, yanked_reason=yanked)
                )
                for spelled, version, url, python, yanked in json.loads(kept.read_text())
            ]
        else:
            _FOUND[name] = _FIND(self, name)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(
                json.dumps(
                    [
                        (
                            each.name,
                            str(each.version),
                            each.link.url,
                            each.link.requires_python,
                            each.link.yanked_reason,
                        )
                        for each in _FOUND[name]
                    ]
                )
            )
    if ":all:" in self.format_control.only_binary:  # what was kept knows nothing of it
        return [each for each in _FOUND[name] if each.link.is_wheel]
    return _FOUND[name]


def fetch_metadata(_: RequirementPreparer, req: Any) -> Any:
    """Give the metadata of a remote file; None makes pip fetch, and of a source release build, the whole."""
    link = req.link
    if link is None or link.is_file or link.is_vcs:
        return None
    text = read_metadata(link.url_without_fragment)
    if text is None:
        return None
    found = get_metadata_distribution(text.encode(), link.filename, req.name)
    _READ[link.url_without_fragment] = (found.raw_name, str(found.version), text)
    return found


def write_report(_: RequirementPreparer, reqs: Any, *_args: object) -> None:
    """Write what the resolution chose, and end: what follows in pip downloads and installs it."""
    chosen = []
    for req in reqs:
        url = req.link.url_without_fragment if req.link else ""
        if url in _READ:
            name, version, text = _READ[url]
        else:
            name, version, text = req.metadata["Name"], req.metadata["Version"], req.metadata.as_string()
        built = not (req.link and req.link.is_wheel)
        chosen.append({"name": name, "version": version, "metadata": text, "built": built})
    REPORT.write_text(json.dumps(chosen))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    REPORT = Path(sys.argv[1])
    PackageFinder.find_all_candidates = find_candidates
    RequirementPreparer._fetch_metadata_only = fetch_metadata
    RequirementPreparer.prepare_linked_requirements_more = write_report
    sys.exit(main(sys.argv[2:]))
