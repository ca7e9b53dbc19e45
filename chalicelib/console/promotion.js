// One promotion: where it stands, what can be done, and how it came here.

import { get, getPromotion, getText } from "./api.js";
import { age, h, icon, time } from "./dom.js";
import {
	actions, address, advice, button, chip, code, driftBanner, EFFECTS, facts, findings, link, liveness, loading, observed, quiet, section, settled, stalled, STEPS, targetLink, title, unread, value, wish,
} from "./parts.js";

/** The view of one promotion. */
export function promotionView(id, { details, changed }) {
	const path = `promotions/${id}`;
	let promotion, trail, heroku, asking;

	async function read(show) {
		const seen = await getPromotion(id);
		if (seen.version < promotion?.version) return;
		promotion = seen;
		details.set(id, promotion);
		changed([promotion]);
		show();
		if (trail?.version !== promotion.version) {
			trail = { ...(await get(`${path}/audit`)).body, version: promotion.version };
		}
		show();
		// What Heroku shows decides about a stalled one: nobody should have to ask for it.
		if (stalled(promotion) && !heroku) await ask(show);
	}

	async function ask(show) {
		asking = true;
		show();
		heroku = await get(`${path}/preflight`).then(({ body }) => body, (error) => error);
		asking = false;
		show();
	}

	async function download() {
		const href = URL.createObjectURL(new Blob([await getText(`${path}/timeline`)], { type: "text/markdown" }));
		h("a", { href, download: `${id}.md` }).click();
		setTimeout(() => URL.revokeObjectURL(href), 10_000);
	}

	function show() {
		const back = h("p.back", h("a", { href: "#/" }, "← Promotions"));
		if (!promotion) return [back, title("Promotion"), loading()];
		return [
			back,
			title(code(promotion.flag), " at ", promotion.target),
			h("p.subtitle", chip(promotion), h("span", "→ ", wish(promotion)), quiet(id)),
			promotion.drift && driftBanner(promotion.target, promotion.drift),
			h("div.columns", { key: "columns" },
				h("div", now(promotion), steps(promotion, trail?.entries), history(trail)),
				h("div", ages(promotion), evidence(promotion, heroku, asking), about(promotion))),
		];
	}

	return {
		title: () => (promotion ? `${promotion.flag} at ${promotion.target}` : "Promotion"),
		read, show, ask, download,
		busy: () => promotion?.state === "deploying",
	};
}

function now(promotion) {
	const { acknowledged_by: who, approvals } = promotion;
	const [stuck, over] = [stalled(promotion), settled(promotion)];
	return section(stuck ? "stalled" : "now", stuck ? [icon("stalled"), "Stalled"] : over ? "How it ended" : "What it waits for",
		stuck && advice(promotion),
		over ? ended(promotion) : waits(promotion),
		who && !over && h("p", `${who} knows of it: nobody is told again before `, time(promotion.acknowledged_until), "."),
		approvals.map(({ by, at }) => h("p", `Approved by ${by} `, time(at), ".")),
		h("h3", "What you can do"), actions(promotion));
}

const waits = ({ waiting_on: { text, since } }) => h("p", text, quiet(" Since ", time(since), "."));

const ended = ({ state, settled_at, settled_by, effect, reason }) => [
	h("p.lead", h("b", state), " since ", time(settled_at), `, settled by the ${settled_by}. Effect: ${EFFECTS[effect]}.`),
	reason && h("p", `Reason: ${reason}`),
];

const NAMES = ["marked", "staged", "queued", "PATCH", "release", "live"];
const POSITIONS = { pending: 0, staged: 1, queued: 2, intent: 3, pending_commit: 4, released: 4, deployed: 5 };

function steps(promotion, entries = []) {
	const first = (test) => entries.find(test)?.at;
	const times = [
		promotion.created_at,
		first(({ to_state }) => to_state === "staged"),
		first(({ to_state }) => to_state === "deploying"),
		first(({ action }) => action === "record_intent"),
		first(({ action }) => action === "confirm_patch" || action === "find_release"),
		first(({ to_state }) => to_state === "deployed"),
	];
	const here = POSITIONS[promotion.state] ?? POSITIONS[promotion.step] ?? (times[1] ? 1 : 0);
	return section("steps", "Steps", h("ol", NAMES.map((name, n) => {
		const [kind, picture, said] = step(promotion, n - here, times[n], n);
		return h(`li.is-${kind}`, { "aria-current": n === here && "step" }, icon(picture), h("b", name), quiet(said));
	})));
}

