// The audit log of one job, a page at a time. Everything that comes from data or people is set as text.

const PAGE = 50;
const $ = (id) => document.getElementById(id);
const config = JSON.parse($("config").textContent);
let before = 0;

const WORDS = {
  skip: () => "skipped", unskip: () => "took a skip back", "send-back": () => "sent back",
  accept: (deed) => `accepted ${deed.label}`, correct: (deed) => `corrected to ${deed.label}`,
  push: (deed) => `brought ${deed.votes} ${deed.votes === 1 ? "vote" : "votes"}`,
};

async function more() {
  $("more").disabled = true;
  try {
    const response = await fetch(`/api/v1/jobs/${config.path}/audit?limit=${PAGE}&before=${before}`);
    const page = await response.json();
    if (!response.ok) throw new Error(page.error.message);
    $("alert").hidden = true;
    $("deeds").append(...page.deeds.map(row));
    before = page.deeds.at(-1)?.number ?? before;
    $("more").hidden = page.end;
    $("table").hidden = !$("deeds").rows.length;
    $("empty").textContent = $("deeds").rows.length ? "" : "Nobody has done anything yet but vote.";
  } catch (error) {
    $("alert").textContent = error instanceof TypeError ? "No connection. Try again." : error.message;
    $("alert").hidden = false;
    $("more").hidden = false;
  } finally {
    $("more").disabled = false;
  }
}

function row(deed) {
  const made = document.createElement("tr");
  const time = new Date(deed.time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
  const did = WORDS[deed.did]?.(deed) ?? deed.did;
  [deed.number, time, deed.annotator, did, deed.item, deed.note].forEach((text, place) => {
    const cell = document.createElement(place ? "td" : "th");
    if (!place) cell.scope = "row";
    cell.textContent = text;
    made.append(cell);
  });
  return made;
}

$("more").addEventListener("click", more);
more();
