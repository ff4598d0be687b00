// Comfort on top of pages that work without it: copying, dropping files, spoken results.
"use strict";

function showCopyButtons(root) {
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
}

function showGenerators() {
  for (const button of document.querySelectorAll("[data-generate]")) button.hidden = !window.crypto;
}

function generate(button) {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  const written = btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
  document.getElementById(button.dataset.generate).value = written;
  say("Generated");
}

function watch(region) {
  const events = new EventSource(region.dataset.watch);
  events.addEventListener("steps", (event) => {
    region.innerHTML = JSON.parse(event.data);
  });
  events.addEventListener("done", () => {
    events.close();
    location.reload();
  });
  // Where events can't get through, the page is asked again as a browser without script does.
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 2000);
  });
}

function say(text) {
  const region = document.getElementById("announcements");
  if (region) region.textContent = text;
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    say("Copied");
    button.classList.add("copied");
  } catch {
    getSelection().selectAllChildren(source);
    say("Press Control C to copy");
  }
}

async function fill(area, file) {
  area.value = await file.text();
  area.dispatchEvent(new Event("change", { bubbles: true }));
}

function textAreaOf(event) {
  const area = event.target.closest ? event.target.closest("textarea[data-drop]") : null;
  return area && event.dataTransfer && event.dataTransfer.types.includes("Files") ? area : null;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
  const generator = event.target.closest("[data-generate]");
  if (generator) generate(generator);
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("change", (event) => {
  const area = document.getElementById(event.target.dataset.fills ?? "");
  if (!area || !event.target.files.length) return;
  fill(area, event.target.files[0]);
  // The text is in the field now: the file itself need not be sent as well.
  event.target.value = "";
});

document.addEventListener("dragover", (event) => {
  const area = textAreaOf(event);
  if (!area) return;
  event.preventDefault();
  area.classList.add("dropping");
});

document.addEventListener("dragleave", (event) => {
  if (event.target.classList) event.target.classList.remove("dropping");
});

document.addEventListener("drop", (event) => {
  const area = textAreaOf(event);
  if (!area) return;
  event.preventDefault();
  area.classList.remove("dropping");
  if (event.dataTransfer.files.length) fill(area, event.dataTransfer.files[0]);
});

function fail(text) {
  const alert = document.createElement("div");
  alert.className = "alert";
  alert.textContent = text;
  document.getElementById("flash")?.replaceChildren(alert);
}

document.addEventListener("htmx:responseError", (event) => {
  fail(`The service could not do this (status ${event.detail.xhr.status}). Load the page again.`);
});

document.addEventListener("htmx:sendError", () => {
  fail("The service can't be reached. Check your connection, then try again.");
});

document.addEventListener("htmx:afterSettle", (event) => {
  showCopyButtons(document);
  const told = document.querySelector("[data-announce]");
  if (told && event.detail.target.id === told.id) say(told.dataset.announce);
});

document.addEventListener("DOMContentLoaded", () => {
  showCopyButtons(document);
  showGenerators();
  for (const region of document.querySelectorAll("[data-watch]")) watch(region);
  const wrong = document.querySelector("[data-focus]");
  if (wrong) wrong.focus();
});
