// The page of one job, live. Everything that comes from data or people is set as text.

const $ = (id) => document.getElementById(id);
const config = JSON.parse($("config").textContent);
const api = `/api/jobs/${config.path}`;
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
const number = new Intl.NumberFormat("en");
let posteriors = "";
let rules = "";

function render(view) {
  $("stage").textContent = view.stage;
  $("message").textContent = view.message;
  $("round").textContent = view.round === null ? "–" : view.round;
  $("round-more").textContent = `of at most ${view.max_rounds}`;
  $("votes").textContent = number.format(view.votes);
  const aside = view.votes_set_aside ? ` · ${number.format(view.votes_set_aside)} set aside` : "";
  $("votes-more").textContent = `${number.format(view.votes_missing)} wanted now${aside}`;
  $("labelled").textContent = `${number.format(view.labelled)} of ${number.format(view.items)}`;
  $("labelled-more").textContent = view.accepted ? `${number.format(view.accepted)} accepted from the model` : "decided by people";
  renderCost(view.cost);
  renderAgreement(view.agreement);
  renderCurve(view.curve);
  renderPeople(view.people);
  if ($("open-conflicts")) $("open-conflicts").textContent = view.conflicts ? `Conflicts (${number.format(view.conflicts)})` : "Conflicts";
  if (view.rules && view.rules !== rules) { rules = view.rules; loadRules(); }
  if (view.posteriors && view.posteriors !== posteriors) { posteriors = view.posteriors; loadDoubtful(); }
}

function renderCost(cost) {
  const money = (amount) => new Intl.NumberFormat("en", { style: "currency", currency: cost.currency }).format(amount);
  const hasMoney = cost.money > 0 || cost.money_budget !== null;
  $("cost").textContent = hasMoney ? money(cost.money) : `${number.format(cost.votes)} votes`;
  const bounds = [];
  if (cost.money_budget !== null) bounds.push(`of ${money(cost.money_budget)}`);
  if (cost.votes_budget !== null) bounds.push(`${number.format(cost.votes)} of ${number.format(cost.votes_budget)} votes`);
  $("cost-more").textContent = [...bounds, `${cost.cpu_seconds.toFixed(0)} s of CPU`].join(" · ");
}

function renderAgreement(agreement) {
  const has = (name) => agreement[name] !== undefined;
  $("agreement").textContent = has("alpha") ? agreement.alpha.toFixed(2) : "–";
  $("agreement-more").textContent = has("alpha")
    ? `Krippendorff's alpha${has("ac1") ? ` · AC1 ${agreement.ac1.toFixed(2)}` : ""}`
    : "needs two people on some items";
}

function renderCurve(curve) {
  const { kind, points } = curve;
  const isMeasured = kind === "accuracy";
  $("curve-title").textContent = kind === "stability" ? "How alike two rounds' models answer (no gold: accuracy is not known)" : "Accuracy over votes";
  $("curve-empty").hidden = points.length > 0;
  $("curve").toggleAttribute("hidden", !points.length);
  $("curve-details").hidden = !points.length;
  if (!points.length) return;
  $("curve-column").textContent = isMeasured ? "Right on gate gold" : "Kappa";
  drawCurve(points, { isMeasured });
  const rows = points.map((point) => {
    const interval = point.low === undefined ? "" : `${percent(point.low)} to ${percent(point.high)}`;
    return [point.round, number.format(point.votes), isMeasured ? percent(point.value) : point.value.toFixed(2), interval];
  });
  fillRows($("curve-rows"), rows);
}

function drawCurve(points, { isMeasured }) {
  const svg = $("curve");
  svg.replaceChildren();
  const box = { left: 56, right: 620, top: 16, bottom: 240 };
  const add = (name, attributes, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    svg.append(element);
  };
  const lowest = Math.min(...points.map((point) => point.low ?? point.value));
  const floor = Math.max(0, Math.floor(lowest * 10) / 10);
  const most = Math.max(...points.map((point) => point.votes), 1);
  const x = (votes) => box.left + (box.right - box.left) * (votes / most);
  const y = (value) => box.bottom - (box.bottom - box.top) * ((value - floor) / (1 - floor || 1));
  const words = points.map((point) => `${point.votes} votes: ${isMeasured ? percent(point.value) : point.value.toFixed(2)}`).join("; ");
  add("desc", {}, words);
  for (const share of [floor, (1 + floor) / 2, 1]) {
    add("line", { class: "axis", x1: box.left, x2: box.right, y1: y(share), y2: y(share) });
    add("text", { class: "label", x: box.left - 8, y: y(share) + 4, "text-anchor": "end" }, isMeasured ? percent(share, 0) : share.toFixed(2));
  }
  add("text", { class: "label", x: box.left, y: box.bottom + 24 }, "0 votes");
  add("text", { class: "label", x: box.right, y: box.bottom + 24, "text-anchor": "end" }, `${number.format(most)} votes`);
  if (isMeasured) {
    const upper = points.map((point) => `${x(point.votes)},${y(point.high)}`);
    const lower = points.map((point) => `${x(point.votes)},${y(point.low)}`).reverse();
    add("polygon", { class: "band", points: [...upper, ...lower].join(" ") });
    for (const point of points) add("line", { class: "whisker", x1: x(point.votes), x2: x(point.votes), y1: y(point.low), y2: y(point.high) });
  }
  add("polyline", { class: "line", points: points.map((point) => `${x(point.votes)},${y(point.value)}`).join(" ") });
  for (const point of points) add("circle", { class: "dot", cx: x(point.votes), cy: y(point.value), r: 4.5 });
}

