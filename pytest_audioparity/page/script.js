"use strict";
// Without this script everything can be read, opened and played; it filters, copies, moves, and switches what is heard.
document.documentElement.classList.add("live");
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
    else if (event.key === "Enter") move(1);
    return;
  }
  if (event.key === "/") {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "x") hearOther(soundNear(document.activeElement));
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const sound = event.target.closest(".sound");
  const picture = event.target.closest("svg");
  if (button && button.dataset.copy) copy(button);
  else if (button && button.dataset.from) hear(sound, heardIn(sound) ?? sidesOf(sound).at(-1), +button.dataset.from, +button.dataset.to);
  else if (button && button.matches(".switch")) hearOther(sound);
  else if (sound && picture) {
    const box = picture.getBoundingClientRect();
    const own = picture.closest("figure").querySelector("audio");
    hear(sound, own ?? heardIn(sound) ?? sidesOf(sound)[0], ((event.clientX - box.left) / box.width) * sound.dataset.seconds);
  }
});
async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "copied";
  } catch {
    // Pages that are not served safely may not write: select the command instead.
    getSelection().selectAllChildren(button.parentElement.querySelector("code"));
    button.textContent = "selected";
  }
  setTimeout(() => { button.textContent = "copy"; }, 1500);
}

// What is heard: one side of a pair at a time, and the other goes on where this one was, so that the ear compares.
const sidesOf = (sound) => [...sound.querySelectorAll("audio")];
const heardIn = (sound) => sound.querySelector(".playing audio");
const ends = new WeakMap(); // the second at which a player stops by itself
function soundNear(element) {
  const test = element && element.closest && element.closest("details.test");
  const last = document.querySelector(".playing");
  const near = last && (!test || test.contains(last)) ? last : (test ?? document).querySelector("details[open] .sound, [open] > .body .sound");
  return near && (near.closest(".sound") ?? near.querySelector(".sound"));
}
function hear(sound, side, second, end) {
  if (!side) return;
  sidesOf(sound).forEach((other) => { if (other !== side) other.pause(); });
  if (second !== undefined) side.currentTime = Math.min(second, side.duration || second);
  ends.set(side, end);
  // Who switches at once pauses a side before it begins: that is no error.
  side.play().catch((error) => { if (error.name !== "AbortError") throw error; });
}
function hearOther(sound) {
  const sides = sound ? sidesOf(sound) : [];
  const now = sound && heardIn(sound);
  if (!now || sides.length < 2) hear(sound, sides[0]);
  else hear(sound, sides.find((side) => side !== now), now.ended ? 0 : now.currentTime, ends.get(now));
}
document.addEventListener("play", (event) => {
  const sound = event.target.closest(".sound");
  if (!sound) return;
  for (const other of document.querySelectorAll("audio")) {
    if (other === event.target || other.paused) continue;
    if (sound.contains(other)) event.target.currentTime = Math.min(other.currentTime, event.target.duration || 0);
    other.pause();
  }
  document.querySelectorAll(".playing").forEach((figure) => figure.classList.remove("playing"));
  event.target.closest("figure").classList.add("playing");
  const next = sidesOf(sound).find((side) => side !== event.target);
  const button = sound.querySelector(".switch");
  if (button && next) button.textContent = `A/B: hear ${next.getAttribute("aria-label")}`;
  follow(sound, event.target);
}, true);
function follow(sound, side) {
  const end = ends.get(side);
  if (end !== undefined && side.currentTime >= end) { ends.delete(side); side.pause(); }
  for (const picture of sound.querySelectorAll("svg")) {
    const width = picture.viewBox.baseVal.width;
    const head = picture.querySelector(".head") ?? picture.appendChild(document.createElementNS(picture.namespaceURI, "path"));
    head.setAttribute("class", "head");
    head.setAttribute("d", `M${(width * side.currentTime) / sound.dataset.seconds} 0V999`);
  }
  if (!side.paused) requestAnimationFrame(() => follow(sound, side));
}

function openLinked() {
  const linked = location.hash && document.getElementById(location.hash.slice(1));
  if (!linked) return;
  linked.hidden = false;
  linked.open = true;
  linked.scrollIntoView();
}
addEventListener("hashchange", openLinked);
openLinked();