/** How a step looks, `from` steps after the one where the promotion stands. */
function step({ state, step: stands, settled_by }, from, at, n) {
	const broken = settled({ state }) && state !== "deployed";
	if (from > 0) return ["next", "pending", broken && "not reached"];
	if (from === 0 && broken) return ["broken", state, `${state} here`];
	if (from === 0 && state !== "deployed") return ["here", "deploying", STEPS[stands] ?? time(at)];
	if (at) return ["done", "deployed", time(at)];
	return ["skipped", "skipped", n === 1 ? "passed over" : settled_by === "operator" && "not on record"];
}

const ages = ({ at, age_seconds, created_at, created_by, state, state_age_seconds, state_entered_at, not_before, held_by, rung, expires_at }) => section("ages", "Ages", facts(
	["Since marked", age(age_seconds, at), quiet(time(created_at), ` by ${created_by}`)],
	[`${settled({ state }) ? "Since" : "In"} ${state}`, age(state_age_seconds, at), quiet("since ", time(state_entered_at))],
	not_before && [held_by ? "Was to begin" : "Begins by itself", time(not_before)],
	rung && ["People were told", rung],
	state === "pending" && ["Expires", time(expires_at)]));

function evidence(promotion, heroku, asking) {
	const { evidence: known, observed: shown } = promotion;
	return section("evidence", "Evidence",
		facts(
			["Config var", code(promotion.config_var)],
			["Wanted", wish(promotion)],
			known && ["Before", known.previous_value === null && !known.previous_absent ? "not on record" : value(known.previous_value)],
			known && ["Newest release before", known.baseline_release ? `v${known.baseline_release}` : "not on record"],
			known && ["Its release", release(promotion)],
			...(shown ? observed(shown) : [])),
		!known && !shown && h("p.quiet", "No worker has looked at the target for it."),
		!settled(promotion) && [
			h("h3", "Heroku now"),
			heroku && (heroku.checks ? [h("p.lead", liveness(heroku.checks)), findings(heroku.checks)] : unread(heroku)),
			button(asking ? "Reading Heroku…" : heroku ? "Read Heroku again" : "Read Heroku", { do: "ask", "aria-disabled": asking && "true" }),
		]);
}

function release({ evidence: { release: version }, state }) {
	const status = { deployed: "succeeded", failed: "see the reason" }[state] ?? "running when last seen";
	return version ? `v${version}, ${status}` : "not known";
}

function about({ target, note, description, retries, reverts, rca_url }) {
	const other = (id) => h("a", { href: address(id) }, id);
	return section("about", "About", facts(
		["Target", targetLink(target), quiet("its queue and lock")],
		note && ["Note", note],
		description && ["The flag", description],
		retries && ["Sends once more", other(retries)],
		reverts && ["Takes back", other(reverts)],
		rca_url && ["Retrospective", link(rca_url, rca_url)]));
}

const history = (trail) => section("trail", "Audit trail",
	button("Download timeline", { do: "download" }),
	!trail ? loading() : [
		trail.verified
			? h("p.verified", icon("deployed"), h("b", "Verified"), `: an unbroken chain, entries 1 to ${trail.entries.length}${trail.next_cursor ? " (hoist audit shows more)" : ""}`)
			: h("p.broken", icon("failed"), h("b", `Broken at entry ${trail.broken_at}`), `: ${trail.broken_because}`),
		h("ol", trail.entries.map(entry)),
	]);

function entry({ at, actor, action, from_state, to_state, facts: told }) {
	const known = Object.entries(told).filter(([name, said]) => said !== null && said !== false && name !== "totp_timecode");
	const spell = (said) => said.said ?? (typeof said === "string" ? said : JSON.stringify(said));
	return h("li", time(at, true), h("p", h("b", action.replaceAll("_", " ")), ` by ${actor}`, from_state !== to_state && ` → ${to_state}`),
		known.length > 0 && h("p.quiet", known.map(([name, said], n) => [n > 0 && " · ", `${name} `, code(spell(said))])));
}