function renderPeople(people) {
  const seen = people.filter((person) => person.votes || person.skips);
  $("people-empty").hidden = seen.length > 0;
  $("people-table").hidden = !seen.length;
  fillRows($("people"), seen.map((person) => [
    person.name, number.format(person.votes), number.format(person.skips),
    person.seconds_per_vote ? person.seconds_per_vote.toFixed(1) : "–",
    person.agreement === null ? "–" : `${percent(person.agreement, 0)} of ${person.gold_answered}`,
    person.last_seen ? ago(person.last_seen) : "–",
  ]));
}

function ago(time) {
  const seconds = Math.max(0, (Date.now() - Date.parse(time)) / 1000);
  if (seconds < 90) return "now";
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

// Nothing is ever entirely sure.
function sure(confidence) { return confidence > 0.999 ? "more than 99.9 % sure" : `${percent(confidence)} sure`; }

function fillRows(body, rows) {
  body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    cells.forEach((text, place) => {
      const cell = document.createElement(place ? "td" : "th");
      if (!place) cell.scope = "row";
      cell.textContent = text;
      row.append(cell);
    });
    return row;
  }));
}

async function loadDoubtful() {
  const { items } = await get("doubtful").catch(() => ({}));
  if (!items) { posteriors = ""; return; }
  $("doubtful-empty").hidden = items.length > 0;
  $("doubtful").replaceChildren(...items.map((item) => {
    const card = document.createElement("li");
    const shown = document.createElement(item.image ? "img" : "p");
    if (item.image) { shown.src = item.image; shown.alt = `Item ${item.item}`; shown.loading = "lazy"; }
    else { shown.className = "excerpt"; shown.textContent = item.text.slice(0, 240); }
    const what = document.createElement("p");
    what.className = "what";
    what.textContent = `${item.answer}, ${sure(item.confidence)}; ${Math.round(item.agreement * item.votes)} of ${item.votes} say so · ${item.item}`;
    card.append(shown, what);
    return card;
  }));
}

async function loadRules() {
  const found = (await get("rules", `/api/v1/jobs/${config.path}`).catch(() => ({}))).rules;
  if (!found) { rules = ""; return; }
  $("rules-panel").hidden = !found.length;
  const share = (value, digits = 1) => (value === null ? "–" : percent(value, digits));
  fillRows($("rules"), found.map((rule) => [
    rule.name, rule.source === "rules" ? "rule" : "knowledge base", share(rule.coverage), share(rule.overlap), share(rule.conflict),
    share(rule.estimated_accuracy), rule.measured_accuracy === null ? "–" : `${share(rule.measured_accuracy, 0)} of ${rule.gold_hits}`,
  ]));
}

async function loadComments() {
  const found = (await get("comments").catch(() => ({}))).comments;
  if (!found) return; // away: the next look may find them
  $("comments-empty").hidden = found.length > 0;
  $("comments").replaceChildren(...found.map((comment) => {
    const row = document.createElement("li");
    const who = document.createElement("p");
    who.className = "muted";
    who.textContent = `${comment.name} on ${comment.item}, ${ago(comment.time)}`;
    const text = document.createElement("p");
    text.textContent = comment.text;
    row.append(who, text);
    return row;
  }));
}

async function get(what, from = api) {
  const response = await fetch(`${from}/${what}`);
  if (!response.ok) throw new Error(`${what}: ${response.status}`);
  return response.json();
}

function listen() {
  const events = new EventSource(`${api}/events`);
  events.onmessage = (event) => {
    $("alert").hidden = true;
    const view = JSON.parse(event.data);
    render(view);
    if (view.state !== "running") events.close(); // the run ends, and its server with it
  };
  events.onerror = () => {
    $("alert").textContent = "No connection. The page tries again by itself.";
    $("alert").hidden = false;
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  };
}

listen();
loadComments();
setInterval(loadComments, 5000);
