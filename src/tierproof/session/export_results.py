"""Export: the report in every format and its figures, into a folder, as a download, and to a drive."""

from __future__ import annotations

import shutil
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tierproof.api.packages.history import history
from tierproof.api.packages.save import save
from tierproof.core.report import Report
from tierproof.errors import MissingPackageError, OutputError, TierproofError
from tierproof.session.box import Box, Tone
from tierproof.session.colab import download_file, mount_drive
from tierproof.session.results_folder import ResultsFolder

_SUFFIXES = (".html", ".json", ".md", ".txt")


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What the form of the export cell says; `drive_folder` stands for the drive where there is none."""

    download: bool = False
    to_drive: bool = False
    drive_folder: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """What was written: the box, and the seconds that drawing the figures took (None: there are none)."""

    box: Box
    figures_s: float | None = None


def export_results(
    report: Report | None, folder: ResultsFolder, request: ExportRequest, on_step: Callable[[str], None]
) -> Export:
    """Write what there is, the report first; then hand it to the browser and to the drive.

    Raises:
        TierproofError: the folder cannot be written, or the drive not be reached.
    """
    folder.make()
    files, lines, figures_s = [], [], None
    if report is None:
        lines.append("There is no report yet: run the cell that checks the model.")
    else:
        on_step("writing the report")
        files += [report.save(folder.path / f"report{suffix}") for suffix in _SUFFIXES]
        began = time.perf_counter()
        try:
            figures = _draw(report, folder.path / "figures")
        except MissingPackageError as error:
            lines.append(f"No figures: {error.message}")
        else:
            figures_s = time.perf_counter() - began
            files += figures
    if history().present:
        on_step("saving the added packages")
        saved = save(folder.packages_folder)
        files += [Path(saved.lock), Path(saved.archive)]
    if report is not None and folder.weights_file.is_file():
        files.append(folder.weights_file)
    lines.append(f"{len(files)} files in {folder.path}" if files else "Nothing was written.")
    if files and request.download:
        lines.append(download_file(_pack(files, folder.path)))
    if request.to_drive or request.drive_folder:
        on_step("copying to the drive")
        lines += _copy(folder.path, request)
    return Export(Box("Exported." if files else "Nothing to export.", _tone(files), tuple(lines)), figures_s)


def _tone(files: list[Path]) -> Tone:
    return Tone.GOOD if files else Tone.WARN


def _draw(report: Report, folder: Path) -> list[Path]:
    from tierproof.plots.registry import draw_figure
    from tierproof.plots.save_figure import save_figure

    folder.mkdir(exist_ok=True)
    written = []
    for result in report.results:
        figure = draw_figure(result.code, result.measurements)
        if figure is not None:
            path = folder / f"{result.code}.png"
            save_figure(figure, path)
            written.append(path)
    return written


def _pack(files: list[Path], folder: Path) -> Path:
    """Make one archive for the browser, without the weights, which may be large."""
    target = folder / "tierproof-report.zip"
    partial = folder / ".tierproof-report.zip"
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                if file.suffix in (*_SUFFIXES, ".png"):
                    archive.write(file, file.relative_to(folder))
        partial.replace(target)
    except OSError as error:
        raise OutputError(
            f"cannot write {target}: {error.strerror or error}", hint="Free some space in that folder."
        ) from error
    return target


def _copy(source: Path, request: ExportRequest) -> list[str]:
    target = Path(request.drive_folder).expanduser() if request.drive_folder else mount_drive()
    if target.resolve() == source.resolve():
        return [f"Nothing was copied: {target} is the results folder itself."]
    try:
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.zip", ".*"))
    except (OSError, shutil.Error) as error:
        raise OutputError(
            f"cannot copy the results to {target}: {error}", hint="Name a folder that you may write to."
        ) from error
    return [f"Copied to {target}. On a new runtime, enter that folder in the recovery cell."]


def restore_from(saved: Path, folder: ResultsFolder) -> tuple[bool, str]:
    """Bring exported results back where this runtime has none; tell whether they were, and say what was done.

    Raises:
        TierproofError: the folder is not there, or cannot be read.
    """
    if not saved.is_dir():
        raise OutputError(f"there is no folder {saved}", hint="Mount the drive, or correct the path.")
    if folder.report_file.is_file():
        return False, "This runtime has results of its own, so those of the saved folder were not copied."
    folder.make()
    try:
        shutil.copytree(saved, folder.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    except (OSError, shutil.Error) as error:
        raise TierproofError(
            f"the results in {saved} could not be copied here: {error}",
            hint="Check that this folder can be read and that the disk is not full, then run the cell again.",
        ) from error
    return True, f"The results were restored from {saved}."
