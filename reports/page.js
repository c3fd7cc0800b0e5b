// The table of findings as it is drawn, and its controls; goes on from findings.js.
// ---- Drawing.
const columns = () => Object.keys(COLUMNS).filter((column) => !view.hidden.has(column));

function draw(limit = PAGE) {
  const start = limit === PAGE ? view.page * PAGE : 0;
  const some = shown.subarray(start, start + limit);
  const rows = [];
  let last;
  for (const number of some) {
    const finding = findings[number];
    if (view.group) {
      const [groupOf, nameOf] = GROUPS[view.group];
      if (groupOf(finding) !== last) rows.push(groupRow(nameOf(finding), (last = groupOf(finding))));
    }
    rows.push(row(number, finding));
    if (opened.has(number)) rows.push(detail(number, finding));
  }
  if (!rows.length) rows.push(element("tr", {}, element("td", { colspan: columns().length }, "No finding fits.")));
  const table = element("table", { class: "findings", "aria-labelledby": "findings" });
  table.append(head(), element("tbody", {}, ...rows));
  byId("table").replaceChildren(table);
  const left = limit === PAGE ? 0 : shown.length - some.length;
  byId("cut").textContent = left ? `and ${left.toLocaleString("en")} more, which are not printed` : "";
  drawCounts();
}

function drawCounts() {
  const pages = Math.ceil(shown.length / PAGE);
  byId("count").textContent =
    notice || `${shown.length.toLocaleString("en")} of ${findings.length.toLocaleString("en")} findings`;
  byId("count").classList.toggle("notice", Boolean(notice));
  byId("where").textContent = `Page ${(view.page + 1).toLocaleString("en")} of ${Math.max(1, pages).toLocaleString("en")}`;
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

function row(number, finding) {
  const key = keyOf(finding);
  const cells = columns().map((column) => {
    if (column === "key") {
      const button = element(
        "button",
        { type: "button", class: "open", "data-number": number, "aria-expanded": opened.has(number) },
        key[NAME],
      );
      return element("th", { scope: "row" }, button, element("code", {}, key[VALUE]));
    }
    const { heading, show, csv } = COLUMNS[column];
    const cell = element("td", { "data-label": heading });
    cell.append(...[show ? show(finding) : csv(finding)].flat());
    if (DATES.has(column)) cell.className = "date";
    return cell;
  });
  return element("tr", { id: `f-${finding[FINGERPRINT]}` }, ...cells);
}

function groupRow(name, group) {
  const heading = element("th", { colspan: columns().length, scope: "colgroup" }, `${name} `);
  heading.append(element("small", {}, sizes.get(group).count.toLocaleString("en")));
  return element("tr", { class: "group" }, heading);
}

function detail(number, finding) {
  const [key, project, owner, rule] = [keyOf(finding), projectOf(finding), ownerOf(finding), rules[finding[RULE]]];
  const list = element("dl", { class: "detail" });
  const tell = (term, ...values) => {
    if (values.some(Boolean)) list.append(element("div", {}, element("dt", {}, term), element("dd", {}, ...values)));
  };
  tell("Evidence", wordsOf(finding).join("; "));
  tell("Rule", `${rule[1]} `, element("code", {}, rule[0]));
  tell("Why", rule[2]);
  tell("Fix", rule[3]);
  tell("Where to act", ...actions(project));
  tell("Key", element("code", {}, `${key[ID]}  ${key[VALUE]}`));
  tell("Project", project[0], project[1] && project[1] !== project[0] ? ` ${project[1]}` : "", project[2] === "archived" ? " (archived)" : "");
  tell("Owner", [...new Set(owner)].filter(Boolean).join(", "));
  tell("Dates", `created ${day(key[CREATED], "")}, last used ${day(key[USED], "never")}, expires ${day(key[EXPIRES], "never")}`);
  tell("History", finding[FIRST_SEEN] === NEVER ? "" : `${statuses[finding[STATUS]]}, first seen ${day(finding[FIRST_SEEN], "")}`);
  tell("Controls", rule[4].join(", "));
  tell("Link", element("a", { href: `#f-${finding[FINGERPRINT]}` }, finding[FINGERPRINT]));
  return element("tr", { class: "more" }, element("td", { colspan: columns().length }, list));
}

function actions(project) {
  const settings = "https://platform.openai.com/settings/organization";
  const [page, what] = project[1] ? ["api-keys", "API keys at OpenAI"] : ["admin-keys", "Admin keys at OpenAI"];
  const link = (href, text) => element("a", { href, rel: "noreferrer noopener", target: "_blank" }, text);
  return [link(`${settings}/${page}`, what), " ", link(`${settings}/people`, "People at OpenAI")];
}

// ---- The controls.
function fillControls() {
  for (const name of ["q", "status", "rule", "project", "owner", "group"]) byId(`by-${name}`).value = view[name];
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

function suggest(input, table, fields) {
  const list = input.list;
  const word = input.value.trim().toLowerCase();
  const hits = [];
  const is = contains(table, fields, word);
  for (let n = 0; n < table.length && hits.length < 20; n++) if (is[n]) hits.push(table[n]);
  list.replaceChildren(...hits.map((row) => element("option", { value: row[0] })));
}

function asCsv() {
  const cell = (value) => {
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const names = ["fingerprint", "key_id", ...columns()];
  const lines = Array.from(shown, (n) => {
    const finding = findings[n];
    return [finding[FINGERPRINT], keyOf(finding)[ID], ...columns().map((column) => COLUMNS[column].csv(finding))];
  });
  return [names, ...lines].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

async function copy() {
  const text = asCsv();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", { "aria-hidden": "true", class: "hidden" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  byId("count").textContent = `Copied ${shown.length.toLocaleString("en")} findings as CSV`;
}

function turn(by) {
  view.page += by;
  draw();
  writeAddress();
  byId("findings").scrollIntoView();
}

function toggle(number) {
  if (!opened.delete(number)) opened.add(number);
  draw();
  byId("table").querySelector(`[data-number="${number}"]`)?.focus();
}

function move(event) {
  const buttons = [...byId("table").querySelectorAll("button.open")];
  const place = buttons.indexOf(document.activeElement);
  const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (event.key === "Escape" && place >= 0 && opened.has(Number(buttons[place].dataset.number))) {
    toggle(Number(buttons[place].dataset.number));
  } else if (to !== undefined && place >= 0) {
    event.preventDefault();
    buttons[Math.max(0, Math.min(to, buttons.length - 1))].focus();
  }
}

function listen() {
  for (const name of ["q", "status", "rule", "project", "owner", "group"]) {
    byId(`by-${name}`).addEventListener("input", (event) => {
      view[name] = event.target.value;
      if (name === "project") suggest(event.target, projects, [0, 1]);
      if (name === "owner") suggest(event.target, owners, [0, 1, 2]);
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
    if (number !== undefined) toggle(Number(number));
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

byId("tools").hidden = false;
byId("first").remove();
listen();
readAddress();
