// The page on which people label. Everything that comes from data or people is set as text.

import { assignKeys, classButtons, newId } from "./keys.js";
import { Outbox, call } from "./outbox.js";
import { Viewer } from "./viewer.js";

const AHEAD = 5; // tasks in hand, so that the next item is there at once and a short outage is not noticed
const POLL_MS = 1500;
const RENEW_MS = 60000;
const IDLE_MS = 600000; // a page that nobody has touched for so long lets go of its tasks
const SEARCH_FROM = 12; // classes
const MOST_UNDONE = 50;

const $ = (id) => document.getElementById(id);
const config = JSON.parse($("config").textContent);
const api = `/api/jobs/${config.path}`;

const state = {
  queue: [], // tasks in hand; the first is on the screen
  done: [], // what can be undone, the newest last
  answered: new Set(), // numbers of tasks that are not to be shown again
  retried: new Set(), // numbers of tasks whose picture was asked for a second time
  before: "", // the answer that was undone
  standing: null,
  isAsking: false,
  isAway: false,
  waitingForOthers: 0,
  shownAt: 0,
  touchedAt: Date.now(),
};

const viewer = new Viewer({ frame: $("viewer"), image: $("image"), text: $("text"), failed: onImageFailed });
const outbox = new Outbox({ api, name: `${config.uid || config.job}:${config.person}`, told: onOutbox });
const classKeys = assignKeys(config.classes);
const commands = {
  u: [undo, "Undo the last answer or skip"], s: [skip, "Skip: I cannot answer this one"], n: [later, "Later: show another first"],
  c: [openComment, "Comment on this item"], g: [openGuidelines, "Guidelines"], "/": [openSearch, "Find a class by its name"],
  "+": [() => viewer.zoomIn(), "Zoom in"], "-": [() => viewer.zoomOut(), "Zoom out"], f: [() => viewer.fit(), "Fit the image"],
  "?": [openHelp, "These keys"],
};

// -- tasks ------------------------------------------------------------------------------------------------------------

// Asks for tasks when few are in hand. Not before what was answered is sent: the server would hand those out again.
async function refill({ renew = false } = {}) {
  if (state.isAsking || outbox.size || (!renew && state.queue.length >= AHEAD)) return;
  state.isAsking = true;
  try {
    const holding = state.queue.map((task) => task.lease);
    const answer = await call(`${api}/lease`, { count: Math.max(0, AHEAD - state.queue.length), holding });
    setAway(false);
    takeIn(answer);
  } catch (error) {
    if (error.status === 403) tellAlert(error.message, { stays: true });
    setAway(true, error);
  } finally {
    state.isAsking = false;
    if (!state.queue.length) $("empty").textContent = emptyText();
    plan();
  }
}

function takeIn(answer) {
  const current = state.queue[0];
  const lost = new Set(answer.lost);
  for (const task of state.queue) task.lease = answer.renewed[task.lease] ?? task.lease;
  state.queue = state.queue.filter((task) => !lost.has(task.lease));
  const known = new Set(state.queue.map((task) => task.number));
  for (const task of answer.tasks) {
    if (known.has(task.number) || state.answered.has(task.number)) continue;
    state.queue.push(task);
    if (task.image) { task.ahead = new Image(); task.ahead.src = task.image; }
  }
  state.waitingForOthers = answer.waiting_for_others;
  showStanding(answer.standing);
  if (current && state.queue[0] !== current) tell("Others have answered this one meanwhile.");
  if (state.queue[0] !== current || !current) show();
}

// Looks again soon while there is nothing to do.
function plan() {
  clearTimeout(state.timer);
  const isOver = state.standing && state.standing.state !== "running";
  if (!state.queue.length && !isOver) state.timer = setTimeout(() => refill(), POLL_MS);
}

function show() {
  const task = state.queue[0];
  $("tools").hidden = !task;
  $("empty").hidden = Boolean(task);
  for (const id of ["skip", "next"]) $(id).disabled = !task;
  $("undo").disabled = !state.done.length;
  for (const button of document.querySelectorAll(".class")) button.disabled = !task;
  $("zoom-tools").hidden = !task?.image;
  markClasses(task);
  if (!task) {
    viewer.clear();
    $("empty").textContent = emptyText();
    return;
  }
  $("item-name").textContent = task.item;
  viewer.show(task);
  state.shownAt = performance.now();
}

