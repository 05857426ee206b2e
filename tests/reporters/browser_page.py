"""A page in headless Chromium in real time: a function of the test looks at it and its answer comes back."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--window-size=1400,1000",
]  # fmt: skip

# The frame holds the page as a file of its own, with its own Content-Security-Policy; the function runs outside of it.
WRAPPER = """<!doctype html><body style="margin:0"><iframe id="page" width="{width}" height="900"></iframe>
<script>
const frame = document.getElementById("page"), wait = ms => new Promise(done => setTimeout(done, ms));
const drawn = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
const until = async test => {{ for (let i = 0; i < 4000 && !test(); i++) await wait(2); }};
const look = async (doc, win, started) => {{ {script} }};
let started;
frame.addEventListener("load", async () => {{
  let said;
  try {{ said = await look(frame.contentDocument, frame.contentWindow, started); }}
  catch (error) {{ said = {{error: String(error) + error.stack}}; }}
  new Image().src = "{address}?" + new URLSearchParams({{said: JSON.stringify(said)}});
}});
started = performance.now();
frame.srcdoc = {page};
</script></body>"""


def look_at(page: str, script: str, folder: Path, *, width: int = 1280, flags: tuple[str, ...] = ()) -> dict:
    """Open `page` in a frame and run `script` on it: an async body with `doc`, `win` and `started` (ms)."""
    answers: list[str] = []
    came = threading.Event()

    class Ear(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers.extend(parse_qs(urlsplit(self.path).query).get("said", []))
            self.send_response(204)
            self.end_headers()
            came.set()

        def log_message(self, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file = folder / "wrapper.html"
    # In a script, only the end of the element and of comments must not be read as such.
    inside = json.dumps(page).replace("</", "<\\/").replace("<!--", "<\\!--")
    address = f"http://127.0.0.1:{server.server_port}/"
    file.write_text(
        WRAPPER.format(width=width, script=script, address=html.escape(address), page=inside),
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [CHROMIUM, *QUIET, *flags, f"--user-data-dir={folder / 'profile'}", file.as_uri()],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert came.wait(60), "the browser did not answer"
    finally:
        process.terminate()
        process.wait(20)
        server.shutdown()
        server.server_close()
    said = json.loads(answers[0])
    assert "error" not in said, said["error"]
    return said
