// The dashboard of a crawl. What comes from the web is only ever set as text: no markup is made of anything here.
"use strict";

const $ = (id) => document.getElementById(id);
const MOST_POINTS = 300; // five minutes
const MOST_ROWS = { errors: 100, recent: 50 };
const RETRY_MS = 2000;
const HOSTS_MS = 2000;
const SURE_MS = 5000;
const TYPING_MS = 250;
const ROLES = { tr: "row", td: "cell" };
/** Which box of the ring a limit belongs to. */
const BOX = {
  ledger: "ledger", parsers: "parsers", memory: "parsers", "main process": "fetcher", network: "fetcher",
  politeness: "fetcher", concurrency: "fetcher", "per-host": "fetcher", "per-address": "fetcher",
  delay: "fetcher", "Crawl-delay": "fetcher", "back-off": "fetcher", "few URLs": "frontier",
  consumer: "ledger", output: "ledger", disk: "ledger", "silent hosts": "fetcher", retries: "frontier", frontier: "frontier",
};

let token = location.hash.slice(1) || sessionStorage.getItem("token") || "";
if (location.hash) {
  sessionStorage.setItem("token", token); // a reload has it still, and a picture of the screen has not
  history.replaceState(null, "", location.pathname);
}
let steered = { paused: false, delays: {}, blocked: [] };
let live = false;
let stopping = false;
let seen = 0; // the number of the last error or page that was told
let before = null; // the picture before this one, for commits a second
const rates = [];

// Numbers and times as people read them

const numbers = new Intl.NumberFormat("en");
const count = (n) => numbers.format(n);
const rate = (n) => (n >= 99.95 ? count(Math.round(n)) : n.toFixed(n >= 9.995 ? 1 : 2));
const clock = (at) => new Date(at * 1000).toLocaleTimeString("en-GB");
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;

function size(n) {
  if (n < 999.5) return `${Math.round(n)} B`;
  for (const [unit, bytes] of [["kB", 1e3], ["MB", 1e6], ["GB", 1e9]]) {
    if (n < bytes * 999.5) return `${(n / bytes).toFixed(n / bytes < 99.95 ? 1 : 0)} ${unit}`;
  }
  return `${(n / 1e12).toFixed(1)} TB`;
}

function duration(s) {
  if (s < 9.95) return `${Math.max(0, s).toFixed(1)} s`;
  const whole = Math.round(s);
  if (whole < 60) return `${whole} s`;
  const [big, name, small, unit] =
    whole < 3600 ? [60, "min", 1, "s"] : whole < 86400 ? [3600, "h", 60, "min"] : [86400, "d", 3600, "h"];
  const rest = Math.floor((whole % big) / small);
  return `${count(Math.floor(whole / big))} ${name}${rest ? ` ${rest} ${unit}` : ""}`;
}

function say(id, text) {
  const element = typeof id === "string" ? $(id) : id;
  if (element.textContent !== text) element.textContent = text;
}

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  if (tag in ROLES) element.setAttribute("role", ROLES[tag]); // on a narrow screen rows are laid out as no table is
  return element;
}

// What the server is asked

const headers = () => ({ "X-Crawler-Token": token });

async function ask(path, body) {
  const how = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, { ...how, headers: headers() });
  } catch {
    throw new Error("the crawl does not answer");
  }
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error || `the crawl answers ${answer.status}`);
  return told;
}

async function steer(change, where) {
  try {
    showSteered(await ask("api/steer", change));
    if (where) say(where, "");
    return true;
  } catch (error) {
    if (where) say(where, error.message);
    else notice(error.message);
    return false;
  }
}

// The stream of events

async function watch() {
  if (!token) {
    state("closed", "This address is not all of it: open the one that the crawl has printed, with what follows its #.");
    return;
  }
  for (;;) {
    const end = await stream();
    if (end) return;
    await new Promise((then) => setTimeout(then, RETRY_MS));
  }
}

/** Follow the events until they end; return whether there will be no more. */
async function stream() {
  const answer = await fetch("api/events", { headers: headers(), cache: "no-store" }).catch(() => null);
  if (answer && !answer.ok) {
    const told = await answer.json();
    state("closed", `${told.error[0].toUpperCase()}${told.error.slice(1)}.`);
    return answer.status === 403;
  }
  const reader = answer && answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = reader ? await reader.read().catch(() => ({ done: true })) : { done: true };
    if (done) break;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const [name, data] = part.split("\n");
      if (name === "event: end") return true;
      const told = JSON.parse(data.slice("data: ".length));
      if (name === "event: picture") show(told);
      else if (name === "event: news") showNews(told);
    }
  }
  const last = before ? ` What stands here is of ${clock(before.at)}.` : "";
  state("gone", `The crawl does not answer: it has been killed, or its machine cannot be reached.${last}`);
  return false;
}