function emptyText() {
  const { standing } = state;
  if (state.isAway) return "No connection.\nThe page tries again by itself.";
  if (!standing || state.isAsking || outbox.size) return "Asking for tasks …";
  if (standing.state === "complete") return `Done: the job is complete.\nThank you. ${config.may_rename ? "The labels and the report are where labelplane run says." : "The labels and the report are in the job's bucket."}`;
  if (standing.state === "failed") return "The job has stopped.\nThe page of the job says why.";
  if (state.waitingForOthers) {
    const count = state.waitingForOthers;
    return `Nothing more for you now.\n${count} ${count === 1 ? "task waits" : "tasks wait"} for other people (each item wants ${config.votes_per_item}).\n${config.may_rename ? "Another person may take a turn here: change the name above." : "More may come with the next round."}`;
  }
  return `${standing.stage} …\nNew items come by themselves.`;
}

function onImageFailed() {
  const task = state.queue[0];
  if (!task) return;
  if (!state.retried.has(task.number) && !state.isAway) { // its ticket may have run out: a task that is let go comes again
    state.retried.add(task.number);
    state.queue.shift();
    show();
    refill();
    return;
  }
  viewer.clear();
  $("empty").hidden = false;
  $("empty").textContent = "This item cannot be shown: its file may be gone or damaged.\nSkip it.";
}

// -- what people do ---------------------------------------------------------------------------------------------------

function answer(name) {
  const task = state.queue[0];
  if (!task || !config.classes.includes(name)) return;
  const vote = {
    id: newId(), item: task.item, answer: name, lease: task.lease, lead_seconds: (performance.now() - state.shownAt) / 1000,
    suggestion_shown: Boolean(task.suggestion),
  };
  outbox.add("votes", vote);
  leave(task, { task, vote });
  tell(`${name}. Undo with U.`);
}

function skip() {
  const task = state.queue[0];
  if (!task) return;
  outbox.add("skip", { lease: task.lease });
  leave(task, { task });
  tell("Skipped. Undo with U.");
}

function leave(task, deed) {
  state.answered.add(task.number);
  state.queue.shift();
  state.done.push(deed);
  state.done.splice(0, state.done.length - MOST_UNDONE);
  state.before = "";
  clearSearch();
  show();
  refill();
}

function undo() {
  const deed = state.done.pop();
  if (!deed) return;
  const { task, vote } = deed;
  if (vote) outbox.add("votes", { id: newId(), item: task.item, lease: task.lease, supersedes: vote.id, retracted: true });
  else outbox.add("skip", { lease: task.lease, undo: true });
  state.answered.delete(task.number);
  state.queue = [task, ...state.queue.filter((each) => each.number !== task.number)];
  state.before = vote?.answer ?? "";
  show();
  tell(vote ? `Taken back: ${vote.answer}.` : "Skip taken back.");
}

function later() {
  if (state.queue.length < 2) { tell("There is no other item now."); return; }
  state.queue.push(state.queue.shift());
  state.before = "";
  show();
}

// -- the server's word ------------------------------------------------------------------------------------------------

function onOutbox(what, first, second) {
  if (what === "sent") {
    setAway(false);
    if (first.standing) showStanding(first.standing);
    for (const aside of first.set_aside ?? []) {
      tellAlert(`One answer does not count (${aside.reason}): ${aside.message}`);
    }
    if (!outbox.size) refill();
  } else if (what === "away") setAway(!first.isRefused, first);
  else if (what === "aside") tellAlert(`Not taken, and kept in this browser: ${first} (${second.kind})`);
  const badge = $("outbox");
  badge.hidden = !outbox.size || !state.isAway;
  badge.textContent = `${outbox.size} not sent yet`;
}

