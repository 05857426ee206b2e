"""Which installs of a notebook run on which machine: branches, failed imports, files and scripts that cells write."""

from __future__ import annotations

from pathlib import Path

import pytest

from images.read.test_notebook_installs import write
from tierproof.guard.commands.gap import GapReason
from tierproof.images.lists.hosted_service import HostedService, Service, find_service
from tierproof.images.read.found_install import FoundInstall, UnreadInstall
from tierproof.images.read.read_target import read_targets

COLAB = HostedService(
    Service.COLAB, "3.12.13", {"torch": "2.9.0+cu126", "pillow": "11.3.0", "google-colab": "1.0"}, "gpu"
)
KAGGLE = HostedService(Service.KAGGLE, "3.11.13", {"torch": "2.6.0"}, "gpu")
OTHER = HostedService()


def read(folder: Path, host: HostedService, *sources: str) -> tuple[list[FoundInstall], list[UnreadInstall]]:
    (target,) = read_targets([str(write(folder, *sources))])
    there = target.read_for(host)
    return list(there.installs), list(there.unread)


def tell(found: FoundInstall) -> str:
    state = "skipped" if found.skipped else "may" if found.conditional else "runs"
    return f"{' '.join(found.command.requirements)}: {state}"


EITHER = "\nif {test}:\n    !pip install yes\nelse:\n    !pip install no"
ON_COLAB = [
    '"COLAB_" in "".join(os.environ.keys())',
    'any(name.startswith("COLAB_") for name in os.environ)',
    '"COLAB_RELEASE_TAG" in os.environ',
    'os.environ.get("COLAB_RELEASE_TAG")',
    'os.getenv("COLAB_RELEASE_TAG") is not None',
    '"google.colab" in sys.modules',
    '"google.colab" in str(get_ipython())',
    'importlib.util.find_spec("google.colab") is not None',
    'os.path.exists("/content")',
    "not IN_KAGGLE and IN_COLAB",
]
BEFORE = (
    "import os, sys, importlib\nIN_COLAB = 'google.colab' in sys.modules\n"
    "IN_KAGGLE = 'KAGGLE_KERNEL_RUN_TYPE' in os.environ\n"
)


@pytest.mark.parametrize("test", ON_COLAB)
def test_a_branch_that_the_machine_decides(tmp_path: Path, test: str) -> None:
    source = BEFORE + EITHER.format(test=test)
    assert [tell(each) for each in read(tmp_path, COLAB, source)[0]] == ["yes: runs", "no: skipped"] or [
        tell(each) for each in read(tmp_path, COLAB, source)[0]
    ] == ["no: skipped", "yes: runs"]
    told = [tell(each) for each in read(tmp_path, KAGGLE, source)[0]]
    assert set(told) == {"yes: skipped", "no: runs"}, told


@pytest.mark.parametrize("test", ["MODE == 'fast'", "os.environ.get('CI')", "torch.cuda.device_count() > 1"])
def test_what_the_machine_does_not_decide_may_run(tmp_path: Path, test: str) -> None:
    for host in (COLAB, OTHER):
        told = [tell(each) for each in read(tmp_path, host, BEFORE + EITHER.format(test=test))[0]]
        assert told == ["yes: may", "no: may"]


@pytest.mark.parametrize("service", ["google.colab", "kaggle_secrets"])
def test_an_import_that_succeeds_or_fails_decides(tmp_path: Path, service: str) -> None:
    source = f"try:\n    import {service}\n    HERE = True\nexcept ImportError:\n    HERE = False\n"
    source += "if HERE:\n    !pip install yes\nelse:\n    !pip install no"
    first, second = (COLAB, KAGGLE) if service == "google.colab" else (KAGGLE, COLAB)
    assert "yes: runs" in [tell(each) for each in read(tmp_path, first, source)[0]]
    assert "no: runs" in [tell(each) for each in read(tmp_path, second, source)[0]]
    assert [tell(each) for each in read(tmp_path, OTHER, source)[0]].count("yes: runs") == 0


