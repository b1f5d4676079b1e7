// The page: a list of jobs, and one job in detail, live. The address has the job: #ID.

import { byID, call, duration, html, number } from './dom.js';
import { fillForm, onSubmit } from './form.js';
import { drawHeat } from './heat.js';
import { drawPlot } from './plot.js';

const jobs = '/api/v1/jobs';
const listEvery = 3000;

// The job that is shown, what it has found, and the stream of its events.
let shown = null;
let found = { rounds: [], front: null, fitness: null };
let stream = null;
let listed = 50;

const chosen = () => decodeURIComponent(location.hash.slice(1));

async function list() {
  try {
    const answer = await call('GET', `${jobs}?limit=${listed}`);
    const { counts } = answer;
    byID('counts').textContent = Object.keys(counts).filter((state) => counts[state] > 0).map((state) => `${counts[state]} ${state}`).join(', ');
    byID('jobs').replaceChildren(...answer.jobs.map(entry));
    byID('more').hidden = answer.next === '' || listed >= 1000;
    away(false);
  } catch (error) {
    away(error.away);
  }
}

function away(gone) {
  byID('service').textContent = gone ? 'The service does not answer. This page goes on when it does.' : byID('service').dataset.text ?? '';
}

function entry(job) {
  const link = html('a', { href: `#${job.id}` }, html('span', { class: 'name' }, job.name || job.id),
    html('span', { class: 'about' }, html('span', { class: `state ${job.state}` }, job.state),
      ` · ${job.kind} on ${job.data} · ${job.completed}/${job.rounds} rounds${job.best_accuracy === undefined ? '' : ` · ${number(100 * job.best_accuracy, 1)} %`}`));
  if (job.id === chosen()) link.setAttribute('aria-current', 'true');
  return html('li', {}, link);
}

// show the job of the address.
async function show() {
  stream?.close();
  stream = null;
  shown = null;
  const id = chosen();
  byID('detail').hidden = id === '';
  list();
  if (id === '') return;
  found = { rounds: [], front: null, fitness: null };
  byID('title').textContent = id;
  byID('facts').textContent = '';
  byID('state').textContent = '';
  trouble('');
  try {
    facts(await call('GET', `${jobs}/${encodeURIComponent(id)}`));
  } catch (error) {
    byID('detail').hidden = error.status === 404;
    if (error.away) setTimeout(() => { if (chosen() === id && !shown) show(); }, listEvery);
    return;
  }
  if (chosen() !== id) return;
  await results();
  listen(id);
}

function listen(id) {
  stream = new EventSource(`${jobs}/${encodeURIComponent(id)}/events`);
  const on = (kind, act) => stream.addEventListener(kind, (event) => act(JSON.parse(event.data)));
  on('job', (job) => { facts({ ...shown, ...job, error: job.error, warning: job.warning }); results(); list(); });
  on('progress', progress);
  on('round', () => { results(); list(); });
  on('fitness', (fitness) => { found.fitness = fitness; if (fitness.cells.length) drawHeat(byID('heat'), fitness); });
  on('deleted', () => { location.hash = ''; });
}

function facts(job) {
  shown = job;
  byID('title').textContent = job.name || job.id;
  const state = byID('state');
  state.textContent = job.state;
  state.className = `state ${job.state}`;
  const best = job.best_accuracy === undefined ? '' : `, best accuracy ${number(100 * job.best_accuracy, 2)} %`;
  byID('facts').textContent = `${job.kind} on data set ${job.data}, ${job.completed} of ${job.rounds} rounds${best}; job ${job.id}`;
  trouble(job.error ? `${job.error.code}: ${job.error.detail}` : job.warning ?? '');
  const settled = ['cancelled', 'done', 'failed'].includes(job.state);
  byID('cancel').hidden = settled;
  byID('cancel').disabled = job.state === 'cancelling';
  byID('resume').hidden = job.state !== 'cancelled' && job.state !== 'failed';
  byID('afresh').hidden = byID('resume').hidden;
  byID('delete').hidden = !settled;
  const path = `${jobs}/${encodeURIComponent(job.id)}`;
  byID('report').href = `${path}/report`;
  byID('model').href = `${path}/model`;
  byID('model').hidden = job.kind !== 'train' || job.state !== 'done';
  byID('found').hidden = job.kind !== 'search';
  progress(job.progress);
}

