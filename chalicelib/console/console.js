// The operator's page: who is signed in, what is shown, and when it is read again.

import { forget, get, NoAnswer, Problem, query, token } from "./api.js";
import { act, mark } from "./dialogs.js";
import { draw, h, icon, spelled, tick, zone } from "./dom.js";
import { listView, targetsView, targetView } from "./list.js";
import { address, button, problemView, quiet, title } from "./parts.js";
import { promotionView } from "./promotion.js";

const place = (id) => document.getElementById(id);
const main = place("main");

/** Who is signed in: null where nobody is, and nameless until the API has said who. */
let me = null;
let view = null;
/** The newest reading of each promotion that was read whole: what its buttons act on. */
const details = new Map();
/** The newest version of each that was seen: a list may lag behind it. */
const known = new Map();

function changed(list) {
	for (const promotion of list) {
		const { id, state, version } = promotion;
		const before = known.get(id);
		if (version < before?.version) continue;
		known.set(id, promotion);
		if (before && before.state !== state) tell(promotion, `is now ${state}`);
	}
}

/** Say what has changed, also to those who listen. */
function tell({ flag, target }, news) {
	draw(place("news"), h("b", `${flag} at ${target} ${news}`), quiet(` ${spelled(Date.now(), true)}`));
	reading.unchanged = 0;
}

/** Often while something moves, and less often for as long as nothing changes. */
const EVERY_MS = { busy: 2_500, idle: 8_000 };
const SLOWER = 1.4;
const SLOWEST_MS = 30_000;
const reading = { timer: 0, run: null, unchanged: 0, failures: 0, seen: "", at: 0, lostAt: 0, problem: null };

/** Read the view now. What an earlier reading still brings is not shown: it may have begun too early. */
async function read() {
	clearTimeout(reading.timer);
	if (!view || document.hidden) return;
	const run = (reading.run = {});
	const newest = () => run === reading.run;
	try {
		await Promise.all([view.read(() => newest() && show()), me.name || identify()]);
		if (newest()) arrived();
	} catch (error) {
		if (newest()) lost(error);
	}
	if (newest()) reading.timer = setTimeout(read, pause());
}

function pause() {
	if (reading.failures) return 1000 * 2 ** Math.min(reading.failures, 5);
	return Math.min(SLOWEST_MS, EVERY_MS[view.busy?.() ? "busy" : "idle"] * SLOWER ** reading.unchanged);
}

function arrived() {
	view.refusal = null;
	show();
	const seen = main.textContent;
	const unchanged = seen === reading.seen ? reading.unchanged + 1 : 0;
	Object.assign(reading, { failures: 0, lostAt: 0, at: Date.now(), seen, unchanged });
	showFreshness();
}

/** It could not be read: what was read before stays, and it is tried again. */
function lost(error) {
	if (!(error instanceof Problem || error instanceof NoAnswer)) throw error;
	if (error.status === 401) return me && signOut(error);
	reading.failures += 1;
	reading.lostAt ||= Date.now();
	reading.problem = error;
	if (error.retryable === false && !reading.at) view.refusal = error;
	show();
}

function showFreshness() {
	const { lostAt, at, problem } = reading;
	const seen = at ? ` What you see was read at ${spelled(at, true)}.` : "";
	draw(place("connection"), lostAt > 0 && !view?.refusal && h("div.banner.is-offline", icon("stalled"),
		h("p", h("b", problem.message), ` since ${spelled(lostAt, true)}.${seen} It is tried again by itself.`),
		button("Try now", { do: "again" })));
	const seconds = Math.round((Date.now() - at) / 1000);
	draw(place("freshness"), me && `${at ? `Read ${seconds} s ago` : "Reading…"} · ${zone()}; point at a time for UTC`);
}

const ROUTES = [
	[/^\/promotions\/(prm_\w{26})$/, (id) => promotionView(id, { details, changed })],
	[/^\/targets$/, targetsView],
	[/^\/targets\/([\w-]+)$/, (app) => targetView(app, { changed })],
	[/^/, (_, filters) => listView(filters, { details, changed })],
];

let here = null;
const focusHeading = () => main.querySelector("h1").focus();

