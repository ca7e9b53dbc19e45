// Elements out of data, and times. Data becomes text, never markup.

const DATA = ["key", "do", "of", "since"];
const given = (value) => (value ?? false) !== false;
const nodes = (children) => children.flat(Infinity).filter((child) => given(child) && child !== "");

/** `h("p.quiet", {id: 1}, …)`: an element. What is null or false is left out, lists are flattened. */
export function h(spec, ...rest) {
	const [tag, ...classes] = spec.split(".");
	const element = document.createElement(tag);
	if (classes.length) element.className = classes.join(" ");
	const attributes = rest[0]?.constructor === Object ? rest.shift() : {};
	for (const [name, value] of Object.entries(attributes)) {
		if (given(value)) element.setAttribute(DATA.includes(name) ? `data-${name}` : name, value === true ? "" : value);
	}
	element.append(...nodes(rest));
	return element;
}

const CIRCLE = "M2.5 8a5.5 5.5 0 1 1 11 0 5.5 5.5 0 1 1-11 0";
const PICTURES = {
	pending: CIRCLE,
	staged: `${CIRCLE}M8 5v3.2l2.2 1.3`,
	deploying: `${CIRCLE}M8 11V5.5M5.6 7.6 8 5.2l2.4 2.4`,
	deployed: `${CIRCLE}m3 .2 1.8 1.8 3.3-3.6`,
	failed: `${CIRCLE}M6 6l4 4m0-4-4 4`,
	cancelled: `${CIRCLE}m1.7 3.8 7.6-7.6`,
	expired: "M4 2.5h8M4 13.5h8M5 2.5c0 4 6 7 6 11m0-11c0 4-6 7-6 11",
	stalled: "M8 2.3 14.2 13H1.8ZM8 6.3v3.2m0 1.7v.2",
	freeze: "M8 2v12M2.8 5l10.4 6M2.8 11l10.4-6",
	drift: "M3 6.2h10M3 9.8h10M10.5 3l-5 10",
	skipped: "M4 8h8",
};

/** A picture, for the eye only: a word stands beside it. */
export function icon(name) {
	const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
	for (const [key, value] of [["class", "icon"], ["viewBox", "0 0 16 16"], ["aria-hidden", "true"]]) svg.setAttribute(key, value);
	path.setAttribute("d", PICTURES[name]);
	svg.append(path);
	return svg;
}

/**
 * Let `parent` show these children, and touch only what differs: focus, selection and what was
 * opened stay. Children with the same `key` are the same thing.
 */
export function draw(parent, ...children) {
	let at = parent.firstChild;
	for (const child of nodes(children)) {
		const wanted = child instanceof Node ? child : document.createTextNode(child);
		const found = same(at, wanted) ? at : wanted.dataset?.key && [...parent.children].find((other) => same(other, wanted));
		if (found !== at) parent.insertBefore(found || wanted, at);
		if (found) update(found, wanted);
		at = (found || wanted).nextSibling;
	}
	while (at) {
		const next = at.nextSibling;
		at.remove();
		at = next;
	}
}

const same = (old, wanted) => old?.nodeName === wanted.nodeName && old.dataset?.key === wanted.dataset?.key;

function update(old, wanted) {
	if (old.nodeType === Node.TEXT_NODE) {
		if (old.data !== wanted.data) old.data = wanted.data;
		return;
	}
	for (const { name } of [...old.attributes]) {
		if (!wanted.hasAttribute(name) && name !== "open") old.removeAttribute(name);
	}
	for (const { name, value } of wanted.attributes) {
		if (old.getAttribute(name) !== value) old.setAttribute(name, value);
	}
	draw(old, ...wanted.childNodes);
}

// Times

const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const DAY = { day: "numeric", month: "short", ...CLOCK };
const [TODAY, SHORT, EXACT, ZONE] = [CLOCK, DAY, { ...DAY, second: "2-digit" }, { timeZoneName: "long" }]
	.map((format) => new Intl.DateTimeFormat("en-GB", format));

/** The viewer's time zone. */
export const zone = () => ZONE.formatToParts().at(-1).value;

/** A moment in the viewer's zone. */
export function spelled(at, exact) {
	const today = new Date(at).toDateString() === new Date().toDateString();
	return (exact ? EXACT : today ? TODAY : SHORT).format(at);
}

export const utc = (iso) => `${iso.slice(0, 19).replace("T", " ")} UTC`;

/** The same as an element: pointing at it tells UTC, with the year. */
export function time(iso, exact) {
	if (!iso) return "at an unknown time";
	return h("time", { datetime: iso, title: utc(iso) }, spelled(new Date(iso), exact));
}

/** How long, in two units at the most. */
export function lasting(seconds) {
	const minutes = Math.floor(seconds / 60);
	const hours = Math.floor(minutes / 60);
	if (minutes < 1) return `${Math.max(0, Math.floor(seconds))} s`;
	if (hours < 1) return `${minutes} min`;
	return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** An age that was `seconds` at `at` (ms), and grows while it is looked at. */
export function age(seconds, at) {
	if (seconds === null) return "an unknown time";
	const since = Math.round(at / 1000 - seconds);
	return h("span", { since }, lasting(Date.now() / 1000 - since));
}

export function tick() {
	for (const element of document.querySelectorAll("[data-since]")) {
		draw(element, lasting(Date.now() / 1000 - element.dataset.since));
	}
}
