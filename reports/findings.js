// The view, stored in the controls and in the URL fragment, and the findings filtered and sorted by it.
const PAGE = 50;
const PRINTED = 1000;
const OUTSIDE = new Set(["unverified", "not_evaluated", "undetermined", "excepted", "resolved"]);
const LESS_WANTED = ["created", "expires", "seen"];
const FIELDS = ["q", "status", "rule", "project", "owner", "group"];
// Groupings: the group number of a finding, and the name of its group.
const GROUPS = {
  owner: [(n) => firstOf[keys.owner[findings.key[n]]], (n) => ownerOf(n)[NAME]],
  project: [keyed("project"), (n) => projectOf(n)[NAME]],
  rule: [(n) => findings.rule[n], (n) => ruleOf(n)[TITLE]],
  severity: [(n) => findings.severity[n], severityOf],
};
const firstOf = firstOwners();
const groups = new Map();
const view = {};
const opened = new Set();
let shown = new Uint32Array(0);
let notice = "";
let sizes = new Int32Array(0); // of the groups

// Owner records with the same id are one owner, even with different names: the first represents all.
function firstOwners() {
  const first = new Map();
  return owners.map((owner, number) => {
    const who = owner[OWNER_ID] ? `id ${owner[OWNER_ID]}` : `name ${owner[NAME]}`;
    if (!first.has(who)) first.set(who, number);
    return first.get(who);
  });
}

// The group of each finding, computed once.
function groupsBy(name) {
  if (!groups.has(name)) {
    const [groupOf] = GROUPS[name];
    groups.set(name, Int32Array.from({ length: COUNT }, (_, n) => groupOf(n)));
  }
  return groups.get(name);
}

function reset() {
  Object.assign(view, {
    q: "", severity: new Set(), status: "", rule: "", project: "", owner: "",
    sort: "severity", down: false, group: "", hidden: new Set(LESS_WANTED), page: 0,
  });
}

// Apply a changed URL fragment; a plain anchor (#coverage) does not change the view.
function followAddress() {
  const link = linked();
  const number = link ? numberOf(link) : -1;
  if (number >= 0 && shown.includes(number)) {
    opened.add(number);
    turnTo(number);
  } else if (link || !/^#[\w-]+$/.test(location.hash)) {
    readAddress();
  }
}

const linked = () => /^#f-([0-9a-f]{32})$/.exec(location.hash)?.[1];

function numberOf(fingerprint) {
  const { fingerprints } = findings;
  let at = fingerprints.indexOf(fingerprint);
  while (at % 32 > 0) at = fingerprints.indexOf(fingerprint, at + 1);
  return at < 0 ? -1 : at / 32;
}

function turnTo(number) {
  view.page = Math.floor(shown.indexOf(number) / PAGE);
  fillControls();
  draw();
  afterLoading(() => jumpTo(byId(`f-${fingerprintOf(number)}`)));
}

function readAddress() {
  reset();
  opened.clear();
  notice = "";
  const link = linked();
  const number = link ? numberOf(link) : -1;
  const hash = location.hash.slice(1);
  if (number >= 0) {
    opened.add(number);
    view.status = OUTSIDE.has(statusOf(number)) ? statusOf(number) : "";
  } else if (link) {
    notice = "The linked finding is not in this report. It was resolved before the scans in this report, or belongs to another organization.";
  } else if (hash.includes("=")) {
    readView(new URLSearchParams(hash));
  }
  choose();
  if (number >= 0) {
    turnTo(number);
    return;
  }
  fillControls();
  draw();
  if (notice) afterLoading(() => jumpTo(byId("count")));
  else if (hash.includes("=")) byId("findings").scrollIntoView();
}