/** Say how it stands; with a notice the figures are old. */
function state(word, text) {
  live = false;
  say("state", word);
  notice(text);
  document.body.classList.add("gone");
  enable();
}

function notice(text) {
  say("notice", text);
  $("notice").hidden = !text;
}

function enable() {
  for (const id of ["pause", "stop", "set-delay", "block", "unblock"]) $(id).disabled = !live;
}

// The picture

function show(picture) {
  const { stats, rates: now } = picture;
  const ended = stats.ended !== "running";
  live = !ended;
  document.body.classList.remove("gone");
  notice(ended ? `The crawl has ended: ${stats.ended}. What stands here is how it ended.` : "");
  document.title = `${count(stats.pages)} pages · ${picture.title}`;
  say("title", picture.title);
  say("elapsed", `for ${duration(stats.elapsed_s)}`);
  say("pages", count(stats.pages));
  const of = stats.max_pages === null ? "" : `of ${count(stats.max_pages)}, `;
  say("pages-more", `${of}${size(stats.bytes)}`);
  say("rate", rate(now.pages_per_s));
  say("bytes-rate", `${size(now.bytes_per_s)} a second`);
  say("queued", count(stats.queued));
  say("known", `of ${count(stats.known)} known, ${plural(stats.active_hosts, "host", "hosts")}`);
  say("left", ended ? "ended" : picture.left_s === null ? "unknown" : duration(picture.left_s));
  say("left-why", ended ? stats.ended : picture.left_why);
  showRing(picture, ended);
  showChart(ended ? 0 : now.pages_per_s, stats.elapsed_s);
  showCounts("outcomes", Object.entries(stats.outcomes));
  showCounts("statuses", Object.entries(stats.statuses));
  showSteered(picture.steered);
  if (ended) say("state", `ended: ${stats.ended}`);
  before = picture;
  enable();
}

function showRing({ stats, rates: now, limit, why, at }, ended) {
  say("limit", ended ? "The crawl has ended." : `Limited by ${limit}: ${why}`);
  const box = ended ? null : BOX[limit];
  for (const id of ["frontier", "fetcher", "parsers", "ledger"]) $(id).classList.toggle("binds", id === box);

  const due = Math.max(0, stats.queued - stats.fetching - stats.parsing - stats.committing);
  say("frontier-depth", count(due));
  const retrying = stats.retrying ? `, ${count(stats.retrying)} wait for another attempt` : "";
  say("frontier-more", `${rate(now.found_per_s)} found a second${retrying}`);

  say("fetcher-depth", count(stats.fetching));
  say("fetcher-most", `of ${count(stats.concurrency)} requests`);
  bar("fetcher-bar", stats.fetching, stats.concurrency);
  const silent = stats.silent_hosts ? `, ${plural(stats.silent_hosts, "host does", "hosts do")} not answer` : "";
  say("fetcher-more", `${plural(stats.waiting_hosts, "host waits", "hosts wait")}${silent}`);

  const held = stats.body_bytes_held ? `, ${size(stats.body_bytes_held)} of bodies` : "";
  say("parsers-depth", count(stats.parsing));
  say("parsers-most", stats.parse_capacity ? `of ${count(stats.parse_capacity)} places` : "pages");
  bar("parsers-bar", stats.parsing, stats.parse_capacity);
  const busy = now.parser_shares.map((part) => `${Math.round(part * 100)} %`).join(", ");
  say("parsers-more", busy ? `busy ${busy}${held}` : held.slice(2));

  say("ledger-depth", count(stats.committing));
  const span = before ? at - before.at : 0;
  const commits = span > 0 ? (stats.commits - before.stats.commits) / span : 0;
  const each = stats.commits ? `, ${((stats.commit_s / stats.commits) * 1000).toFixed(0)} ms each` : "";
  say("ledger-more", `${rate(Math.max(0, commits))} commits a second${each}`);
  say("back", `${rate(now.ended_per_s)} ended, ${rate(now.found_per_s)} found a second`);
}

