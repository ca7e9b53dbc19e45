// The lists: promotions, with what is stalled first; targets, and what waits at each.

import { get, getPage, getPromotion, query } from "./api.js";
import { age, h, icon, time } from "./dom.js";
import {
	actions, address, advice, banner, code, driftBanner, facts, freezeBanner, limits, loading, OPEN, quiet, rows, section, settled, stalled, STATES, title, wish,
} from "./parts.js";

/** So many stalled ones show at once what can be done. */
const CARDS = 3;
/** A page may hold less than its limit: so many are read, at the most, for what is open. */
const PAGES = 20;
const DRIFTS_LAST_MS = 300_000;

/** What surrounds the promotions; it outlives a view. */
const town = { targets: [], freezes: [], drifts: new Map(), compared: 0 };

async function readTown() {
	const [targets, freezes] = await Promise.all(["targets", "freezes"].map(get));
	town.targets = targets.body.targets;
	town.freezes = freezes.body.freezes.filter((freeze) => freeze.in_force);
	for (const target of town.targets) limits.set(target.app, target.alert_after_minutes.sev3 * 60);
}

async function readDrifts() {
	if (Date.now() - town.compared < DRIFTS_LAST_MS) return;
	town.compared = Date.now();
	for (const { app } of town.targets) town.drifts.set(app, (await get(`targets/${app}`)).body.drift);
}

async function readOpen(state) {
	const found = [];
	let cursor;
	for (let n = 0; n < PAGES && cursor !== null; n += 1) {
		const { list, next } = await getPage({ state, cursor, limit: 100 });
		found.push(...list);
		cursor = next;
	}
	return found;
}

/** The view of the promotions under the filters of its address. */
export function listView(filters, { details, changed }) {
	const { state, target, flag, cursor } = filters;
	const overview = !(state || target || flag || cursor);
	const byState = {};
	const lately = [];
	let cards = [], wasOpen = [], page;

	const open = () => inTurn(Object.values(byState).flat());

	async function whole({ id }) {
		const promotion = await getPromotion(id);
		details.set(id, promotion);
		return promotion;
	}

	async function read(show) {
		// What is above is known before what is below is shown: nothing jumps.
		const around = readTown();
		const readState = async (name) => {
			const found = await readOpen(name);
			changed(found);
			await around;
			if (name === "deploying") cards = (await Promise.all(inTurn(found).filter(stalled).slice(0, CARDS).map(whole))).filter(stalled);
			byState[name] = found;
			show();
		};
		const readFound = async () => {
			page = await getPage({ ...filters, limit: 25 });
			changed(page.list);
			show();
		};
		await Promise.all([...(overview ? OPEN.map(readState) : []), readFound(), around]);
		await readSettled();
		show();
		await readDrifts();
	}

	/** What was open at the last look and is no more stays in sight. */
	async function readSettled() {
		const now = open();
		const gone = without(wasOpen, now);
		wasOpen = now;
		const ended = await Promise.all(gone.slice(0, CARDS).map(whole));
		lately.unshift(...ended);
		changed(ended);
	}

	const show = () => [
		title("Promotions"),
		town.freezes.map(freezeBanner),
		[...town.drifts].flatMap(([app, drifts]) => drifts.map((drift) => driftBanner(app, drift))),
		filterForm(filters),
		overview && !OPEN.every((name) => byState[name]) ? loading() : [overview && showOpen(), showPage()],
	];

	function showOpen() {
		const count = open().filter(stalled).length;
		const rest = without(open(), cards);
		return [
			cards.length > 0 && section("stalled", [icon("stalled"), `Stalled: ${count === 1 ? "one needs" : `${count} need`} somebody`], cards.map(card)),
			(rest.length > 0 || !cards.length) && section("open", ["Open ", h("span.count", rest.length)],
				rows(rest, "Nothing is open. All that was marked has settled.")),
		];
	}

	function showPage() {
		const heading = overview ? "Settled" : cursor ? "Older" : "Found";
		if (!page) return section("page", heading, loading());
		const rest = overview ? without(page.list.filter(settled), lately) : page.list;
		return section("page", heading,
			rows([...lately, ...rest], page.next ? "None on this page; the next may have some." : "There is none."),
			page.next && h("p", h("a", { href: `#/${query({ ...filters, cursor: page.next })}` }, "Older →")));
	}

	return {
		title: () => {
			const count = open().filter(stalled).length;
			return `${count ? `(${count} stalled) ` : ""}Promotions`;
		},
		read, show,
		busy: () => byState.deploying?.length > 0,
	};
}