function setAway(isAway) {
  const changed = state.isAway !== isAway;
  state.isAway = isAway;
  document.body.classList.toggle("is-away", isAway);
  if (changed) tell(isAway ? "No connection. Go on: answers wait here and are sent later." : "Connected again.");
  if (!state.queue.length) $("empty").textContent = emptyText();
  $("outbox").hidden = !outbox.size || !isAway;
}

function showStanding(standing) {
  state.standing = standing;
  const done = standing.tasks - standing.tasks_open;
  $("round-progress").max = Math.max(1, standing.tasks);
  $("round-progress").value = done;
  $("round-text").textContent = standing.tasks ? `${done} of ${standing.tasks} tasks` : standing.stage;
  const { person } = standing;
  if (person) {
    const right = person.agreement === null ? "" : ` · ${Math.round(100 * person.agreement)} % right on gold (${person.gold_answered})`;
    $("mine").textContent = `${person.votes} ${person.votes === 1 ? "vote" : "votes"} of yours${right}`;
  }
  if (!state.queue.length) $("empty").textContent = emptyText();
}

let tellTimer;
function tell(text) {
  $("status").textContent = text;
  clearTimeout(tellTimer);
  tellTimer = setTimeout(() => { $("status").textContent = ""; }, 4000);
}

let alertTimer;
function tellAlert(text, { stays = false } = {}) {
  $("alert").textContent = text;
  $("alert").hidden = false;
  clearTimeout(alertTimer);
  if (!stays) alertTimer = setTimeout(() => { $("alert").hidden = true; }, 15000);
}

// -- classes ----------------------------------------------------------------------------------------------------------

function buildClasses() {
  $("classes").append(...classButtons(config.classes, classKeys, answer));
  $("search-row").hidden = config.classes.length < SEARCH_FROM;
}

function markClasses(task) {
  const suggested = task?.suggestion ?? "";
  $("suggestion").hidden = !suggested;
  $("suggestion").textContent = suggested ? `The model says: ${suggested}. Enter agrees.` : "";
  for (const button of document.querySelectorAll(".class")) {
    const isSuggested = button.dataset.name === suggested;
    const isBefore = button.dataset.name === state.before;
    button.classList.toggle("is-suggested", isSuggested);
    button.classList.toggle("is-before", isBefore);
    button.querySelector(".mark").textContent = isBefore ? "your answer before" : isSuggested ? "suggested" : "";
  }
}

function search() {
  const wanted = $("search").value.trim().toLocaleLowerCase();
  let found = 0;
  for (const button of document.querySelectorAll(".class")) {
    button.hidden = !button.dataset.name.toLocaleLowerCase().includes(wanted);
    found += !button.hidden;
  }
  $("no-match").hidden = found > 0;
}

function clearSearch() {
  if (document.activeElement === $("search")) $("search").blur();
  if (!$("search").value) return;
  $("search").value = "";
  search();
}

function visibleClasses() { return [...document.querySelectorAll(".class:not([hidden])")]; }

function onClassArrow(event) {
  const buttons = visibleClasses();
  const place = buttons.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || place < 0) return;
  event.preventDefault();
  event.stopPropagation();
  buttons[(place + step + buttons.length) % buttons.length].focus();
}

// -- dialogs ----------------------------------------------------------------------------------------------------------

function openGuidelines() { $("guidelines")?.showModal(); }
function openHelp() { $("help").showModal(); }
function openSearch() { if (!$("search-row").hidden) $("search").focus(); }
function openName() { $("name-dialog").showModal(); }

function openComment() {
  if (!state.queue[0]) return;
  $("comment-input").value = "";
  $("comment-dialog").showModal();
}

function onComment(event) {
  event.preventDefault();
  const text = $("comment-input").value.trim();
  if (text && state.queue[0]) outbox.add("comments", { id: newId(), item: state.queue[0].item, text });
  $("comment-dialog").close();
  if (text) tell("Comment kept.");
}

async function onName(event) {
  event.preventDefault();
  const name = $("name-input").value.trim();
  $("name-dialog").close();
  if (!name || name === config.person) return;
  if (outbox.size) { tellAlert("Answers wait to be sent under the present name: change it when they are."); return; }
  try {
    await call(`${api}/lease`, { count: 0, holding: [] }); // gives the tasks in hand back, for others and for the new name
    await call("/api/name", { name });
    location.reload();
  } catch (error) {
    tellAlert(error.message);
  }
}