function readView(params) {
  for (const name of ["q", "rule", "project", "owner"]) view[name] = params.get(name) ?? "";
  if (view.rule && !rules.some(([id]) => id === view.rule)) {
    notice = `This report has no rule ${view.rule}. All rules are shown.`;
    view.rule = "";
  }
  if ([...statuses, "all"].includes(params.get("status"))) view.status = params.get("status");
  view.severity = new Set((params.get("severity") ?? "").split(",").filter((s) => severities.includes(s)));
  const sort = params.get("sort") ?? "severity";
  view.down = sort.startsWith("-");
  const column = sort.replace(/^-/, "");
  if (Object.hasOwn(COLUMNS, column) && COLUMNS[column].order) view.sort = column;
  if (Object.hasOwn(GROUPS, params.get("group") ?? "")) view.group = params.get("group");
  if (params.has("hide")) {
    view.hidden = new Set(params.get("hide").split(",").filter((c) => Object.hasOwn(COLUMNS, c) && c !== "key"));
  }
  view.page = Math.max(0, (parseInt(params.get("page"), 10) || 1) - 1);
}

// While the page loads, the browser follows the link itself and moves the focus.
function afterLoading(act) {
  if (document.readyState === "complete") act();
  else addEventListener("load", () => setTimeout(act), { once: true });
}

function jumpTo(target) {
  if (!target) return;
  target.scrollIntoView();
  (target.querySelector("button.open") ?? target).focus({ preventScroll: true });
}

function writeAddress() {
  const params = new URLSearchParams();
  for (const name of FIELDS) if (view[name]) params.set(name, view[name]);
  if (view.severity.size) params.set("severity", [...view.severity].join(","));
  if (view.sort !== "severity" || view.down) params.set("sort", (view.down ? "-" : "") + view.sort);
  const hidden = Object.keys(COLUMNS).filter((column) => view.hidden.has(column)).join(",");
  if (hidden !== LESS_WANTED.join(",")) params.set("hide", hidden);
  if (view.page) params.set("page", String(view.page + 1));
  try {
    history.replaceState(null, "", `#${params}`);
  } catch {
    // refused in a sandboxed frame; the view works without it
  }
}

// ---- Filtering: first the small tables, then byte arrays of all findings.
const allowed = (table, is) => Uint8Array.from(table, is);
const ofStatus = () =>
  allowed(statuses, (status) => (view.status ? [status, "all"].includes(view.status) : !OUTSIDE.has(status)));

function choose() {
  const byStatus = ofStatus();
  const bySeverity = allowed(severities, (severity) => !view.severity.size || view.severity.has(severity));
  const byRule = allowed(rules, ([id]) => !view.rule || id === view.rule);
  const byProject = named(projects, ID, [NAME], view.project);
  const byOwner = named(owners, OWNER_ID, [NAME, EMAIL], view.owner);
  const { status, severity, rule, key } = findings;
  const { project, owner } = keys;
  const keep = new Uint8Array(COUNT);
  for (let n = 0; n < COUNT; n++) {
    keep[n] = byStatus[status[n]] & bySeverity[severity[n]] & byRule[rule[n]]
      & byProject[project[key[n]]] & byOwner[owner[key[n]]];
  }
  for (const word of new Set(view.q.toLowerCase().split(/\s+/).filter(Boolean))) search(word, keep);
  const numbers = kept(ordered(view.sort, view.down), keep);
  shown = view.group ? grouped(numbers) : numbers;
  view.page = Math.min(view.page, Math.max(0, Math.ceil(shown.length / PAGE) - 1));
}

function kept(numbers, keep) {
  const left = new Uint32Array(COUNT);
  let count = 0;
  for (let place = 0; place < COUNT; place++) if (keep[numbers[place]]) left[count++] = numbers[place];
  return left.subarray(0, count);
}

// Remove from `keep` the findings without the word in any column.
function search(word, keep) {
  const inProject = mark(projectNames, word);
  const inOwner = mark(owners, word);
  const inKey = mark(keys.name, word);
  mark(keys.id, word, inKey);
  mark(keys.value, word, inKey);
  const { project, owner, created, used, expires } = keys;
  for (let n = 0; n < inKey.length; n++) inKey[n] |= inProject[project[n]] | inOwner[owner[n]];
  const [inText, inRule] = [mark(texts, word), mark(ruleNames, word)];
  const [inStatus, inSeverity] = [mark(statuses, word), mark(severities, word)];
  const isDate = datesOf(word);
  if (isDate) {
    for (let n = 0; n < inKey.length; n++) inKey[n] |= isDate(created[n]) || isDate(used[n]) || isDate(expires[n]);
  }
  const { text, rule, status, severity, key, seen } = findings;
  for (let n = 0; n < COUNT; n++) {
    const is = inKey[key[n]] | inText[text[n]] | inRule[rule[n]] | inStatus[status[n]] | inSeverity[severity[n]];
    keep[n] &= is || (isDate && seen[n] >= 0 && isDate(seen[n]));
  }
}

