// The dialog that writes results.

import { doing } from "./actions.js";
import { isRunning, state, watch } from "./store.js";

const byId = (id) => document.getElementById(id);
const dialog = byId("exporting");
const list = byId("exports");
let listed = "";

function rowOf(each) {
  const row = document.createElement("li");
  const label = document.createElement("label");
  label.className = "line";
  const box = document.createElement("input");
  box.type = "checkbox";
  box.value = each.key;
  const title = document.createElement("span");
  title.textContent = each.title;
  label.append(box, title);
  const link = document.createElement("a");
  link.href = `/api/exports/${each.key}`;
  link.download = "";
  link.textContent = "Download";
  link.hidden = true;
  row.append(label, link);
  return row;
}

function show() {
  const keys = state.exports.map((each) => each.key).join();
  if (keys !== listed) {
    listed = keys;
    list.replaceChildren(...state.exports.map(rowOf));
    const first = list.querySelector("input");
    if (first) first.checked = true;
  }
  state.exports.forEach((each, place) => {
    list.children[place].querySelector("a").hidden = !each.written;
  });
  byId("output").textContent = state.output ?? "";
  const running = isRunning();
  byId("export-now").disabled = running;
  const job = state.job;
  let says = "";
  if (job && running) says = `${job.what === "export" ? "Writing" : "Segmenting"}: ${job.done}/${job.total} frames`;
  else if (job && job.what === "export") says = job.message || (job.state === "cancelled" ? "Cancelled." : "");
  byId("export-says").textContent = says;
}

export function open() {
  if (!dialog.open) dialog.showModal();
}

export function wire() {
  byId("export").addEventListener("click", open);
  byId("export-now").addEventListener("click", async () => {
    const outputs = [...list.querySelectorAll("input:checked")].map((each) => each.value);
    if (!(await doing("export", { outputs, hard: byId("hard").checked }))) {
      byId("export-says").textContent = document.querySelector("#message span").textContent;
    }
  });
  watch(show);
}
