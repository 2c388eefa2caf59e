// The page's script: sorts and filters tables, makes charts show exact figures, and keeps the choice in the
// address. Without it, the page shows every figure. The address is #section;units=base;libraries=a,b;
// groups=c;variants=d;sort=table:column:direction, where libraries, groups and variants are the hidden ones.
"use strict";
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const filters = { libraries: "library", groups: "group", variants: "variant" };
  const start = () => ({ section: "", units: "best", libraries: [], groups: [], variants: [], sort: [] });
  const views = new Map(); // key of a chart -> its Vega view
  let state = start();

  // --- the address

  function read() {
    const [section, ...parts] = location.hash.slice(1).split(";");
    const found = { ...start(), section: decode(section) };
    for (const part of parts) {
      const [name, value = ""] = part.split("=");
      const words = value.split(",").filter(Boolean).map(decode);
      if (name === "units" && document.getElementById(`units-${words[0]}`)) found.units = words[0];
      else if (name in filters || name === "sort") found[name] = words;
    }
    return found;
  }

  function decode(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return ""; // an address that was cut off: the page shows everything
    }
  }

  function write() {
    const parts = [encodeURIComponent(state.section)];
    if (state.units !== "best") parts.push(`units=${state.units}`);
    for (const name of [...Object.keys(filters), "sort"]) {
      if (state[name].length) parts.push(`${name}=${state[name].map(encodeURIComponent).join(",")}`);
    }
    const hash = parts.join(";");
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }

  // --- what is shown

  function apply() {
    const radio = document.getElementById(`units-${state.units}`);
    if (radio) radio.checked = true;
    for (const [name, attribute] of Object.entries(filters)) {
      for (const box of all(`[data-filter="${name}"] input`)) box.checked = !state[name].includes(box.value);
      for (const part of all(`[data-${attribute}]`)) {
        part.hidden = state[name].includes(part.dataset[attribute]);
      }
    }
    hideColumns();
    for (const word of state.sort) {
      const [key, column, direction] = word.split(":");
      const table = document.getElementById(key);
      if (table) sort(table, Number(column), direction === "descending");
    }
    for (const view of views.values()) update(view);
    cues();
  }

  // Tables with a column for each variant or library: hide the fields below a hidden heading.
  function hideColumns() {
    for (const table of all("table.turned, table.heat")) {
      const heads = [...table.tHead.rows[0].cells];
      for (const row of table.tBodies[0].rows) {
        [...row.cells].forEach((cell, index) => { cell.hidden = heads[index].hidden; });
      }
    }
  }

  function update(view) {
    const known = view.getState({ signals: () => true, data: () => false }).signals;
    for (const name of ["units", ...Object.keys(filters)]) if (name in known) view.signal(name, state[name]);
    view.runAsync();
  }

  // --- sorting

  function addButtons() {
    for (const table of all("table.sortable")) {
      [...table.tHead.rows[0].cells].forEach((head, column) => {
        const button = document.createElement("button");
        button.type = "button";
        button.append(...head.childNodes);
        button.title = "sort by this column";
        head.append(button);
        head.setAttribute("aria-sort", "none");
        button.addEventListener("click", () => {
          const falling = head.getAttribute("aria-sort") !== "descending";
          const word = `${table.id}:${column}:${falling ? "descending" : "ascending"}`;
          state.sort = [...state.sort.filter((one) => !one.startsWith(`${table.id}:`)), word];
          sort(table, column, falling);
          write();
        });
      });
    }
  }

  function sort(table, column, falling) {
    const heads = [...table.tHead.rows[0].cells];
    if (!heads[column]) return;
    heads.forEach((head) => head.setAttribute("aria-sort", "none"));
    heads[column].setAttribute("aria-sort", falling ? "descending" : "ascending");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => [value(row.cells[column]), row]);
    keyed.sort(([a], [b]) => compare(a, b, falling));
    body.append(...keyed.map(([, row]) => row));
  }

  // The figure of a field: of several units, the one that is shown. A text without a figure sorts as text.
  function value(cell) {
    const shown = cell.querySelector(`span.${state.units}`) || cell.firstChild;
    const text = (shown ? shown.textContent : "").trim();
    const figure = Number.parseFloat(text.replaceAll(",", ""));
    return Number.isNaN(figure) || /^[a-z]/i.test(text) ? text : figure;
  }

  // Figures come before words, and missing figures last, in both directions.
  function compare(a, b, falling) {
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    const order = typeof a === "number" ? a - b : a.localeCompare(b);
    return falling ? -order : order;
  }

  // --- charts

  function watchCharts() {
    const text = document.getElementById("specs");
    if (!text || typeof vegaEmbed !== "function") return;
    const specs = JSON.parse(text.textContent);
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        draw(entry.target, specs[entry.target.dataset.chart]);
      }
    }, { rootMargin: "200px" });
    all("[data-chart]").forEach((figure) => seen.observe(figure));
  }

  // Vega's interpreter evaluates no text as code.
  async function draw(figure, spec) {
    const place = document.createElement("div");
    const made = await vegaEmbed(place, spec, { renderer: "svg", actions: false, ast: true, logLevel: 1 });
    const drawn = place.querySelector("svg");
    const plot = figure.querySelector(".plot");
    const still = plot.querySelector("svg");
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", still.getAttribute("aria-label"));
    drawn.setAttribute("aria-hidden", "true"); // it is one picture; the tables have its figures
    plot.replaceChildren(place);
    figure.classList.add("live");
    views.set(figure.dataset.chart, made.view);
    if (typeof spec.width === "number") {
      const least = (spec.usermeta && spec.usermeta.least) || 170;
      made.view.usual = { width: spec.width, least, beside: drawn.clientWidth - spec.width };
    }
    fit(figure, made.view);
    update(made.view);
    cues();
  }

  // On a narrow screen, a chart with a width of its own becomes as narrow as can still be read.
  function fit(figure, view) {
    if (!view.usual) return;
    const room = figure.querySelector(".plot").clientWidth - view.usual.beside;
    view.width(Math.min(view.usual.width, Math.max(view.usual.least, room)));
  }

  function resized() {
    for (const [key, view] of views) {
      fit(document.getElementById(key), view);
      view.runAsync().then(cues);
    }
    cues();
  }

  // --- cues

  function cues() {
    for (const box of all(".wide, .plot")) {
      let note = box.previousElementSibling;
      if (!note || !note.classList.contains("more-note")) {
        note = document.createElement("p");
        note.className = "more-note";
        note.textContent = "more to the right: scroll sideways →";
        box.before(note);
      }
      note.classList.toggle("on", box.scrollWidth > box.clientWidth + 1);
    }
  }

  // --- links to a section

  function reveal(key) {
    const target = key && document.getElementById(key);
    if (!target) return;
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    (target.closest("details") || target).scrollIntoView();
  }

  function begin() {
    document.documentElement.classList.add("script");
    addButtons();
    state = read();
    apply();
    reveal(state.section);
    watchCharts();
    all('input[name="units"]').forEach((radio) => radio.addEventListener("change", () => choose("units", radio.value)));
    for (const name of Object.keys(filters)) {
      all(`[data-filter="${name}"] input`).forEach((box) => box.addEventListener("change", () => {
        const others = state[name].filter((one) => one !== box.value);
        choose(name, box.checked ? others : [...others, box.value]);
      }));
    }
    all("button.reset").forEach((button) => button.addEventListener("click", () => {
      state = { ...start(), section: state.section };
      apply();
      write();
    }));
    all('nav a[href^="#"]').forEach((link) => link.addEventListener("click", (event) => {
      event.preventDefault();
      state.section = link.hash.slice(1);
      write();
      reveal(state.section);
    }));
    all("form").forEach((form) => form.addEventListener("submit", (event) => event.preventDefault()));
    all("details").forEach((part) => part.addEventListener("toggle", cues));
    window.addEventListener("hashchange", () => { state = read(); apply(); reveal(state.section); });
    window.addEventListener("resize", resized);
  }

  function choose(name, chosen) {
    state[name] = chosen;
    apply();
    write();
  }

  begin();
})();
