// Draws the table of findings and its controls. Continues findings.js.
// ---- Drawing.
const columns = () => Object.keys(COLUMNS).filter((column) => !view.hidden.has(column));
const spelled = (count) => count.toLocaleString("en");
const plural = (count, one) => `${spelled(count)} ${one}${count === 1 ? "" : "s"}`;
const NOTHING = byId("nothing").textContent;

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

function draw(limit = PAGE) {
  const start = limit === PAGE ? view.page * PAGE : 0;
  const some = shown.subarray(start, start + limit);
  const rows = [];
  const group = view.group && groupsBy(view.group);
  let last;
  for (const number of some) {
    if (group && group[number] !== last) rows.push(groupRow(number, (last = group[number])));
    rows.push(row(number));
    if (opened.has(number)) rows.push(detail(number));
  }
  if (!rows.length) {
    const why = filters().length || view.status ? "No finding matches the filters." : NOTHING;
    rows.push(element("tr", {}, element("td", { colspan: columns().length }, why)));
  }
  const table = element("table", { class: "findings stacked", "aria-labelledby": "findings" });
  table.append(head(), element("tbody", {}, ...rows));
  byId("table").replaceChildren(table);
  const left = limit === PAGE ? 0 : shown.length - some.length;
  byId("cut").textContent = left ? `and ${spelled(left)} more findings, not printed` : "";
  drawCounts();
}

// Describe the active filters for the line above the table, which is also printed.
function filters() {
  const named = (table, id, name, text) => table.find((row) => row[id] === text.trim())?.[name] ?? text.trim();
  const parts = [];
  if (view.severity.size) parts.push(`severity ${severities.filter((s) => view.severity.has(s)).join(" or ")}`);
  if (view.rule) parts.push(`rule “${rules.find(([id]) => id === view.rule)[TITLE]}”`);
  if (view.project.trim()) parts.push(`project ${named(projects, ID, NAME, view.project)}`);
  if (view.owner.trim()) parts.push(`owner ${named(owners, OWNER_ID, NAME, view.owner)}`);
  if (view.q.trim()) parts.push(`containing “${view.q.trim()}”`);
  return parts;
}

function counted() {
  const byStatus = ofStatus();
  const total = findings.status.reduce((sum, status) => sum + byStatus[status], 0);
  const what = view.status === "" ? "violation" : view.status === "all" ? "finding" : `${view.status} finding`;
  const parts = filters();
  const others = COUNT - total;
  const count = parts.length ? `${spelled(shown.length)} of ${plural(total, what)}` : plural(total, what);
  const rest = others && !view.status ? ` (${plural(others, "other finding")} not shown)` : "";
  return [`${count}${rest}`, ...parts].join("; ");
}

function drawCounts() {
  const pages = Math.ceil(shown.length / PAGE);
  byId("count").textContent = notice || counted();
  byId("count").classList.toggle("notice", Boolean(notice));
  byId("where").textContent = `Page ${spelled(view.page + 1)} of ${spelled(Math.max(1, pages))}`;
  byId("before").disabled = view.page === 0;
  byId("after").disabled = view.page >= pages - 1;
  byId("pages").hidden = pages < 2;
}

function head() {
  const cells = columns().map((column) => {
    const { heading, order } = COLUMNS[column];
    if (!order) return element("th", { scope: "col" }, heading);
    const is = view.sort === column;
    const button = element("button", { type: "button", "data-sort": column }, heading);
    const direction = is ? { "aria-sort": view.down ? "descending" : "ascending" } : {};
    return element("th", { scope: "col", ...direction }, button);
  });
  return element("thead", {}, element("tr", {}, ...cells));
}

function row(number) {
  const key = findings.key[number];
  const cells = columns().map((column) => {
    if (column === "key") {
      const button = element(
        "button",
        { type: "button", class: "open", "data-number": number, "aria-expanded": opened.has(number) },
        keys.name[key],
      );
      return element("th", { scope: "row" }, button, element("code", {}, keys.value[key]));
    }
    const { heading, show, text, kind } = COLUMNS[column];
    const cell = element("td", { "data-label": heading });
    cell.append(...[(show ?? text)(number)].flat());
    if (kind) cell.className = kind(number);
    return cell;
  });
  return element("tr", { id: `f-${fingerprintOf(number)}` }, ...cells);
}

function groupRow(number, group) {
  const heading = element("th", { colspan: columns().length, scope: "colgroup" }, `${GROUPS[view.group][1](number)} `);
  heading.append(element("small", {}, spelled(sizes[group])));
  return element("tr", { class: "group" }, heading);
}

function detail(number) {
  const [key, project, owner, rule] = [findings.key[number], projectOf(number), ownerOf(number), ruleOf(number)];
  const list = element("dl", { class: "detail" });
  const describe = (term, ...values) => {
    if (values.some(Boolean)) list.append(element("dt", {}, term), element("dd", {}, ...values));
  };
  const code = (text) => element("code", {}, text);
  describe("Evidence", texts[findings.text[number]]);
  describe("Rule", `${rule[TITLE]} `, code(rule[0]));
  describe("Why", rule[WHY]);
  describe("Fix", rule[FIX]);
  describe("At OpenAI", ...actions(project));
  describe("Key", code(keys.id[key]), " ", code(keys.value[key]));
  const id = project[ID] !== project[NAME] && project[STATE] !== null ? ` ${project[ID]}` : "";
  describe("Project", project[NAME], id, project[STATE] === "archived" ? " (archived)" : "");
  describe("Owner", [...new Set(owner)].filter(Boolean).join(", "));
  describe("Dates", datesInWords(key));
  const seen = findings.seen[number];
  describe("History", seen < 0 ? "" : `${statusOf(number)}, first seen ${day(seen)}`);
  describe("Controls", rule[CONTROLS].join(", "));
  describe("Link", element("a", { href: `#f-${fingerprintOf(number)}` }, fingerprintOf(number)));
  const cell = element("td", { colspan: columns().length }, list);
  return element("tr", { class: "more", "data-number": number }, cell);
}

