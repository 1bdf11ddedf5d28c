"use strict";
// Draws timelines: drag or arrow keys to move, Ctrl and the wheel or + and - to zoom, hover or n and p for names.

(() => {
  const ROW = 17, HEAD = 18, LEAST_US = 0.05, STEP = 1.3;
  const COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8c8c8c", "#882255", "#999933"];
  const DARK = new Set([0, 5, 7]);
  const HELP = "drag or ←/→ moves, Ctrl+wheel or +/− zooms, 0 shows all, n and p go to the next and the one before";

  const make = (tag, words, style) => {
    const made = document.createElement(tag);
    made.textContent = words || "";
    Object.assign(made.style, style || {});
    return made;
  };

  // Depth of each interval within its track: those under way as it begins stand above it.
  const laidOut = (data) => {
    const boxes = [], heads = [];
    let row = 0;
    for (const track of data.tracks) {
      heads.push({ name: track.name, row });
      const ends = [];
      let deepest = 0;
      for (const [start, duration, name, category] of track.intervals) {
        let depth = ends.length;
        while (depth > 0 && ends[depth - 1] <= start) depth -= 1;
        ends.length = depth;
        ends.push(start + duration);
        deepest = Math.max(deepest, depth + 1);
        boxes.push({ start, end: start + duration, name: data.names[name], category, row: row + 1 + depth });
      }
      row += deepest + 1;
    }
    return { boxes, heads, rows: row };
  };

  const inUnit = (us) => {
    if (us >= 1e6) return `${(us / 1e6).toPrecision(4)} s`;
    return us >= 1e3 ? `${(us / 1e3).toPrecision(4)} ms` : `${us.toPrecision(4)} µs`;
  };

  const draw = (figure) => {
    const data = JSON.parse(figure.querySelector("script").textContent);
    const { boxes, heads, rows } = laidOut(data);
    const whole = [0, boxes.reduce((most, box) => Math.max(most, box.end), LEAST_US)];
    let [from, to] = whole;
    let chosen = null, wanted = "", waiting = false;

    const tools = make("div", "", { display: "flex", flexWrap: "wrap", gap: "0.75rem", fontSize: "0.85rem" });
    const find = make("input");
    find.type = "search";
    find.placeholder = "highlight a name";
    find.setAttribute("aria-label", "highlight a name in the timeline");
    tools.append(find);
    data.categories.forEach((category, index) => {
      const entry = make("span");
      const mark = make("span", "", {
        display: "inline-block", width: "0.8em", height: "0.8em", marginRight: "0.3em",
        background: COLOURS[index % COLOURS.length],
      });
      entry.append(mark, category);
      tools.append(entry);
    });
    const view = make("div", "", { maxHeight: "32rem", overflowY: "auto", border: "1px solid var(--grid)" });
    view.tabIndex = 0;
    view.setAttribute("role", "application");
    view.setAttribute("aria-label", `Timeline: ${HELP}`);
    const canvas = make("canvas", "", { display: "block", width: "100%", height: `${HEAD + rows * ROW}px` });
    view.append(canvas);
    const status = make("div", "", { fontSize: "0.85rem", minHeight: "1.5em", overflowWrap: "anywhere" });
    status.setAttribute("role", "status");
    const help = make("div", HELP, { fontSize: "0.8rem" });
    figure.append(tools, view, status, help);
    const pen = canvas.getContext("2d");

    const say = () => {
      status.textContent = chosen
        ? `${chosen.name} (${data.categories[chosen.category]}): ${inUnit(chosen.end - chosen.start)}, ` +
          `from ${inUnit(chosen.start)}`
        : "";
    };

    const paint = () => {
      waiting = false;
      if (!canvas.clientWidth) return;
      const width = canvas.clientWidth, height = HEAD + rows * ROW, sharp = window.devicePixelRatio || 1;
      canvas.width = Math.round(width * sharp);
      canvas.height = Math.min(Math.round(height * sharp), 16000);
      pen.setTransform(sharp, 0, 0, canvas.height / height, 0, 0);
      const style = getComputedStyle(figure), ink = style.color, scale = width / (to - from);
      pen.font = "11px system-ui, sans-serif";
      pen.textBaseline = "middle";
      pen.fillStyle = ink;
      for (let tick = 0; tick <= 4; tick += 1) {
        pen.textAlign = tick === 0 ? "left" : tick === 4 ? "right" : "center";
        pen.fillText(inUnit(from + ((to - from) * tick) / 4), (width * tick) / 4, HEAD / 2);
      }
      pen.textAlign = "left";
      for (const head of heads) pen.fillText(head.name, 4, HEAD + head.row * ROW + ROW / 2);
      const last = new Map();
      for (const box of boxes) {
        if (box.end < from || box.start > to) continue;
        const left = Math.max(0, (box.start - from) * scale), right = Math.min(width, (box.end - from) * scale);
        if (right < (last.get(box.row) ?? -1) + 0.3 && box !== chosen) continue; // nobody could see it
        last.set(box.row, Math.max(right, left + 0.7));
        const top = HEAD + box.row * ROW, wide = Math.max(right - left, 0.7);
        pen.globalAlpha = wanted && !box.name.toLowerCase().includes(wanted) ? 0.15 : 1;
        pen.fillStyle = COLOURS[box.category % COLOURS.length];
        pen.fillRect(left, top, wide, ROW - 2);
        if (wide > 24) {
          pen.save();
          pen.beginPath();
          pen.rect(left, top, wide - 2, ROW - 2);
          pen.clip();
          pen.fillStyle = DARK.has(box.category % COLOURS.length) ? "#fff" : "#000";
          pen.fillText(box.name, left + 3, top + ROW / 2 - 1);
          pen.restore();
        }
        if (box === chosen) {
          pen.strokeStyle = ink;
          pen.lineWidth = 2;
          pen.strokeRect(left, top, wide, ROW - 2);
        }
      }
      pen.globalAlpha = 1;
    };
    const repaint = () => {
      if (!waiting) requestAnimationFrame(paint);
      waiting = true;
    };

    const show = (start, end) => {
      const wide = Math.min(Math.max(end - start, LEAST_US), whole[1] - whole[0]);
      from = Math.min(Math.max(start, whole[0]), whole[1] - wide);
      to = from + wide;
      repaint();
    };
    const zoom = (factor, at) => show(at - (at - from) * factor, at + (to - at) * factor);
    const move = (share) => show(from + (to - from) * share, to + (to - from) * share);
    const choose = (box) => {
      chosen = box;
      say();
      repaint();
    };
    const go = (by) => {
      if (!boxes.length) return;
      const ordered = boxes.filter((box) => !wanted || box.name.toLowerCase().includes(wanted));
      if (!ordered.length) return;
      const at = ordered.indexOf(chosen);
      const next = ordered[at < 0 ? 0 : (at + by + ordered.length) % ordered.length];
      if (next.end < from || next.start > to) show(next.start - (to - from) / 2, next.start + (to - from) / 2);
      const top = HEAD + next.row * ROW;
      if (top < view.scrollTop || top + ROW > view.scrollTop + view.clientHeight) view.scrollTop = top - ROW * 2;
      choose(next);
    };
    const momentAt = (event) => from + ((event.clientX - canvas.getBoundingClientRect().left) / canvas.clientWidth) * (to - from);
    const boxAt = (event) => {
      const row = Math.floor((event.clientY - canvas.getBoundingClientRect().top - HEAD) / ROW), moment = momentAt(event);
      const slack = (1.5 * (to - from)) / canvas.clientWidth;
      return boxes.find((box) => box.row === row && box.start - slack <= moment && moment <= box.end + slack) || null;
    };

    const KEYS = {
      ArrowLeft: () => move(-0.2), ArrowRight: () => move(0.2), a: () => move(-0.2), d: () => move(0.2),
      "+": () => zoom(1 / STEP, (from + to) / 2), "=": () => zoom(1 / STEP, (from + to) / 2),
      w: () => zoom(1 / STEP, (from + to) / 2), "-": () => zoom(STEP, (from + to) / 2),
      s: () => zoom(STEP, (from + to) / 2), 0: () => show(...whole), n: () => go(1), p: () => go(-1),
    };
    view.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
      event.preventDefault();
      KEYS[event.key]();
    });
    view.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(event.deltaY > 0 ? STEP : 1 / STEP, momentAt(event));
    }, { passive: false });
    let held = null;
    canvas.addEventListener("pointerdown", (event) => {
      held = { x: event.clientX, from, to };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (held) {
        const by = ((event.clientX - held.x) / canvas.clientWidth) * (held.to - held.from);
        show(held.from - by, held.to - by);
      } else {
        const box = boxAt(event);
        canvas.title = box ? `${box.name}: ${inUnit(box.end - box.start)}` : "";
        if (box && box !== chosen) choose(box);
      }
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { held = null; });
    canvas.addEventListener("dblclick", (event) => {
      const box = boxAt(event);
      if (box) show(box.start - (box.end - box.start) * 0.1, box.end + (box.end - box.start) * 0.1);
    });
    find.addEventListener("input", () => {
      wanted = find.value.trim().toLowerCase();
      repaint();
    });
    new ResizeObserver(repaint).observe(view);
    new MutationObserver(repaint).observe(document.documentElement, { attributes: true });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  };

  for (const figure of document.querySelectorAll("figure.timeline")) draw(figure);
})();
