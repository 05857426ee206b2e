import importlib.metadata
import importlib.util
import os
import subprocess
import sys


def ensure_tierproof() -> None:
    """Install tierproof if it is missing. Installed packages keep their versions."""
    if importlib.util.find_spec("tierproof"):
        return
    installed = {
        str(each.metadata["Name"]).lower(): each.version for each in importlib.metadata.distributions()
    }
    needed = ("click", "rich", "jinja2", "packaging", "markupsafe", "markdown-it-py", "mdurl", "pygments")
    keep = [f"{name}=={installed[name]}" for name in needed if name in installed]
    wanted = os.environ.get("TIERPROOF_SOURCE", "tierproof=={version}")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted, *keep]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"tierproof could not be installed; nothing was changed.\n{done.stderr.strip()[-600:]}"
        )
    importlib.invalidate_caches()


ensure_tierproof()
