// The dialogs. Each has one idempotency key: sent twice, by a double click or after a lost
// connection, it is carried out once.

import { get, post, Problem } from "./api.js";
import { draw, h, icon, utc } from "./dom.js";
import { ACTIONS, button, code, facts, findings, liveness, observed, problemView, quiet, unread, value, wish } from "./parts.js";

const FIELDS = {
	reason: { label: "Reason", hint: "Why, for those who read it later." },
	note: { label: "Note" },
	rca_url: { label: "Link to the retrospective", type: "url" },
	not_before: { label: "Begins by itself at", hint: "In your own time.", type: "datetime-local" },
	minutes: { label: "For how long", options: { 30: "30 minutes", 60: "1 hour", 240: "4 hours", 1440: "a day" } },
	target: { label: "Target" },
	flag: { label: "Flag", hint: "Small letters, digits and underscores." },
	value: { label: "Value", hint: "As text, such as true." },
	totp: { label: "Code", hint: "Six digits from your authenticator app. Each works once.", pattern: "( *[0-9]){6} *", inputmode: "numeric", autocomplete: "one-time-code" },
};
const LONG = ["reason", "note"];

/** What each action asks for (`!`: it is needed), what it says, and what it shows meanwhile. */
const DIALOGS = {
	stage: ["not_before totp", "Runs preflight. With a time it begins by itself then, and needs a code.", "preflight"],
	approve: ["note totp!", "Says that you have looked at the value and the time, and agree."],
	promote: ["totp!", "From here it moves by itself. Its release restarts every dyno of the app.", "preflight"],
	break_glass: ["reason! totp!", "Promotes it over missing approvals, a missing stage or a freeze. People are told at once.", "preflight"],
	cancel: ["reason", "Withdraws it. The target is not touched."],
	ack: ["minutes note", "Says that you know of it: nobody is told again for a while. It changes nothing else."],
	complete: ["reason! totp! rca_url", "Says that the value is live. Hoist reads Heroku first: if that shows something else, nothing is changed and no code is spent.", "heroku"],
	fail: ["reason! totp! rca_url", "Says that it did not become live. It stops no release and removes no value. Hoist reads Heroku first.", "heroku"],
	retry: ["reason totp!", "Sends the same value once more, as a new promotion."],
	rollback: ["reason totp!", "Sets the flag to what it was before, by a new promotion with its own release. During a freeze it needs a reason."],
};

/** Open the dialog of an action; `done(answer)` hears what came of it. */
export function act(promotion, action, done) {
	const [asks, says, shows] = DIALOGS[action];
	const glass = action === "break_glass";
	open({
		heading: [`${ACTIONS[action]}: `, code(promotion.flag), ` at ${promotion.target} → `, wish(promotion)],
		asks, says, done,
		verb: ACTIONS[action],
		path: `promotions/${promotion.id}/${glass ? "promote" : action}`,
		body: glass && { break_glass: true },
		headers: { "If-Match": `"${promotion.version}"` },
		show: shows && ((box) => SHOWS[shows](box, promotion, action === "stage")),
	});
}

/** Open the dialog that marks a flag. */
export function mark(targets, done) {
	FIELDS.target.options = Object.fromEntries(targets.map(({ app }) => [app, app]));
	open({
		heading: "Mark a flag for promotion",
		says: "The target is not touched before somebody promotes it.",
		asks: "target! flag! value! note",
		verb: "Mark", path: "promotions", done,
	});
}

const SHOWS = {
	async preflight(box, { id }, tick) {
		const { body } = await get(`promotions/${id}/preflight`);
		draw(box, h("h3", "Preflight"), findings(body.checks, tick));
	},
	async heroku(box, { id, target, evidence: before }) {
		const [preflight, lock] = await Promise.all([`promotions/${id}/preflight`, `targets/${target}/lock`].map(get));
		draw(box, h("h3", "Heroku now"), h("p.lead", liveness(preflight.body.checks)),
			before?.baseline_release && h("p.quiet", `Before it, at v${before.baseline_release}: `, value(before.previous_value)),
			lock.body.held && h("p.warning", icon("stalled"), "A worker holds the target, and may be at it this moment: wait until it does not."));
	},
};

function open(spec) {
	if (document.querySelector("dialog")) return;
	const [outcome, box] = [h("div.said"), h("div.said", spec.show && quiet("Reading Heroku…"))];
	const submit = h("button.likely", { type: "submit" }, spec.verb);
	const form = h("form", { novalidate: true }, h("h2", { id: "dialog" }, spec.heading), h("p", spec.says), box,
		spec.asks.split(" ").map(field), outcome, h("div.buttons", submit, button("Close", { value: "close" })));
	const dialog = h("dialog", { "aria-labelledby": "dialog" }, form);
	const state = { ...spec, key: crypto.randomUUID(), dialog, form, outcome, box, submit, busy: false };
	dialog.addEventListener("cancel", (event) => state.busy && event.preventDefault());
	dialog.addEventListener("close", () => {
		dialog.remove();
		if (document.activeElement === document.body) document.querySelector("h1").focus();
	});
	dialog.addEventListener("click", ({ target }) => target.value === "close" && !state.busy && dialog.close());
	form.addEventListener("input", ({ target }) => typed(form, target));
	form.addEventListener("submit", () => send(state));
	document.body.append(dialog);
	dialog.showModal();
	form.elements[0].focus();
	spec.show?.(box).catch((error) => draw(box, unread(error)));
}

