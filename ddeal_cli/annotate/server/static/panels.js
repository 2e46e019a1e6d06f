// Tools, objects, and what is said of the frame.

import * as actions from "./actions.js";
import { inSpans, isRunning, objectOf, setView, state, view, watch } from "./store.js";

const byId = (id) => document.getElementById(id);
const list = byId("objects");
let renaming = null;
let listed = "";

function icon(name, words, action) {
  const button = document.createElement("button");
  button.className = "icon";
  button.title = words;
  button.setAttribute("aria-label", words);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  button.append(svg);
  button.addEventListener("click", action);
  return button;
}

function piece(kind, name, text = "") {
  const element = document.createElement(kind);
  element.className = name;
  element.textContent = text;
  return element;
}

function rowOf(object) {
  const row = document.createElement("li");
  row.dataset.object = object.id;
  row.classList.toggle("chosen", object.id === view.object);
  row.style.setProperty("--colour", object.colour);
  if (renaming === object.id) {
    row.append(nameField(object));
    return row;
  }
  const choose = piece("button", "choose");
  choose.setAttribute("aria-pressed", object.id === view.object);
  choose.append(piece("span", "swatch"), piece("span", "id", object.id), piece("span", "name", object.name));
  choose.addEventListener("click", () => setView({ object: object.id }));
  choose.addEventListener("dblclick", () => rename(object.id));
  row.append(choose);
  row.append(icon("pen", `Rename ${object.name} (F2)`, () => rename(object.id)));
  row.append(icon("trash", `Delete ${object.name}`, () => actions.deleteObject(object.id)));
  return row;
}

function nameField(object) {
  const field = document.createElement("input");
  field.dataset.of = object.id;
  field.value = object.name;
  field.maxLength = 60;
  field.setAttribute("aria-label", "Name of the object");
  let over = false;
  const close = (keep) => {
    if (over) return;
    over = true;
    renaming = null;
    const name = field.value.trim();
    if (keep && name && name !== object.name) actions.renameObject(object.id, name);
    setView({});
  };
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") close(true);
    if (event.key === "Escape") close(false);
  });
  field.addEventListener("blur", () => close(true));
  return field;
}

export function rename(id) {
  if (!objectOf(id)) return;
  renaming = id;
  setView({ object: id });
  showObjects(); // at once: what is typed next belongs to the name
}

function showObjects() {
  const now = JSON.stringify([state.objects, view.object, renaming]);
  const typing = renaming !== null && list.querySelector("input")?.dataset.of === String(renaming);
  if (now === listed || typing) return;
  listed = now;
  const rows = state.objects.map(rowOf);
  if (!rows.length) rows.push(piece("li", "none", "None yet: mark one, and it is made."));
  list.replaceChildren(...rows);
  list.querySelector("input")?.select();
}

function showTools() {
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-checked", button.dataset.tool === view.tool);
  }
  for (const button of document.querySelectorAll("[data-inside]")) {
    button.setAttribute("aria-checked", (button.dataset.inside === "true") === view.inside);
  }
  byId("sign").classList.toggle("off", view.tool !== "click" && view.tool !== "scribble");
  byId("size-box").hidden = !["brush", "eraser", "scribble"].includes(view.tool);
  byId("size").value = view.radius;
  byId("size-shown").textContent = view.radius;
  byId("visible").checked = view.visible;
  byId("opacity").value = Math.round(view.opacity * 100);
  byId("follow").checked = view.follow;
}

function frameSays() {
  const marks = state.marks[view.frame];
  if (marks && marks.objects.length) {
    const names = marks.objects.map((id) => objectOf(id)?.name ?? id);
    return `Given here: ${names.join(", ")}.`;
  }
  if (marks) return "Marked, but the mask is empty: nothing is given here.";
  if (inSpans(state.fresh, view.frame)) return "A result. Mark or paint to correct it.";
  if (inSpans(state.there, view.frame)) return "A result from before the last change.";
  return "Nothing here yet.";
}

const TIPS = {
  box: "Draw a box around an object",
  click: "Click on an object; with − or the right button, on what is not it",
  scribble: "Scribble along the inside of an object; with −, on what is not it",
  brush: "Paint an object",
  eraser: "Paint an object first, then erase what is too much",
  pan: "Drag the picture; choose a tool to mark an object",
};

function showFrame() {
  byId("frame-says").textContent = frameSays();
  const own = state.marks[view.frame];
  byId("clear").disabled = !own || view.object === null;
  byId("undo").disabled = !state.undo;
  byId("redo").disabled = !state.redo;
  const bare = Object.keys(state.marks).length === 0 && !isRunning();
  byId("tip").hidden = !bare || !state.ready;
  byId("tip").textContent = TIPS[view.tool];
  byId("video").textContent = state.video ?? "";
  document.title = state.video ? `${state.video} – ddeal annotate` : "ddeal annotate";
  byId("saved").textContent = state.problem || (state.saved ? (Object.keys(state.marks).length ? "saved" : "") : "saving…");
  byId("saved").title = state.session ?? "";
  byId("saved").classList.toggle("bad", Boolean(state.problem));
}

export function wire() {
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.addEventListener("click", () => actions.chooseTool(button.dataset.tool));
  }
  for (const button of document.querySelectorAll("[data-inside]")) {
    button.addEventListener("click", () => setView({ inside: button.dataset.inside === "true" }));
  }
  byId("add").addEventListener("click", actions.addObject);
  byId("undo").addEventListener("click", actions.undo);
  byId("redo").addEventListener("click", actions.redo);
  byId("clear").addEventListener("click", actions.clearMarks);
  byId("zoom-in").addEventListener("click", actions.zoomIn);
  byId("zoom-out").addEventListener("click", actions.zoomOut);
  byId("zoom-fit").addEventListener("click", actions.zoomFit);
  byId("size").addEventListener("input", (event) => setView({ radius: Number(event.target.value) }));
  byId("opacity").addEventListener("input", (event) => setView({ opacity: Number(event.target.value) / 100 }));
  byId("visible").addEventListener("change", (event) => setView({ visible: event.target.checked }));
  byId("follow").addEventListener("change", (event) => setView({ follow: event.target.checked }));
  watch(showObjects);
  watch(showTools);
  watch(showFrame);
}