function trouble(text) {
  byID('trouble').textContent = text;
  byID('trouble').hidden = text === '';
}

const doing = { train: 'training, step', score: 'scoring, candidate' };

function progress(now) {
  if (!shown || !now) {
    byID('progress').textContent = shown?.state === 'queued' ? 'waits for its turn' : '';
    byID('bar').value = shown?.state === 'done' ? 1 : 0;
    return;
  }
  byID('bar').value = shown.state === 'done' ? 1 : now.step / now.steps;
  const done = now.kind === 'finish' ? 'complete' : `${doing[now.kind]} ${now.step} of ${now.steps}`;
  const parts = [`round ${now.round} of ${now.rounds}: ${done}`];
  if (now.loss !== null) parts.push(`loss ${number(now.loss)}`);
  if (now.accuracy !== null) parts.push(`accuracy ${number(100 * now.accuracy, 1)} %`);
  if (now.images_per_second !== null) parts.push(`${number(now.images_per_second, 0)} images/s`);
  if (shown.state === 'running' && now.seconds_left !== null) parts.push(`about ${duration(now.seconds_left)} left`);
  byID('progress').textContent = parts.join(' · ');
}

// results of the rounds that are complete.
async function results() {
  if (!shown || shown.kind !== 'search') return;
  const { id } = shown;
  const path = `${jobs}/${encodeURIComponent(id)}`;
  try {
    const [front, history, fitness] = await Promise.all([
      call('GET', `${path}/front`), fetch(`${path}/history`).then((answer) => answer.text()), call('GET', `${path}/fitness`)]);
    if (chosen() !== id) return;
    found = { front, fitness, rounds: history.split('\n').filter((line) => line).map((line) => JSON.parse(line)) };
    draw();
  } catch (error) {
    away(error.away);
  }
}

function draw() {
  if (!shown || shown.kind !== 'search' || byID('detail').hidden || !found.front) return;
  drawPlot(byID('plot'), found.rounds, found.front.unit);
  if (found.fitness?.cells.length) drawHeat(byID('heat'), found.fitness);
  else byID('heat').replaceChildren();
  byID('unit').textContent = found.front.unit ? `cost (${found.front.unit})` : 'cost';
  byID('members').tBodies[0].replaceChildren(...found.front.members.map((member) => {
    const number_ = (value, digits) => html('td', { class: 'number' }, number(value, digits));
    const code = html('a', { href: `${jobs}/${encodeURIComponent(shown.id)}/architectures/${encodeURIComponent(member.code)}` }, html('code', {}, member.code));
    const train = html('button', { type: 'button' }, 'Train');
    train.addEventListener('click', () => act(async () => {
      const made = await call('POST', jobs, { kind: 'train', data: shown.data, search: shown.id, code: member.code, name: `train ${member.code}` });
      location.hash = made.id;
    }));
    return html('tr', {}, number_(member.cost, 3), number_(member.params), number_(100 * member.accuracy, 2), number_(member.found), html('td', {}, code), html('td', {}, train));
  }));
}

async function act(what) {
  try {
    await what();
  } catch (error) {
    trouble(error.message);
  }
}

const press = (button, method, path) => byID(button).addEventListener('click', () => act(async () => {
  await call(method, `${jobs}/${encodeURIComponent(shown.id)}${path}`);
  list();
}));
press('cancel', 'POST', '/cancel');
press('resume', 'POST', '/resume');
press('afresh', 'POST', '/resume?afresh=true');
byID('delete').addEventListener('click', () => {
  if (confirm('Delete this job and all its results?')) act(() => call('DELETE', `${jobs}/${encodeURIComponent(shown.id)}`));
});
byID('more').addEventListener('click', () => { listed += 100; list(); });

async function begin() {
  try {
    const info = await call('GET', '/api/v1/info');
    byID('service').dataset.text = `nse ${info.version}, ${info.limits.concurrent} at a time`;
    fillForm(info);
  } catch {
    setTimeout(begin, listEvery);
    return;
  }
  show();
}

onSubmit((id) => { location.hash = id; });
addEventListener('hashchange', show);
addEventListener('resize', draw);
setInterval(() => { if (!document.hidden) list(); }, listEvery);
begin();
