// The findings of the page's data: searched, filtered, sorted, grouped, a page at a time.
// Every text enters by textContent; nothing is loaded and nothing leaves the page.
const byId = (id) => document.getElementById(id);
const { severities, statuses, rules, projects, owners, keys, texts, findings } =
  JSON.parse(byId("data").textContent);
const [RULE, SEVERITY, KEY, STATUS, FIRST_SEEN, FINGERPRINT, WORDS] = [0, 1, 2, 3, 4, 5, 6];
const [NAME, ID, VALUE, PROJECT, OWNER, CREATED, USED, EXPIRES] = [0, 1, 2, 3, 4, 5, 6, 7];
const PAGE = 50;
const PRINTED = 1000;
const SHIFT = 2 ** 20; // more findings than one report holds
const LATER = 2 ** 30; // after every minute
const OUTSIDE = new Set(["unverified", "undetermined", "excepted", "resolved"]);
const [NEVER, UNKNOWN] = [null, -1];
const ORGANIZATION = ["organization", "", ""];

const keyOf = (finding) => keys[finding[KEY]];
const projectOf = (finding) => projects[keyOf(finding)[PROJECT]] ?? ORGANIZATION;
const ownerOf = (finding) => owners[keyOf(finding)[OWNER]];
const titles = rules.map((rule, number) => [rule[1], number]).sort();
const titleRank = new Array(rules.length);
titles.forEach(([, number], rank) => (titleRank[number] = rank));

const day = (minutes, never) =>
  minutes === NEVER ? never
  : minutes === UNKNOWN ? "unknown"
  : new Date(minutes * 60000).toISOString().slice(0, 10);
const orderOf = (minutes, never) =>
  minutes === NEVER ? never : minutes === UNKNOWN ? LATER + 1 : minutes;
const wordsOf = (finding) => finding[WORDS].map((word) => texts[word]);

// A column: heading, what it sorts by, what a cell shows, what it is in a CSV.
const COLUMNS = {
  key: {
    heading: "Key",
    order: (f) => f[KEY],
    csv: (f) => keyOf(f)[NAME],
  },
  severity: {
    heading: "Severity",
    order: (f) => f[SEVERITY],
    show: (f) => element("span", { class: `badge ${severities[f[SEVERITY]]}` }, severities[f[SEVERITY]]),
    csv: (f) => severities[f[SEVERITY]],
  },
  status: {
    heading: "Status",
    order: (f) => f[STATUS],
    show: (f) => element("span", { class: `status ${statuses[f[STATUS]]}` }, statuses[f[STATUS]]),
    csv: (f) => statuses[f[STATUS]],
  },
  rule: {
    heading: "Rule",
    order: (f) => titleRank[f[RULE]],
    csv: (f) => rules[f[RULE]][1],
  },
  evidence: {
    heading: "Evidence",
    csv: (f) => wordsOf(f).join("; "),
  },
  project: {
    heading: "Project",
    order: (f) => keyOf(f)[PROJECT],
    csv: (f) => projectOf(f)[0],
  },
  owner: {
    heading: "Owner",
    order: (f) => keyOf(f)[OWNER],
    show: (f) => [ownerOf(f)[0], element("small", {}, ownerOf(f)[3])],
    csv: (f) => ownerOf(f)[1] || ownerOf(f)[0],
  },
  created: {
    heading: "Created",
    order: (f) => orderOf(keyOf(f)[CREATED], LATER),
    csv: (f) => day(keyOf(f)[CREATED], ""),
  },
  used: {
    heading: "Last used",
    order: (f) => orderOf(keyOf(f)[USED], 0),
    csv: (f) => day(keyOf(f)[USED], "never"),
  },
  expires: {
    heading: "Expires",
    order: (f) => orderOf(keyOf(f)[EXPIRES], LATER),
    csv: (f) => day(keyOf(f)[EXPIRES], "never"),
  },
  seen: {
    heading: "First seen",
    order: (f) => orderOf(f[FIRST_SEEN], LATER),
    csv: (f) => day(f[FIRST_SEEN], ""),
  },
};
const DATES = new Set(["created", "used", "expires", "seen"]);
const LESS_WANTED = ["created", "expires", "seen"];
const GROUPS = {
  owner: [(f) => ownerOf(f)[2] || ownerOf(f)[0], (f) => ownerOf(f)[0]],
  project: [(f) => keyOf(f)[PROJECT], (f) => projectOf(f)[0]],
  rule: [(f) => f[RULE], (f) => rules[f[RULE]][1]],
  severity: [(f) => f[SEVERITY], (f) => severities[f[SEVERITY]]],
};

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

