#!/usr/bin/env python3
"""Takes the screenshots of the console in docs/: starts `cachefront dev`, sends requests to it, and kills a master.

Needs Chromium, in PATH or named by the variable CHROMIUM, and `playwright` and `pillow` from PyPI:

    python3 -m venv /tmp/pictures && /tmp/pictures/bin/pip install playwright pillow
    cargo build && /tmp/pictures/bin/python scripts/console_screenshots.py
"""

import http.client
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
DOCS = Path(os.environ.get("PICTURES", ROOT / "docs"))
PROGRAM = Path(os.environ.get("CACHEFRONT", ROOT / "target/debug/cachefront"))
WARM_SECS = float(os.environ.get("WARM_SECS", "150"))
BYTES_MAX = 200_000


class Dev:
    """A running `cachefront dev`."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        printed = Path(self.folder.name, "printed")
        command = [PROGRAM, "dev", "--port", "0", "--shards", "4", "--replicas", "2", "--certs", f"{self.folder.name}/certs"]
        self.process = subprocess.Popen(command, stdout=printed.open("w"), cwd=ROOT)
        deadline = time.monotonic() + 60
        while "Ctrl-C stops" not in printed.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("cachefront dev did not start")
            time.sleep(0.1)
        self.banner = printed.read_text()
        self.port = int(re.search(r"https://localhost:(\d+)", self.banner)[1])
        self.console = re.search(r"http://\S+/console", self.banner)[0]
        self.api_key = re.search(r"API key +(\S+)", self.banner)[1]
        self.shards = [re.findall(r"127\.0\.0\.1:(\d+)", line) for line in self.banner.splitlines() if "Redis     shard" in line]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        self.folder.cleanup()


class Load(threading.Thread):
    """A client that mostly reads, sometimes writes, and sends fewer requests at times."""

    def __init__(self, dev, number):
        super().__init__(daemon=True)
        self.dev, self.number, self.done = dev, number, False
        self.random = random.Random(number)

    def key(self):
        number = min(int(self.random.expovariate(1 / 400)), 20_000)
        kinds = ["session:{}:user", "user:{}:profile", "cart:{}", "product:{}:price", "page:{}:html", "rate:{}:minute"]
        return self.random.choices(kinds, [30, 24, 16, 14, 10, 6])[0].format(number)

    def body(self):
        chance = self.random.random()
        if chance < 0.80:
            return {"command": "READ", "key": self.key()}
        if chance < 0.95:
            return {"command": "WRITE", "key": self.key(), "value": "x" * self.random.randrange(20, 900)}
        if chance < 0.98:
            return {"command": "DELETE", "key": self.key()}
        return [{"command": "READ", "key": self.key()} for _ in range(20)]

    def run(self):
        context = ssl.create_default_context(cafile=f"{self.dev.folder.name}/certs/cert.pem")
        connection = http.client.HTTPSConnection("localhost", self.dev.port, context=context)

        def ask(path, body, headers=None):
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **(headers or {})})
            return connection.getresponse().read()

        token = json.loads(ask("/login", {"api_key": self.dev.api_key}))["access_token"]
        start = time.monotonic()
        while not self.done:
            ask("/cache", self.body(), {"Authorization": f"Bearer {token}"})
            wave = (time.monotonic() - start) % 80 / 80
            time.sleep(0.0015 if wave < 0.6 else 0.005)


def redis_command(port, command):
    """Sends one inline command to a Redis node and returns the reply."""
    with socket.create_connection(("127.0.0.1", int(port)), 5) as stream:
        stream.sendall(command.encode() + b"\r\n")
        return stream.recv(65536).decode(errors="replace")


def kill_master(shard):
    """Kills the master of a shard."""
    os.kill(int(re.search(r"process_id:(\d+)", redis_command(shard[0], "INFO server"))[1]), signal.SIGKILL)


def promote(shard):
    """Promotes the first replica of a shard that has lost its master, as a sentinel would."""
    _, promoted, *others = shard
    redis_command(promoted, "REPLICAOF NO ONE")
    for other in others:
        redis_command(other, f"REPLICAOF 127.0.0.1 {promoted}")


def save(picture, name):
    """Writes a picture with as few colours as are needed to keep it small."""
    DOCS.mkdir(exist_ok=True)
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    for colours in (256, 128, 64):
        image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(DOCS / name, optimize=True)
        if (DOCS / name).stat().st_size < BYTES_MAX:
            break
    print(name, image.size, (DOCS / name).stat().st_size, "bytes")


def screenshot(browser, dev, name, scheme="light", width=1240, height=None, scale=1.0):
    """Saves a screenshot of the whole page, or of its upper part. Fails if the page scrolls sideways or reports an error."""
    context = browser.new_context(viewport={"width": width, "height": height or 900}, color_scheme=scheme, device_scale_factor=scale)
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(dev.console)
    page.get_by_text("Live: updated").wait_for()
    page.wait_for_timeout(2500)
    page.locator(".chart svg").first.hover()
    assert "requests/s" in page.locator("#tip").inner_text(), f"{name}: a chart does not show the values under the pointer"
    page.mouse.move(2, 2)
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert not wide, f"{name}: the page scrolls sideways"
    assert not complaints, f"{name}: {complaints}"
    save(page.screenshot(full_page=height is None), name)
    context.close()


def main():
    dev = Dev()
    load = [Load(dev, number) for number in range(4)]
    try:
        for caller in load:
            caller.start()
        time.sleep(WARM_SECS)
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            screenshot(browser, dev, "console-light.png")
            screenshot(browser, dev, "console-dark.png", scheme="dark")
            screenshot(browser, dev, "console-phone.png", width=390, height=1640, scale=1.25)
            kill_master(dev.shards[1])
            time.sleep(6)
            screenshot(browser, dev, "console-master-down.png")
            promote(dev.shards[1])
            time.sleep(4)
            screenshot(browser, dev, "console-failover.png")
            browser.close()
    finally:
        for caller in load:
            caller.done = True
        dev.stop()


if __name__ == "__main__":
    main()
