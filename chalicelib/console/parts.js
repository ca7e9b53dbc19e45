// What several views show: words, states, problems, and what can be done.

import { age, h, icon, spelled, time } from "./dom.js";

export const ACTIONS = {
	stage: "Stage", approve: "Approve", promote: "Promote", break_glass: "Break the glass", cancel: "Cancel", ack: "Acknowledge",
	complete: "Mark completed", fail: "Mark failed", retry: "Retry", rollback: "Roll back",
};
export const OPEN = ["deploying", "staged", "pending"];
export const STATES = [...OPEN, "deployed", "failed", "cancelled", "expired"];
export const settled = ({ state }) => !OPEN.includes(state);
export const EFFECTS = {
	none: "the target is untouched",
	live: "live",
	stored_not_live: "stored, not live; the app's next release makes it live",
	unknown: "not known",
};
export const STEPS = {
	queued: "waits for its turn",
	intent: "sending the PATCH",
	pending_commit: "waits for its release",
	released: "its release runs",
};

/** After how many seconds in `deploying` a target's promotions are stalled: its policy says. */
export const limits = new Map();
const LIMIT_SECONDS = 1800;

/** `deploying` for longer than it should. While our own release is seen to run, it is not. */
export function stalled({ state, rung, state_age_seconds, target, at }) {
	if (state !== "deploying" || rung === "info") return false;
	const seconds = (state_age_seconds ?? Infinity) + (Date.now() - at) / 1000;
	return Boolean(rung) || seconds >= (limits.get(target) ?? LIMIT_SECONDS);
}

export const button = (text, attributes) => h("button", { type: "button", ...attributes }, text);
export const quiet = (...said) => h("span.quiet", ...said);
export const code = (text) => h("code", text);
/** A value; null stands for no config var. */
export const value = (text, none = "absent") => (text === null ? h("em", none) : code(text));
export const wish = (promotion) => value(promotion.value, "removed");
export const address = (id) => `#/promotions/${id}`;
export const targetLink = (app) => h("a", { href: `#/targets/${app}` }, app);
export const title = (...said) => h("h1", { key: "title", tabindex: "-1" }, ...said);
export const section = (key, heading, ...said) =>
	h(`section.${key}`, { key, "aria-labelledby": key }, h("h2", { id: key }, heading), ...said);
export const facts = (...pairs) =>
	h("dl.facts", pairs.filter(Boolean).map(([name, ...said]) => h("div", h("dt", name), h("dd", ...said))));
export const loading = () => h("div.loading", { "aria-busy": "true" }, quiet("Reading…"), h("i"), h("i"), h("i"));

export function chip(promotion) {
	const name = stalled(promotion) ? "stalled" : promotion.state;
	return h(`span.chip.is-${name}`, icon(name), name);
}

function standing({ state, step, not_before, held_by, expires_at, effect, settled_by }) {
	if (state === "deploying") return STEPS[step];
	if (state === "failed") return EFFECTS[effect];
	if (held_by) return `held back: ${held_by}`;
	if (not_before) return ["begins ", time(not_before)];
	if (settled_by) return settled_by === "operator" && "by hand";
	return ["expires ", time(expires_at)];
}

function row(promotion) {
	const { id, flag, target, settled_at, state_age_seconds, at, promoted_by, created_by } = promotion;
	return h(`li.row.is-${stalled(promotion) ? "stalled" : "calm"}`, { key: id },
		h("div", h("a.flag", { href: address(id) }, flag), quiet("at ", target)),
		h("div", "→ ", wish(promotion)),
		h("div", chip(promotion), quiet(standing(promotion))),
		h("div", settled_at ? time(settled_at) : ["for ", age(state_age_seconds, at)], quiet(promoted_by ? `promoted by ${promoted_by}` : `marked by ${created_by}`)));
}

export const rows = (list, none) => (list.length ? h("ul.rows", list.map(row)) : h("p.none", none));

export const banner = (kind, key, ...said) => h(`div.banner.is-${kind}`, { key }, icon(kind), h("p", ...said));

export const freezeBanner = ({ id, target, until, reason, set_by }) =>
	banner("freeze", `freeze ${id}`, h("b", `Freeze ${id}`), ` holds ${target ?? "all targets"} back until `,
		until ? time(until) : "somebody lifts it", `: “${reason}” (${set_by}). What is promoted now begins by itself then.`);