/** Stalled first, then as far as it has come, then by age. */
function inTurn(list) {
	const rank = (promotion) => (stalled(promotion) ? -1 : OPEN.indexOf(promotion.state));
	const since = (promotion) => promotion.state_entered_at ?? "";
	return list.sort((one, other) => rank(one) - rank(other) || since(one).localeCompare(since(other)));
}

const without = (list, others) => list.filter(({ id }) => !others.some((other) => other.id === id));

/** A stalled promotion, with what can be done about it at once. */
function card(promotion) {
	const { id, flag, target, age_seconds, at, created_by, acknowledged_by, waiting_on } = promotion;
	return h("article.card.is-stalled", { key: id },
		h("h3", h("a", { href: address(id) }, flag), ` at ${target} → `, wish(promotion)),
		advice(promotion),
		h("p", waiting_on?.text, quiet(" Marked ", age(age_seconds, at), ` ago by ${created_by}.`, acknowledged_by && ` ${acknowledged_by} knows of it.`)),
		actions(promotion, true));
}

function filterForm({ state, target, flag }) {
	const pick = (label, name, chosen, options) => h("label", label, h("select", { name },
		["", ...options].map((each) => h("option", { value: each, selected: each === (chosen ?? "") }, each || "Any"))));
	const apps = new Set(town.targets.map(({ app }) => app));
	if (target) apps.add(target);
	return h("form", { id: "filters", key: "filters", role: "search" },
		pick("State", "state", state, STATES),
		pick("Target", "target", target, apps),
		h("label", "Flag", h("input", { name: "flag", value: flag, placeholder: "whole name", autocomplete: "off", autocapitalize: "none", spellcheck: "false" })),
		(state || target || flag) && h("a.clear", { href: "#/" }, "Clear"));
}

// Targets

export function targetsView() {
	let targets;
	const row = ({ app, description }) => h("li.row", { key: app }, h("div", h("a.flag", { href: `#/targets/${app}` }, app), quiet(description)));
	return {
		title: () => "Targets",
		read: async () => {
			targets = (await get("targets")).body.targets;
		},
		show: () => [
			title("Targets"),
			!targets ? loading() : targets.length ? h("ul.rows", targets.map(row)) : h("p.none", "No app is listed yet."),
		],
	};
}

export function targetView(app, { changed }) {
	let target, lock, deploying, before;

	async function read() {
		const queues = OPEN.map((state) => getPage({ target: app, state, limit: 100 }));
		const [seen, held, ...queued] = await Promise.all([get(`targets/${app}`), get(`targets/${app}/lock`), ...queues]);
		[target, lock] = [seen.body, held.body];
		[deploying, ...before] = queued.map(({ list }) => list);
		deploying.sort((one, other) => turn(one).localeCompare(turn(other)));
		changed([...deploying, ...before.flat()]);
	}

	const show = () => [
		h("p.back", h("a", { href: "#/targets" }, "← Targets")),
		title(app),
		!target ? loading() : [
			target.hold && banner("freeze", "hold", target.hold.text),
			target.drift.map((drift) => driftBanner(app, drift)),
			h("div.columns", { key: "columns" },
				h("div",
					section("queue", ["Queue ", h("span.count", deploying.length)], rows(deploying, "Nothing is deploying here.")),
					section("before", "Not begun", rows(before.flat(), "Nothing waits to be promoted."))),
				h("div", lockOf(lock))),
		],
	];

	return { title: () => app, read, show, busy: () => deploying?.length > 0 };
}

/** What is under way goes first. */
const turn = ({ step, promoted_at }) => `${Number(step === "queued")} ${promoted_at}`;

const lockOf = ({ held, holder, since, until, looked_at, next_look_at, waiting_on }) => section("lock", "Lock",
	h("p.lead", held ? "A worker is on it." : "Nobody holds it."),
	waiting_on && h("p", waiting_on.text, quiet(" Since ", time(waiting_on.since), ".")),
	facts(
		held && ["Holder", code(holder)],
		held && ["Since", time(since, true)],
		held && ["Unless renewed, until", time(until, true)],
		looked_at && ["Last looked at", time(looked_at, true)],
		next_look_at && ["Next look", time(next_look_at, true)]));
