// The wall: a list of any length of which only what is in sight exists.
import { $, make, put, count, short, color, paper } from "./format.js";

const rowHeight = 46;
const beyond = 12; // rows kept above and below what is in sight

export class Wall {
  constructor(onWindow, onOpen) {
    this.onWindow = onWindow;
    this.onOpen = onOpen;
    this.list = $("list");
    this.sizer = $("sizer");
    this.rows = new Map(); // stream's id → what is known of it
    this.order = [];       // ids in the window
    this.offset = 0;       // place of the window's first
    this.matched = 0;
    this.items = [];       // elements, reused
    this.selected = null;
    this.list.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.list.addEventListener("click", (e) => this.clicked(e));
    this.list.addEventListener("keydown", (e) => this.key(e));
    new ResizeObserver(() => { this.draw(true); this.scrolled(); }).observe(this.list);
  }

  // window is the part of the list that should be known.
  window() {
    const first = Math.max(0, Math.floor(this.list.scrollTop / rowHeight) - beyond);
    const shown = Math.ceil(this.list.clientHeight / rowHeight) + 2 * beyond;
    return { offset: first, limit: Math.min(Math.max(shown, 20), 500) };
  }

  scrolled() {
    this.draw(false);
    const { offset, limit } = this.window();
    const first = Math.floor(this.list.scrollTop / rowHeight), last = first + Math.ceil(this.list.clientHeight / rowHeight);
    const known = first >= this.offset && (last <= this.offset + this.order.length || this.offset + this.order.length >= this.matched);
    if (known) return;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.onWindow(offset, limit), 90);
  }

  // update takes a message of the list in. While somebody points at it, the places stay.
  update(wall) {
    for (const row of wall.changed) this.rows.set(row.id, row);
    const hold = this.list.matches(":hover") && this.matched === wall.matched && this.offset === wall.offset && this.order.length === wall.order.length;
    if (!hold) this.order = wall.order;
    this.offset = wall.offset;
    this.matched = wall.matched;
    put($("count"), wall.matched === wall.total ? count(wall.total) + " streams" : count(wall.matched) + " of " + count(wall.total));
    $("empty").hidden = wall.matched > 0;
    this.list.hidden = wall.matched === 0;
    const height = wall.matched * rowHeight + "px";
    if (this.sizer.style.height !== height) this.sizer.style.height = height;
    if (this.rows.size > 3000) this.trim();
    this.draw(false);
  }

  trim() {
    const wanted = new Set(this.order);
    for (const id of this.rows.keys()) if (!wanted.has(id)) this.rows.delete(id);
  }

  // draw fills the elements in sight.
  draw(again) {
    const top = this.list.scrollTop, tall = this.list.clientHeight;
    const first = Math.max(this.offset, Math.floor(top / rowHeight) - 2);
    const last = Math.min(this.offset + this.order.length, Math.ceil((top + tall) / rowHeight) + 2);
    let used = 0;
    for (let place = first; place < last; place++) {
      const row = this.rows.get(this.order[place - this.offset]);
      if (row) this.fill(this.item(used++), row, place, again);
    }
    for (let i = used; i < this.items.length; i++) {
      this.items[i].hidden = true;
      this.items[i].removeAttribute("id");
      this.items[i].row = null;
    }
    this.mark();
  }

  item(i) {
    if (this.items[i]) return this.items[i];
    const e = make("div", "item");
    e.setAttribute("role", "option");
    const name = make("div", "name"), value = make("div", "num"), spark = make("canvas");
    name.append(make("b"), make("span"));
    value.append(document.createTextNode(""), make("span"));
    spark.setAttribute("aria-hidden", "true");
    e.append(make("i", "bar"), name, spark, value, make("div", "score"));
    this.sizer.append(e);
    return (this.items[i] = e);
  }

  fill(e, row, place, again) {
    e.hidden = false;
    const y = `translateY(${place * rowHeight}px)`;
    if (e.style.transform !== y) e.style.transform = y;
    if (e.row === row && !again) return;
    e.row = row;
    e.id = "row-" + row.id;
    e.setAttribute("aria-posinset", place + 1);
    e.setAttribute("aria-setsize", this.matched);
    const [, name, spark, value, score] = e.children;
    put(name.firstChild, row.name);
    const times = row.incidents === 1 ? "1 incident" : count(row.incidents) + " incidents";
    put(name.lastChild, (row.alarm ? "in alarm · " : row.state === "ready" ? "" : row.state + " · ") + (row.incidents ? times + " · " : "") + "n " + count(row.events));
    if (row.fields > 1) {
      put(value.lastChild, "");
      value.firstChild.data = row.fields + " fields";
    } else {
      value.firstChild.data = short(row.value);
      put(value.lastChild, "exp. " + short(row.yhat));
    }
    put(score, row.heat >= 0.995 ? row.heat.toFixed(1) : row.score.toFixed(2));
    e.className = "item" + (row.alarm ? " alarm" : row.heat >= 1 ? " warm" : "");
    drawSpark(spark, row.spark);
  }

  mark() {
    let active = "";
    for (const e of this.items) {
      const on = String(!e.hidden && e.row?.name === this.selected);
      if (e.getAttribute("aria-selected") !== on) e.setAttribute("aria-selected", on);
      if (on === "true") active = e.id;
    }
    if (!active) this.list.removeAttribute("aria-activedescendant");
    else if (this.list.getAttribute("aria-activedescendant") !== active) this.list.setAttribute("aria-activedescendant", active);
  }

  select(name) {
    this.selected = name;
    this.mark();
  }

  clicked(e) {
    const item = e.target.closest(".item");
    if (item) this.onOpen(item.row.name);
  }

  key(e) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[e.key];
    if (e.key === "Home") this.list.scrollTop = 0;
    if (!step) return;
    e.preventDefault();
    this.move(step);
  }

  // move selects the stream so many places further.
  move(step) {
    const names = this.order.map((id) => this.rows.get(id)?.name);
    const at = names.indexOf(this.selected);
    const to = at < 0 ? 0 : Math.min(Math.max(at + step, 0), names.length - 1);
    if (names[to] == null) return;
    const y = (this.offset + to) * rowHeight;
    if (y < this.list.scrollTop) this.list.scrollTop = y;
    if (y + rowHeight > this.list.scrollTop + this.list.clientHeight) this.list.scrollTop = y + rowHeight - this.list.clientHeight;
    this.onOpen(names[to]);
  }

  worst() {
    return this.rows.get(this.order[0])?.name;
  }
}

// drawSpark draws the low and the high of each bucket as one band, and marks alarms.
function drawSpark(canvas, spark) {
  const { pen, width, height } = paper(canvas);
  const n = spark.low.length;
  if (!n || !width) return;
  const x = (i) => (60 - n + i + 0.5) / 60 * width, y = (v) => height - 2 - v / 99 * (height - 4);
  pen.fillStyle = color("alarm-area");
  for (const i of spark.alarms || []) pen.fillRect(x(i) - width / 60, 0, width / 30, height);
  pen.strokeStyle = color("value");
  pen.lineWidth = 1.2;
  pen.lineJoin = "round";
  pen.beginPath();
  for (let i = 0; i < n; i++) {
    pen.lineTo(x(i), y(spark.low[i]));
    if (spark.high[i] !== spark.low[i]) pen.lineTo(x(i), y(spark.high[i]));
  }
  pen.stroke();
  pen.fillStyle = color("alarm");
  for (const i of spark.alarms || []) pen.fillRect(x(i) - 1, y(spark.high[i]) - 1.5, 3, 3);
}