// ---- What is shown: the state of the controls, and of the address after its #.
const view = {};
const opened = new Set();
let shown = new Uint32Array(0);
let notice = "";
let sizes = new Map(); // of the groups: the worst severity and the count

function reset() {
  Object.assign(view, {
    q: "", severity: new Set(), status: "", rule: "", project: "", owner: "",
    sort: "severity", down: false, group: "", hidden: new Set(LESS_WANTED), page: 0,
  });
}

// The address as it was loaded or has changed; a plain anchor (#coverage) leaves the view as it is.
function followAddress() {
  if (/^#(?!f-)[\w-]+$/.test(location.hash)) return;
  readAddress();
}

function readAddress() {
  reset();
  opened.clear();
  notice = "";
  const hash = location.hash.slice(1);
  const link = /^f-([0-9a-f]{32})$/.exec(hash);
  if (link) {
    showLinked(link[1]);
  } else if (hash.includes("=")) {
    const told = new URLSearchParams(hash);
    for (const name of ["q", "rule", "project", "owner"]) view[name] = told.get(name) ?? "";
    if ([...statuses, "all"].includes(told.get("status"))) view.status = told.get("status");
    view.severity = new Set((told.get("severity") ?? "").split(",").filter((s) => severities.includes(s)));
    const sort = told.get("sort") ?? "severity";
    view.down = sort.startsWith("-");
    const column = sort.replace(/^-/, "");
    if (Object.hasOwn(COLUMNS, column) && COLUMNS[column].order) view.sort = column;
    if (Object.hasOwn(GROUPS, told.get("group") ?? "")) view.group = told.get("group");
    if (told.has("hide")) view.hidden = new Set(told.get("hide").split(",").filter((c) => c in COLUMNS && c !== "key"));
    view.page = Math.max(0, (parseInt(told.get("page"), 10) || 1) - 1);
  }
  choose();
  if (link && !notice) view.page = Math.floor(shown.findIndex((n) => opened.has(n)) / PAGE);
  fillControls();
  draw();
  if (link) afterLoading(() => jumpTo(byId(notice ? "count" : `f-${link[1]}`)));
  else if (hash.includes("=")) byId("findings").scrollIntoView();
}

function showLinked(fingerprint) {
  const number = findings.findIndex((finding) => finding[FINGERPRINT] === fingerprint);
  if (number < 0) {
    notice = "The finding of this link is not in this report: it was resolved before the scans that this report looks back on, or it is of another organization.";
    return;
  }
  opened.add(number);
  view.status = OUTSIDE.has(statuses[findings[number][STATUS]]) ? statuses[findings[number][STATUS]] : "";
}

// While it loads, the browser follows the link itself, and takes the focus away.
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
  const told = new URLSearchParams();
  for (const name of ["q", "status", "rule", "project", "owner", "group"]) if (view[name]) told.set(name, view[name]);
  if (view.severity.size) told.set("severity", [...view.severity].join(","));
  if (view.sort !== "severity" || view.down) told.set("sort", (view.down ? "-" : "") + view.sort);
  const hidden = Object.keys(COLUMNS).filter((column) => view.hidden.has(column)).join(",");
  if (hidden !== LESS_WANTED.join(",")) told.set("hide", hidden);
  if (view.page) told.set("page", String(view.page + 1));
  try {
    history.replaceState(null, "", `#${told}`);
  } catch {
    // a sandboxed frame may refuse; the view works all the same
  }
}

