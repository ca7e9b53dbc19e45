// Hoist's API: what it answers, why it says no, and when nobody knows.

/** The API's address: this file lies in its `console/`. */
const ROOT = new URL("../", import.meta.url);
const TOKEN = "hoist.token";
/** API Gateway gives up after 29 seconds. */
const WAIT_MS = 32_000;

/** Hoist said no: RFC 9457, as the contract has it. */
export class Problem extends Error {
	constructor(body, status, after) {
		super(body.title ?? "Something answered that is not Hoist");
		Object.assign(this, { errors: [], conflict: {} }, body, { status, again: after && new Date(Date.now() + after * 1000) });
	}
}

/** No answer came: of a request that changes something, nobody knows what became of it. */
export class NoAnswer extends Error {}

/** The bearer token: kept while this tab is open, and never in an address. */
export const token = {
	get: () => sessionStorage.getItem(TOKEN),
	set: (value) => sessionStorage.setItem(TOKEN, value),
	forget: () => sessionStorage.removeItem(TOKEN),
};

export function query(parameters) {
	const set = Object.entries(parameters).filter(([, value]) => value);
	return set.length ? `?${new URLSearchParams(set)}` : "";
}

async function call(method, path, headers, body) {
	const Authorization = `Bearer ${token.get()}`;
	const signal = AbortSignal.timeout(WAIT_MS);
	let answer, text;
	try {
		answer = await fetch(new URL(path, ROOT), { method, body, signal, cache: "no-store", headers: { ...headers, Authorization } });
		text = await answer.text();
	} catch {
		throw new NoAnswer("Hoist cannot be reached");
	}
	if (answer.ok || answer.status === 304) return { answer, text };
	throw new Problem(parsed(text), answer.status, answer.headers.get("Retry-After"));
}

function parsed(text) {
	try {
		return JSON.parse(text);
	} catch {
		return {};
	}
}

/** What was read under a weak tag: it holds until the API says otherwise. */
const held = new Map();
export const forget = () => held.clear();

/** Read something: `{body, at}`, with the time (ms) at which the body was made. */
export async function get(path) {
	const known = held.get(path);
	const { answer, text } = await call("GET", path, known && { "If-None-Match": known.tag });
	if (answer.status === 304) return known;
	const read = { body: JSON.parse(text), at: Date.now(), tag: answer.headers.get("ETag") };
	// A strong tag is a promotion's version: what it waits for changes under it.
	if (read.tag?.startsWith("W/")) held.set(path, read);
	return read;
}

/** One promotion, and the time `at` which it was read. */
export async function getPromotion(id) {
	const { body, at } = await get(`promotions/${id}`);
	return { ...body, at };
}

export async function getPage(filters) {
	const { body, at } = await get(`promotions${query(filters)}`);
	return { list: body.promotions.map((promotion) => ({ ...promotion, at })), next: body.next_cursor };
}

export const getText = async (path) => (await call("GET", path)).text;

/** Change something. Raises `Problem`, or `NoAnswer` where nobody knows what became of it. */
export async function post(path, body, headers) {
	const { text } = await call("POST", path, { "Content-Type": "application/json", ...headers }, JSON.stringify(body));
	return parsed(text);
}
