"""Notebook cells that change nothing of a kernel with numpy 2.0.2 loaded: the shell idioms that people write.

In most of them an install of another numpy is written and not reached, or reached and harmless. Which it is says
the recording pip of a real shell, not this file.
"""

from __future__ import annotations

from itertools import product

# An install that would replace numpy stands in each of these and is not reached.
_NOT_REACHED = r'''
!python -c "import numpy" || pip install numpy==1.26.4
#---
!python -c "import numpy" 2>/dev/null || pip install -q numpy==1.26.4
#---
!python3 -c 'import numpy; print(numpy.__version__)' || pip3 install numpy==1.26.4
#---
!command -v python >/dev/null && echo present || pip install numpy==1.26.4
#---
!command -v python >/dev/null 2>&1 || { echo "no python"; pip install numpy==1.26.4; }
#---
!which python || pip install numpy==1.26.4
#---
!type python > /dev/null || pip install numpy==1.26.4
#---
!hash python 2>/dev/null || pip install numpy==1.26.4
#---
!command -v nothing-of-that-name && pip install numpy==1.26.4 || echo absent
#---
!command -v nothing-of-that-name > /dev/null && pip install numpy==1.26.4
#---
!which nothing-of-that-name && pip install numpy==1.26.4
#---
![ -d data ] && pip install numpy==1.26.4
#---
!test -f requirements.lock && pip install -r requirements.lock numpy==1.26.4
#---
![ -e /no/such/place ] && pip install numpy==1.26.4 ; true
#---
![[ -n "$NOT_SET_ANYWHERE" ]] && pip install numpy==1.26.4
#---
![ -z "$PATH" ] && pip install numpy==1.26.4
#---
!true || pip install numpy==1.26.4
#---
!: || pip install numpy==1.26.4
#---
!echo ready || pip install numpy==1.26.4
#---
!false && pip install numpy==1.26.4
#---
!if false; then pip install numpy==1.26.4; fi
#---
!if [ 1 -eq 2 ]; then pip install numpy==1.26.4; fi
#---
!if [ "a" = "b" ]; then pip install numpy==1.26.4; else echo kept; fi
#---
!if ! command -v python > /dev/null; then pip install numpy==1.26.4; fi
#---
!if python -c "import numpy"; then echo "numpy is there"; else pip install numpy==1.26.4; fi
#---
!if [ ! -d "$HOME" ]; then pip install numpy==1.26.4; fi
#---
!while false; do pip install numpy==1.26.4; done
#---
!until true; do pip install numpy==1.26.4; done
#---
!for f in; do pip install numpy==1.26.4; done
#---
!case b in a) pip install numpy==1.26.4;; b) echo b;; esac
#---
!case "$(uname)" in Darwin) pip install numpy==1.26.4;; *) echo other;; esac
#---
!case "$NOT_SET_ANYWHERE" in gpu) pip install numpy==1.26.4;; esac
#---
!setup() { pip install numpy==1.26.4; }
#---
!setup() { pip install numpy==1.26.4; }; echo defined
#---
!exit 0; pip install numpy==1.26.4
#---
!echo done; exit; pip install numpy==1.26.4
#---
!command -v python > /dev/null && exit 0; pip install numpy==1.26.4
#---
!(exit 1) && pip install numpy==1.26.4
#---
!python -c "raise SystemExit(0)" || pip install numpy==1.26.4
#---
!echo "pip install numpy==1.26.4"
#---
!echo 'run: pip install numpy==1.26.4' > HOWTO.txt
#---
!printf 'pip install numpy==1.26.4\n' >> setup.sh
#---
!# pip install numpy==1.26.4
#---
!ls # pip install numpy==1.26.4
#---
# !pip install numpy==1.26.4
print("kept")
#---
!grep -c "pip install numpy==1.26.4" /dev/null
#---
!cat <<< "pip install numpy==1.26.4"
#---
!echo pip install numpy==1.26.4 | cat
#---
!echo pip install numpy==1.26.4 | wc -w
#---
!echo "pip install numpy==1.26.4" | tee notes.txt
#---
!bash -n -c 'pip install numpy==1.26.4'
#---
!sh -c 'echo pip install numpy==1.26.4'
#---
!bash -c 'false && pip install numpy==1.26.4'
#---
!bash -c 'exit 0; pip install numpy==1.26.4'
#---
!bash -c "if false; then pip install numpy==1.26.4; fi"
#---
!alias p='pip install numpy==1.26.4'
#---
!X="pip install numpy==1.26.4"
#---
!export CMD="pip install numpy==1.26.4"; echo "$CMD"
#---
!trap 'pip install numpy==1.26.4' INT; echo waiting
#---
!trap 'pip install numpy==1.26.4' ERR; true
#---
!true pip install numpy==1.26.4
#---
!: pip install numpy==1.26.4
#---
!man pip install numpy==1.26.4 2> /dev/null; true
#---
!which pip install numpy==1.26.4
#---
%%bash
if [ -f /no/such/file ]; then
  pip install numpy==1.26.4
fi
#---
%%bash
if ! python -c "import numpy" 2>/dev/null; then
  pip install numpy==1.26.4
fi
#---
%%bash
python - <<'EOF' || pip install numpy==1.26.4
import numpy
EOF
#---
%%bash
: <<'NOTE'
pip install numpy==1.26.4
NOTE
echo after
#---
%%bash
cat > setup.sh <<'EOF'
pip install numpy==1.26.4
EOF
chmod +x setup.sh
#---
%%bash
cat << EOF > requirements.txt
numpy==1.26.4
EOF
#---
%%bash
set -e
command -v python
exit 0
pip install numpy==1.26.4
#---
%%bash
install_old() {
  pip install numpy==1.26.4
}
echo "defined, not called"
#---
%%bash
function install_old {
  pip install "$1"
}
[ -n "$NOT_SET_ANYWHERE" ] && install_old numpy==1.26.4
true
#---
%%bash
need() { python -c "import $1" 2>/dev/null || pip install "$2"; }
need numpy numpy==1.26.4
#---
%%bash
check() { python -c "import numpy" && return 0; pip install numpy==1.26.4; }
check
#---
%%bash
main() {
  echo start
  return 0
  pip install numpy==1.26.4
}
main
#---
%%bash
for x in 1 2 3; do
  [ $x -gt 5 ] && pip install numpy==1.26.4
  echo $x
done
#---
%%bash
for x in 1 2 3; do
  continue
  pip install numpy==1.26.4
done
#---
%%bash
while read -r line; do
  pip install "$line"
done < /dev/null
#---
%%bash
i=0
while [ $i -lt 0 ]; do
  pip install numpy==1.26.4
  i=$((i+1))
done
#---
%%bash
case "${MODE:-cpu}" in
  gpu) pip install numpy==1.26.4 ;;
  cpu) echo cpu ;;
esac
#---
%%bash
case "$OSTYPE" in
  darwin*) pip install numpy==1.26.4 ;;
  linux*) echo linux ;;
  *) pip install numpy==1.26.4 ;;
esac
#---
%%bash
if [ "$COLAB_TPU_ADDR" ]; then pip install numpy==1.26.4; fi
#---
%%bash
if [[ "$(python -c 'import sys; print(sys.version_info[0])')" == 2 ]]; then
  pip install numpy==1.26.4
elif [[ 1 == 2 ]]; then
  pip install numpy==1.26.4
else
  echo "Python 3"
fi
#---
%%bash
pkg=numpy
if pip show $pkg > /dev/null; then echo installed; else pip install $pkg==1.26.4; fi
#---
%%bash
pip show numpy || pip install numpy==1.26.4
#---
%%bash
pip list 2>/dev/null | grep -q numpy || pip install numpy==1.26.4
#---
%%bash
pip freeze | grep -i numpy || pip install numpy==1.26.4
#---
%%bash
python -c "import sys; sys.exit(sys.version_info < (3, 8))" || pip install numpy==1.26.4
#---
%%bash
[ -x "$(command -v nvidia-smi-of-nobody)" ] && pip install numpy==1.26.4
true
#---
%%bash
(
  exit 0
  pip install numpy==1.26.4
)
#---
%%bash
{ true || pip install numpy==1.26.4; }
#---
%%bash
! true && pip install numpy==1.26.4
true
#---
%%bash
if ! true; then
  pip install numpy==1.26.4
fi
#---
%%bash
DRY_RUN=1
[ "$DRY_RUN" = 1 ] || pip install numpy==1.26.4
#---
%%bash
test "${SKIP_INSTALL:-yes}" = yes || pip install numpy==1.26.4
#---
%%bash
cmd=(pip install numpy==1.26.4)
echo "${cmd[@]}"
#---
%%bash
eval "echo pip install numpy==1.26.4"
#---
%%bash
echo 'pip install numpy==1.26.4' | bash -n
#---
%%bash
xargs -r pip install < /dev/null
#---
%%bash
find . -name 'no-such-*.txt' -exec pip install -r {} \;
#---
%%sh
command -v python >/dev/null || pip install numpy==1.26.4
#---
%%sh
[ -f pyproject.toml ] && pip install . numpy==1.26.4
echo done
#---
%%script bash
if false; then
  pip install numpy==1.26.4
fi
#---
%%script false
pip install numpy==1.26.4
#---
%%script echo skipped
pip install numpy==1.26.4
#---
%%system
test -d /no/such || echo "pip install numpy==1.26.4"
#---
%%capture
!python -c "import numpy" || pip install numpy==1.26.4
#---
%%writefile setup.sh
pip install numpy==1.26.4
#---
%%writefile requirements.txt
numpy==1.26.4
#---
%%python
import numpy
try:
    import numpy.linalg
except ImportError:
    raise
#---
try:
    import numpy
except ImportError:
    !pip install numpy==1.26.4
#---
try:
    import numpy
except ImportError:
    %pip install numpy==1.26.4
#---
import importlib.util
if importlib.util.find_spec("numpy") is None:
    !pip install numpy==1.26.4
#---
import sys
if sys.version_info < (3, 6):
    !pip install numpy==1.26.4
#---
INSTALL = False
if INSTALL:
    %pip install -q numpy==1.26.4
#---
def setup():
    !pip install numpy==1.26.4
#---
def setup():
    import subprocess, sys
    subprocess.check_call([sys.executable, "-m", "pip", "install", "numpy==1.26.4"])
#---
for name in []:
    !pip install {name}==1.26.4
#---
text = "pip install numpy==1.26.4"
print(text)
#---
"""
!pip install numpy==1.26.4
"""
#---
commands = ["pip", "install", "numpy==1.26.4"]
len(commands)
#---
import subprocess
subprocess.run(["echo", "pip", "install", "numpy==1.26.4"])
#---
import subprocess
subprocess.run("python -c 'import numpy' || pip install numpy==1.26.4", shell=True)
#---
import os
os.system("test -d /no/such && pip install numpy==1.26.4")
#---
import os
os.system("echo pip install numpy==1.26.4 > /dev/null")
#---
import os
if os.environ.get("NOT_SET_ANYWHERE"):
    os.system("pip install numpy==1.26.4")
#---
import shutil, subprocess
if shutil.which("python") is None:
    subprocess.run(["pip", "install", "numpy==1.26.4"])
#---
import subprocess
subprocess.run(["bash", "-c", "if false; then pip install numpy==1.26.4; fi"])
#---
import subprocess
subprocess.run(["grep", "-c", "pip install numpy==1.26.4", "/dev/null"])
#---
from pathlib import Path
Path("install.sh").write_text("pip install numpy==1.26.4\n")
#---
lines = !echo "pip install numpy==1.26.4"
print(lines)
#---
x = !python -c "import numpy" || pip install numpy==1.26.4
#---
!git clone https://example.invalid/repo.git || (echo failed; exit 1; pip install numpy==1.26.4)
#---
!cd /no/such/folder 2>/dev/null && pip install numpy==1.26.4 || true
#---
!mkdir -p build && cd build && test -f CMakeCache.txt && pip install numpy==1.26.4 || echo "not built"
'''

