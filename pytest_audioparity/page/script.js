"use strict";
// Without this script everything can be read and opened; it filters and copies.
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
  document.querySelector(".none").hidden = shown > 0;
}
search.addEventListener("input", apply);
boxes.forEach((box) => box.addEventListener("change", apply));
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !(event.target instanceof HTMLInputElement)) {
    event.preventDefault();
    search.focus();
  }
});
document.addEventListener("click", async (event) => {
  const text = event.target.dataset && event.target.dataset.copy;
  if (!text) return;
  await navigator.clipboard.writeText(text);
  event.target.textContent = "copied";
  setTimeout(() => { event.target.textContent = "copy"; }, 1500);
});
if (location.hash) {
  const linked = document.querySelector(CSS.escape ? `#${CSS.escape(location.hash.slice(1))}` : location.hash);
  if (linked) linked.open = true;
}
