"""Foresee public notebooks: `python benchmarks/public_notebooks [PART-OF-A-NAME…] --texts DIR [--truth] [--write]`.

Every notebook of `notebooks.toml` is judged by `tierproof preflight` on one image, and compared with what pip itself
does there (`truth.json`, worked out by `--truth`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from public_notebooks.fetch_texts import fetch_texts
from public_notebooks.run import choose, renew_truth, run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a part of a notebook's name; all when none is given"
    )
    parser.add_argument("--texts", type=Path, required=True, help="folder of the notebooks' texts")
    parser.add_argument(
        "--lists", type=Path, help="folder of the images' lists; ../shared/runtimes/colab by default"
    )
    parser.add_argument("--folder", type=Path, help="for answers and ghosts; by default beside the texts")
    parser.add_argument(
        "--fetch", action="store_true", help="first download the texts that are not there, from GitHub"
    )
    parser.add_argument(
        "--truth", action="store_true", help="first ask pip again, which takes an hour or two"
    )
    parser.add_argument("--again", action="store_true", help="judge also the notebooks whose answer is kept")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    options = parser.parse_args()
    from reach import find_shared

    texts = options.texts.resolve()
    folder = options.folder.resolve() if options.folder else texts.parent / "preflight-notebooks"
    shared = find_shared()
    lists = options.lists or (shared and shared / "runtimes" / "colab")
    if lists is None:
        parser.error("the images' lists are not in ../shared: name their folder with --lists")
    folder.mkdir(parents=True, exist_ok=True)
    if options.fetch:
        fetch_texts(choose(options.names), texts)
    if options.truth:
        from truth import find_interpreter

        renew_truth(options.names, folder, lists, find_interpreter("3.12"))
    table, met = run(options.names, texts, folder, lists, again=options.again)
    print(table)
    if options.write:
        from run import RESULTS, describe_machine, write_section

        command = "python benchmarks/public_notebooks --texts DIR --write"
        text = f"{describe_machine()}\n\n{table}"
        write_section(RESULTS, "notebooks", "Public notebooks on an image", text, command=command)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
