// The explorer: every run of an experiment as a point, loss over learning rate, one panel per arm.
// Plain SVG; no library, no network. Data: the JSON blocks that lrtransfer.study.report.explorer writes.
"use strict";
(() => {
  const NS = "http://www.w3.org/2000/svg";
  const W = 640, H = 300, LEFT = 56, RIGHT = 14, TOP = 30, BOTTOM = 40;

  const make = (name, attributes, parent) => {
    const element = document.createElementNS(NS, name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (parent) parent.appendChild(element);
    return element;
  };
  const text = (content, attributes, parent) => {
    const element = make("text", attributes, parent);
    element.textContent = content;
    return element;
  };
  const short = (value) => String(Number(value.toPrecision(3)));

  function ticks(low, high, wanted) {
    const step = Math.max(1, Math.ceil((high - low) / wanted));
    const found = [];
    for (let v = Math.ceil(low); v <= high; v += step) found.push(v);
    return found;
  }

  function merged(common, own) {
    const out = JSON.parse(JSON.stringify(common));
    for (const path in own) {
      const names = path.split("/");
      let at = out;
      for (const name of names.slice(0, -1)) at = at[name] = at[name] || {};
      at[names[names.length - 1]] = own[path];
    }
    return out;
  }

  function panel(figure, data, arm, state) {
    const runs = data.runs.filter((run) => run[0] === arm && state.sizes.has(run[1]));
    const svg = make("svg", {
      viewBox: `0 0 ${W} ${H}`, role: "application", tabindex: "0",
      "aria-label": `${data.arms[arm].label}: ${runs.length} runs; arrow keys move between runs`,
    }, figure);
    text(data.arms[arm].label, { x: LEFT, y: 18, class: "title" }, svg);
    const ok = runs.filter((run) => run[5] !== null);
    if (!ok.length) {
      text("no finished run", { x: W / 2, y: H / 2, "text-anchor": "middle" }, svg);
      return;
    }
    const xs = runs.map((run) => run[4]), ys = ok.map((run) => Math.log2(run[5]));
    const x0 = Math.min(...xs) - 0.4, x1 = Math.max(...xs) + 0.4;
    const y0 = Math.min(...ys) - 0.15, y1 = Math.max(...ys) + 0.15;
    const X = (v) => LEFT + (v - x0) / (x1 - x0) * (W - LEFT - RIGHT);
    const Y = (v) => H - BOTTOM - (v - y0) / (y1 - y0) * (H - TOP - BOTTOM);
    for (const v of ticks(x0, x1, 9)) {
      make("line", { x1: X(v), x2: X(v), y1: TOP, y2: H - BOTTOM, class: "grid" }, svg);
      text("2^" + v, { x: X(v), y: H - BOTTOM + 15, "text-anchor": "middle" }, svg);
    }
    for (const v of ticks(y0, y1, 6)) {
      make("line", { x1: LEFT, x2: W - RIGHT, y1: Y(v), y2: Y(v), class: "grid" }, svg);
      text(short(2 ** v), { x: LEFT - 6, y: Y(v) + 4, "text-anchor": "end" }, svg);
    }
    text("learning rate η₀ of the run", { x: W / 2, y: H - 6, "text-anchor": "middle" }, svg);
    for (const size of data.sizes.filter((s) => state.sizes.has(s))) {
      const rates = new Map();
      for (const run of ok.filter((r) => r[1] === size)) {
        if (!rates.has(run[4])) rates.set(run[4], []);
        rates.get(run[4]).push(Math.log2(run[5]));
      }
      const line = [...rates].sort((a, b) => a[0] - b[0]).map(([rate, values]) =>
        `${X(rate)},${Y(values.reduce((a, b) => a + b, 0) / values.length)}`).join(" ");
      make("polyline", { points: line, fill: "none", stroke: data.colors[size], "stroke-width": 2 }, svg);
    }
    const ordered = [...runs].sort((a, b) => a[1] - b[1] || a[4] - b[4] || a[3] - b[3]);
    const marks = ordered.map((run) => {
      const color = data.colors[run[1]];
      const mark = run[5] === null
        ? text("×", { x: X(run[4]), y: TOP + 6, "text-anchor": "middle" }, svg)
        : make("circle", { cx: X(run[4]), cy: Y(Math.log2(run[5])), r: 4 }, svg);
      mark.setAttribute("class", "run");
      mark.style.fill = color;
      return mark;
    });
    let current = -1;
    const show = (index) => {
      if (current >= 0) marks[current].classList.remove("current");
      current = index;
      marks[current].classList.add("current");
      const run = ordered[index], about = data.arms[arm];
      const loss = run[5] === null ? "diverged" : `loss ${short(run[5])}`;
      state.said.textContent = `${about.label}, ${data.axis} ${run[1]}, ${data.other} ${run[2]}, ` +
        `seed ${run[3]}, η₀ = 2^${short(run[4])} = ${short(2 ** run[4])}: ${loss}, ` +
        `run ${run[6]}`;
      state.config.textContent = JSON.stringify(merged(about.config, run[7]), null, 1);
    };
    marks.forEach((mark, index) => {
      mark.addEventListener("pointerenter", () => show(index));
      mark.addEventListener("click", () => show(index));
    });
    svg.addEventListener("focus", () => { if (current < 0) show(0); });
    svg.addEventListener("keydown", (event) => {
      const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const to = event.key === "Home" ? 0 : event.key === "End" ? marks.length - 1
        : move ? Math.min(Math.max(current + move, 0), marks.length - 1) : null;
      if (to === null) return;
      event.preventDefault();
      show(to);
    });
  }

  function boxes(parent, title, names, chosen, redraw) {
    const set = document.createElement("fieldset");
    set.innerHTML = "<legend></legend>";
    set.firstChild.textContent = title;
    for (const [value, label, color] of names) {
      const line = document.createElement("label"), box = document.createElement("input");
      box.type = "checkbox";
      box.checked = chosen.has(value);
      box.addEventListener("change", () => {
        if (box.checked) chosen.add(value); else chosen.delete(value);
        redraw();
      });
      line.append(box, " " + label);
      if (color) {
        const mark = document.createElement("span");
        mark.className = "swatch";
        mark.style.background = color;
        line.append(mark);
      }
      set.append(line);
    }
    parent.append(set);
  }

  for (const figure of document.querySelectorAll("[data-explorer]")) {
    const data = JSON.parse(document.getElementById(figure.dataset.explorer).textContent);
    const all = Object.keys(data.arms);
    const state = {
      arms: new Set(all.slice(0, 2)), sizes: new Set(data.sizes),
      said: figure.querySelector(".said"), config: figure.querySelector(".config"),
    };
    const controls = figure.querySelector(".controls"), panels = figure.querySelector(".panels");
    const redraw = () => {
      panels.replaceChildren();
      for (const arm of all) if (state.arms.has(arm)) panel(panels, data, arm, state);
    };
    boxes(controls, "Arms", all.map((arm) => [arm, data.arms[arm].label]), state.arms, redraw);
    boxes(controls, data.axis, data.sizes.map((s) => [s, String(s), data.colors[s]]), state.sizes, redraw);
    redraw();
    figure.hidden = false;
  }

  const ledger = document.getElementById("ledger-table");
  const filter = document.getElementById("ledger-filter");
  if (ledger && filter) {
    const rows = [...ledger.tBodies[0].rows], said = filter.querySelector("output");
    const apply = () => {
      const wanted = new Set([...filter.querySelectorAll("input[type=checkbox]:checked")].map((b) => b.value));
      const words = filter.querySelector("input[type=search]").value.toLowerCase();
      let count = 0;
      for (const row of rows) {
        row.hidden = !(wanted.has(row.dataset.verdict) && row.textContent.toLowerCase().includes(words));
        if (!row.hidden) count += 1;
      }
      said.textContent = `${count} of ${rows.length} shown`;
    };
    filter.addEventListener("input", apply);
    filter.addEventListener("submit", (event) => event.preventDefault());
    filter.hidden = false;
    apply();
  }
})();
