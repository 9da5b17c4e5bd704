// Asks for the view every two seconds and changes what differs. Texts become text nodes, never markup.
"use strict";

const EVERY_MS = 2000;
const PATIENCE_MS = 5000;
const SVG = "http://www.w3.org/2000/svg";

const contact = document.getElementById("contact");
const pause = document.getElementById("pause");
let paused = false;
let lastAnswer = new Date();

function make(part, inSvg) {
  if (typeof part === "string") return document.createTextNode(part);
  const [tag, attributes, children] = part;
  const svg = inSvg || tag === "svg";
  const element = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of attributes) element.setAttribute(name, value);
  for (const child of children) element.append(make(child, svg));
  return element;
}

/** Makes a node look like the part. What stays the same is left alone, and so is the reader's focus. */
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

/** Said only when it changes, so that screen readers are not interrupted for nothing. */
function say(text, stale) {
  if (contact.textContent !== text) contact.textContent = text;
  document.body.classList.toggle("stale", stale);
}

async function look() {
  try {
    const answer = await fetch("console/view", { signal: AbortSignal.timeout(PATIENCE_MS), cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    patch(document.getElementById("view"), await answer.json(), false);
    lastAnswer = new Date();
    if (!paused) say("Live: updated every 2 seconds.", false);
  } catch {
    say(`No answer since ${lastAnswer.toLocaleTimeString()}: these figures are old. Trying on.`, true);
  }
}

async function run() {
  if (!paused && !document.hidden) await look();
  setTimeout(run, EVERY_MS);
}

pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  if (paused) say(`Paused at ${lastAnswer.toLocaleTimeString()}.`, false);
  else look();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !paused) look();
});
run();
