#!/usr/bin/env python3
"""Opens a report in headless Chromium as a screen, a phone and paper see it: browser.py REPORT.html [PICTURES].

Prints one JSON document: for each width what was drawn, what went wrong, and the picture's size; exit code 77 where there
is no Chromium. Speaks its DevTools protocol (chromedevtools.github.io/devtools-protocol) over a pipe.
"""
import base64
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

WIDTHS = {"desktop": (1280, 900, 1, False), "phone": (390, 844, 1, True)}
# Of each panel: its drawing's width, the marks in it, and what it is called for who does not see it.
LOOK = """JSON.stringify({
  drawn: +document.documentElement.dataset.drawn, failed: +document.documentElement.dataset.failed,
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  panels: [...document.querySelectorAll('.panel')].map((panel) => {
    const svg = panel.querySelector('svg'), drawing = panel.querySelector('.drawing');
    const marks = svg ? [...svg.querySelectorAll('.role-mark path, .role-mark line, .role-mark text')] : [];
    return {width: svg ? svg.getBoundingClientRect().width : 0, room: panel.getBoundingClientRect().width,
            marks: marks.filter((mark) => mark.getAttribute('d') !== '').length,
            label: drawing.getAttribute('aria-label') || ''};
  })})"""
DONE = """new Promise((resolve) => {
  const look = () => document.documentElement.dataset.failed === undefined ? setTimeout(look, 20) : resolve(true);
  look(); })"""


class Browser:
    def __init__(self, program, profile):
        to_browser, self.write_end = os.pipe()
        self.read_end, from_browser = os.pipe()

        def give_pipes():  # DevTools reads 3 and writes 4
            ends = os.dup(to_browser), os.dup(from_browser)
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--no-first-run", "--disable-background-networking", f"--user-data-dir={profile}", "--remote-debugging-pipe",
             "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=give_pipes)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.number, self.events = b"", 0, []

    def receive(self):
        while b"\0" not in self.buffer:
            got = os.read(self.read_end, 1 << 20)
            if not got:
                raise SystemExit("browser.py: the browser ended")
            self.buffer += got
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"browser.py: {method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, event):
        while not any(seen.get("method") == event for seen in self.events):
            self.events.append(self.receive())

    def close(self):
        self.process.terminate()
        self.process.wait()


def complaints(events):
    """What the page said that is no good: errors and warnings of the console, exceptions, requests to anywhere."""
    for event in events:
        parameters = event.get("params", {})
        if event.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            yield parameters["type"] + ": " + " ".join(str(a.get("value", a.get("description"))) for a in parameters["args"])
        if event.get("method") == "Runtime.exceptionThrown":
            yield "exception: " + json.dumps(parameters["exceptionDetails"])
        if event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            yield parameters["entry"]["level"] + ": " + parameters["entry"]["text"]
        if event.get("method") == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if not url.startswith(("file:", "data:", "blob:", "about:")):
                yield "request: " + url


def open_at(browser, session, page, width, height, ratio, is_phone):
    browser.events.clear()
    browser.call("Emulation.setDeviceMetricsOverride", session, width=width, height=height, deviceScaleFactor=ratio,
                 mobile=is_phone)
    browser.call("Page.navigate", session, url=page.as_uri())
    browser.wait_for("Page.loadEventFired")
    browser.call("Runtime.evaluate", session, expression=DONE, awaitPromise=True)
    look = browser.call("Runtime.evaluate", session, expression=LOOK)["result"]["value"]
    picture = base64.b64decode(browser.call("Page.captureScreenshot", session, captureBeyondViewport=True)["data"])
    found = json.loads(look)
    found["complaints"] = list(complaints(browser.events))
    found["picture"] = struct.unpack(">II", picture[16:24])
    return found, picture


def main(report, pictures=None):
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        return 77
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(program, profile)
        try:
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                browser.call(domain + ".enable", session)
            found = {}
            for name, size in WIDTHS.items():
                found[name], picture = open_at(browser, session, pathlib.Path(report).resolve(), *size)
                if pictures:
                    pathlib.Path(pictures, name + ".png").write_bytes(picture)
            paper = base64.b64decode(browser.call("Page.printToPDF", session, preferCSSPageSize=True, paperWidth=8.27,
                                                  paperHeight=11.69, printBackground=True)["data"])
            found["paper"] = {"bytes": len(paper), "pages": paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page ")}
            if pictures:
                pathlib.Path(pictures, "paper.pdf").write_bytes(paper)
            print(json.dumps(found))
        finally:
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
