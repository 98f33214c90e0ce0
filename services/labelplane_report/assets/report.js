// Draws the page's charts. Colours come from the style sheet, so that they follow light, dark and print.
"use strict";
(() => {
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const root = document.documentElement;
  const drawn = [];

  const percent = (share) => `${Math.round(share * 1000) / 10} %`;
  const count = (value) => value.toLocaleString("en");
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const faint = (name) => `color-mix(in srgb, ${colour(name)} 16%, transparent)`;

  // The tenth below the lowest share, so that what differs near one is seen; the axis says where it begins.
  function floor(series) {
    const known = series.flatMap((line) => [...line.values, ...line.low]).filter((value) => value !== null);
    return Math.max(0, Math.floor(Math.min(1, ...known) * 10 - 0.2) / 10);
  }

  function lines(series) {
    const points = (values) => series.places.map((x, i) => ({ x, y: values[i] }));
    const line = {
      label: series.name,
      data: points(series.values),
      borderColor: colour(series.role),
      backgroundColor: colour(series.role),
      borderWidth: series.is_dashed ? 1.75 : 2.5,
      borderDash: series.is_dashed ? [6, 5] : [],
      pointRadius: series.is_dashed && series.values.length > 1 ? 0 : 3,
      pointHitRadius: 12,
      pointHoverRadius: 5,
      spanGaps: true,
    };
    const known = series.low.some((value) => value !== null);
    if (!known || series.role !== "accent") return [line];
    const edge = { borderWidth: 0, pointRadius: 0, pointHitRadius: 0, backgroundColor: faint(series.role), spanGaps: true };
    return [line, { ...edge, label: "", data: points(series.low) }, { ...edge, label: "", data: points(series.high), fill: "-1" }];
  }

  function bars(series) {
    return { label: series.name, data: series.values, backgroundColor: colour(series.role), maxBarThickness: 64, categoryPercentage: 0.92, barPercentage: 0.94 };
  }

  function axis(title, more) {
    const font = { family: getComputedStyle(document.body).fontFamily, size: 12 };
    return { title: { display: true, text: title, color: colour("muted"), font }, ticks: { color: colour("muted"), font, maxRotation: 40 }, border: { color: colour("rule") }, grid: { color: colour("grid") }, ...more };
  }

  function settings(spec) {
    const isLines = spec.kind === "lines";
    const y = axis(spec.y_title, isLines ? { min: floor(spec.series), max: 1 } : { beginAtZero: true, stacked: true });
    y.ticks = { ...y.ticks, ...(spec.is_share ? {} : { precision: 0 }), callback: spec.is_share ? percent : count };
    const x = axis(spec.x_title, isLines ? { type: "linear", beginAtZero: true } : { stacked: true, grid: { display: false } });
    if (isLines) {
      x.grid = { display: false };
      x.ticks = { ...x.ticks, callback: count };
    }
    return {
      type: isLines ? "line" : "bar",
      data: isLines ? { datasets: spec.series.flatMap(lines) } : { labels: spec.categories, datasets: spec.series.map(bars) },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        interaction: { mode: isLines ? "nearest" : "index", intersect: false },
        scales: { x, y },
        plugins: {
          legend: { display: false },
          tooltip: {
            backgroundColor: colour("ink"),
            titleColor: colour("paper"),
            bodyColor: colour("paper"),
            padding: 10,
            filter: (item) => item.dataset.label !== "",
            callbacks: {
              title: (items) => (items.length && isLines ? `${count(items[0].parsed.x)} votes` : items[0] && items[0].label),
              label: (item) => `${item.dataset.label}: ${spec.is_share ? percent(item.parsed.y) : count(item.parsed.y)}`,
            },
          },
        },
      },
    };
  }

  function draw() {
    while (drawn.length) drawn.pop().destroy();
    for (const spec of specs) drawn.push(new Chart(document.getElementById(spec.id), settings(spec)));
  }

  const opened = [];
  window.addEventListener("beforeprint", () => {
    root.setAttribute("data-print", "");
    for (const part of document.querySelectorAll("details:not([open])")) {
      part.open = true;
      opened.push(part);
    }
    draw();
  });
  window.addEventListener("afterprint", () => {
    root.removeAttribute("data-print");
    while (opened.length) opened.pop().open = false;
    draw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
  document.getElementById("undrawn").hidden = true;
})();
