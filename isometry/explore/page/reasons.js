// Why two pictures match: heat over both, from the model that found the match.

import { ask, at, element, go, trouble } from "./page.js";

export async function reasons(section, space, answer, id, m) {
  const close = element("button", { type: "button", class: "ask", "aria-label": "Close", onclick: () => go({ why: "", by: "" }, true) }, "✕");
  const model = space.about.models[m] || space.about.models[0];
  section.hidden = false;
  section.replaceChildren(element("h3", {}, "Why they match", element("small", { text: model.name }), close), element("p", { class: "muted", text: "looking …" }));
  section.scrollIntoView({ block: "nearest" });
  let said;
  try { said = await ask(`/api/why/${encodeURIComponent(answer.id)}/${encodeURIComponent(id)}?model=${m}`); } catch (error) {
    section.lastChild.textContent = error.message;
    return trouble(error);
  }
  if (at.why !== id) return;
  const figure = (source, text) => element("figure", {}, element("img", { src: source, alt: `heat over ${text}` }), element("figcaption", { text }));
  section.lastChild.replaceWith(
    element("div", { class: "pair" }, figure(said.heat[0], answer.id.startsWith("u") ? "your picture" : space.named(answer.id)), figure(said.heat[1], space.named(id))),
    element("p", { class: "muted" }, element("i", { class: "for" }), " adds to the match, ", element("i", { class: "against" }), ` takes away from it. ${said.words}`));
}