function buildHelp() {
  const classes = [...classKeys].map(([key, name]) => [key, `Answer ${name}`]);
  const rest = Object.entries(commands)
    .filter(([key]) => (key !== "g" || config.has_guidelines) && (key !== "/" || !$("search-row").hidden))
    .map(([key, [, words]]) => [key.toUpperCase(), words]);
  for (const [key, words] of [...classes, ["Enter", "Agree with the suggestion"], ...rest]) {
    const row = $("keys").insertRow();
    const mark = document.createElement("kbd");
    mark.textContent = classKeys.has(key.toLowerCase()) && commands[key.toLowerCase()] ? `Shift ${key}` : key;
    const head = document.createElement("th");
    head.scope = "row";
    head.append(mark);
    row.append(head);
    row.insertCell().textContent = words;
  }
  $("keys-on").checked = !stored("labelplane:keys-off");
  $("keys-on").addEventListener("change", () => store("labelplane:keys-off", $("keys-on").checked ? "" : "1"));
}

// -- keys -------------------------------------------------------------------------------------------------------------

function onKey(event) {
  state.touchedAt = Date.now();
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target === $("search")) { onSearchKey(event); return; }
  if ([document.body, $("viewer")].includes(event.target) && viewer.onKey(event)) return;
  if (event.repeat) return;
  if (event.target.matches("input, textarea") || !$("keys-on").checked) return;
  if (classKeys.has(event.key)) { event.preventDefault(); answer(classKeys.get(event.key)); return; }
  const isOnControl = event.target.matches("button, a, summary");
  const suggested = state.queue[0]?.suggestion;
  if (event.key === "Enter" && suggested && !isOnControl) { event.preventDefault(); answer(suggested); return; }
  const command = event.key === "Backspace" ? commands.u : commands[event.key.toLowerCase()];
  if (command) { event.preventDefault(); command[0](); }
}

function onSearchKey(event) {
  const [first] = visibleClasses();
  if (event.key === "Escape") { event.preventDefault(); $("search").value = ""; search(); $("search").blur(); }
  if (event.key === "Enter" && first && $("search").value.trim()) { event.preventDefault(); answer(first.dataset.name); }
  if (event.key === "ArrowDown" && first) { event.preventDefault(); first.focus(); }
}

function stored(key) { try { return localStorage.getItem(key); } catch { return null; } }
function store(key, text) { try { localStorage.setItem(key, text); } catch { /* refused: it holds for this page */ } }

buildClasses();
buildHelp();
document.addEventListener("keydown", onKey);
document.addEventListener("pointerdown", () => { state.touchedAt = Date.now(); });
$("classes").addEventListener("keydown", onClassArrow);
$("search").addEventListener("input", search);
for (const [id, does] of Object.entries({
  undo, skip, next: later, "zoom-in": () => viewer.zoomIn(), "zoom-out": () => viewer.zoomOut(), "zoom-fit": () => viewer.fit(),
  "open-comment": openComment, "open-help": openHelp, "open-name": openName, "open-guidelines": openGuidelines,
  "name-cancel": () => $("name-dialog").close(), "comment-cancel": () => $("comment-dialog").close(),
})) $(id)?.addEventListener("click", does);
$("name-form").addEventListener("submit", onName);
$("comment-form").addEventListener("submit", onComment);
addEventListener("pagehide", () => {
  const nothing = new Blob([JSON.stringify({ count: 0, holding: [] })], { type: "application/json" });
  navigator.sendBeacon(`${api}/lease`, nothing); // others may have the tasks in hand at once
});
setInterval(() => {
  if (state.queue.length && Date.now() - state.touchedAt < IDLE_MS) refill({ renew: true });
}, RENEW_MS);
if (config.asks_name) openName(); // answers of several people under one name would count as one person's
outbox.tell();
if (outbox.size) outbox.kick(); else refill();
