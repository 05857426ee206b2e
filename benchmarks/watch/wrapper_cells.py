"""Notebook cells that install another numpy, each in another way: programs that run pip, and ways to write it."""

from __future__ import annotations

_CELLS = r"""
!pip install numpy==1.26.4
#---
%pip install numpy==1.26.4
#---
!python -m pip install numpy==1.26.4
#---
!stdbuf -oL pip install numpy==1.26.4
#---
!stdbuf -o 0 -e 0 pip install numpy==1.26.4
#---
!env -S "pip install numpy==1.26.4"
#---
!env -S"pip install numpy==1.26.4"
#---
!flock install.lock pip install numpy==1.26.4
#---
!flock -w 5 install.lock -c "pip install numpy==1.26.4"
#---
!setsid pip install numpy==1.26.4; sleep 1
#---
!setsid -w pip install numpy==1.26.4
#---
!script -qc "pip install numpy==1.26.4" /dev/null
#---
!script -q -c "pip install numpy==1.26.4" log.txt
#---
!su -c "pip install numpy==1.26.4"
#---
!su root -c 'pip install numpy==1.26.4'
#---
!find . -maxdepth 0 -exec pip install numpy==1.26.4 \;
#---
!touch r.txt; echo numpy==1.26.4 > r.txt; find . -name r.txt -exec pip install -r {} +
#---
!trap "pip install numpy==1.26.4" EXIT; echo working
#---
%%bash
trap 'pip install numpy==1.26.4' EXIT
#---
%%bash
bash <<< "pip install numpy==1.26.4"
#---
!bash -c 'bash <<< "pip install numpy==1.26.4"'
#---
!echo "pip install numpy==1.26.4" | sh
#---
!echo pip install numpy==1.26.4 | bash
#---
!printf 'pip install %s\n' numpy==1.26.4 | bash
#---
%%bash
cat <<EOF | sh
pip install numpy==1.26.4
EOF
#---
%%bash
bash <<'EOF'
pip install numpy==1.26.4
EOF
#---
!p''ip install numpy==1.26.4
#---
!"pip" install numpy==1.26.4
#---
!p\ip install numpy==1.26.4
#---
%%bash
{pip,install,numpy==1.26.4}
#---
%%bash
pip install numpy{==1.26.4,}
#---
%%bash
f() { pip "$@"; }
f install numpy==1.26.4
#---
!f() { pip install "$1"; }; f numpy==1.26.4
#---
%%bash
function get { python -m pip install -q $*; }
get numpy==1.26.4
#---
%%bash
bash <(echo pip install numpy==1.26.4)
#---
%%bash
source <(echo "pip install numpy==1.26.4")
#---
%%bash
. <(printf '%s\n' 'pip install numpy==1.26.4')
#---
!$(echo pip install numpy==1.26.4)
#---
!eval "pip install numpy==1.26.4"
#---
!eval "$(echo pip install numpy==1.26.4)"
#---
!echo numpy==1.26.4 > r.txt; PIP_REQUIREMENT=r.txt pip install
#---
%%bash
echo numpy==1.26.4 > r.txt
export PIP_REQUIREMENT=r.txt
pip install
#---
open("r.txt", "w").write("numpy==1.26.4\n")
%env PIP_REQUIREMENT=r.txt
!pip install -q
#---
%%python
import subprocess
subprocess.run(["pip", "install", "numpy==1.26.4"])
#---
%%python
import os
os.system("pip install numpy==1.26.4")
#---
%%script python
import subprocess, sys
subprocess.check_call([sys.executable, "-m", "pip", "install", "numpy==1.26.4"])
#---
%run -m pip install numpy==1.26.4
#---
import os
os.spawnlp(os.P_WAIT, "pip", "pip", "install", "numpy==1.26.4")
#---
import os
os.spawnvp(os.P_WAIT, "pip", ["pip", "install", "numpy==1.26.4"])
#---
import os, shutil
os.posix_spawn(shutil.which("pip"), ["pip", "install", "numpy==1.26.4"], os.environ); import time; time.sleep(0.5)
#---
import pty
pty.spawn(["pip", "install", "numpy==1.26.4"])
#---
import ctypes
ctypes.CDLL(None).system(b"pip install numpy==1.26.4")
#---
import os
os.popen("pip install numpy==1.26.4").read()
#---
import subprocess
subprocess.getoutput("pip install numpy==1.26.4")
#---
import asyncio
p = await asyncio.create_subprocess_shell("pip install numpy==1.26.4")
await p.wait()
#---
!python -c "import os; os.system('pip install numpy==1.26.4')"
#---
!python -c "import subprocess as s; s.run(['pip', 'install', 'numpy==1.26.4'])"
#---
%%bash
python - <<'EOF'
import subprocess, sys
subprocess.run([sys.executable, "-m", "pip", "install", "numpy==1.26.4"])
EOF
#---
!python $(which pip) install numpy==1.26.4
#---
!$(which pip) install numpy==1.26.4
#---
!echo numpy==1.26.4 | xargs pip install
#---
!echo numpy==1.26.4 | xargs -n 1 pip install -q
#---
!echo numpy==1.26.4 > r.txt; cat r.txt | xargs pip install
#---
%%bash
cmd=(pip install numpy==1.26.4)
"${cmd[@]}"
#---
!P=pip; $P install numpy==1.26.4
#---
%%bash
set -- install numpy==1.26.4
pip "$@"
#---
!taskset -c 0 pip install numpy==1.26.4
#---
!nice -n 19 ionice -c 3 pip install numpy==1.26.4
#---
!nohup pip install numpy==1.26.4 > log.txt
#---
!timeout --signal=9 60 pip install numpy==1.26.4
#---
!(pip install numpy==1.26.4)
#---
!{ pip install numpy==1.26.4; }
#---
!exec pip install numpy==1.26.4
#---
!command pip install numpy==1.26.4
#---
!mkdir -p w && cd w && pip install numpy==1.26.4
#---
!true && pip install numpy==1.26.4
#---
!if true; then pip install numpy==1.26.4; fi
#---
!for p in numpy==1.26.4; do pip install $p; done
#---
%%bash
case linux in linux) pip install numpy==1.26.4;; esac
#---
!sudo -H pip install numpy==1.26.4
#---
!sudo bash -c "pip install numpy==1.26.4"
#---
!echo "pip install numpy==1.26.4" > s.sh; bash s.sh
#---
from pathlib import Path
Path("s.sh").write_text("#!/bin/sh\npip install numpy==1.26.4\n")
!sh s.sh
#---
from pathlib import Path
Path("s.sh").write_text("#!/bin/sh\npip install numpy==1.26.4\n")
!chmod +x s.sh; ./s.sh
#---
from pathlib import Path
Path("s.sh").write_text("pip install numpy==1.26.4\n")
%%bash
source s.sh
#---
!pip uninstall -y numpy
#---
!uv pip install numpy==1.26.4
#---
!while true; do pip install numpy==1.26.4; break; done
#---
!sh -ec 'set -x; pip install numpy==1.26.4'
"""

WRAPPERS = tuple(cell.strip("\n") for cell in _CELLS.split("\n#---\n") if "%%bash\nsource s.sh" not in cell)