function bar(id, value, most) {
  $(id).value = most ? Math.min(1, value / most) : 0;
}

function showChart(perSecond, elapsed) {
  rates.push([elapsed, perSecond]);
  if (rates.length > MOST_POINTS) rates.shift();
  if (rates.length < 2) return;
  const top = Math.max(...rates.map((point) => point[1]), 0.01);
  const [first, last] = [rates[0][0], rates.at(-1)[0]];
  const x = (at) => (600 * (at - first)) / Math.max(1, last - first);
  const points = rates.map(([at, n]) => `${x(at).toFixed(1)},${(77 - (74 * n) / top).toFixed(1)}`).join(" ");
  $("line").setAttribute("points", points);
  $("area").setAttribute("points", `0,80 ${points} 600,80`);
  const text = `Pages a second in the last ${duration(last - first)}: ${rate(perSecond)} now, ${rate(top)} at most`;
  say("chart-says", text);
  $("chart").setAttribute("aria-label", text);
}

function showCounts(id, counts) {
  counts.sort((one, other) => other[1] - one[1]);
  const body = $(id);
  counts.forEach(([kind, n], at) => {
    const row = body.rows[at] || body.insertRow();
    if (!row.cells.length) row.append(make("td"), make("td", undefined, "number"));
    say(row.cells[0], kind);
    say(row.cells[1], count(n));
  });
  while (body.rows.length > counts.length) body.deleteRow(-1);
}

// What has ended

function showNews({ errors, pages }) {
  const isNew = (one) => one.number > seen; // after a break in the stream they all come again
  const last = Math.max(seen, ...errors.map((one) => one.number), ...pages.map((one) => one.number));
  for (const one of errors.filter(isNew)) {
    const row = make("tr");
    row.append(make("td", clock(one.at), "time"), make("td", one.what, "bad"), make("td", hostOf(one.url), "host"));
    row.append(address(one.url));
    put("errors", row);
  }
  for (const one of pages.filter(isNew)) {
    const row = make("tr");
    row.append(make("td", clock(one.at), "time"), make("td", one.what));
    row.append(address(one.url, one.title));
    put("recent", row);
  }
  seen = last;
  $("no-errors").hidden = $("errors").rows.length > 0;
  $("no-pages").hidden = $("recent").rows.length > 0;
}

function put(id, row) {
  const body = $(id);
  body.prepend(row);
  while (body.rows.length > MOST_ROWS[id]) body.deleteRow(-1);
}

function address(url, title) {
  const cell = make("td", undefined, "address");
  if (title) cell.append(make("div", title));
  const button = make("button", url, "text");
  button.type = "button";
  button.title = "Explain";
  button.addEventListener("click", () => explain(url));
  cell.append(button);
  return cell;
}

function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return "";
  }
}

async function explain(url) {
  const story = $("story");
  $("url").value = url;
  story.hidden = false;
  say(story, "…");
  story.scrollIntoView({ block: "nearest" });
  try {
    say(story, (await ask(`api/explain?url=${encodeURIComponent(url)}`)).text);
  } catch (error) {
    say(story, error.message);
  }
}

// What is changed

function showSteered(now) {
  steered = now;
  if (live) say("state", stopping ? "stopping" : now.paused ? "paused" : "running");
  say("pause", now.paused ? "Resume" : "Pause");
  const items = [];
  for (const host of now.blocked) items.push([`${host} is blocked`, "Unblock", { do: "unblock", host }]);
  for (const [host, s] of Object.entries(now.delays)) {
    items.push([`${host} is asked once in ${s} s`, "Take back", { do: "delay", host, delay_s: null }]);
  }
  const list = $("in-force-list");
  const key = JSON.stringify(items);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(
    ...items.map(([text, word, change]) => {
      const item = make("li", text);
      item.append(small(word, `${word}: ${change.host}`, () => steer(change)));
      return item;
    }),
  );
  $("in-force").hidden = !items.length;
}

function small(word, label, act) {
  const button = make("button", word, "small");
  button.type = "button";
  button.setAttribute("aria-label", label);
  button.addEventListener("click", act);
  return button;
}

$("pause").addEventListener("click", () => steer({ do: steered.paused ? "resume" : "pause" }));

$("stop").addEventListener("click", async () => {
  const button = $("stop");
  if (!button.classList.contains("sure")) {
    button.classList.add("sure");
    say(button, "Really stop?");
    setTimeout(calm, SURE_MS);
    return;
  }
  calm();
  if (await steer({ do: "stop" })) {
    stopping = true;
    say("state", "stopping");
  }
});

