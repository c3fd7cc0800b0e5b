// The page's data: tables, columns of numbers, and an index over all texts. Continues in findings.js.
// Texts are inserted with textContent only; the page loads and sends no data.
const byId = (id) => document.getElementById(id);
const { severities, statuses, rules, projects, owners, keys, texts, findings } =
  JSON.parse(byId("data").textContent);
const COUNT = findings.rule.length;
const [NAME, ID, STATE] = [0, 1, 2]; // of a project
const [EMAIL, OWNER_ID, OWNER_STATE] = [1, 2, 3]; // of an owner, after the name
const [TITLE, WHY, FIX, CONTROLS] = [1, 2, 3, 4]; // of a rule, after the id
const [UNKNOWN, NEVER] = [-1, -2];
const SHIFT = 2 ** 20; // greater than the number of findings in a report
const LATER = 2 ** 30; // later than every date
for (const [columns, names] of [
  [keys, ["project", "owner", "created", "used", "expires"]],
  [findings, ["rule", "severity", "key", "status", "seen", "text"]],
]) {
  for (const name of names) columns[name] = new Int32Array(columns[name]);
}

const fingerprintOf = (n) => findings.fingerprints.slice(32 * n, 32 * n + 32);
const keyed = (column) => (n) => keys[column][findings.key[n]];
const projectOf = (n) => projects[keys.project[findings.key[n]]];
const ownerOf = (n) => owners[keys.owner[findings.key[n]]];
const ruleOf = (n) => rules[findings.rule[n]];
const severityOf = (n) => severities[findings.severity[n]];
const statusOf = (n) => statuses[findings.status[n]];
const day = (minutes, never) =>
  minutes === NEVER ? never
  : minutes === UNKNOWN ? "unknown"
  : new Date(minutes * 60000).toISOString().slice(0, 10);
const moments = (minutesOf, never) => (n) => {
  const minutes = minutesOf(n);
  return minutes === NEVER ? never : minutes === UNKNOWN ? LATER + 1 : minutes;
};
const ruleNames = rules.map(([id, title]) => [id, title]);
const projectNames = projects.map(([name, id]) => [name, id]);
const rankOfRule = new Int32Array(rules.length);
rules.map((rule, number) => [rule[TITLE], number]).sort().forEach(([, number], rank) => (rankOfRule[number] = rank));

// A column: its heading, sort key, text, and the content of a cell where it is not the text.
const COLUMNS = {
  key: { heading: "Key", order: (n) => findings.key[n], text: (n) => keys.name[findings.key[n]] },
  severity: {
    heading: "Severity",
    order: (n) => findings.severity[n],
    text: severityOf,
    show: (n) => element("span", { class: `badge ${severityOf(n)}` }, severityOf(n)),
  },
  status: { heading: "Status", order: (n) => findings.status[n], text: statusOf, kind: (n) => `status ${statusOf(n)}` },
  rule: { heading: "Rule", order: (n) => rankOfRule[findings.rule[n]], text: (n) => ruleOf(n)[TITLE] },
  evidence: { heading: "Evidence", text: (n) => texts[findings.text[n]] },
  project: { heading: "Project", order: keyed("project"), text: (n) => projectOf(n)[NAME] },
  owner: {
    heading: "Owner",
    order: keyed("owner"),
    text: (n) => ownerOf(n)[EMAIL] || ownerOf(n)[NAME],
    show: (n) => [ownerOf(n)[NAME], element("small", {}, ownerOf(n)[OWNER_STATE])],
  },
  created: dates("Created", keyed("created"), LATER, ""),
  used: dates("Last used", keyed("used"), 0, "never"),
  expires: dates("Expires", keyed("expires"), LATER, "never"),
  seen: dates("First seen", (n) => findings.seen[n], LATER, ""),
};

function dates(heading, minutesOf, never, spelled) {
  return { heading, order: moments(minutesOf, never), text: (n) => day(minutesOf(n), spelled), kind: () => "date" };
}

// ---- Orders: all findings sorted by a column, computed once.
const orders = new Map();
function ordered(column, down) {
  const name = `${down ? "-" : ""}${column}`;
  if (!orders.has(name)) orders.set(name, sorted(COLUMNS[column].order, down ? -1 : 1));
  return orders.get(name);
}

// Pack sort key and position into one number: sorting a typed array of numbers is fastest.
function sorted(order, sign) {
  const packed = new Float64Array(COUNT);
  for (let n = 0; n < COUNT; n++) packed[n] = sign * order(n) * SHIFT + n;
  packed.sort();
  const numbers = new Uint32Array(COUNT);
  for (let place = 0; place < COUNT; place++) numbers[place] = ((packed[place] % SHIFT) + SHIFT) % SHIFT;
  return numbers;
}

// ---- Indexes: all texts of a table as one string, one line each, so one search covers all.
const indexes = new Map();
function index(texts) {
  if (!indexes.has(texts)) {
    const text = `${texts.map((one) => (Array.isArray(one) ? one.join("\t") : one)).join("\n").toLowerCase()}\n`;
    const ends = new Int32Array(texts.length);
    for (let line = 0, at = 0; line < ends.length; line++, at++) ends[line] = at = text.indexOf("\n", at);
    indexes.set(texts, { text, ends });
  }
  return indexes.get(texts);
}

// Mark the lines that contain the word; the word contains no line break.
function mark(texts, word, marks = new Uint8Array(texts.length)) {
  const { text, ends } = index(texts);
  let line = 0;
  for (let at = text.indexOf(word); at >= 0 && line < ends.length; at = text.indexOf(word, ends[line])) {
    while (ends[line] < at) line++;
    marks[line] = 1;
  }
  return marks;
}
