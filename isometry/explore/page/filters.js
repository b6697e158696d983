// What is shown of all pictures: by part, by right and wrong, by class; and what colours mean.

import { at, count, element, go, one } from "./page.js";

const select = (label, name, options) => {
  const box = element("select", { onchange: (event) => go({ [name]: event.target.value }) },
    ...options.map(([value, text]) => element("option", { value, text, selected: at[name] === value })));
  return element("label", {}, `${label} `, box);
};

export function truths(models) {
  if (models.length < 2) return [["", "right and wrong"], ["wrong", "errors"], ["right", "right"]];
  const [a, b] = models.map((model) => model.name);
  return [["", "right and wrong"], ["wrong", `errors of ${a}`], ["right", `${a} is right`], ["wrong1", `errors of ${b}`],
    ["only0", `only ${a} errs`], ["only1", `only ${b} errs`], ["both", "both err"]];
}

// Whether a row passes, as a function of the address.
export function admitted(space) {
  const part = space.about.parts.find((one) => one.name === at.part), [first, second] = space.right;
  const label = at.view === "class" ? space.classes.get(at.what) : undefined;
  const chosen = at.view === "selection" && space.selection ? new Set(space.selection) : null;
  const group = at.group ? space.about.groups.indexOf(at.group) : -1;
  const truth = {
    wrong: (i) => first[i] === 0, right: (i) => first[i] === 1, wrong1: (i) => second && second[i] === 0,
    only0: (i) => second && first[i] === 0 && second[i] === 1, only1: (i) => second && first[i] === 1 && second[i] === 0,
    both: (i) => second && first[i] === 0 && second[i] === 0,
  }[at.truth];
  return (i) => (group < 0 || space.groups[i] === group) && (!part || (i >= part.start && i < part.stop)) && (!truth || truth(i)) && (label === undefined || space.labels[i] === label) && (!chosen || chosen.has(i));
}

export function show(space, lit) {
  const { about } = space, known = about.models.some((model) => model.right + model.wrong), tools = [];
  if (about.parts.length > 1) {
    const button = (name, text, n) => element("button", { type: "button", "aria-pressed": String(at.part === name), onclick: () => go({ part: name }) },
      text, element("small", { text: count(n) }));
    tools.push(element("div", { class: "segments", role: "group", "aria-label": "Part" }, button("", "all", about.n),
      ...about.parts.map((part) => button(part.name, part.name, part.stop - part.start))));
  }
  if (known) tools.push(select("Show", "truth", truths(about.models)));
  const colours = [...(about.groups.length > 1 ? [["", "group"], ["class", "class"]] : [["", "class"]]), ...(about.parts.length > 1 ? [["part", "part"]] : []), ...(known ? [["truth", "right and wrong"]] : [])];
  if (colours.length > 1) tools.push(select("Colour", "colour", colours));
  if (about.models.length > 1) tools.push(select("Map of", "map", about.models.map((model, m) => [m ? String(m) : "", model.name])));
  const pictures = element("input", { type: "checkbox", onchange: (event) => space.pictures(event.target.checked) });
  pictures.checked = space.plate.pictures.on;
  tools.push(element("label", {}, pictures, " pictures"));
  if (at.view === "class" || at.view === "selection") tools.push(element("button", { type: "button", class: "chip", onclick: () => go({ view: "home", what: "" }) },
    at.view === "class" ? `class: ${at.what} ` : "lasso ", element("span", { "aria-hidden": "true", text: "✕" })));
  tools.push(...legend(about));
  tools.push(element("span", { id: "count", class: "muted", text: lit === about.n ? `${count(lit)} pictures` : `${count(lit)} of ${count(about.n)} pictures` }));
  const held = document.activeElement && one("filters").contains(document.activeElement) ? [...one("filters").querySelectorAll("button, select, input")].indexOf(document.activeElement) : -1;
  one("filters").replaceChildren(...tools);
  if (held >= 0) one("filters").querySelectorAll("button, select, input")[held]?.focus();
}

// What colours mean, where there are few: of groups, a press shows one alone.
function legend(about) {
  const swatch = (hue) => element("i", { class: `swatch ${hue}` });
  if (at.colour === "truth") return [element("span", { class: "key" }, swatch("right"), "right"), element("span", { class: "key" }, swatch("wrong cross"), "error")];
  if (at.colour === "part") return about.parts.map((part, k) => element("span", { class: "key" }, swatch(`g${k % 10}`), part.name));
  if (at.colour || about.groups.length < 2 || about.groups.length > 12) return [];
  return [element("div", { class: "legend", role: "group", "aria-label": "Group" }, ...about.groups.map((name, k) => element("button", {
    type: "button", class: "key", "aria-pressed": String(at.group === name), onclick: () => go({ group: at.group === name ? "" : name }) }, swatch(`g${k % 10}`), name)))];
}

// Classes by name, as one types.
export function finder(space) {
  const term = one("term"), list = one("options");
  let options = [], chosen = -1;
  const close = () => { list.hidden = true; chosen = -1; term.setAttribute("aria-expanded", "false"); term.removeAttribute("aria-activedescendant"); };
  const pick = (name) => { term.value = ""; close(); go({ view: "class", what: name }); };
  const point = (k) => {
    chosen = (k + options.length) % options.length;
    [...list.children].forEach((option, i) => option.setAttribute("aria-selected", String(i === chosen)));
    term.setAttribute("aria-activedescendant", `option${chosen}`);
  };
  term.addEventListener("input", () => {
    const text = term.value.trim().toLowerCase();
    if (!text) return close();
    const scored = [];
    for (const [name, c] of space.classes) { // by the end of a path first, and there by its beginning
      const whole = name.toLowerCase(), leaf = whole.slice(whole.lastIndexOf("/") + 1), place = leaf.indexOf(text);
      if (space.members[c] && (place >= 0 || whole.includes(text))) scored.push([place < 0 ? 2 : place ? 1 : 0, leaf.length, name, c]);
      if (scored.length > 5000) break;
    }
    options = scored.sort((a, b) => a[0] - b[0] || a[1] - b[1] || (a[2] < b[2] ? -1 : 1)).slice(0, 9);
    list.replaceChildren(...options.map(([, , name, c], k) => element("li", { role: "option", id: `option${k}`, onpointerdown: (event) => { event.preventDefault(); pick(name); } },
      element("b", { text: space.leaf(c) }), element("small", { text: [name.split("/").slice(0, -1).join(" › "), count(space.members[c])].filter(Boolean).join(" · ") }))));
    if (!options.length) list.replaceChildren(element("li", { class: "muted", text: "No class has that in its name." }));
    list.hidden = false;
    term.setAttribute("aria-expanded", "true");
    if (options.length) point(0);
  });
  term.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { term.value = ""; close(); term.blur(); }
    if (list.hidden || !options.length) return;
    if (event.key === "ArrowDown") { event.preventDefault(); point(chosen + 1); }
    if (event.key === "ArrowUp") { event.preventDefault(); point(chosen - 1); }
  });
  one("find").addEventListener("submit", (event) => { event.preventDefault(); if (!list.hidden && chosen >= 0 && options.length) pick(options[chosen][2]); });
  term.addEventListener("blur", close);
}