def test_constants_of_try_and_except_and_versions_of_the_image(tmp_path: Path) -> None:
    source = (
        "try:\n    import PIL\n    _pil = f'pillow=={PIL.__version__}'\nexcept Exception:\n    _pil = 'pillow'\n"
        "import torch, re\nv = re.match(r'[\\d]{1,}\\.[\\d]{1,}', str(torch.__version__)).group(0)\n"
        "x = 'xformers==' + {'2.9': '0.0.33', '2.8': '0.0.32'}.get(v, '0.0.34')\n"
        "!pip install {_pil} {x}"
    )
    (found,), unread = read(tmp_path, COLAB, source)
    assert (found.command.requirements, unread) == (("pillow==11.3.0", "xformers==0.0.33"), [])
    differs = "try:\n    v = '1'\n    work()\nexcept Exception:\n    v = '2'\n!pip install a=={v} b"
    (found,), (gap,) = read(tmp_path, COLAB, differs)
    assert (found.command.requirements, gap.cause) == (("b",), GapReason.RUNTIME)


@pytest.mark.parametrize(
    "sources",
    [
        ["%%writefile req.txt\na\nb>=2\n", "!pip install -r req.txt"],
        ["%%writefile req.txt\na\n", "%%writefile -a req.txt\nb>=2\n", "!pip install -r req.txt"],
        ["%%bash\ncat > req.txt <<EOF\na\nb>=2\nEOF\npip install -r req.txt"],
        [
            "%%bash\ncat <<'EOF' | tee other.txt\nx\nEOF\necho a > req.txt\necho 'b>=2' >> req.txt",
            "!pip install -r req.txt",
        ],
        ["!echo a > req.txt\n!printf 'b>=2\\n' >> req.txt\n!pip install -r req.txt"],
        ["open('req.txt', 'w').write('a\\nb>=2\\n')\n!pip install -r req.txt"],
        [
            "with open('req.txt', mode='w') as f:\n    f.write('a\\n')\n    f.write('b>=2\\n')",
            "!pip install -r req.txt",
        ],
        ["from pathlib import Path\nPath('req.txt').write_text('a\\nb>=2')", "!pip install -r req.txt"],
        ["%%writefile /content/req.txt\na\nb>=2", "%cd /content", "!pip install -r req.txt"],
        [
            "import os\nHOME = os.getcwd()",
            "%%writefile req.txt\na\nb>=2",
            "%cd sub",
            "!pip install -r {HOME}/req.txt",
        ],
        ["%%writefile base.txt\nb>=2", "%%writefile req.txt\na\n-r base.txt", "!pip install -r req.txt"],
    ],
)
def test_a_file_that_a_cell_writes_is_read(tmp_path: Path, sources: list[str]) -> None:
    from tierproof.guard.foresee.command_wish import read_wish

    (found,), unread = read(tmp_path, COLAB, *sources)
    assert not unread, unread
    wish = read_wish(found.command)
    assert [item.line for item in wish.resolvable] == ["a", "b>=2"]
    assert wish.gaps == ()


def test_a_file_that_is_written_with_what_is_not_known_is_a_gap(tmp_path: Path) -> None:
    for source in ("open('r.txt', 'w').write(ask())", "!pip freeze > r.txt", "!sed -i s/a/b/ r.txt"):
        installs, (gap,) = read(tmp_path, COLAB, source, "!pip install -r r.txt")
        assert (installs, gap.cause) == ([], GapReason.FILE), source


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("!bash install.sh", GapReason.SCRIPT),
        ("!sh ./setup_env.sh", GapReason.SCRIPT),
        ("!./tools/install_deps.sh", GapReason.SCRIPT),
        ("%%bash\nsource conda_setup.sh", GapReason.SCRIPT),
        ("!python repo/pip-install.py", GapReason.SCRIPT),
        ("!python setup.py install", GapReason.SCRIPT),
        ("%run repo/install_deps.py", GapReason.SCRIPT),
        ("%run -i ./setup_env.py --all", GapReason.SCRIPT),
        ("%run setup.ipynb", GapReason.SCRIPT),
        ("get_ipython().run_line_magic('run', 'install_deps.py')", GapReason.SCRIPT),
        ("import runpy\nrunpy.run_path('setup_env.py')", GapReason.SCRIPT),
        ("exec(open('setup_env.py').read())", GapReason.SCRIPT),
        ("exec(compile(open('tools/install.py').read(), 'install.py', 'exec'))", GapReason.SCRIPT),
        ("!curl -fsSL https://example.invalid/x.sh | sh", GapReason.SCRIPT),
        ("!wget -qO- https://example.invalid/x | bash -s -- -y", GapReason.SCRIPT),
        ("!bash Miniforge3-Linux-x86_64.sh -bfp /usr/local", GapReason.PYTHON),
        ("!bash Miniconda3-latest-Linux-x86_64.sh -b -f -p /usr/local/", GapReason.PYTHON),
        ("import condacolab\ncondacolab.install()", GapReason.PYTHON),
        ("import condacolab as c\nc.install_miniconda()", GapReason.PYTHON),
        ("from condacolab import install\ninstall()", GapReason.PYTHON),
        ("!mim install mmcv", GapReason.SCRIPT),
        ("!python -m mim install mmcv", GapReason.SCRIPT),
        ("!pip-sync", GapReason.SCRIPT),
        ("!easy_install wheel.egg", GapReason.SCRIPT),
        ("!cd project && poetry install --no-root", GapReason.SCRIPT),
        ("from scvi_colab import install\ninstall()", GapReason.SCRIPT),
        ("import scvi_colab\nscvi_colab.install(branch='main')", GapReason.SCRIPT),
    ],
)
def test_what_a_script_installs_is_a_gap(tmp_path: Path, source: str, cause: GapReason) -> None:
    installs, (gap,) = read(tmp_path, COLAB, source)
    assert (installs, gap.cause, gap.is_judged) == ([], cause, False)