# pip is reached in each of these, and numpy stays as it is.
_HARMLESS = r"""
!pip install captum
#---
!pip install -q captum optuna
#---
%pip install captum
#---
%pip install -q "captum<1"
#---
!pip3 install --quiet captum
#---
!python -m pip install captum
#---
!pip install numpy
#---
!pip install "numpy>=1.20"
#---
!pip install numpy==2.0.2
#---
!pip install "numpy>=2,<2.1" captum
#---
!pip install --dry-run numpy==1.26.4
#---
!pip download numpy==1.26.4 -d wheels
#---
!pip wheel --no-deps numpy==1.26.4
#---
!pip list
#---
!pip list --outdated
#---
!pip freeze > frozen.txt
#---
!pip show numpy
#---
!pip check
#---
!pip --version
#---
!pip config list
#---
!pip cache dir
#---
!pip index versions numpy
#---
!pip search numpy
#---
!pip help install
#---
!pip install --help
#---
!pip install --target ./vendored numpy==1.26.4
#---
!pip install -t /tmp/somewhere-else numpy==1.26.4
#---
!pip install --prefix ./elsewhere numpy==1.26.4
#---
!pip uninstall -y captum
#---
!pip uninstall -y optuna captum
#---
!cd /tmp && pip install captum
#---
!apt-get -qq update && pip install -q captum
#---
!apt-get install -y ffmpeg > /dev/null; pip install captum
#---
!git clone -q https://example.invalid/repo.git && cd repo && pip install captum
#---
!sudo pip install captum
#---
!yes | pip install captum
#---
!pip install captum | tail -n 1
#---
!pip install captum 2>&1 | grep -v Requirement
#---
!pip install captum > /dev/null 2>&1
#---
!pip install captum &> install.log
#---
!pip install captum && echo installed
#---
!pip install captum || echo failed
#---
!pip install captum; pip install optuna
#---
!echo captum > r.txt; pip install -r r.txt
#---
!echo captum | xargs pip install
#---
!for p in captum optuna; do pip install -q $p; done
#---
!P=captum; pip install $P
#---
!PIP_QUIET=1 pip install captum
#---
!env PIP_DISABLE_PIP_VERSION_CHECK=1 pip install captum
#---
!timeout 60 pip install captum
#---
!nohup pip install captum > log.txt 2>&1
#---
!time pip install captum
#---
%time !pip install captum
#---
%sx pip install captum
#---
%system pip list
#---
%%bash
pip install captum
pip install optuna
#---
%%bash
set -euo pipefail
pip install -q captum
echo ok
#---
%%bash
pip install captum || true
#---
%%bash
if python -c "import captum" 2>/dev/null; then echo there; else pip install captum; fi
#---
%%bash
install() { pip install -q "$@"; }
install captum optuna
#---
%%bash
PKGS=(captum optuna)
pip install "${PKGS[@]}"
#---
%%bash
cat > r.txt <<EOF
captum
optuna
EOF
pip install -r r.txt
#---
%%bash
python - <<'EOF'
import sys
print(sys.version)
EOF
#---
%%sh
pip install captum 2>/dev/null
#---
%%capture
!pip install captum
#---
%%capture out
%pip install captum
#---
name = "captum"
!pip install {name}
#---
name = "captum"
!pip install $name
#---
for each in ("captum", "optuna"):
    !pip install {each}
#---
import sys
!{sys.executable} -m pip install captum
#---
import subprocess, sys
subprocess.check_call([sys.executable, "-m", "pip", "install", "captum"])
#---
import subprocess
subprocess.run("pip install captum", shell=True)
#---
import os
os.system("pip install captum")
#---
import subprocess
subprocess.run(["pip", "list"])
#---
import subprocess
print(subprocess.getoutput("pip show numpy"))
#---
!uv pip install captum
#---
!uv pip list
#---
!uv --version
#---
!conda --version
#---
!conda list
#---
!python --version && pip --version
#---
!python -c "print('pip')"
#---
!which -a pip python
#---
!ls -la $(dirname $(which pip))
#---
!cat $(which pip) | head -n 1
#---
!ls | grep pip
#---
!nvidia-smi || echo "no GPU"
#---
!free -h; df -h .
#---
!wget -q https://example.invalid/data.zip && unzip -q data.zip || echo offline
#---
!curl -sL https://example.invalid/file -o file.txt
#---
!export HF_HOME=/tmp/hf; echo $HF_HOME
#---
%env TOKENIZERS_PARALLELISM=false
#---
%cd /tmp
#---
%load_ext autoreload
#---
!date; uptime
#---
files = !ls
len(files)
"""

_GUARDS = (
    "{probe} || {install}",
    "if ! {probe}; then {install}; fi",
    "if {probe}; then echo there; else {install}; fi",
    "{probe} && echo there || {install}",
    "f() {{ {install}; }}; {probe} || f",
    "bash -c '{probe} || {install}'",
)
_PROBES = (
    'python -c "import numpy"',
    "command -v python >/dev/null",
    "[ -d / ]",
    "test -e /dev/null",
    '[[ -n "$PATH" ]]',
    "pip show numpy >/dev/null",
    "which python >/dev/null",
)
_INSTALLS = ("pip install -q numpy==1.26.4", 'python -m pip install "numpy<2"')


def _part(text: str) -> list[str]:
    return [cell.strip("\n") for cell in text.split("\n#---\n")]


WRITTEN = tuple(_part(_NOT_REACHED) + _part(_HARMLESS))
# Each guard of a numpy that is there already, with each probe and each spelling of the install.
COMBINED = tuple(
    f"%%bash\n{guard.format(probe=probe, install=install)}"
    for guard, probe, install in product(_GUARDS, _PROBES, _INSTALLS)
    if not (guard.startswith("bash -c") and "'" in probe)
)
BENIGN = WRITTEN + COMBINED
