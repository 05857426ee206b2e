"""The packages of an image after the commands so far, as pip leaves them: what the next command finds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tierproof.guard.capture.base import Base
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.images.judge.image_answer import BroughtPackage, ImageAnswer

_NOWHERE = Path("/")


@dataclass(frozen=True, slots=True)
class PipState:
    """What commands have brought and removed; a package of the image that was brought anew is among the former."""

    brought: tuple[BroughtPackage, ...] = ()
    removed: tuple[str, ...] = ()

    def after(self, answer: ImageAnswer) -> PipState:
        """Return the state after one more command."""
        gone = frozenset(answer.removed)
        packages = {item.name: item for item in self.brought if item.name not in gone}
        packages |= {item.name: item for item in answer.left}
        removed = {*self.removed, *gone} - set(packages)
        return PipState(tuple(packages.values()), tuple(sorted(removed)))

    def apply(self, base: Base) -> Base:
        """Return the base as this state leaves it; what the kernel has loaded stays loaded."""
        if not self.brought and not self.removed:
            return base
        names = {item.name for item in self.brought} | set(self.removed)
        kept = tuple(item for item in base.installed if item.name not in names)
        new = tuple(make_distribution(item) for item in self.brought)
        return replace(base, installed=(*kept, *new))


def make_distribution(item: BroughtPackage) -> InstalledDistribution:
    """Make an installed distribution of a package that was brought to another machine."""
    return InstalledDistribution(item.name, item.version, _NOWHERE, _NOWHERE, item.requires)
