// Beside the map: a picture and what it finds, a class, a selection, or where to begin.

import { ask, at, count, element, go, link, one, percent, picture, trouble } from "./page.js";
import { reasons } from "./reasons.js";

const SIGNS = { 1: ["right", "✓", "right"], 0: ["wrong", "✗", "wrong"], "-1": ["unknown", "", "not known"] };
const GRID = 120;
let turn = 0;

const sign = (right) => { const [, mark, word] = SIGNS[right]; return mark && element("span", { class: `sign ${word}`, role: "img", "aria-label": word, text: mark }); };
const image = (id, large, alt = "") => element("img", {
  src: picture(id, large), alt, loading: "lazy", draggable: "false",
  onerror: (event) => event.target.replaceWith(element("span", { class: "blank", role: "img", "aria-label": "no picture" })),
});

function thumb(space, i) {
  const right = space.right[0][i];
  return link({ view: "picture", what: String(space.ids[i]) }, { class: `thumb ${SIGNS[right][0]}`, title: space.name(i) }, image(space.ids[i], false, space.name(i)), sign(right));
}
const grid = (space, rows) => element("div", { class: "grid" }, ...rows.slice(0, GRID).map((i) => thumb(space, i)),
  rows.length > GRID && element("p", { class: "muted", text: `and ${count(rows.length - GRID)} more` }));

function judged(space, rows, m = 0) {
  let [right, known] = [0, 0];
  for (const i of rows) if (space.right[m][i] >= 0) { known++; right += space.right[m][i]; }
  return [right, known];
}
const verdict = (space, rows) => space.about.models.map((model, m) => {
  const [right, known] = judged(space, rows, m);
  return known ? element("p", {}, space.about.models.length > 1 && element("b", { text: `${model.name}: ` }),
    `${count(right)} of ${count(known)} find their own class first (${percent(right, known)}).`) : null;
});

export function show(space) {
  const mine = ++turn, panel = one("panel"), compare = at.view === "picture" && space.about.models.length > 1;
  document.body.classList.toggle("compare", compare);
  if (at.view === "picture") return found(space, panel, mine);
  space.mark(null);
  const parts = { home, class: members, selection }[at.view](space);
  panel.replaceChildren(...parts.filter(Boolean));
  begin(panel);
}
function begin(panel) { // on a telephone the page scrolls, and not the panel
  panel.scrollTop = 0;
  if (panel.getBoundingClientRect().top < 0) panel.scrollIntoView();
}

// How many find their own class first: by part, since what was trained on tells little.
function table(space) {
  const { parts, models } = space.about, row = ({ name, start, stop }) => element("tr", {}, element("th", { scope: "row", text: parts.length > 1 ? name : "all" }), ...models.map((_, m) => {
    const [right, known] = judged(space, Array.from({ length: stop - start }, (_, i) => start + i), m);
    return element("td", {}, element("b", { text: percent(right, known) }), element("small", { text: known ? ` of ${count(known)}` : "" }));
  }));
  return element("table", {}, element("caption", { text: "find a picture of their own class first" }),
    models.length > 1 && element("tr", {}, element("td"), ...models.map((model) => element("th", { scope: "col", text: model.name }))), ...parts.map(row));
}

function home(space) {
  const { about } = space, all = Array.from({ length: about.n }, (_, i) => i), errors = all.filter((i) => space.admit(i) && (at.truth || space.right[0][i] === 0));
  const step = Math.max(1, Math.floor(errors.length / 24)), some = errors.filter((_, k) => k % step === 0).slice(0, 24);
  return [
    element("h2", { text: about.name }),
    element("p", { text: `${count(about.n)} pictures${space.present ? ` of ${count(space.present)} classes` : ""}, ${[...new Set(about.models.map((m) => `${m.dim} dimensions compared by ${m.similarity}`))].join("; ")}.` }),
    about.models.some((model) => model.right + model.wrong) ? table(space) : null,
    element("button", { type: "button", class: "target", onclick: () => one("file").click() },
      element("b", { text: "Drop, paste or choose a picture" }), element("span", { text: "to search for its like" })),
    some.length ? element("h3", { text: at.truth ? "Some of these" : "Errors to look at" }) : null,
    some.length && !at.truth ? element("p", { class: "muted", text: "The nearest other picture of their part is of another class." }) : null,
    some.length ? grid(space, some) : null,
  ];
}

function members(space) {
  const label = space.classes.get(at.what), rows = [];
  for (let i = 0; label !== undefined && i < space.about.n; i++) if (space.labels[i] === label && space.admit(i)) rows.push(i);
  return [element("p", { class: "over", text: ["class", ...at.what.split("/").slice(0, -1)].join(" › ") }), element("h2", { text: at.what.split("/").pop() }),
    element("p", { text: label === undefined ? "There is no such class here." : `${count(rows.length)} pictures.` }), ...verdict(space, rows), grid(space, rows)];
}

function selection(space) {
  const rows = (space.selection || []).filter((i) => space.admit(i)), tally = new Map();
  for (const i of rows) tally.set(space.labels[i], (tally.get(space.labels[i]) || 0) + 1);
  const most = [...tally].sort((a, b) => b[1] - a[1]).slice(0, 12);
  return [element("p", { class: "over", text: "lasso" }), element("h2", { text: `${count(rows.length)} pictures` }), ...verdict(space, rows),
    element("p", { class: "tally" }, ...most.map(([c, n]) => c >= 0 && link({ view: "class", what: space.about.classes[c] }, { class: "chip", title: space.about.classes[c] }, space.leaf(c), element("small", { text: count(n) })))),
    grid(space, rows)];
}