function field(asked) {
	const [name, required] = asked.split(/(!)/);
	const { label, hint, options, ...rest } = FIELDS[name];
	const least = name === "reason" && required && 10;
	const attributes = {
		id: name, name, required: Boolean(required), minlength: least, "aria-describedby": `${name}-hint ${name}-error`,
		autocomplete: "off", autocapitalize: !LONG.includes(name) && "none", ...rest,
	};
	const input = options
		? h("select", attributes, Object.entries(options).map(([at, text]) => h("option", { value: at, selected: at === "60" }, text)))
		: h(LONG.includes(name) ? "textarea" : "input", attributes);
	return h("div.field", { id: `${name}-field`, hidden: name === "totp" && !required },
		h("label", { for: name }, label, !required && !options && name !== "totp" && quiet(" optional")), input,
		h("p.hint", { id: `${name}-hint` }, hint, h("span", { id: `${name}-left` }, least && ` At least ${least} characters.`)),
		h("p.error", { id: `${name}-error` }));
}

const of = (form, { name }, part) => form.querySelector(`#${name}-${part}`);

/** Count what a reason lacks; tell a time in UTC, for an hour may come twice, and ask for its code. */
function typed(form, input) {
	const [length, least] = [input.value.length, input.minLength];
	if (least > 0) draw(of(form, input, "left"), length < least && ` ${length} of at least ${least} characters.`);
	const { totp } = form.elements;
	if (input.name === "not_before") {
		totp.required = Boolean(input.value);
		of(form, totp, "field").hidden = !input.value;
		draw(of(form, input, "left"), input.value && ` That is ${utc(new Date(input.value).toISOString())}.`);
	}
	complain(form, input, "");
}

/** Say at a field what is wrong with it. */
function complain(form, input, said) {
	const place = input?.name && of(form, input, "error");
	if (!place) return;
	draw(place, said);
	input.ariaInvalid = said ? "true" : null;
}

function checked(form) {
	for (const input of form.elements) {
		complain(form, input, input.validity.patternMismatch ? of(form, input, "hint").textContent : input.validationMessage);
	}
	const wrong = form.querySelector("[aria-invalid]");
	wrong?.focus();
	return !wrong;
}

function bodyOf({ form, body }) {
	const given = new FormData(form);
	const { totp, minutes, not_before: time, force, ...said } = Object.fromEntries([...given].filter(([, text]) => text.trim()));
	return {
		...body, ...said,
		...(said.acknowledge && { acknowledge: given.getAll("acknowledge") }),
		...(force && { force: true }),
		...(minutes && { minutes: Number(minutes) }),
		...(time && { not_before: new Date(time).toISOString() }),
	};
}

async function send(state) {
	const { form, submit, dialog, outcome } = state;
	if (state.busy || !checked(form)) return;
	const totp = form.elements.totp?.value.replaceAll(" ", "");
	state.busy = true;
	submit.ariaDisabled = "true";
	draw(submit, "Sending…");
	try {
		const answer = await post(state.path, bodyOf(state), { ...state.headers, "Idempotency-Key": state.key, ...(totp && { "X-TOTP": totp }) });
		dialog.close();
		return state.done(answer, state.verb);
	} catch (error) {
		const refused = error instanceof Problem;
		const unsure = !refused || error.status >= 500;
		if (unsure) keep(form);
		draw(outcome, refused ? refusal(state, error) : unanswered());
		draw(submit, unsure ? "Send again" : state.verb);
	}
	state.busy = false;
	submit.ariaDisabled = null;
	outcome.scrollIntoView({ block: "nearest" });
}

/** It may have been carried out: only the very same request may be sent once more. */
function keep(form) {
	for (const input of form.elements) {
		if (input.name && input.name !== "totp") input.readOnly = input.inert = true;
	}
}

const unanswered = () => h("div.problem", { role: "alert" }, h("b", icon("stalled"), "No answer came"),
	h("p", "It is not known whether it was carried out. To send it again is safe: it is carried out once."));

/** Show why not, at the fields that it names; evidence; and what may be done all the same. */
function refusal({ form, box }, problem) {
	for (const { field: name, detail } of problem.errors) complain(form, form.elements[name === "X-TOTP" ? "totp" : name], detail);
	const { evidence, checks } = problem.conflict;
	if (checks) draw(box, h("h3", "Preflight"), findings(checks, true));
	if (problem.code?.startsWith("totp_")) another(form, problem.title);
	return [
		problemView(problem),
		checks && h("p", "Tick what you know of, above, and send it again."),
		evidence && facts(...observed(evidence).slice(1)),
		problem.errors.some((error) => error.field === "force") &&
			h("label.tick", h("input", { type: "checkbox", name: "force" }), "Do it all the same. I know better, and the reason says how."),
		problem.status === 412 && h("p", "Close this, look at what it is now, and decide again."),
	];
}

function another(form, why) {
	const { totp } = form.elements;
	of(form, totp, "field").hidden = false;
	totp.value = "";
	complain(form, totp, `${why}.`);
	totp.focus();
}
