"use strict";
// Adds to a page that can be read without it: sorting, filtering, hovering, zooming, copying, and the theme.

(() => {
  const LEAST_ROWS = 8;

  const make = (tag, words, className) => {
    const made = document.createElement(tag);
    made.textContent = words;
    made.className = className || "";
    if (tag === "button") made.type = "button";
    return made;
  };

  // Tables: a button in each heading sorts, a field above filters.
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
  };

  const compared = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };

  const sort = (table, column, heading) => {
    const falling = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row, column), row]);
    rows.sort(([a], [b]) => (a === "" || b === "" ? compared(a, b) : (falling ? -1 : 1) * compared(a, b)));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };

  const filter = (table, field, count) => {
    const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      const words = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => words.includes(word));
      shown += !row.hidden;
    }
    count.textContent = wanted.length ? `${shown} of ${table.tBodies[0].rows.length} rows` : "";
  };

  for (const table of document.querySelectorAll("table")) {
    const rows = table.tBodies[0].rows.length;
    if (rows < 2) continue;
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      if (heading.tagName !== "TH") return;
      const button = make("button", "");
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, column, heading));
    });
    if (rows < LEAST_ROWS) continue;
    const tools = make("div", "", "tools");
    const field = make("input", "");
    const count = make("span", "");
    field.type = "search";
    field.placeholder = "filter rows";
    field.setAttribute("aria-label", "Filter rows");
    count.setAttribute("role", "status");
    field.addEventListener("input", () => filter(table, field, count));
    tools.append(field, count);
    table.parentElement.before(tools);
  }

  // Words of a mark, beside the pointer.
  const tip = make("div", "");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  for (const title of document.querySelectorAll("svg .tip > title")) {
    title.parentElement.dataset.tip = title.textContent;
    title.remove(); // the browser would show it a second time
  }
  const place = (x, y) => {
    tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${y + 16 + tip.offsetHeight > innerHeight ? y - tip.offsetHeight - 8 : y + 16}px`;
  };
  const show = (event) => {
    const mark = event.target.closest && event.target.closest("[data-tip]");
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.dataset.tip;
    const box = mark.getBoundingClientRect();
    place(event.clientX ?? box.left, event.clientY ?? box.bottom);
  };
  document.addEventListener("pointermove", show);
  document.addEventListener("focusin", show);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });

  // Icicles: a click on a part makes it as wide as the whole; arrows move from part to part.
  const numberOf = (span, name) => Number(span.style.getPropertyValue(name));
  for (const icicle of document.querySelectorAll(".icicle")) {
    const spans = [...icicle.querySelectorAll(".span")].map((node) => ({
      node, left: numberOf(node, "--left"), width: numberOf(node, "--width"), depth: numberOf(node, "--depth"),
    }));
    const zoom = (to) => {
      for (const span of spans) {
        const left = (span.left - to.left) / to.width;
        const width = span.width / to.width;
        const above = span.depth < to.depth && left <= 1e-4 && left + width >= 1 - 1e-4;
        span.node.style.setProperty("--left", above ? 0 : left);
        span.node.style.setProperty("--width", above ? 1 : width);
        span.node.hidden = !above && (left < -1e-4 || left + width > 1 + 1e-4);
      }
    };
    const focus = (from, to) => {
      if (!to) return;
      from.node.tabIndex = -1;
      to.node.tabIndex = 0;
      to.node.focus();
    };
    const beside = (span, way) => {
      const row = spans.filter((other) => other.depth === span.depth && !other.node.hidden);
      return row[row.indexOf(span) + way];
    };
    const upper = (span) => spans.findLast((other) => other.depth === span.depth - 1 && other.left <= span.left + 1e-6);
    const lower = (span) => spans.find((other) => other.depth === span.depth + 1 && other.left >= span.left - 1e-6
      && other.left < span.left + span.width - 1e-9);
    for (const span of spans) {
      span.node.addEventListener("click", () => zoom(span));
      span.node.addEventListener("keydown", (event) => {
        const to = { ArrowLeft: () => beside(span, -1), ArrowRight: () => beside(span, 1),
          ArrowUp: () => upper(span), ArrowDown: () => lower(span) }[event.key];
        if (!to) return;
        event.preventDefault();
        focus(span, to());
      });
    }
  }

  // Trees: open and close all.
  for (const tree of document.querySelectorAll(".tree")) {
    const all = [...tree.querySelectorAll("details")];
    if (!all.length) continue;
    const tools = make("div", "", "tools");
    for (const [words, open] of [["open all", true], ["close all", false]]) {
      const button = make("button", words);
      button.addEventListener("click", () => all.forEach((one) => { one.open = open; }));
      tools.append(button);
    }
    tree.parentElement.before(tools);
  }

  // Lines to copy. A page that was opened as a file may use the clipboard too.
  for (const block of document.querySelectorAll("pre")) {
    const button = make("button", "copy", "copy");
    const code = block.querySelector("code").textContent;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(code);
      button.textContent = "copied";
    });
    block.append(button);
  }

  // The theme, and paper: printing opens what is folded.
  const theme = make("button", "dark or light", "theme");
  theme.addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark"
      || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  });
  document.querySelector("nav").append(theme);
  if (innerWidth < 1024) document.querySelector("nav details").open = false;
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("main details:not([open])")];
    folded.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));
})();