async function found(space, panel, mine) {
  panel.setAttribute("aria-busy", "true");
  let answer;
  try { answer = await ask(`/api/near/${encodeURIComponent(at.what)}?k=24&among=${encodeURIComponent(at.among)}`); } catch (error) {
    if (mine !== turn) return;
    panel.replaceChildren(element("h2", { text: "Not here" }), element("p", { text: error.message }), link({ view: "home", what: "" }, {}, "Begin again"));
    return trouble(error);
  } finally { if (mine === turn) panel.removeAttribute("aria-busy"); }
  if (mine !== turn) return;
  const moved = panel.dataset.shown !== at.what;
  panel.dataset.shown = at.what;
  const columns = answer.models.map((matches, m) => column(space, answer, matches, m));
  const why = element("section", { id: "why", hidden: true });
  panel.replaceChildren(trail(space), about(space, answer), among(space, answer), why, element("div", { class: "columns" }, ...columns));
  if (moved) begin(panel);
  space.mark(answer);
  if (at.why && space.about.why) reasons(why, space, answer, at.why, Number(at.by) || 0);
}

function trail(space) {
  const ids = at.trail.length ? at.trail : [at.what];
  return element("nav", { class: "trail", "aria-label": "Pictures so far" },
    link({ view: "home", what: "" }, { title: "begin" }, "⌂"),
    ...ids.map((id) => link({ view: "picture", what: id }, { title: space.named(id), "aria-current": id === at.what && "page" }, image(id, false, space.named(id)))));
}

function about(space, answer) {
  const { classes } = space.about, name = answer.label >= 0 ? classes[answer.label] : "";
  const lines = answer.right.map((right, m) => right >= 0 && element("p", { class: SIGNS[right][0] }, sign(right),
    `${space.about.models.length > 1 ? `${space.about.models[m].name}: the` : " The"} nearest other picture is of ${right ? "the same" : "another"} class`));
  return element("div", { class: "query" }, image(answer.id, true, name || "the picture searched for"), element("div", {},
    element("p", { class: "over", text: answer.id.startsWith("u") ? "your picture" : answer.part || "picture" }),
    element("h2", {}, name ? link({ view: "class", what: name }, { title: name }, space.leaf(answer.label)) : answer.id.startsWith("u") ? "Found for it" : "class not known"),
    name.includes("/") ? element("p", { class: "muted", text: name.split("/").slice(0, -1).join(" › ") }) : null,
    ...lines, answer.file ? element("p", { class: "muted file", text: answer.file }) : null));
}

function among(space, answer) {
  const { parts } = space.about;
  if (parts.length < 2) return element("p", { class: "muted among", text: `Searched: ${count(answer.searched)} pictures` });
  const own = answer.part ? [["", `its own part (${answer.part})`]] : [["", "all pictures"]];
  const options = [...own, ...(answer.part ? [["all", "all pictures"]] : []), ...parts.map((part) => [part.name, part.name])];
  const box = element("select", { id: "among", onchange: (event) => go({ among: event.target.value }, true) },
    ...options.map(([value, text]) => element("option", { value, text, selected: at.among === value })));
  return element("p", { class: "among" }, element("label", {}, "Search in ", box), element("span", { class: "muted", text: `${count(answer.searched)} pictures` }));
}

function column(space, answer, matches, m) {
  const models = space.about.models, other = models.length > 1 ? new Map(answer.models[1 - m].map((match, k) => [match.id, k + 1])) : null;
  const right = matches.filter((match) => match.right === 1).length, known = matches.some((match) => match.right >= 0);
  const shared = other ? matches.filter((match) => other.has(match.id)).length : 0, facts = [];
  if (known) facts.push(`${right} of ${matches.length} right`);
  if (other) facts.push(`${shared} shared`);
  return element("section", { class: "column", "aria-label": models[m].name },
    element("h3", {}, models.length > 1 ? models[m].name : "Most alike", element("small", { text: facts.join(", ") })),
    element("ol", { class: "hits" }, ...matches.map((match, k) => hit(space, answer, match, k + 1, m, other && other.get(match.id)))));
}

function hit(space, answer, match, rank, m, elsewhere) {
  const [kind, , word] = SIGNS[match.right], name = match.label >= 0 ? space.about.classes[match.label] : "class not known";
  const leaf = space.leaf(match.label), row = space.row(match.id);
  return element("li", { class: `hit ${kind}${elsewhere ? " shared" : ""}`, "data-id": match.id, onpointerenter: () => space.hover(row), onpointerleave: () => space.hover(-1) },
    link({ view: "picture", what: match.id }, { title: name, "aria-label": `${rank}: ${name}, ${word}, similarity ${match.score.toFixed(3)}` }, image(match.id, false), sign(match.right)),
    element("span", { class: "name", text: leaf }),
    element("span", { class: "muted score", text: match.score.toFixed(3) }),
    elsewhere ? element("span", { class: "both", title: `rank ${elsewhere} of the other model`, text: `⇄ ${elsewhere}` }) : null,
    space.about.why ? element("button", { type: "button", class: "ask", title: "Why did this match?", "aria-label": `Why did ${name} match?`, onclick: () => go({ why: match.id, by: m ? String(m) : "" }) }, "why") : null);
}
