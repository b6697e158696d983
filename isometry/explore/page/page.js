// Elements, requests, and where the page is: everything that a link should bring back stands in the address.

export const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false || value === null) continue;
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
};
export const one = (id) => document.getElementById(id);
export const count = (n) => n.toLocaleString("en");
export const percent = (part, whole) => (whole ? `${(100 * part / whole).toFixed(part === whole ? 0 : 1)}\u00a0%` : "–");

export async function ask(path, options) {
  let answer;
  try { answer = await fetch(path, options); } catch { throw new Error("The explorer does not answer: is it still running?"); }
  const kind = answer.headers.get("content-type") || "";
  if (kind.startsWith("application/octet-stream")) return answer.arrayBuffer();
  const said = kind.startsWith("application/json") ? await answer.json() : { error: await answer.text() };
  if (!answer.ok) throw new Error(said.error || `The explorer answered ${answer.status}.`);
  return said;
}

let hush = 0;
export function trouble(error) {
  const line = one("trouble");
  line.textContent = error.message || String(error);
  line.hidden = false;
  clearTimeout(hush);
  hush = setTimeout(() => { line.hidden = true; }, 7000);
}

export const picture = (id, large) => `/api/picture/${encodeURIComponent(id)}?v=${version.mark}${large ? "&large=1" : ""}`;
export const version = { mark: "" };

// The address: #/ , #/picture/ID , #/class/NAME , #/selection ; then ?part=test&truth=wrong&…
const FILTERS = ["part", "group", "truth", "among", "map", "colour", "why", "by"];
export const at = { view: "home", what: "", trail: [] };
for (const name of FILTERS) at[name] = "";
let listener = () => {};

export function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/"), given = new URLSearchParams(query);
  at.view = ["picture", "class", "selection"].includes(view) ? view : "home";
  try { at.what = decodeURIComponent(rest.join("/")); } catch { at.what = ""; }
  for (const name of FILTERS) at[name] = given.get(name) || "";
  at.trail = (history.state && history.state.trail) || (at.view === "picture" ? [at.what] : []);
}
export function address(changes) {
  const next = { ...at, ...changes }, kept = new URLSearchParams();
  const leaving = changes.view !== undefined && (changes.view !== at.view || changes.what !== at.what);
  for (const name of FILTERS) if (next[name] && !(leaving && ["why", "by"].includes(name) && !changes[name])) kept.set(name, next[name]);
  const path = next.view === "home" ? "" : next.view + (next.what ? `/${encodeURIComponent(next.what)}` : "");
  return `#/${path}${kept.size ? `?${kept}` : ""}`;
}
export function go(changes, replace = false) {
  const to = address(changes), moved = changes.view === "picture" && changes.what !== at.what;
  const trail = moved ? [...at.trail.filter((id) => id !== changes.what), changes.what].slice(-10) : at.trail;
  if (to === location.hash && !moved) return;
  history[replace ? "replaceState" : "pushState"]({ trail }, "", to);
  read();
  listener();
}
export function listen(changed) {
  listener = changed;
  addEventListener("popstate", () => { read(); changed(); });
  document.addEventListener("click", (event) => { // links inside the page keep the trail
    const link = event.target.closest("a[data-go]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(JSON.parse(link.dataset.go));
  });
}
export const link = (changes, attributes, ...children) => element("a", { ...attributes, href: address(changes), "data-go": JSON.stringify(changes) }, ...children);