// ---- Filtering and sorting: over the small tables first, then numbers only.
const lowered = new Map();
function contains(table, columns, word) {
  if (!lowered.has(table)) {
    lowered.set(table, table.map((row) => (columns ? columns.map((c) => row[c]).join("\n") : row).toLowerCase()));
  }
  return lowered.get(table).map((text) => text.includes(word));
}

function matcher(word) {
  const inText = contains(texts, null, word);
  const inRule = contains(rules, [0, 1], word);
  const inProject = contains(projects, [0, 1], word);
  const inOwner = contains(owners, [0, 1, 2, 3], word);
  const inKey = contains(keys, [NAME, ID, VALUE], word)
    .map((is, n) => is || inProject[keys[n][PROJECT]] || inOwner[keys[n][OWNER]]);
  const inStatus = statuses.map((status) => status === word);
  return (f) => inKey[f[KEY]] || inRule[f[RULE]] || inStatus[f[STATUS]] || f[WORDS].some((w) => inText[w]);
}

// A name or id that is one exactly is that one; else whatever contains it.
function named(table, columns, asked, number) {
  const word = asked.trim().toLowerCase();
  const exact = table.map((row) => columns.some((c) => row[c].toLowerCase() === word));
  const hits = exact.includes(true) ? exact : contains(table, columns, word);
  return (f) => hits[keyOf(f)[number]];
}

function choose() {
  const tests = [];
  if (view.status === "") tests.push((f) => !OUTSIDE.has(statuses[f[STATUS]]));
  else if (view.status !== "all") tests.push((f) => statuses[f[STATUS]] === view.status);
  if (view.severity.size) tests.push((f) => view.severity.has(severities[f[SEVERITY]]));
  if (view.rule) tests.push((f) => rules[f[RULE]][0] === view.rule);
  if (view.project.trim()) tests.push(inProject(view.project));
  if (view.owner.trim()) tests.push(named(owners, [0, 1, 2], view.owner, OWNER));
  for (const word of view.q.toLowerCase().split(/\s+/).filter(Boolean)) tests.push(matcher(word));
  const found = [];
  for (let n = 0; n < findings.length; n++) if (tests.every((test) => test(findings[n]))) found.push(n);
  const { order } = COLUMNS[view.sort];
  const sign = view.down ? -1 : 1;
  shown = sorted(found, (n) => sign * order(findings[n]));
  if (view.group) shown = grouped(shown);
  view.page = Math.min(view.page, Math.max(0, Math.ceil(shown.length / PAGE) - 1));
}

function inProject(asked) {
  if (asked.trim().toLowerCase() === ORGANIZATION[0]) return (f) => keyOf(f)[PROJECT] === UNKNOWN;
  return named(projects, [0, 1], asked, PROJECT);
}

// Sort by a whole number, and by place where that is equal, as one number: the fastest there is.
function sorted(numbers, order) {
  const packed = new Float64Array(numbers.length);
  for (let place = 0; place < packed.length; place++) packed[place] = order(numbers[place]) * SHIFT + place;
  packed.sort();
  const ordered = new Uint32Array(packed.length);
  for (let place = 0; place < packed.length; place++) {
    ordered[place] = numbers[((packed[place] % SHIFT) + SHIFT) % SHIFT];
  }
  return ordered;
}

function grouped(numbers) {
  const [groupOf] = GROUPS[view.group];
  sizes = new Map();
  for (const n of numbers) {
    const group = groupOf(findings[n]);
    const size = sizes.get(group) ?? { worst: severities.length, count: 0 };
    size.worst = Math.min(size.worst, findings[n][SEVERITY]);
    size.count += 1;
    sizes.set(group, size);
  }
  const ranked = [...sizes].sort(([, a], [, b]) => a.worst - b.worst || b.count - a.count);
  const rank = new Map(ranked.map(([group], place) => [group, place]));
  return sorted(numbers, (n) => rank.get(groupOf(findings[n])));
}
