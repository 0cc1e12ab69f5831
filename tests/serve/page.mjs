// The page of `nibble app serve` in headless Chromium: page.mjs NIBBLE BUNDLE SCREENSHOT.png [WIDTH]. A picture is chosen as a
// user does, its answer is shown and drawn, a part of it is asked for with the mouse, a file that is none is refused.
import {spawn, spawnSync} from "node:child_process";
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";

const [nibble, bundle, screenshot, width] = process.argv.slice(2);
const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
if (!chromium) {
  console.log("skipped: chromium is not installed");
  process.exit(77);
}

/** The first match in what a process says on stderr. */
function said(child, pattern) {
  return new Promise((found, failed) => {
    let text = "";
    child.stderr.on("data", (bytes) => {
      text += bytes;
      const match = text.match(pattern);
      if (match) found(match[1]);
    });
    child.on("exit", () => failed(new Error(`${child.spawnfile} ended: ${text}`)));
  });
}

/** Chromium's DevTools protocol over its pipe: JSON, each ended by a NUL. */
class Browser {
  constructor(folder) {
    this.child = spawn(chromium, ["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
      "--disable-dev-shm-usage", "--no-first-run", `--user-data-dir=${folder}`, "about:blank"],
      {stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"]});
    this.waiting = new Map();
    this.heard = [];
    this.count = 0;
    let rest = "";
    this.child.stdio[4].setEncoding("utf8").on("data", (text) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop();
      for (const message of messages) this.hear(JSON.parse(message));
    });
  }
  hear(message) {
    if (!message.id) return this.heard.push(message);
    const {done, failed} = this.waiting.get(message.id);
    message.error ? failed(new Error(message.error.message)) : done(message.result);
  }
  send(method, params = {}) {
    const id = ++this.count;
    this.child.stdio[3].write(JSON.stringify({id, method, params, sessionId: this.session}) + "\0");
    return new Promise((done, failed) => this.waiting.set(id, {done, failed}));
  }
  async open(url) {
    const {targetId} = await this.send("Target.createTarget", {url: "about:blank"});
    this.session = (await this.send("Target.attachToTarget", {targetId, flatten: true})).sessionId;
    for (const domain of ["Page", "Runtime", "DOM", "Log"]) await this.send(domain + ".enable");
    await this.send("Emulation.setDeviceMetricsOverride",
      {width: Number(width ?? 1000), height: 760, deviceScaleFactor: 1, mobile: false});
    await this.send("Page.navigate", {url});
  }
  async value(expression) {
    const {result, exceptionDetails} = await this.send("Runtime.evaluate", {expression, awaitPromise: true, returnByValue: true});
    if (exceptionDetails) throw new Error(exceptionDetails.text + " in " + expression);
    return result.value;
  }
  async until(expression) {
    for (let tries = 0; tries < 300; ++tries) {
      if (await this.value(expression)) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error("never: " + expression);
  }
  async choose(file) {
    const {root} = await this.send("DOM.getDocument");
    const {nodeId} = await this.send("DOM.querySelector", {nodeId: root.nodeId, selector: "#file"});
    await this.send("DOM.setFileInputFiles", {nodeId, files: [file]});
  }
  async drag(from, to) {
    const mouse = (type, [x, y]) => this.send("Input.dispatchMouseEvent", {type, x, y, button: "left", buttons: 1, clickCount: 1});
    await mouse("mousePressed", from);
    await mouse("mouseMoved", to);
    await mouse("mouseReleased", to);
  }
}

function check(holds, what) {
  if (!holds) throw new Error(what);
}

/** The bundle's first sample, and what it must be answered. */
function sample(folder) {
  const script = "import json,sys,zipfile\nb=zipfile.ZipFile(sys.argv[1]); s=json.loads(b.read('app.json'))['samples'][0]\n" +
    "open(sys.argv[2],'wb').write(b.read(s['input'])); print(json.dumps(s['golden']['result']))";
  const file = join(folder, "sample.png");
  return {file, golden: JSON.parse(spawnSync("python3", ["-c", script, bundle, file]).stdout)};
}

async function tryPage(browser, port, folder) {
  const {file, golden} = sample(folder);
  await browser.open(`http://127.0.0.1:${port}/`);
  await browser.until("document.body && document.body.dataset.ready === ''");
  await browser.choose(file);
  await browser.until("document.body.dataset.answers === '1'");
  const shown = async () => JSON.parse(await browser.value("document.getElementById('result').textContent"));
  const whole = await shown();
  check(JSON.stringify(whole) === JSON.stringify(golden), `the page shows ${JSON.stringify(whole)}`);
  await browser.until("document.getElementById('answer').naturalWidth > 0 && document.getElementById('picture').naturalWidth > 0");
  const at = await browser.value("(({left, top, width}) => ({left, top, width}))(document.getElementById('picture').getBoundingClientRect())");
  const place = (share) => [at.left + share * at.width, at.top + share * at.width];
  await browser.drag(place(0.1), place(0.6));
  await browser.until("document.body.dataset.answers === '2'");
  check(JSON.stringify(await shown()) !== JSON.stringify(golden), "a part has the answer of the whole");
  check(await browser.value("!document.getElementById('box').hidden"), "the part is not outlined");
  const {data} = await browser.send("Page.captureScreenshot", {format: "png"});
  writeFileSync(screenshot, Buffer.from(data, "base64"));
  const none = join(folder, "none.png");
  writeFileSync(none, "no picture");
  await browser.choose(none);
  await browser.until("document.body.dataset.answers === '3'");
  const error = await browser.value("document.getElementById('error').textContent");
  check(/cannot be decoded/.test(error), `a file that is none has '${error}'`);
  const complaints = browser.heard.filter(({method, params}) => method === "Runtime.exceptionThrown" ||
    (method === "Log.entryAdded" && params.entry.level === "error" && params.entry.source !== "network"));
  check(complaints.length === 0, "the console complains: " + JSON.stringify(complaints));
}

const folder = mkdtempSync(join(tmpdir(), "nibble-page-"));
const server = spawn(nibble, ["app", "serve", bundle, "--port", "0"]);
let browser = null, fault = null;
try {
  const port = await said(server, /127\.0\.0\.1:(\d+)\//);
  browser = new Browser(folder);
  await tryPage(browser, port, folder);
  console.log(`the page answers; see ${screenshot} (${readFileSync(screenshot).length} bytes)`);
} catch (error) {
  fault = error;
  console.log(String(error.stack ?? error));
}
/** Waits for its end, and for that of what it started: they write into their folder to the last. */
const ended = (child) => new Promise((done) => child.exitCode === null && child.signalCode === null ? child.on("exit", done) : done());
if (browser) {
  delete browser.session;
  browser.send("Browser.close").catch(() => {});
  await ended(browser.child);
}
server.kill("SIGTERM");
await ended(server);
rmSync(folder, {recursive: true, force: true, maxRetries: 5, retryDelay: 200});
process.exit(fault || server.exitCode !== 0 ? 1 : 0);
