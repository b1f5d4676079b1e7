// Small things of all the other files. Text from the service only ever becomes text nodes and attributes, never markup.

const SVG = 'http://www.w3.org/2000/svg';

export const byID = (id) => document.getElementById(id);

function make(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const html = (name, attributes = {}, ...children) => make(document.createElement(name), attributes, children);
export const svg = (name, attributes = {}, ...children) => make(document.createElementNS(SVG, name), attributes, children);

// An answer of the service, or an Error with its words, and the place in the request that is wrong.
export async function call(method, path, body) {
  const request = { method, headers: {} };
  if (body !== undefined) {
    request.headers['Content-Type'] = 'application/json';
    request.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, request);
  } catch {
    throw Object.assign(new Error('the service does not answer'), { away: true });
  }
  if (response.status === 204) return null;
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.detail), { pointer: answer.pointer, status: response.status });
  return answer;
}

const prefixes = [[1e9, 'G'], [1e6, 'M'], [1e3, 'k'], [1, '']];

// The prefix of a scale: numbers up to `greatest` are divided by the first, and the second goes before the unit.
export const prefix = (greatest) => prefixes.find(([factor]) => greatest >= factor) ?? prefixes[3];

export const number = (value, digits = 3) => value.toLocaleString('en', { maximumFractionDigits: digits });

export function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${number(seconds / 3600, 1)} h`;
}

// Round numbers from low to high, about `count` of them.
export function ticks(low, high, count) {
  const rough = (high - low) / count;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((candidate) => candidate >= rough);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high + step * 1e-9; at++) found.push(at * step);
  return { found, digits: Math.max(0, -Math.floor(Math.log10(step))) };
}
