// The page on which items are decided that people disagree on. Everything that comes from data or people is set as text.

import { assignKeys, classButtons, newId } from "./keys.js";
import { call } from "./outbox.js";
import { Viewer } from "./viewer.js";

const POLL_MS = 3000;
const PAGE = 20;
const MOST_BEFORE = 50;

const $ = (id) => document.getElementById(id);
const config = JSON.parse($("config").textContent);
const api = `/api/v1/jobs/${config.path}`;
const classKeys = assignKeys(config.classes);
const viewer = new Viewer({ frame: $("viewer"), image: $("image"), text: $("text"), failed: onImageFailed });

const state = {
  queue: [], // conflicts at hand; the first is on the screen
  before: [], // conflicts that were decided here, the newest last
  decided: new Map(), // what was decided here, by item
  passed: new Set(), // items put off until the others were seen
  retried: new Set(), // items whose picture was asked for a second time
  after: "", // the last item that was asked for
  total: 0,
  isBusy: false,
};

const commands = {
  b: [sendBack, "Send back: people look at it again"], n: [later, "Later: show another first"], p: [previous, "The one before"],
  w: [() => $("note").focus(), "Say why"], "/": [() => $("search").focus(), "Find a class by its name"],
  "+": [() => viewer.zoomIn(), "Zoom in"], "-": [() => viewer.zoomOut(), "Zoom out"], f: [() => viewer.fit(), "Fit the image"],
  "?": [() => $("help").showModal(), "These keys"],
};

// -- what waits -------------------------------------------------------------------------------------------------------

async function refill() {
  clearTimeout(state.timer);
  try {
    const page = await get(`conflicts?limit=${PAGE}&after=${encodeURIComponent(state.after)}`);
    $("alert").hidden = true;
    state.total = page.total;
    const known = new Set(state.queue.map((each) => each.item));
    const isNew = (each) => !known.has(each.item) && !state.decided.has(each.item) && !state.passed.has(each.item);
    state.queue.push(...page.conflicts.filter(isNew));
    state.after = page.end ? "" : page.conflicts.at(-1).item;
    if (page.end && !state.queue.length && state.passed.size) { state.passed.clear(); state.timer = setTimeout(refill, 0); return; }
    if (!page.end && !state.queue.length) { state.timer = setTimeout(refill, 0); return; }
  } catch (error) {
    tellAlert(error.message);
  }
  show();
  if (!state.queue.length) state.timer = setTimeout(refill, POLL_MS);
}