@pytest.mark.parametrize(
    "source",
    [
        "!bash download_data.sh",
        "!bash Miniconda3-latest-Linux-x86_64.sh -b -p /content/conda",
        "!python train.py --epochs 3",
        "%run train.py --epochs 3",
        "%time %run train.py",
        "%run helpers.ipynb",
        "exec(open('model.py').read())",
    ],
)
def test_other_scripts_are_a_remark(tmp_path: Path, source: str) -> None:
    installs, (remark,) = read(tmp_path, COLAB, source)
    assert (installs, remark.is_judged, remark.gap) == ([], True, None)


@pytest.mark.parametrize(
    "source",
    [
        "!python --version",
        "!python -c 'print(1)'",
        "!bash -c 'ls'",
        "!python -m http.server",
        "!nvidia-smi",
        "!make",
        "!mim search mmcv",
        "!poetry --version",
        "from rich import pretty\npretty.install()",
        "from google.colab import files\nfiles.upload()",
        "%run -m http.server",
        "exec('x = 1')",
    ],
)
def test_what_is_no_script_is_no_remark(tmp_path: Path, source: str) -> None:
    assert read(tmp_path, COLAB, source) == ([], [])


def test_a_script_that_a_cell_writes_or_that_lies_there_is_read(tmp_path: Path) -> None:
    (tmp_path / "install.sh").write_text("set -e\npip install a\n")
    (tmp_path / "install.py").write_text("import os\nos.system('pip install b')\n")
    for source, name in (
        ("!bash install.sh", "a"),
        ("!python install.py", "b"),
        ("%run install.py", "b"),
        ("%run -i install.py", "b"),
        ("exec(open('install.py').read())", "b"),
    ):
        (found,), unread = read(tmp_path, COLAB, source)
        assert (found.command.requirements, unread) == ((name,), [])
    (found,), unread = read(tmp_path, COLAB, "%%writefile s.sh\npip install c", "!bash s.sh")
    assert (found.command.requirements, unread) == (("c",), [])


def test_a_clone_is_known_by_its_address(tmp_path: Path) -> None:
    for sources in (
        ["!git clone https://github.com/o/repo.git", "%cd repo", "!pip install -e ."],
        ["!git clone https://github.com/o/repo\n!pip install ./repo"],
        ["import os", "!git clone https://github.com/o/repo here\nos.chdir('here')\n!pip install ."],
    ):
        (found,), unread = read(tmp_path, COLAB, *sources)
        assert not unread
        assert [*found.command.requirements, *found.command.editables][0].startswith(
            "git+https://github.com/o/repo"
        )


@pytest.mark.parametrize(
    ("source", "requirement"),
    [
        ("pip install repo", "repo"),
        ("pip install -U repo[extra]", "repo[extra]"),
        ("pip install repo/", "git+https://github.com/o/repo"),
        ("pip install -e repo", "git+https://github.com/o/repo"),
    ],
)
def test_a_bare_name_is_a_package_and_not_the_clone_of_that_name(
    tmp_path: Path, source: str, requirement: str
) -> None:
    (found,), _ = read(tmp_path, COLAB, f"!git clone https://github.com/o/repo\n!{source}")
    assert [*found.command.requirements, *found.command.editables] == [requirement]


