(() => {
"use strict";
const ROW = 17, NEXT = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1};
const on = (target, kind, act) => target.addEventListener(kind, act);
const make = (tag, name, text) => {
  const made = document.createElement(tag);
  if (name) made.className = "tp-att-" + name;
  if (text !== undefined) made.textContent = text;
  if (tag === "button") made.type = "button";
  return made;
};
const list = (length, make) => Array.from({length}, (_, i) => make(i));
// The places of the three largest.
const top = own => {
  const best = [];
  own.forEach((w, k) => {
    if (!w || best.length > 2 && w <= own[best[2]]) return;
    best.push(k);
    best.sort((a, b) => own[b] - own[a]);
    best.length = Math.min(3, best.length);
  });
  return best;
};
const percent = w => (w >= 0.0995 || w === 0 ? Math.round(100 * w) : (100 * w).toFixed(w < 0.00095 ? 2 : 1)) + " %";
// The row and the column under the pointer.
const cell = (event, rows, columns) => {
  const area = event.target.getBoundingClientRect(), bound = (part, count) => Math.max(0, Math.min(count - 1, Math.floor(part * count)));
  return [bound((event.clientY - area.top) / area.height, rows), bound((event.clientX - area.left) / area.width, columns)];
};
// Small weights get more ink, to be seen at all.
const INK = list(256, byte => Math.round(255 * (byte / 255) ** 0.75));

function start(root) {
  const data = JSON.parse(root.querySelector(".tp-att-data").textContent);
  const sprite = root.querySelector(".tp-att-sprite"), panel = root.querySelector(".tp-att-one");
  const pad = document.createElement("canvas"), pen = pad.getContext("2d", {willReadFrequently: true});
  const heads = [], grid = make("div", "grid");
  let current = -1, picture;

  data.ops.forEach((op, o) => {
    const row = make("div", "row"), name = make("div", "path"), thumbs = make("div", "thumbs");
    name.title = op.path;
    name.append(make("bdi", "", op.short));
    thumbs.role = "group";
    thumbs.ariaLabel = op.path;
    op.heads.forEach((head, number) => {
      const button = make("button", "thumb" + (head.finding ? " tp-att-found" : "")), at = heads.length;
      button.style.setProperty("--role", `rgb(${head.colour})`);
      button.title = head.words + (head.finding ? "\n" + head.finding : "");
      button.ariaLabel = `${op.path}, ${button.title}${head.tile ? "" : "; its map was not kept"}`;
      button.ariaPressed = "false";
      button.tabIndex = at ? -1 : 0;
      button.append(head.tile ? make("canvas") : make("span", "none", "\u2013"));
      on(button, "click", () => current === at ? close() : open(at));
      thumbs.append(button);
      heads.push({...head, op, o, number, button});
    });
    row.append(name, thumbs);
    grid.append(row);
  });
  on(grid, "keydown", event => {
    const at = heads.findIndex(head => head.button === event.target);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = find(event.key, at);
    if (to !== undefined) {
      focus(heads[to]);
      if (current >= 0) open(to);
    } else if (event.key !== "Escape" || current < 0) return;
    else close();
    event.preventDefault();
  });
  on(panel, "keydown", event => event.key === "Escape" && close());
  // A key that is answered here is no shortcut of a notebook.
  on(root, "keydown", event => (event.defaultPrevented || event.key === "Escape") && event.stopPropagation());
  root.querySelector(".tp-att-static").hidden = true;
  root.querySelector(".tp-att-heads").append(grid);
  root.querySelector(".tp-att-help").hidden = false;
  sprite.decode().then(() => createImageBitmap(sprite)).then(paintAll, () => {
    root.querySelector(".tp-att-static").hidden = false;
    grid.remove();
  });

  function paintAll(made) {
    picture = made;
    const size = Math.round(Math.min(window.devicePixelRatio || 1, 2) * (heads[0].button.clientWidth || 34));
    for (const head of heads) if (head.tile) paint(head.button.firstChild, read(head, size, size), size, size, head.colour);
    root.dataset.on = "ready";
  }
  // A map's bytes: 255 times the square root of each weight.
  function read(head, width, height) {
    pad.width = width;
    pad.height = height;
    pen.drawImage(picture, ...head.tile, head.op.columns, head.op.rows, 0, 0, width, height);
    const pixels = pen.getImageData(0, 0, width, height).data, bytes = new Uint8Array(width * height);
    for (let i = 0; i < bytes.length; i++) bytes[i] = pixels[4 * i];
    return bytes;
  }
  function paint(canvas, bytes, width, height, [red, green, blue], causal) {
    canvas.width = width;
    canvas.height = height;
    const image = new ImageData(width, height), out = new Uint32Array(image.data.buffer);
    bytes.forEach((byte, i) => {
      const ink = causal && i % width > i / width ? 18 : INK[byte];
      out[i] = ink << 24 | blue << 16 | green << 8 | red;
    });
    canvas.getContext("2d").putImageData(image, 0, 0);
  }
  function find(key, at) {
    const {o, number} = heads[at], last = heads.length - 1;
    if (key === "Home" || key === "End") return key === "End" ? last : 0;
    if (!(key in NEXT)) return undefined;
    if (/Right|Left/.test(key)) return Math.max(0, Math.min(last, at + NEXT[key]));
    const near = data.ops[o + NEXT[key]], first = heads.findIndex(head => head.op === near);
    return first < 0 ? at : first + Math.min(number, near.heads.length - 1);
  }
  function focus(head) {
    for (const other of heads) other.button.tabIndex = -1;
    head.button.tabIndex = 0;
    head.button.focus();
  }
  function close() {
    if (current < 0) return;
    heads[current].button.ariaPressed = "false";
    focus(heads[current]);
    current = -1;
    panel.hidden = true;
    root.classList.remove("tp-att-open");
  }
  function open(at) {
    if (current >= 0) heads[current].button.ariaPressed = "false";
    const fresh = current < 0, head = heads[current = at];
    for (const other of heads) other.button.tabIndex = other === head ? 0 : -1;
    head.button.ariaPressed = "true";
    root.classList.add("tp-att-open");
    panel.hidden = false;
    panel.ariaLabel = `${head.op.path} \u00b7 ${head.op.unit} ${head.number}`;
    panel.style.setProperty("--role", `rgb(${head.colour})`);
    panel.replaceChildren(drawTop(at), make("p", "said", head.words));
    if (head.finding) panel.append(make("p", "finding", head.finding));
    if (head.tile) drawMaps(head);
    else panel.append(make("p", "soft", "The map of this head was not kept."));
    if (fresh && panel.getBoundingClientRect().top > window.innerHeight - 80) panel.scrollIntoView({block: "nearest"});
  }
  function drawTop(at) {
    const bar = make("div", "top"), title = make("strong", "", panel.ariaLabel);
    const step = (sign, by, words) => {
      const button = make("button", "step", sign);
      button.ariaLabel = words;
      on(button, "click", () => {
        if (!by) return close();
        open((at + by + heads.length) % heads.length);
        panel.querySelectorAll(".tp-att-step")[by < 0 ? 0 : 1].focus();
      });
      return button;
    };
    bar.append(title, step("\u2039", -1, "previous head"), step("\u203a", 1, "next head"), step("\u00d7", 0, "close"));
    return bar;
  }
  function label(at, cell, step, positions) {
    const sequence = at === null ? null : data.sequences[at], first = cell * step;
    const last = Math.min(first + step, positions) - 1, place = step > 1 ? `${first}\u2013${last}` : `${first}`;
    if (!sequence) return [place, ""];
    if (!sequence.grid) return [place, sequence.pieces[first] + (last > first ? " \u2026" : "")];
    const patch = first - sequence.extra;
    return [place, patch < 0 ? "extra" : `patch ${Math.floor(patch / sequence.grid[1])},${patch % sequence.grid[1]}`];
  }
  function drawMaps(head) {
    const {op} = head, {rows, columns} = op, bytes = read(head, columns, rows);
    const weights = Float32Array.from(bytes, byte => (byte / 255) ** 2), weight = (q, k) => weights[q * columns + k];
    const names = [
      list(rows, i => label(op.query_labels, i, op.query_step, op.queries)),
      list(columns, i => label(op.key_labels, i, op.key_step, op.keys)),
    ];
    const named = (side, i) => names[side][i].join(" ").trim();
    const text = (side, i) => `${["query", "key"][side]} ${named(side, i)}`;
    const views = make("div", "views"), status = make("p", "status");
    status.role = "status";
    const hint = "Lines: the three largest weights of each query. Point at a token or a cell, or use the arrow keys on tokens, to see those of one.";
    let pinned = [];
    const back = () => show(...pinned);

    // Lines.
    const box = make("div", "lines"), inner = make("div", "inner"), middle = make("div", "middle");
    const tall = ROW * Math.max(rows, columns);
    middle.innerHTML = `<svg viewBox="0 0 100 ${tall}" height="${tall}" preserveAspectRatio="none" aria-hidden="true"></svg>`;
    const svg = middle.firstChild;
    const tokens = names.map((side, s) => {
      const column = make("div", "tokens tp-att-side" + s);
      column.role = "group";
      column.ariaLabel = ["queries", "keys"][s];
      const made = side.map(([place, piece], i) => {
        const token = make("button", "token");
        token.append(make("span", "weight"), make("span", "piece", piece), make("span", "place", place));
        token.tabIndex = i ? -1 : 0;
        token.ariaLabel = text(s, i);
        on(token, "pointerenter", () => show(s, i));
        on(token, "pointerleave", back);
        on(token, "focus", () => { pinned = [s, i]; show(s, i); });
        on(token, "keydown", event => {
          const turn = {ArrowLeft: 0, ArrowRight: 1}[event.key];
          if (!(event.key in NEXT)) return;
          event.preventDefault();
          const to = turn === undefined ? tokens[s][i + NEXT[event.key]] : tokens[turn][Math.min(i, tokens[turn].length - 1)];
          if (to) choose(to);
        });
        return token;
      });
      column.append(...made);
      return made;
    });
    const choose = token => {
      for (const other of tokens.flat()) other.tabIndex = other === token ? 0 : -1;
      token.focus();
    };
    inner.append(tokens[0][0].parentNode, middle, tokens[1][0].parentNode);
    box.append(make("div", "ends", "queries"), inner);
    box.firstChild.append(make("span", "", "keys"));

    // The matrix.
    const [frame, canvas, mark, legend] = drawCells(columns, rows);
    paint(canvas, bytes, columns, rows, head.colour, op.causal);
    canvas.ariaLabel = `weights of ${rows} queries (down) by ${columns} keys (across)`;
    legend.textContent = `queries \u2193 (${op.queries})  keys \u2192 (${op.keys})${op.causal ? "; grey: later keys, not seen" : ""}`;
    on(canvas, "pointermove", event => show(0, ...cell(event, rows, columns)));
    on(canvas, "pointerleave", back);
    on(canvas, "click", event => choose(tokens[0][cell(event, rows, columns)[0]]));
    const sequence = op.key_labels === null || op.key_step > 1 ? null : data.sequences[op.key_labels];
    const heat = sequence && sequence.grid ? drawHeat(sequence) : null;

    function drawCells(width, height) {
      const figure = make("figure"), area = make("div", "cells"), picture = make("canvas"), spot = make("div", "mark"), caption = make("figcaption", "soft");
      area.style.aspectRatio = `${width} / ${height}`;
      area.style.setProperty("--fit", Math.min(1, width / height));
      area.append(picture, spot);
      figure.append(area, caption);
      picture.role = "img";
      return [figure, picture, spot, caption];
    }
    function drawHeat({grid: [height, width], extra}) {
      const [figure, picture, spot, caption] = drawCells(width, height);
      const same = op.query_labels === op.key_labels && op.query_step === 1;
      if (same) on(picture, "click", event => {
        const [r, c] = cell(event, height, width);
        choose(tokens[0][extra + r * width + c]);
      });
      return {figure, show(query) {
        const values = list(height * width, i => {
          if (query !== null) return weight(query, extra + i);
          let sum = 0;
          for (let q = 0; q < rows; q++) sum += weight(q, extra + i);
          return sum / rows;
        });
        const most = Math.max(...values);
        paint(picture, values.map(value => most ? Math.round(255 * value / most) : 0), width, height, head.colour);
        caption.textContent = `${query === null ? "mean over all queries" : text(0, query)}: weight on each patch (row, column), at most ${percent(most)}${same ? "; click one to see its own" : ""}`;
        picture.ariaLabel = caption.textContent;
        const patch = query === null || !same ? -1 : query - extra;
        place(spot, patch < 0 ? null : [Math.floor(patch / width) / height, patch % width / width, 1 / height, 1 / width]);
      }};
    }
    function place(box, area) {
      box.hidden = !area;
      if (area) ["top", "left", "height", "width"].forEach((side, i) => { box.style[side] = 100 * area[i] + "%"; });
    }
    function show(side, i, key) {
      const lines = [], one = i !== undefined, line = (q, k, strength) => {
        const from = (q + 0.5) * ROW, to = (k + 0.5) * ROW;
        lines.push(`<path d="M0 ${from}C45 ${from} 55 ${to} 100 ${to}" stroke-opacity="${Math.max(0.07, strength).toFixed(2)}"/>`);
      };
      for (const token of tokens.flat()) {
        token.firstChild.textContent = "";
        token.removeAttribute("style");
        token.classList.remove("tp-att-chosen");
      }
      if (one) {
        tokens[side][i].classList.add("tp-att-chosen");
        const far = tokens[1 - side], own = far.map((_, j) => side ? weight(j, i) : weight(i, j)), most = Math.max(...own);
        own.forEach((w, j) => {
          if (!w || w < most / 20) return;
          line(side ? j : i, side ? i : j, w / most);
          far[j].firstChild.textContent = percent(w);
          far[j].style.setProperty("--w", w / most);
        });
        const seen = top(own).map(j => `${named(1 - side, j)} (${percent(own[j])})`).join(", ");
        status.textContent = key !== undefined ? `${text(0, i)} \u2192 ${text(1, key)}: ${percent(weight(i, key))}`
          : `${text(side, i)} ${side ? "is seen most by" : "sees most of all"}: ${seen || "nothing"}`;
      } else {
        for (let q = 0; q < rows; q++) {
          for (const k of top(weights.subarray(q * columns, (q + 1) * columns))) line(q, k, weight(q, k));
        }
        status.textContent = hint;
      }
      svg.innerHTML = lines.join("");
      place(mark, !one ? null : side ? [0, i / columns, 1, 1 / columns] : [i / rows, 0, 1 / rows, 1]);
      if (heat) heat.show(one && !side ? i : null);
    }
    const pictures = make("div", "pictures");
    pictures.append(heat ? heat.figure : "", frame);
    views.append(box, pictures);
    panel.append(status, views);
    show();
  }
}
for (const root of document.querySelectorAll(".tp-att:not([data-on])")) {
  root.dataset.on = "";
  start(root);
}
})();