// A date or its beginning (2026, 2026-07) matches its minutes; `never` and `unknown` match missing dates.
function datesOf(word) {
  const [isNever, isUnknown] = ["never".includes(word), "unknown".includes(word)];
  const isDate = /^\d{4}(-\d\d){0,2}$/.test(word);
  if (!isDate && !isNever && !isUnknown) return null;
  const [year, month, date] = isDate ? word.split("-").map(Number) : [0];
  const start = Date.UTC(year, (month ?? 1) - 1, date ?? 1) / 60000;
  const end = Date.UTC(month ? year : year + 1, date ? month - 1 : (month ?? 0), date ? date + 1 : 1) / 60000;
  return (minutes) =>
    minutes === NEVER ? isNever : minutes === UNKNOWN ? isUnknown : isDate && minutes >= start && minutes < end;
}

// Match by id, else by whole name, else by part of an id or a name.
function named(table, id, columns, text) {
  const word = text.trim().toLowerCase();
  const is = (test) => allowed(table, test);
  const tries = [
    () => is((row) => row[id] === text.trim()),
    () => is((row) => columns.some((c) => row[c].toLowerCase() === word)),
  ];
  if (!word) return is(() => 1);
  for (const hits of tries.map((attempt) => attempt())) if (hits.includes(1)) return hits;
  return is((row) => [id, ...columns].some((c) => row[c].toLowerCase().includes(word)));
}

// Suggest by name, or by id where several have the same name.
function suggest(input, table, id, columns) {
  const word = input.value.trim().toLowerCase();
  const hits = [];
  for (let n = 0; n < table.length && hits.length < 20; n++) {
    if (columns.some((c) => table[n][c].toLowerCase().includes(word))) hits.push(table[n]);
  }
  const option = (row) => {
    const isOne = table.filter((other) => other[NAME] === row[NAME]).length === 1;
    return isOne || !row[id] ? element("option", { value: row[NAME] }) : element("option", { value: row[id] }, row[NAME]);
  };
  input.list.replaceChildren(...hits.map(option));
}

// Put the findings of a group together; order groups by highest severity, then by size.
function grouped(numbers) {
  const groups = groupsBy(view.group);
  const many = Math.max(owners.length, projects.length, rules.length, severities.length);
  const worst = new Uint8Array(many).fill(severities.length);
  const next = new Int32Array(many);
  sizes = new Int32Array(many);
  for (const n of numbers) {
    const group = groups[n];
    sizes[group] += 1;
    if (findings.severity[n] < worst[group]) worst[group] = findings.severity[n];
  }
  const ranked = Array.from(sizes.keys()).filter((group) => sizes[group]);
  ranked.sort((a, b) => worst[a] - worst[b] || sizes[b] - sizes[a] || a - b);
  ranked.reduce((place, group) => (next[group] = place) + sizes[group], 0);
  const together = new Uint32Array(numbers.length);
  for (const n of numbers) together[next[groups[n]]++] = n;
  return together;
}

// While the browser is idle, compute the indexes and orders that searching and sorting need.
function reckonAhead() {
  const idle = globalThis.requestIdleCallback ?? ((act) => setTimeout(act, 20));
  const columns = Object.keys(COLUMNS).filter((column) => COLUMNS[column].order);
  const acts = [
    ...[keys.name, keys.id, keys.value, texts].map((table) => () => index(table)),
    () => search("e", new Uint8Array(COUNT)), // lets the browser compile the function
    ...columns.map((column) => () => ordered(column, false)),
    ...Object.keys(GROUPS).map((name) => () => groupsBy(name)),
    ...columns.map((column) => () => ordered(column, true)),
  ];
  const next = () => {
    acts.shift()?.();
    if (acts.length) idle(next);
  };
  idle(next);
}
