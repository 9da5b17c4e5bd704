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

const tip = document.createElement("p");
const mark = document.createElement("div");
tip.id = "tip";
mark.id = "mark";
tip.hidden = mark.hidden = true;
document.body.append(mark, tip);

/** Shows the values of the point of a chart that is nearest to the pointer. */
function showPoint(event) {
  const chart = event.target instanceof Element ? event.target.closest(".chart") : null;
  const places = chart?.dataset.at?.split(" ").map(Number) ?? [];
  tip.hidden = mark.hidden = !chart?.dataset.at;
  if (tip.hidden) return;
  const box = chart.querySelector("svg").getBoundingClientRect();
  const place = (event.clientX - box.left) / box.width;
  const distance = (point) => Math.abs(places[point] - place);
  const nearest = places.reduce((best, _, point) => (distance(point) < distance(best) ? point : best), 0);
  tip.textContent = chart.dataset.shown.split("|")[nearest];
  const x = box.left + places[nearest] * box.width;
  const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
  tip.style.left = `${Math.max(8, Math.min(x + 10, room))}px`;
  tip.style.top = `${box.bottom + 4}px`;
  mark.style.left = `${x}px`;
  mark.style.top = `${box.top}px`;
  mark.style.height = `${box.height}px`;
}

const view = document.getElementById("view");
view.addEventListener("pointermove", showPoint);
view.addEventListener("pointerdown", showPoint);
view.addEventListener("pointerleave", () => { tip.hidden = mark.hidden = true; });

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