function calm() {
  $("stop").classList.remove("sure");
  say("stop", "Stop");
}

async function steerHost(word) {
  const form = $("host-form");
  if (!form.reportValidity()) return;
  const host = $("host").value.trim();
  const delay = $("delay").value;
  const change = word === "delay" ? { do: word, host, delay_s: delay === "" ? null : Number(delay) } : { do: word, host };
  if (await steer(change, "host-says")) {
    const done = { delay: delay === "" ? "has the crawl's delay" : `is asked once in ${delay} s`, block: "is blocked", unblock: "is asked again" };
    say("host-says", `${host} ${done[word]}`);
    showHosts();
  }
}

$("host-form").addEventListener("submit", (event) => {
  event.preventDefault();
  steerHost("delay");
});
$("block").addEventListener("click", () => steerHost("block"));
$("unblock").addEventListener("click", () => steerHost("unblock"));
$("explain-form").addEventListener("submit", (event) => {
  event.preventDefault();
  explain($("url").value.trim());
});

// Hosts: the server searches and gives a few; rows do not move under a pointer or a focus

let asking = false;
let searched = null;
let stored = []; // what was found in the store alone: that takes long, so it is looked for once for each search

async function showHosts() {
  const search = $("search").value;
  if (!live || asking || document.hidden) return;
  asking = true;
  try {
    const told = await ask(`api/hosts?search=${encodeURIComponent(search)}${search === searched ? "" : "&stored"}`);
    const here = told.lines.length - told.stored;
    const known = new Set(told.lines.map((line) => line.name));
    stored = search === searched ? stored.filter((line) => !known.has(line.name)) : told.lines.slice(here);
    const shown = here < told.found ? `, ${count(here)} of them here` : "";
    const more = stored.length ? `; ${count(stored.length)} in the store alone` : "";
    say("hosts-found", `${count(told.found)} of ${plural(told.of, "host", "hosts")} in memory${shown}${more}`);
    showLines([...told.lines.slice(0, here), ...stored], search !== searched);
    searched = search;
  } catch (error) {
    say("hosts-found", error.message);
  } finally {
    asking = false;
  }
}

function showLines(lines, anew) {
  const table = $("hosts");
  const body = $("hosts-body");
  const rows = new Map([...body.rows].map((row) => [row.dataset.host, row]));
  const still = !anew && (table.matches(":hover") || table.contains(document.activeElement));
  const wanted = lines.map((line) => {
    const row = rows.get(line.name) || hostRow(line.name);
    const blocked = steered.blocked.includes(line.name);
    const cells = row.cells;
    say(cells[1], `${count(line.pending)}${line.more ? "+" : ""}`);
    say(cells[2], count(line.under_way));
    say(cells[3], `${Number(line.delay_s.toFixed(2))} s`);
    say(cells[4], blocked ? "blocked" : line.state);
    row.classList.toggle("silent", line.silent || blocked);
    const button = cells[5].firstChild;
    const word = blocked ? "Unblock" : "Block";
    say(button, word);
    button.setAttribute("aria-label", `${word} ${line.name}`);
    return row;
  });
  if (!still) body.replaceChildren(...wanted);
  else for (const row of wanted) if (!row.isConnected) body.append(row);
}

function hostRow(name) {
  const row = make("tr");
  row.dataset.host = name;
  const host = make("td", undefined, "address");
  const choose = make("button", name, "text");
  choose.type = "button";
  choose.title = "Change its delay, or block it";
  choose.addEventListener("click", () => {
    $("host").value = name;
    $("delay").value = steered.delays[name] ?? "";
    $("delay").focus();
  });
  host.append(choose);
  const change = make("td");
  change.append(small("Block", `Block ${name}`, async () => {
    await steer({ do: steered.blocked.includes(name) ? "unblock" : "block", host: name }, "host-says");
    showHosts();
  }));
  row.append(host);
  for (const label of ["pending", "under way", "delay"]) {
    const cell = make("td", "", "number");
    cell.dataset.label = label;
    row.append(cell);
  }
  row.append(make("td", "", "state"), change);
  return row;
}

let typing = 0;
$("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(showHosts, TYPING_MS);
});
$("search-form").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("visibilitychange", showHosts);
setInterval(showHosts, HOSTS_MS);

watch();
