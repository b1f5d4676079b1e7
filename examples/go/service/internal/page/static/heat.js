// The heat map of the learnt fitness: a row for every operator, a column for every cell of the network.

import { byID, html, number, svg } from './dom.js';

const left = 128;
const top = 4;
const height = 17;

// Below this the numbers are noise: a search that has hardly begun should not look as if it had learnt.
const least = 0.05;

export function drawHeat(element, fitness) {
  const names = [...new Set(fitness.cells.flatMap((cell) => cell.operators))];
  const thetas = fitness.cells.flatMap((cell) => cell.theta).filter((theta) => theta !== null);
  const greatest = Math.max(least, ...thetas.map(Math.abs));
  const room = element.parentElement.clientWidth - left - 8;
  const wide = Math.max(18, Math.min(64, Math.floor(room / Math.max(1, fitness.cells.length))));
  const width = left + wide * fitness.cells.length + 8;
  const bottom = top + height * names.length;
  const total = bottom + 40;
  const parts = [];
  names.forEach((name, row) => {
    parts.push(svg('text', { x: left - 8, y: top + height * row + 13, 'text-anchor': 'end' }, name));
  });
  fitness.cells.forEach((cell, column) => {
    const x = left + wide * column;
    parts.push(svg('text', { x: x + wide / 2, y: bottom + 15, 'text-anchor': 'middle' }, String(column + 1)));
    cell.operators.forEach((name, i) => {
      parts.push(tile(x, top + height * names.indexOf(name), wide, cell, i, column, greatest));
    });
  });
  const middle = left + wide * fitness.cells.length / 2;
  parts.push(svg('text', { class: 'title', x: middle, y: bottom + 33, 'text-anchor': 'middle' }, 'cell'));
  element.setAttribute('viewBox', `0 0 ${width} ${total}`);
  element.setAttribute('width', width);
  element.setAttribute('height', total);
  element.replaceChildren(...parts);
  scale(greatest);
}

function tile(x, y, wide, cell, i, column, greatest) {
  const theta = cell.theta[i];
  const box = { x: x + 0.5, y: y + 0.5, width: wide - 1.5, height: height - 1.5 };
  const name = `${cell.operators[i]} in cell ${column + 1} (${cell.kind})`;
  if (theta === null) return svg('rect', { class: 'never', ...box }, svg('title', {}, `${name}: never active`));
  const active = cell.active[i];
  const group = svg('g', {}, svg('title', {}, `${name}: theta ${number(theta, 4)}, ${active ? 'active' : 'not active any more'}`));
  const opacity = (0.08 + 0.92 * Math.abs(theta) / greatest).toFixed(3);
  group.append(svg('rect', { class: theta < 0 ? 'low' : 'high', 'fill-opacity': opacity, ...box }));
  if (active) group.append(svg('circle', { class: 'active', cx: x + wide / 2, cy: y + height / 2, r: 2 }));
  return group;
}

function scale(greatest) {
  const entry = (mark, text) => html('li', {}, html('span', { class: `mark ${mark}` }), text);
  byID('scale').replaceChildren(
    entry('low', `theta down to −${number(greatest, 2)}: of less use`), entry('high', `up to ${number(greatest, 2)}: of more use`),
    entry('active', 'active'), entry('never', 'never active'));
}