export const driftBanner = (target, { flag, kind, since }) =>
	banner("drift", `drift ${target} ${flag}`, h("b", "Drift: "), code(flag), " at ", targetLink(target),
		kind === "changed" ? " was changed outside Hoist" : ` is ${EFFECTS.stored_not_live}`, "; seen since ", time(since), ".");

const SAFE_NOW = {
	wait: "wait. Nothing is lost meanwhile; the same may be sent again later.",
	investigate: "look. Read what it says before you send anything again.",
	act: "nothing was left half done. Change what it names, and send it again.",
};

/** A link where it leads somewhere by itself, else its text. */
export const link = (to, text) =>
	/^https?:/.test(to) ? h("a", { href: to, target: "_blank", rel: "noreferrer" }, text) : [`${text} `, code(to)];

/** Why Hoist said no, and what is safe now. */
export const problemView = (problem) =>
	h("div.problem", { role: "alert" },
		h("b", icon("failed"), problem.title),
		problem.detail !== problem.title && h("p", problem.detail),
		problem.errors.map(({ field, detail }) => h("p", code(field), ` ${detail}`)),
		problem.again && h("p", h("b", "Again from "), spelled(problem.again, true)),
		h("p", h("b", "Safe now: "), SAFE_NOW[problem.safe_now] ?? SAFE_NOW.investigate),
		problem.type && h("p.quiet", link(problem.type, "Runbook"), " · request ", code(problem.request_id)));

/** What is likely meant comes first. */
const LIKELY = ["complete", "promote", "approve", "break_glass", "retry"];

/** What to do about a stalled one. */
export const advice = ({ state_age_seconds, at }) => h("p.lead", h("b", "Deploying for ", age(state_age_seconds, at)),
	". If it is live at Heroku, mark it completed: Hoist looks there first, and changes nothing if it is not.");

/** What the caller may do, and what not and why: exactly as the API says. */
export function actions(promotion, brief) {
	const may = promotion.actions.filter(({ allowed }) => allowed).map(({ action }) => action);
	const likely = LIKELY.find((name) => may.includes(name));
	may.sort((one, other) => (other === likely) - (one === likely));
	const reasons = new Map();
	for (const { action, allowed, reason } of promotion.actions) {
		if (!allowed) reasons.set(reason, [...(reasons.get(reason) ?? []), ACTIONS[action]]);
	}
	return [
		may.length > 0 && h("div.buttons", may.map((name) =>
			button(`${ACTIONS[name]}…`, { class: name === likely && "likely", key: name, do: name, of: promotion.id, "aria-haspopup": "dialog" }))),
		!(brief && may.length) && facts(...[...reasons].map(([reason, names]) => [names.join(", "), reason])),
	];
}

const PICTURES = { block: "failed", warn: "stalled", pass: "deployed" };

/** What preflight saw; with `tick`, warnings can be acknowledged. */
export function findings(checks, tick) {
	const [quietly, loudly] = [true, false].map((passes) => checks.filter(({ outcome }) => (outcome === "pass") === passes));
	const list = (some) => h("ul.checks", some.map(({ id, name, outcome, seen }) =>
		h(`li.is-${outcome}`, icon(PICTURES[outcome]), h("div", h("b", `${name}: ${outcome}. `), seen,
			tick && outcome === "warn" && h("label.tick", h("input", { type: "checkbox", name: "acknowledge", value: id }), "I know of this")))));
	return [
		loudly.length > 0 && list(loudly),
		quietly.length > 0 && h("details", h("summary", `${quietly.length} checks pass`), list(quietly)),
	];
}

/** What Heroku shows now, as far as it says whether the value is live. */
export function liveness(checks) {
	const [reachable, carries] = ["target_reachable", "no_op"].map((name) => checks.find((check) => check.name === name));
	if (!carries) return reachable?.seen;
	return carries.outcome === "pass" ? "The current release does not carry the value." : `Release ${carries.id.split(":")[1]} is current and carries the value: it is live.`;
}

export const unread = ({ message }) => quiet(`${message}. What Heroku shows is not known.`);

/** What Heroku showed when somebody settled it by hand, or tried to. */
export const observed = (seen) => [
	["Heroku showed", `${seen.said} `, quiet(time(seen.seen_at))],
	seen.present !== null && ["Value at Heroku", value(seen.value)],
	seen.release && ["Current release", `v${seen.release}, ${seen.release_status}`],
];