async function get(what) {
  const response = await fetch(`${api}/${what}`, { signal: AbortSignal.timeout?.(20000) }).catch(() => {
    throw new Error("No connection. The page tries again by itself.");
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error?.message ?? `the server answered ${response.status}`);
  return answer;
}

function show() {
  const conflict = state.queue[0];
  for (const id of ["accept", "send-back", "next"]) $(id).disabled = !conflict || state.isBusy;
  $("previous").disabled = !state.before.length || state.isBusy;
  for (const button of document.querySelectorAll(".class")) button.disabled = !conflict || state.isBusy;
  $("tools").hidden = $("what").hidden = !conflict;
  $("empty").hidden = Boolean(conflict);
  $("waiting").textContent = `${state.total} ${state.total === 1 ? "item waits" : "items wait"}`;
  if (!conflict) { viewer.clear(); $("empty").textContent = "Nothing waits for a decision.\nNew items come by themselves."; return; }
  if (state.shown === conflict) return;
  state.shown = conflict;
  $("note").value = "";
  $("item-name").textContent = conflict.item;
  viewer.show(conflict);
  showWhy(conflict);
  showVotes(conflict);
  showComments(conflict);
}

function showWhy(conflict) {
  const why = [];
  if (conflict.disputed) why.push("People disagree");
  if (conflict.sent_back) why.push("Sent back");
  if (conflict.comments.length) why.push(conflict.comments.length === 1 ? "1 comment" : `${conflict.comments.length} comments`);
  if (conflict.votes_missing) why.push(`${conflict.votes_missing} more ${conflict.votes_missing === 1 ? "vote is" : "votes are"} wanted`);
  const mine = state.decided.get(conflict.item);
  if (mine) why.push(`you decided ${mine}`);
  else if (conflict.decision) why.push(`${conflict.decision.annotator} decided ${conflict.decision.label} before the last comment`);
  $("why").textContent = why.join(" · ");
}

function tally(conflict) {
  const counts = new Map();
  for (const vote of conflict.votes) counts.set(vote.label, (counts.get(vote.label) ?? 0) + 1);
  return [...counts].sort((one, other) => other[1] - one[1]);
}

function showVotes(conflict) {
  const counts = tally(conflict);
  const [leading] = counts;
  const isTie = counts.length > 1 && counts[1][1] === leading[1];
  state.leading = leading && !isTie ? leading[0] : "";
  $("accept").disabled = !state.leading || state.isBusy;
  $("accept-text").textContent = state.leading
    ? `Accept ${state.leading} (${leading[1]} of ${conflict.votes.length})`
    : leading ? "As many say one as another: choose" : "Nobody has voted: choose";
  $("votes").replaceChildren(...conflict.votes.map((vote) => row([vote.annotator, vote.label, when(vote.time)])));
  $("votes-table").hidden = !conflict.votes.length;
  for (const button of document.querySelectorAll(".class")) {
    const said = counts.find(([label]) => label === button.dataset.name)?.[1] ?? 0;
    button.querySelector(".mark").textContent = said ? `${said} ${said === 1 ? "vote" : "votes"}` : "";
    button.classList.toggle("is-suggested", button.dataset.name === state.leading);
  }
}

function showComments(conflict) {
  $("comments").replaceChildren(...conflict.comments.map((comment) => {
    const entry = document.createElement("li");
    const who = document.createElement("p");
    who.className = "muted";
    who.textContent = `${comment.annotator}, ${when(comment.time)}`;
    const text = document.createElement("p");
    text.textContent = comment.text;
    entry.append(who, text);
    return entry;
  }));
}

function row(cells) {
  const made = document.createElement("tr");
  cells.forEach((text, place) => {
    const cell = document.createElement(place ? "td" : "th");
    if (!place) cell.scope = "row";
    cell.textContent = text;
    made.append(cell);
  });
  return made;
}

function when(time) { return new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }); }

function onImageFailed() {
  const conflict = state.queue[0];
  if (!conflict) return;
  if (!state.retried.has(conflict.item)) { // its address may have run out
    state.retried.add(conflict.item);
    get(`items?item=${encodeURIComponent(conflict.item)}`)
      .then((item) => { conflict.image = item.image; if (state.queue[0] === conflict) viewer.show(conflict); })
      .catch((error) => tellAlert(error.message));
    return;
  }
  viewer.clear();
  $("empty").hidden = false;
  $("empty").textContent = "This item cannot be shown: its file may be gone or damaged.";
}

// -- decisions --------------------------------------------------------------------------------------------------------

function accept() { if (state.leading) decide(state.leading); }

async function decide(label) {
  const conflict = state.queue[0];
  if (!conflict || state.isBusy || !config.classes.includes(label)) return;
  await done(conflict, "decisions", { label }, `${conflict.item}: ${label}.`, label);
}

async function sendBack() {
  const conflict = state.queue[0];
  if (!conflict || state.isBusy) return;
  await done(conflict, "send-back", {}, `${conflict.item} goes back to people.`, "to send it back");
}

