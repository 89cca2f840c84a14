// Charts and ledger of the report. Charts are Vega-Lite; their data: lrtransfer.study.report.charts.
"use strict";
(() => {
  const narrow = () => window.innerWidth < 720;

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
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

  // On a phone a finger needs rows of ten pixels, and names beside them leave no room for the plot.
  function fitted(spec) {
    const { rows, step } = spec.usermeta;
    if (!rows || !narrow()) return spec;
    spec.height = Math.round(rows * Math.max(10, step));
    for (const { encoding } of spec.layer) if (encoding.y) encoding.y.axis = null;
    return spec;
  }

  async function chart(figure) {
    const choices = await unpacked(figure.dataset.chart), names = Object.keys(choices);
    const plot = figure.querySelector(".plot"), said = figure.querySelector(".said");
    const settings = figure.querySelector(".config"), select = figure.querySelector("select");
    let view = null, about = null, items = [], current = -1;

    const show = (datum) => {
      current = datum.n;
      view.signal("current", current).run();
      said.replaceChildren();
      const facts = about.shown.map(([name, title]) => [title, datum[name]]).filter((f) => f[1] != null && f[1] !== "");
      for (const [title, value] of facts) {
        const fact = document.createElement("span");
        const word = document.createElement(title === "repeat" ? "code" : "b");
        word.textContent = value;
        fact.append(`${title} `, word);
        said.append(fact);
      }
      if (datum.at) {
        const link = document.createElement("a");
        link.href = datum.at;
        link.textContent = "in the ledger";
        said.append(link);
      }
      if (settings) settings.textContent = JSON.stringify(merged(about.config, datum.own), null, 1);
    };
    const draw = async () => {
      const spec = fitted(choices[select.value]);
      about = spec.usermeta;
      items = spec.data.values.filter((row) => row[about.shown[0][0]] != null);
      current = -1;
      const config = { legend: { columns: narrow() ? 3 : 5 } };
      const options = { ast: true, actions: false, renderer: "svg", config };
      if (view) view.finalize();
      view = (await vegaEmbed(plot, spec, options)).view;
      const tell = (event, item) => {
        if (item && item.datum && item.datum.n != null) show(item.datum);
      };
      view.addEventListener("click", tell);
      view.addEventListener("pointerover", tell);
      plot.setAttribute("aria-label", `${items.length} marks; arrow keys move between them`);
      figure.dataset.drawn = select.value;
    };
    plot.addEventListener("keydown", (event) => {
      const at = items.findIndex((row) => row.n === current);
      const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const to = event.key === "Home" ? 0 : event.key === "End" ? items.length - 1
        : move ? Math.min(Math.max(at + move, 0), items.length - 1) : null;
      if (to === null || !items.length) return;
      event.preventDefault();
      show(items[to]);
    });
    select.replaceChildren(...names.map((name) => new Option(name)));
    select.parentElement.hidden = names.length < 2;
    select.addEventListener("change", draw);
    figure.hidden = false;
    await draw();
  }

  // The first screen's at once, those further down as they come near: a phone draws what is read.
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) {
      near.unobserve(entry.target);
      chart(entry.target.querySelector("figure"));
    }
  }, { rootMargin: "800px" });
  for (const place of document.querySelectorAll(".chart-place")) near.observe(place);

  // What is linked to, or printed, is unfolded.
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    if (target) target.scrollIntoView();
  };
  window.addEventListener("hashchange", reveal);
  reveal();
  window.addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details.printed")) fold.open = true;
  });

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