@pytest.mark.parametrize(
    ("source", "is_edit"),
    [
        ("!rm -r /usr/local/lib/python3.12/dist-packages/gradio*", False),
        ("!cd /usr/local/lib/python3.12/dist-packages && rm -rf gradio", False),
        ("import os\nos.system('mv /usr/local/lib/python3.12/dist-packages/a /tmp')", False),
        ("!cp -r build/lib/mine /usr/local/lib/python3.12/dist-packages/", False),
        ("!git clone https://github.com/o/r /usr/local/lib/python3.12/dist-packages/r", False),
        ("!unzip -q more.zip -d /usr/local/lib/python3.12/dist-packages", False),
        ("!tar -C / --zstd -xf packages.tar.zst", False),
        ("!tar xf packages.tar --directory=/usr/local/lib", False),
        ("!sed -i s@a@b@ /usr/local/lib/python3.12/dist-packages/wandb/retry.py", True),
        ("!wget -qO x.py https://e.org/x; cp x.py /usr/local/lib/python3.12/dist-packages/m/x.py", True),
        ("!wget -O /usr/local/lib/python3.12/dist-packages/m/x.py https://e.org/x", True),
    ],
)
def test_a_change_of_packages_past_pip_is_told(tmp_path: Path, source: str, *, is_edit: bool) -> None:
    installs, (told,) = read(tmp_path, COLAB, source)
    assert (installs, told.cause, told.is_judged) == ([], GapReason.FOLDER, is_edit)


@pytest.mark.parametrize(
    "source",
    [
        "!rm -r /usr/local/lib/python3.10/dist-packages/gradio",  # another Python than the image's
        "!rm -rf sample_data /content/venv/lib/python3.12/site-packages/a",
        "!ln -s /usr/local/lib/python3.12/dist-packages/mine mine",
        "!cp /usr/local/lib/python3.12/dist-packages/m/x.py .",
        "!tar -cf backup.tar -C / content",
        "!tar -xf data.tar -C /content",
        "!ls /usr/local/lib/python3.12/dist-packages",
    ],
)
def test_what_leaves_the_packages_alone_is_no_change_of_them(tmp_path: Path, source: str) -> None:
    assert read(tmp_path, COLAB, source) == ([], [])


def test_an_unknown_place_alone_offers_nothing_that_could_be_judged(tmp_path: Path) -> None:
    known = "!pip install --no-index a -f https://e.org/wheels"
    for source, count in (
        (known, 1),
        (known + "/{tell()}", 0),
        ("!pip install a -f https://e.org/{tell()}", 1),
    ):
        installs, unread = read(tmp_path, COLAB, source)
        assert (len(installs), [each.cause for each in unread]) == (
            count,
            [] if source == known else [GapReason.RUNTIME],
        )


def test_what_is_not_known_is_shown_as_such(tmp_path: Path) -> None:
    _, (script,) = read(tmp_path, COLAB, "!python {tell()}/train.py")
    assert script.text == "python …/train.py"


def test_what_is_skipped_changes_nothing(tmp_path: Path) -> None:
    source = (
        BEFORE
        + "if IN_KAGGLE:\n    P = 'kaggle'\n    %cd nowhere\n    open('r.txt', 'w').write('k')\nelse:\n    P = 'a'\n"
    )
    installs, unread = read(tmp_path, COLAB, source, "!pip install {P} b\n!pip install -r r.txt")
    assert [tell(each) for each in installs] == ["a b: runs"]
    assert [each.cause for each in unread] == [GapReason.FILE]


def test_who_offers_an_image() -> None:
    assert find_service("colab:2026.01", {}) is Service.COLAB
    assert find_service("mine", {"google-colab": "1"}) is Service.COLAB
    assert find_service("mine", {"kaggle-environments": "1", "google-colab": "1"}) is Service.KAGGLE
    assert find_service("mine", {"numpy": "1"}) is Service.OTHER


@pytest.mark.parametrize("value", ["os.environ['COLAB_RELEASE_TAG']", "os.getenv('COLAB_RELEASE_TAG')"])
def test_a_value_that_only_the_machine_knows_is_a_gap(tmp_path: Path, value: str) -> None:
    installs, unread = read(tmp_path, COLAB, f"import os\n!pip install tool=={{{value}}} other")
    assert [each for found in installs for each in found.command.requirements] in ([], ["other"])
    assert unread or installs