function go(moved) {
	if (location.hash === "#main") {
		history.replaceState(null, "", here ?? "#/");
		if (moved) return main.focus();
	}
	here = location.hash || "#/";
	document.querySelector("dialog")?.close();
	const [path, filters] = here.slice(1).split("?");
	const [pattern, make] = ROUTES.find(([route]) => route.test(path));
	view = make(pattern.exec(path)[1], Object.fromEntries(new URLSearchParams(filters)));
	Object.assign(reading, { unchanged: 0, failures: 0, at: 0, lostAt: 0 });
	forget();
	const filtering = document.activeElement.closest("#filters [name]")?.name;
	draw(main);
	show();
	showHeader();
	scrollTo(0, 0);
	// Arrow keys choose on the spot: who goes through a filter's options stays there.
	if (filtering) document.forms.filters?.elements[filtering].focus();
	else if (moved) focusHeading();
	read();
}

function show() {
	const focused = document.activeElement;
	draw(main, view.refusal
		? [title(view.title()), problemView(view.refusal), h("a", { href: "#/" }, "All promotions")]
		: view.show());
	if (!focused.isConnected) focusHeading();
	document.title = `${view.title()} · Hoist`;
	showFreshness();
}

function showHeader() {
	const link = (href, text, current) => h("a", { href, "aria-current": current && "page" }, text);
	draw(place("nav"), me?.name && [
		link("#/", "Promotions", !/^#\/\w/.test(here)), link("#/targets", "Targets", here === "#/targets"),
		["promoter", "superadmin"].includes(me.role) && button("Mark a flag…", { do: "mark", "aria-haspopup": "dialog" }),
	]);
	draw(place("who"), me?.name && [h("b", me.name), quiet(` ${me.role} `), button("Sign out", { do: "leave" })]);
}

/** An action was carried out; what comes of some is a new promotion. */
function done(promotion, verb) {
	const { id, state } = promotion;
	const before = details.get(id);
	known.set(id, promotion);
	tell(promotion, before?.state === state ? `: ${verb}` : `is now ${state}`);
	if (!before) location.hash = address(id);
	else read();
}

const DO = {
	again: read,
	leave: () => signOut(),
	mark: async () => mark((await get("targets")).body.targets, done),
	ask: () => view.ask(show),
	download: () => view.download(),
};

addEventListener("click", async ({ target }) => {
	const pressed = target.closest("[data-do]");
	if (!pressed || pressed.ariaDisabled === "true") return;
	const { do: name, of: id } = pressed.dataset;
	try {
		await (id ? act(details.get(id), name, done) : DO[name]());
	} catch (error) {
		lost(error);
	}
});

const filter = (form) => {
	location.hash = `#/${query(Object.fromEntries(new FormData(form)))}`;
};

addEventListener("change", ({ target }) => target.form?.id === "filters" && filter(target.form));
addEventListener("submit", (event) => {
	event.preventDefault();
	if (event.target.id === "filters") filter(event.target);
	if (event.target.id === "sign-in") signIn(event.target.elements.token.value.trim());
});

function askForToken(problem) {
	document.title = "Sign in · Hoist";
	draw(main, h("form.sign-in", { id: "sign-in" }, title("Sign in"),
		h("p", "Paste your token. It stays in this tab, and is forgotten when you close it."),
		h("label", { for: "token" }, "Token"),
		h("input", { id: "token", name: "token", type: "password", pattern: "\\s*[!-~]+\\s*", autocomplete: "off", required: true }),
		problem && problemView(problem), h("button.likely", { type: "submit" }, "Sign in")));
	place("token").focus();
}

/** Read what they came for at once; who they are is found out meanwhile. */
function signIn(wanted) {
	if (wanted) token.set(wanted);
	me = {};
	go();
	if (wanted) focusHeading();
}

async function identify() {
	const { body } = await get("me");
	if (!me) return;
	me = body;
	showHeader();
}

function signOut(problem) {
	clearTimeout(reading.timer);
	token.forget();
	forget();
	me = view = null;
	details.clear();
	known.clear();
	Object.assign(reading, { run: null, lostAt: 0 });
	document.querySelector("dialog")?.close();
	draw(place("news"));
	showHeader();
	showFreshness();
	askForToken(problem);
}

addEventListener("hashchange", () => me && go(true));
for (const name of ["online", "offline", "visibilitychange"]) {
	addEventListener(name, () => me && (document.hidden ? clearTimeout(reading.timer) : read()));
}
setInterval(() => {
	tick();
	showFreshness();
}, 1000);

get("health").then(({ body }) => draw(place("stage"), body.stage), () => {});
if (token.get()) signIn();
else askForToken();
