// The list of jobs, live. Names and words come from users and are set as text.

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");

function link(href, words, quiet = "") {
  const made = document.createElement("a");
  made.href = href;
  made.textContent = words;
  if (quiet) {
    const rest = document.createElement("span");
    rest.className = "quiet";
    rest.textContent = quiet;
    made.append(rest);
  }
  return made;
}

function standing(job) {
  const parts = [job.stage];
  if (job.round !== null) parts.push(`round ${job.round}`);
  parts.push(`${number.format(job.votes)} votes`, `${number.format(job.labelled)} of ${number.format(job.items)} labelled`);
  return parts.join(" · ");
}

function row(job) {
  const made = document.createElement("li");
  const words = document.createElement("span");
  words.className = "muted";
  words.textContent = ` ${standing(job)}`;
  made.append(link(`/jobs/${job.path}`, job.name), " · ", link(`/t/${job.path}`, "label", ` items of ${job.name}`), words);
  return made;
}

function render({ jobs }) {
  const focused = document.activeElement?.getAttribute("href");
  $("jobs").replaceChildren(...jobs.map(row));
  $("none").hidden = jobs.length > 0;
  for (const each of $("jobs").querySelectorAll("a")) if (focused && each.getAttribute("href") === focused) each.focus();
}

function listen() {
  const events = new EventSource("/api/events");
  events.onmessage = (event) => {
    $("alert").hidden = true;
    render(JSON.parse(event.data));
  };
  events.onerror = () => {
    $("alert").textContent = "No connection. The page tries again by itself.";
    $("alert").hidden = false;
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  };
}

listen();
