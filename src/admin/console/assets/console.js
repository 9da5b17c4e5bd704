// Fetches the view every two seconds and changes what differs. Texts become text nodes, never markup.
"use strict";

const EVERY_MS = 2000;
const TIMEOUT_MS = 5000;
const SVG = "http://www.w3.org/2000/svg";

const contact = document.getElementById("contact");
const pause = document.getElementById("pause");
let paused = false;
let lastUpdate = new Date();

function make(part, inSvg) {
  if (typeof part === "string") return document.createTextNode(part);
  const [tag, attributes, children] = part;
  const svg = inSvg || tag === "svg";
  const element = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of attributes) element.setAttribute(name, value);
  for (const child of children) element.append(make(child, svg));
  return element;
}

/** Makes a node equal to the part. Equal nodes are not replaced, so that the focus stays where it is. */
function patch(node, part, inSvg) {
  const isText = typeof part === "string";
  if (isText ? node.nodeType !== Node.TEXT_NODE : node.localName !== part[0]) {
    node.replaceWith(make(part, inSvg));
    return;
  }
  if (isText) {
    if (node.data !== part) node.data = part;
    return;
  }
  const [tag, attributes, children] = part;
  const names = new Set(attributes.map(([name]) => name));
  for (const name of node.getAttributeNames()) if (!names.has(name)) node.removeAttribute(name);
  for (const [name, value] of attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  const svg = inSvg || tag === "svg";
  const before = [...node.childNodes];
  children.forEach((child, place) => {
    if (place < before.length) patch(before[place], child, svg);
    else node.append(make(child, svg));
  });
  before.slice(children.length).forEach((child) => child.remove());
}

/** Shows a message. It is set only when it changes, so that screen readers are not interrupted. */
function show(text, stale) {
  if (contact.textContent !== text) contact.textContent = text;
  document.body.classList.toggle("stale", stale);
}

async function update() {
  try {
    const response = await fetch("console/view", { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
    if (!response.ok) throw new Error(String(response.status));
    patch(document.getElementById("view"), await response.json(), false);
    lastUpdate = new Date();
    if (!paused) show("Live: updated every 2 seconds.", false);
  } catch {
    show(`No response since ${lastUpdate.toLocaleTimeString()}: these numbers are old. Trying again.`, true);
  }
}

async function run() {
  if (!paused && !document.hidden) await update();
  setTimeout(run, EVERY_MS);
}

pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  if (paused) show(`Paused at ${lastUpdate.toLocaleTimeString()}.`, false);
  else update();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !paused) update();
});
run();