// The id stays with the item and what is done until it is confirmed: sent again after an outage, it counts once.
async function done(conflict, what, fields, words, decided) {
  const intent = JSON.stringify([what, fields]);
  if (conflict.intent !== intent) Object.assign(conflict, { intent, id: newId() });
  state.isBusy = true;
  show();
  try {
    await call(`${api}/${what}`, { id: conflict.id, item: conflict.item, note: $("note").value.trim(), ...fields });
    $("alert").hidden = true;
    conflict.intent = "";
    state.decided.set(conflict.item, decided);
    state.before.push(conflict);
    state.before.splice(0, state.before.length - MOST_BEFORE);
    state.total = Math.max(0, state.total - 1);
    state.queue.shift();
    clearSearch();
    tell(words);
  } catch (error) {
    tellAlert(error.isRefused || error.status === 403 ? error.message : "Not confirmed: no connection. Do it again; it counts once.");
  } finally {
    state.isBusy = false;
    state.shown = state.queue[0] === conflict ? conflict : null;
    if (state.queue.length) show(); else refill();
  }
}

function later() {
  if (!state.queue.length) return;
  state.passed.add(state.queue.shift().item);
  if (state.queue.length) show(); else refill();
}

function previous() {
  const conflict = state.before.pop();
  if (!conflict || state.isBusy) return;
  state.queue.unshift(conflict);
  show();
}

// -- words ------------------------------------------------------------------------------------------------------------

let tellTimer;
function tell(text) {
  $("status").textContent = text;
  clearTimeout(tellTimer);
  tellTimer = setTimeout(() => { $("status").textContent = ""; }, 4000);
}

function tellAlert(text) {
  $("alert").textContent = text;
  $("alert").hidden = false;
}

// -- keys -------------------------------------------------------------------------------------------------------------

function search() {
  const wanted = $("search").value.trim().toLocaleLowerCase();
  for (const button of document.querySelectorAll(".class")) button.hidden = !button.dataset.name.toLocaleLowerCase().includes(wanted);
}

function clearSearch() { $("search").value = ""; search(); if (document.activeElement === $("search")) $("search").blur(); }

function visibleClasses() { return [...document.querySelectorAll(".class:not([hidden])")]; }

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target === $("search") && event.key === "Enter") {
    const [first] = visibleClasses();
    if (first && $("search").value.trim()) { event.preventDefault(); decide(first.dataset.name); }
    return;
  }
  if (event.target.matches("input, textarea")) { if (event.key === "Escape") event.target.blur(); return; }
  if ([document.body, $("viewer")].includes(event.target) && viewer.onKey(event)) return;
  if (event.repeat || !$("keys-on").checked) return;
  if (classKeys.has(event.key)) { event.preventDefault(); decide(classKeys.get(event.key)); return; }
  if (event.key === "Enter" && !event.target.matches("button, a, summary")) { event.preventDefault(); accept(); return; }
  const command = commands[event.key.toLowerCase()];
  if (command && !(event.key === "/" && $("search-row").hidden)) { event.preventDefault(); command[0](); }
}

function buildHelp() {
  const classes = [...classKeys].map(([key, name]) => [key, `Decide ${name}`]);
  const rest = Object.entries(commands).filter(([key]) => key !== "/" || !$("search-row").hidden);
  for (const [key, words] of [["Enter", "Accept what most say"], ...classes, ...rest.map(([key, [, words]]) => [key.toUpperCase(), words])]) {
    const mark = document.createElement("kbd");
    mark.textContent = classKeys.has(key.toLowerCase()) && commands[key.toLowerCase()] ? `Shift ${key}` : key;
    const line = $("keys").insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.append(mark);
    line.append(head);
    line.insertCell().textContent = words;
  }
}

$("search-row").hidden = config.classes.length < 12;
$("classes").append(...classButtons(config.classes, classKeys, decide));
buildHelp();
document.addEventListener("keydown", onKey);
$("search").addEventListener("input", search);
for (const [id, does] of Object.entries({
  accept, "send-back": sendBack, next: later, previous, "open-help": () => $("help").showModal(),
  "zoom-out": () => viewer.zoomOut(), "zoom-fit": () => viewer.fit(), "zoom-in": () => viewer.zoomIn(),
})) $(id).addEventListener("click", does);
refill();
