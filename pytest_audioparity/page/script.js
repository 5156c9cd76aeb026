"use strict";
// Without this script everything can be read, opened and played; it filters, copies and moves.
const tests = [...document.querySelectorAll("details.test")];
const search = document.getElementById("search");
const boxes = [...document.querySelectorAll("input[data-filter]")];
function apply() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const hiddenVerdicts = new Set(boxes.filter((box) => !box.checked).map((box) => box.dataset.filter));
  let shown = 0;
  for (const test of tests) {
    const fits = !hiddenVerdicts.has(test.dataset.verdict) && words.every((word) => test.dataset.text.includes(word));
    test.hidden = !fits;
    shown += fits;
  }
  document.querySelector(".none").hidden = shown > 0 || tests.length === 0;
}
search.addEventListener("input", apply);
boxes.forEach((box) => box.addEventListener("change", apply));
apply(); // a browser that goes back keeps what was typed
function move(step) {
  const lines = tests.filter((test) => !test.hidden).map((test) => test.firstElementChild);
  const at = lines.findIndex((line) => line.parentElement.contains(document.activeElement));
  const next = lines[at < 0 ? (step > 0 ? 0 : lines.length - 1) : at + step];
  if (next) next.focus();
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input[type=search]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "/") {
    event.preventDefault();
    search.focus();
  } else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
});
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "copied";
  } catch {
    // Pages that are not served safely may not write: select the command instead.
    getSelection().selectAllChildren(button.parentElement.querySelector("code"));
    button.textContent = "selected";
  }
  setTimeout(() => { button.textContent = "copy"; }, 1500);
});
// One player of a pair at a time, and the other goes on where this one was: the ear compares.
document.addEventListener("play", (event) => {
  const pair = event.target.closest(".pair");
  if (!pair) return;
  for (const other of pair.querySelectorAll("audio")) {
    if (other === event.target || other.paused) continue;
    other.pause();
    event.target.currentTime = Math.min(other.currentTime, event.target.duration || 0);
  }
}, true);
if (location.hash) {
  const linked = document.getElementById(location.hash.slice(1));
  if (linked) linked.open = true;
}
