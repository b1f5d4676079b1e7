// The plot of candidates and fronts: cost against held-out accuracy.

import { number, prefix, svg, ticks } from './dom.js';

const left = 62;
const bottom = 50;
const top = 12;
const right = 16;

// Axis from the least to the greatest value with some room around, never of length 0.
function span(values, room) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const extra = (high - low) * room || Math.abs(high) * room || 1;
  return [low - extra, high + extra];
}

// rounds: [{candidates: [{cost, accuracy}], front: [{cost, accuracy, code}]}], oldest first.
export function drawPlot(element, rounds, unit) {
  // As wide as there is room for, so that letters keep their size.
  const width = Math.max(300, element.parentElement.clientWidth);
  const height = Math.round(Math.max(240, Math.min(420, width * 0.5)));
  element.setAttribute('viewBox', `0 0 ${width} ${height}`);
  const all = rounds.flatMap((round) => [...round.candidates, ...round.front]);
  if (all.length === 0) {
    element.replaceChildren(svg('text', { x: width / 2, y: height / 2, 'text-anchor': 'middle' }, 'No round is complete yet.'));
    return;
  }
  const [least, most] = span(all.map((point) => point.cost), 0.05);
  const [worst, finest] = span(all.map((point) => 100 * point.accuracy), 0.08);
  const x = (cost) => left + (width - left - right) * (cost - least) / (most - least);
  const y = (accuracy) => height - bottom - (height - bottom - top) * (100 * accuracy - worst) / (finest - worst);
  const [factor, letter] = prefix(most);
  const parts = [];

  const across = ticks(least / factor, most / factor, Math.max(3, Math.floor(width / 75)));
  for (const tick of across.found) {
    const at = x(tick * factor);
    parts.push(svg('line', { class: 'grid', x1: at, x2: at, y1: top, y2: height - bottom }));
    parts.push(svg('text', { x: at, y: height - bottom + 18, 'text-anchor': 'middle' }, number(tick, across.digits)));
  }
  const up = ticks(worst, finest, Math.floor(height / 45));
  for (const tick of up.found) {
    const at = y(tick / 100);
    parts.push(svg('line', { class: 'grid', x1: left, x2: width - right, y1: at, y2: at }));
    parts.push(svg('text', { x: left - 7, y: at + 4, 'text-anchor': 'end' }, number(tick, up.digits)));
  }
  parts.push(svg('text', { class: 'title', x: (left + width - right) / 2, y: height - 10, 'text-anchor': 'middle' }, `cost (${letter}${unit})`));
  const middle = (top + height - bottom) / 2;
  parts.push(svg('text', { class: 'title', x: 16, y: middle, 'text-anchor': 'middle', transform: `rotate(-90 16 ${middle})` }, 'held-out accuracy (%)'));

  const tip = (point, round) => svg('title', {}, `${number(point.cost / factor)} ${letter}${unit}, ${number(100 * point.accuracy, 2)} %, round ${round}`);
  const path = (front) => front.map((point, i) => `${i ? 'L' : 'M'}${x(point.cost)} ${y(point.accuracy)}`).join('');
  rounds.forEach((round, i) => {
    for (const point of round.candidates) {
      parts.push(svg('circle', { class: 'candidate', cx: x(point.cost), cy: y(point.accuracy), r: 3.5 }, tip(point, i + 1)));
    }
  });
  rounds.slice(0, -1).forEach((round) => parts.push(svg('path', { class: 'earlier', d: path(round.front) })));
  const front = rounds.at(-1).front;
  parts.push(svg('path', { class: 'line', d: path(front) }));
  for (const point of front) {
    const [cx, cy] = [x(point.cost), y(point.accuracy)];
    parts.push(svg('path', { class: 'member', d: `M${cx} ${cy - 7}L${cx + 7} ${cy}L${cx} ${cy + 7}L${cx - 7} ${cy}Z` }, tip(point, point.found)));
  }
  element.replaceChildren(...parts);
}