// The dates of a deleted key are unknown; the row is then omitted.
function datesInWords(key) {
  const [created, used, expires] = [keys.created[key], keys.used[key], keys.expires[key]];
  if (created === UNKNOWN && used === UNKNOWN && expires === UNKNOWN) return "";
  const expiry = expires === NEVER ? "never expires" : `expires ${day(expires)}`;
  return `created ${day(created)}, ${used === NEVER ? "never used" : `last used ${day(used)}`}, ${expiry}`;
}

function actions(project) {
  const isAdmin = project[STATE] === null;
  const where = !isAdmin && /^[\w-]+$/.test(project[ID]) ? project[ID] : "organization";
  const settings = `https://platform.openai.com/settings/${where}`;
  const link = (page, text) =>
    element("a", { href: `${settings}/${page}`, rel: "noreferrer noopener", target: "_blank" }, text);
  const people = where === "organization" ? "people" : "people/members";
  return [
    isAdmin ? link("admin-keys", "Admin keys") : link("api-keys", "API keys"),
    " · ",
    link(people, "People"),
  ];
}

// ---- The controls.
function fillControls() {
  for (const name of FIELDS) byId(`by-${name}`).value = view[name];
  for (const box of document.querySelectorAll("[data-severity]")) box.checked = view.severity.has(box.dataset.severity);
  for (const box of document.querySelectorAll("[data-column]")) box.checked = !view.hidden.has(box.dataset.column);
}

function changed() {
  notice = "";
  view.page = 0;
  choose();
  draw();
  writeAddress();
}

function asCsv() {
  const cell = (value) => {
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const names = ["fingerprint", "key_id", ...columns()];
  const lines = Array.from(shown, (n) => [
    fingerprintOf(n),
    keys.id[findings.key[n]],
    ...columns().map((column) => COLUMNS[column].text(n)),
  ]);
  return [names, ...lines].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

async function copy() {
  const text = asCsv();
  let isCopied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    isCopied = copyOld(text);
  }
  byId("count").textContent = isCopied
    ? `Copied ${plural(shown.length, "finding")} as CSV`
    : "Could not copy: the browser does not allow this page to write to the clipboard";
}

// Fallback for browsers that deny the clipboard API: copy a selection.
function copyOld(text) {
  const area = element("textarea", { "aria-hidden": "true", class: "hidden" });
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  byId("copy").focus();
  return isCopied;
}

function turn(by) {
  view.page += by;
  draw();
  writeAddress();
  byId("findings").scrollIntoView();
  const [pressed, other] = by > 0 ? ["after", "before"] : ["before", "after"];
  byId(byId(pressed).disabled ? other : pressed).focus({ preventScroll: true });
}

function toggle(number) {
  if (!opened.delete(number)) opened.add(number);
  draw();
  byId("table").querySelector(`button[data-number="${number}"]`)?.focus();
}

function move(event) {
  const number = event.target.closest("[data-number]")?.dataset.number;
  if (event.key === "Escape" && opened.has(Number(number))) {
    toggle(Number(number));
    return;
  }
  const buttons = [...byId("table").querySelectorAll("button.open")];
  const place = buttons.indexOf(document.activeElement);
  const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (to !== undefined && place >= 0) {
    event.preventDefault();
    buttons[Math.max(0, Math.min(to, buttons.length - 1))].focus();
  }
}

function listen() {
  for (const name of FIELDS) {
    byId(`by-${name}`).addEventListener("input", (event) => {
      view[name] = event.target.value;
      if (name === "project") suggest(event.target, projects, ID, [NAME, ID]);
      if (name === "owner") suggest(event.target, owners, OWNER_ID, [NAME, EMAIL, OWNER_ID]);
      changed();
    });
  }
  byId("tools").addEventListener("change", (event) => {
    const { severity, column } = event.target.dataset;
    const set = severity ? view.severity : column ? view.hidden : null;
    if (!set) return;
    if (event.target.checked === Boolean(severity)) set.add(severity ?? column);
    else set.delete(severity ?? column);
    changed();
  });
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  byId("table").addEventListener("click", (event) => {
    const { sort, number } = event.target.dataset;
    if (number !== undefined && event.target.matches("button")) toggle(Number(number));
    if (sort === undefined) return;
    view.down = view.sort === sort && !view.down;
    view.sort = sort;
    changed();
    byId("table").querySelector(`[data-sort="${sort}"]`).focus();
  });
  byId("table").addEventListener("keydown", move);
  byId("copy").addEventListener("click", copy);
  byId("clear").addEventListener("click", () => {
    reset();
    fillControls();
    changed();
  });
  byId("before").addEventListener("click", () => turn(-1));
  byId("after").addEventListener("click", () => turn(1));
  addEventListener("hashchange", followAddress);
  addEventListener("beforeprint", () => draw(PRINTED));
  addEventListener("afterprint", () => draw());
}

// Collapsed content is added to the page when opened; without JavaScript it is always there.
function fold(details) {
  const content = [...details.children].slice(1);
  for (const one of content) one.remove();
  details.addEventListener("toggle", () => details.append(...content), { once: true });
}

byId("tools").hidden = false;
byId("first").remove();
document.querySelectorAll(".trend details").forEach(fold);
listen();
readAddress();
afterLoading(reckonAhead);
