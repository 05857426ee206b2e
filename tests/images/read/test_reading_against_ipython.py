"""What is read from cells is what IPython really starts when it runs them, or it is said that it cannot be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from images.recording_installers import record_installs
from tierproof.guard.commands.pip_command import PipCommand
from tierproof.images.read.notebook_file import CodeCell
from tierproof.images.read.notebook_installs import find_installs

pytest.importorskip("IPython")

CASES: list[list[str]] = [
    ["!pip install captum"],
    ["! pip3 install -q 'captum<1' \"optuna>=4\"  # a comment"],
    ["%pip install captum optuna"],
    ["pip install captum"],
    ["\n\npip install captum\n"],
    ["%uv pip install captum"],
    ["!uv pip install --system captum"],
    ["!python -m pip install captum\n!python3 -m pip install -U optuna"],
    ["import sys\n!{sys.executable} -m pip install captum"],
    ["import sys\n!$sys.executable -m pip install captum"],
    ["!pip install captum \\\n  optuna \\\n  'ray[tune]'\nx = 1"],
    ["!pip install captum && pip install optuna; pip install bertviz"],
    ["!pip install captum > /dev/null 2>&1"],
    ["!pip install captum 2>&1 | tail -n 1"],
    ["!pip install captum>=0.7 optuna"],
    ["!pip install 'captum' optuna<4"],
    ["%pip install captum>=0.7"],
    ["out = !pip install captum\nout"],
    ["out = %pip install captum"],
    ["!!pip install captum"],
    ["%sx pip install captum", "%system pip install optuna"],
    ["%%bash\npip install captum\nfor p in a 'b[x]'; do pip install \"$p\"; done\npip install optuna"],
    ["%%sh\nX=captum\npip install $X ${Y:-optuna}"],
    ["%%script bash\npip install captum"],
    ["%%script --no-raise-error bash -e\npip install captum"],
    ["%%script false --no-raise-error\npip install captum"],
    ["%%shell\npip install captum", "%shell pip install optuna"],
    ["%%capture\n!pip install captum\n%pip install optuna"],
    ["%%capture out\n%%time\n!pip install captum"],
    ["%%time\n!pip install captum"],
    ["%time !pip install captum", "%time %pip install optuna"],
    ["%%timeit -n1 -r1\n!pip install captum"],
    ["%%!\npip install captum"],
    ["%%sx\npip install captum\npip install optuna"],
    ["%%python\nimport os\nos.system('pip install captum')"],
    ["%%writefile setup.txt\npip install captum"],
    ["%%html\n<pre>pip install captum</pre>"],
    ["if True:\n    !pip install captum\nelse:\n    !true"],
    ["if True:\n  if True:\n    %pip install captum\n  !pip install optuna"],
    ["for p in ['captum', 'optuna']:\n    !pip install {p}\n    !pip install $p-extra"],
    ["for p in ('a', 'b'): get_ipython().system(f'pip install {p}')"],
    ["try:\n    import no_such_module_at_all\nexcept ImportError:\n    !pip install captum"],
    ["def install():\n    !pip install captum\ninstall()"],
    [
        "def install(name, version='1'):\n    !pip install {name}=={version}\ninstall('captum')\ninstall('optuna', version=4)"
    ],
    ["with open('x', 'w') as f:\n    !pip install captum"],
    ["class A:\n    !pip install captum"],
    [
        "PKG = 'captum'  #@param {type:'string'}",
        "!pip install $PKG\n!pip install {PKG}==0.7 \"$PKG\" '$PKG' '{PKG}'",
    ],
    ["v = 3\n!pip install captum=={v} optuna=={v + 1}"],
    ["pkgs = ['captum', 'optuna']\n!pip install {' '.join(pkgs)}"],
    [
        "pkgs = ['captum']\npkgs.append('optuna')\npkgs += ['bertviz']\nalias = pkgs\nalias.extend(['x'])\n!pip install {' '.join(pkgs)}"
    ],
    [
        "versions = {'captum': '0.7', 'optuna': '4'}\nline = ' '.join(f'{k}=={v}' for k, v in versions.items())\n!pip install $line"
    ],
    ["a, (b, *c) = 'captum', ('optuna', 'x', 'y')\n!pip install $a $b {c[1]}"],
    ["x = 'captum'\nx = x + '==0.7' if len(x) > 3 else 'no'\n!pip install $x"],
    ["name = 'captum %s' % 'optuna'\n!pip install {name} {'{}-{n}'.format('a', n=1)}"],
    ["!pip install $UNSET captum"],
    ["%env PKG=captum\n!pip install $PKG"],
    ["import os\nos.environ['PKG'] = 'captum'\n!pip install $PKG ${PKG}"],
    ["!export PKG=captum; pip install $PKG", "!PKG=optuna && pip install $PKG"],
    ["!echo $HOME && pip install captum"],
    ["!awk '{print $1}' /dev/null; pip install captum"],
    ["import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'pip', 'install', 'captum'])"],
    ["import subprocess as sp\nsp.check_call(['pip', 'install', 'captum>=0.7', '-q'])"],
    ["from subprocess import check_output\ncheck_output('pip install captum', shell=True)"],
    [
        "import subprocess, sys\np = subprocess.Popen(f'{sys.executable} -m pip install captum'.split())\np.wait()"
    ],
    ["import shlex, subprocess\nsubprocess.call(shlex.split('pip install \"captum>=0.7\" optuna'))"],
    ["import os\nos.system('pip install captum')\nos.popen('pip install optuna').read()"],
    ["import subprocess\nsubprocess.getoutput('pip install captum')"],
    ["import subprocess\nsubprocess.run('pip install captum')"],
    ["import subprocess\nsubprocess.run(['pip', 'install', 'captum'], shell=True)"],
    [
        "import pip\npip.main(['install', 'captum'])",
        "from pip._internal import main as go\ngo(['install', '-U', 'optuna'])",
    ],
    ["import sys, subprocess\n[subprocess.run(['pip', 'install', p]) for p in ['captum', 'optuna']]"],
    [
        "import sys, subprocess\nfor p, v in zip(['a', 'b'], [1, 2]): subprocess.run(['pip', 'install', f'{p}=={v}'])"
    ],
    [
        "get_ipython().run_line_magic('pip', 'install captum')",
        "get_ipython().run_cell_magic('bash', '', 'pip install optuna')",
    ],
    ["get_ipython().getoutput('pip install captum')"],
    ["ip = get_ipython()\nip.system('pip install captum')\nip.run_cell('!pip install optuna')"],
    ["import os\n_ = True and os.system('pip install captum')"],
    [
        "import threading, os\ndef go(name):\n    os.system('pip install ' + name)\nt = threading.Thread(target=go, args=('captum',))\nt.start(); t.join()"
    ],
    ["import os\nlist(map(lambda p: os.system(f'pip install {p}'), ['captum', 'optuna']))"],
    ["import tierproof as tp\ntp.install('captum', 'optuna>=4')"],
    ["# !pip install captum\n#%pip install optuna\n'!pip install x'\n'''\n!pip install y\n'''"],
    ["x = [\n  1,\n  2 \\\n  % 2]\n!pip install captum"],
    ["s = 'a\\\n!pip install no'\n!pip install captum"],
    ["  !pip install captum\n  !pip install optuna"],
    [">>> !pip install captum"],
    ["In [3]: !pip install captum"],
    ["import os?\n!pip install captum"],
    ["import os\nos.system?\n!pip install captum"],
    ["x = 5 == 5\ny = {'a': 1}\nz = f'{x!r}' != 'a'\n!pip install captum"],
    ["def f(a=1, *b, **c): return a\nw = f(a=3)\nq = !pip install captum"],
    ["!pip uninstall -y captum\n!pip list\n!pip download x\n!pip install --dry-run y"],
    ["!pip install git+https://github.com/o/r.git@main#egg=r 'x @ https://e.example/x-1-py3-none-any.whl'"],
    ["!pip install --index-url https://i.example/simple --no-deps --pre -U torch==2.0.0+cu118"],
    ["!yes | pip install optuna", "!(cd / && pip install bertviz)", "!bash -c 'pip install x'"],
    [
        "!if true; then pip install captum; fi",
        "!false || pip install optuna",
        "!pip install $(echo -q) captum",
    ],
    ["while True:\n    !pip install captum\n    break"],
    ["from os import *\nsystem('pip install captum')"],
    ["def names():\n    return ['captum', 'optuna']\n!pip install {' '.join(names())}"],
    ["pkgs = '''\ncaptum\noptuna\n'''.split()\nfor p in sorted(pkgs, reverse=True):\n    !pip install $p"],
    ["%cd ..\n!pip install captum\n%cd -"],
    ["print('pip install captum')\nraise ImportError('pip install captum')"],
    ["a = b = 'captum'\n!pip install {a} {b}"],
    ["if (n := 'captum'):\n    !pip install {n}"],
    ["match 1:\n    case 1:\n        !pip install captum"],
    ['!pip install "captum"\\\n"==0.7"'],
    ["flags = '-q -U'\n!pip install $flags captum"],
    ["!conda install -y captum", "!mamba install -c conda-forge optuna"],
]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[list[PipCommand]]:
    return record_installs(CASES, tmp_path_factory.mktemp("recorded"))


@pytest.mark.parametrize("number", range(len(CASES)), ids=["\\n".join(cells)[:60] for cells in CASES])
def test_what_is_read_is_what_runs(number: int, recorded: list[list[PipCommand]], tmp_path: Path) -> None:
    cells = [CodeCell(at, source) for at, source in enumerate(CASES[number], 1)]
    installs, unread = find_installs(cells, tmp_path)
    read = [tell(found.command) for found in installs]
    run = [tell(command) for command in recorded[number]]
    if read != run:
        gaps = {(each.cell, each.line) for each in unread if not each.is_judged}
        assert gaps, (read, run)
        # Of a line with a gap, the words that are known are judged.
        whole = [tell(found.command) for found in installs if (found.cell, found.line) not in gaps]
        assert all(each in run for each in whole), (read, run)


def test_most_is_read_wholly(recorded: list[list[PipCommand]], tmp_path: Path) -> None:
    exact = 0
    for cells, run in zip(CASES, recorded, strict=True):
        installs, _ = find_installs([CodeCell(at, source) for at, source in enumerate(cells, 1)], tmp_path)
        exact += [tell(found.command) for found in installs] == [tell(command) for command in run]
    assert exact >= 0.8 * len(CASES)


def tell(command: PipCommand) -> tuple[object, ...]:
    requirements = tuple(sorted(command.requirements))
    return (
        command.program,
        command.action,
        requirements,
        command.upgrade,
        command.no_deps,
        command.index_url,
    )
