"use strict";
for (const cut of document.querySelectorAll(".cut")) {
  const show = () => {
    cut.closest(".compare").style.setProperty("--cut", cut.value + "%");
    cut.setAttribute("aria-valuetext", cut.value + " percent before");
  };
  cut.addEventListener("input", show);
  show();
}
const said = document.getElementById("said");
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  said.textContent = "copied " + text;
}
for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    await copy(button.dataset.text);
    const label = button.firstChild;
    label.textContent = "copied";
    setTimeout(() => { label.textContent = "copy"; }, 1500);
  });
}
const filter = document.querySelector(".filter");
function sift() {
  const kinds = new Set([...filter.querySelectorAll("[name=kind]:checked")].map((box) => box.value));
  const possible = filter.querySelector("[name=status]").checked;
  const fresh = filter.querySelector("[name=new]").checked;
  const cards = [...document.querySelectorAll(".card, .row")];
  for (const card of cards) {
    const { kind, status } = card.dataset;
    card.hidden = !kinds.has(kind) || (status === "possible" && !possible) || (fresh && !card.dataset.new);
  }
  const left = cards.filter((card) => !card.hidden).length;
  filter.querySelector("output").textContent = left === cards.length ? "" : left + " of " + cards.length + " shown";
}
if (filter) {
  filter.addEventListener("change", sift);
  sift();
}
