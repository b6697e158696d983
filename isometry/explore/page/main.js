// The page: what is known of all pictures, and what happens when the address changes.

import { ask, at, element, go, listen, one, picture, read, trouble, version } from "./page.js";
import { Plate } from "./map.js";
import { handle } from "./pointer.js";
import * as filters from "./filters.js";
import * as panel from "./panel.js";
import { take } from "./upload.js";

const plate = new Plate(one("map"));
const space = {
  plate, about: null, selection: null, right: [], maps: [],
  row: (id) => space.rows.get(Number(id)) ?? -1,
  name: (i) => (space.labels[i] >= 0 ? space.about.classes[space.labels[i]] : "class not known"),
  leaf: (label) => (label >= 0 ? space.about.classes[label].split("/").pop() || space.about.classes[label] : "class not known"),
  named: (id) => { const i = space.row(id); return i < 0 ? "your picture" : space.name(i); },
  hover: (i) => { plate.hovered = i; plate.redraw(); },
  pictures: (on) => { plate.pictures.on = on; plate.settle(); },
  mark,
};
window.explore = { plate, space }; // for whoever looks in from the console, and for tests

function columns(buffer, n, models) {
  let start = 0;
  const take = (Kind) => { const made = new Kind(buffer, start, n); start += made.byteLength; return made; };
  return { ids: take(Float64Array), labels: take(Int32Array), x: take(Uint16Array), y: take(Uint16Array), groups: take(Int16Array), right: Array.from({ length: models }, () => take(Int8Array)) };
}
async function map(m) { // places of all points by one model's map
  if (!space.maps[m]) {
    const { n, models } = space.about, read = columns(await ask(`/api/points/${m}`), n, models.length);
    space.maps[m] = { ...read, n, x: Float32Array.from(read.x, (v) => v / 65535), y: Float32Array.from(read.y, (v) => v / 65535) };
  }
  return space.maps[m];
}

function mark(answer) { // the query and what it finds, on the map
  one("closer").hidden = !answer;
  if (!answer) { plate.marks = null; return plate.redraw(); }
  const m = Number(at.map) || 0, query = space.row(answer.id);
  const found = answer.models[m].slice(0, 12).map((match) => ({ row: space.row(match.id), right: match.right })).filter(({ row }) => row >= 0);
  const near = found.slice(0, 3).map(({ row }) => row), mean = (values) => near.reduce((sum, i) => sum + values[i], 0) / Math.max(1, near.length);
  const own = query < 0 ? new Image() : null; // an upload lies among what it finds first
  if (own) { own.onload = () => plate.redraw(); own.src = picture(answer.id); }
  plate.marks = { query, own, found, spot: near.length ? [mean(plate.points.x), mean(plate.points.y)] : null };
  plate.bring([...(query >= 0 ? [query] : []), ...near]);
  plate.redraw();
}

function paint() {
  const { labels, groups, right, about } = space, m = Number(at.map) || 0, hue = (label) => (label < 0 ? -1 : Math.imul(label, 7) % 10);
  const starts = about.parts.map((part) => part.start), part = (i) => starts.filter((start) => start <= i).length - 1;
  const crossed = at.colour === "truth" ? Uint8Array.from(right[m], (value) => (value === 0 ? 1 : 0)) : null;
  const byClass = (i) => hue(labels[i]), byGroup = about.groups.length > 1 ? (i) => groups[i] : byClass;
  const colour = { part, class: byClass, truth: (i) => (right[m][i] < 0 ? -1 : right[m][i] ? "right" : "wrong") }[at.colour] || byGroup;
  plate.paint(colour, crossed);
}

let drawn = {};
async function changed() {
  const m = Number(at.map) || 0;
  if (drawn.map !== m) {
    plate.load(await map(m));
    one("how").textContent = `${space.about.models[m].how} Only neighbourhoods mean something: distances across the map and the sizes of clusters do not. ${plate.points.n > 20000 ? "While it moves, a part of the points is drawn." : ""}`;
  }
  space.admit = filters.admitted(space);
  filters.show(space, plate.filter(space.admit));
  if (drawn.map !== m || drawn.colour !== at.colour) paint();
  drawn = { map: m, colour: at.colour };
  panel.show(space);
  document.title = `${at.view === "picture" ? space.named(at.what) : at.view === "class" ? at.what : space.about.name} · isometry explore`;
}

function next() { // the next error in the order of the map's shuffle
  const { order, n } = plate.points, here = order.indexOf(space.row(at.what));
  for (let k = 1; k <= n; k++) {
    const i = order[(here + k) % n];
    if (space.right[0][i] === 0 && space.admit(i)) return go({ view: "picture", what: String(space.ids[i]) });
  }
  trouble(new Error("There is no error among the pictures shown."));
}
function keys(event) {
  const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
  if (event.key === "Escape" && !typing) { plate.hovered = -1; if (at.why) go({ why: "", by: "" }, true); else if (at.view !== "home") go({ view: "home", what: "" }); }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = { "/": () => one("term").focus(), u: () => one("file").click(), e: next, z: () => plate.closer(), m: () => one("map").focus(), "?": () => one("help").showModal() }[event.key];
  if (act) { event.preventDefault(); act(); }
}
function themes() {
  const root = document.documentElement, stored = localStorage.getItem("theme");
  if (stored) root.dataset.theme = stored;
  one("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    paint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
}

async function begin() {
  space.about = await ask("/api/about");
  const { about } = space;
  version.mark = about.mark;
  one("name").textContent = about.name;
  space.classes = new Map(about.classes.map((name, c) => [name, c]));
  read();
  const { ids, labels, groups, right } = await map(0);
  Object.assign(space, { ids, labels, groups, right, rows: new Map(Array.from(ids, (id, i) => [id, i])), members: new Uint32Array(about.classes.length) });
  for (const label of labels) if (label >= 0) space.members[label]++;
  space.present = space.members.filter(Boolean).length;
  themes();
  const tell = (i) => {
    const verdict = space.right[Number(at.map) || 0][i], part = about.parts.find((one) => i >= one.start && i < one.stop);
    return { name: space.name(i), facts: [about.parts.length > 1 && part.name, verdict === 0 && "✗ error", verdict === 1 && "✓ right"].filter(Boolean) };
  };
  handle(plate, {
    open: (i) => go({ view: "picture", what: String(space.ids[i]) }),
    circled: (rows) => { space.selection = rows; go({ view: "selection", what: `${rows.length}-${rows[0] ?? 0}` }); },
    tell,
  });
  filters.finder(space);
  take();
  one("closer").addEventListener("click", () => plate.closer());
  one("keys").addEventListener("click", () => one("help").showModal());
  document.addEventListener("keydown", keys);
  listen(() => changed().catch(trouble));
  await changed();
  document.body.classList.add("ready");
}
begin().catch((error) => { one("panel").replaceChildren(element("h2", { text: "It does not start" }), element("p", { text: error.message })); trouble(error); });
