// The form for a new search.

import { byID, call, html } from './dom.js';

const own = '';
const form = byID('form');
const wrong = byID('wrong');

// fields that a place in the request belongs to, the longest first.
const fields = [
  ['/options/objective/low', 'low'], ['/options/objective/high', 'high'], ['/options/objective/cost', 'cost'], ['/options/preset', 'preset'],
  ['/options', 'options'], ['/overrides', 'document'], ['/space', 'document'], ['/data', 'data'], ['/name', 'name'],
];

export function fillForm(info) {
  const choices = (name, entries) => form.elements[name].replaceChildren(
    ...entries.map(([value, text]) => html('option', { value }, text)));
  choices('data', info.datasets.map((set) => [set.name, set.problem ? `${set.name}: ${set.problem}` : set.name]));
  choices('space', [...info.spaces.map((space) => [space.name, space.name]), [own, 'my own, below']]);
  choices('preset', [['', 'the defaults'], ...info.options.map((preset) => [preset.name, `${preset.name}: ${preset.description}`])]);
}

// parsed is a field with JSON, or undefined when it is empty.
function parsed(name) {
  const text = form.elements[name].value.trim();
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw Object.assign(new Error(`not JSON: ${error.message}`), { field: name });
  }
}

function request() {
  const value = (name) => form.elements[name].value;
  const made = { kind: 'search', data: value('data') };
  if (value('name') !== '') made.name = value('name');
  const written = parsed('document');
  if (value('space') === own) {
    made.space = written ?? {};
  } else {
    made.space = value('space');
    if (written !== undefined) made.overrides = written;
  }
  const options = parsed('options') ?? {};
  made.options = { ...options, objective: { ...options.objective, cost: value('cost'), low: Number(value('low')), high: Number(value('high')) } };
  if (value('preset') !== '') made.options.preset = value('preset');
  return made;
}

export function onSubmit(show) {
  // Sent again after a failure of the network, the same form is the same job.
  let key;
  form.addEventListener('input', () => { key = undefined; });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const button = form.querySelector('[type=submit]');
    button.disabled = true;
    wrong.hidden = true;
    for (const field of form.elements) field.removeAttribute('aria-invalid');
    try {
      // An ID of the client's makes it safe; crypto.randomUUID is for secure contexts only.
      key ??= 'page-' + [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
      const job = await call('POST', '/api/v1/jobs', { id: key, ...request() });
      key = undefined;
      byID('new').open = false;
      show(job.id);
    } catch (error) {
      wrong.textContent = error.pointer ? `${error.message} (${error.pointer})` : error.message;
      wrong.hidden = false;
      const field = error.field ?? fields.find(([pointer]) => error.pointer?.startsWith(pointer))?.[1];
      if (field) form.elements[field].setAttribute('aria-invalid', 'true');
    } finally {
      button.disabled = false;
    }
  });
}
