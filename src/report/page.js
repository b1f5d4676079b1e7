'use strict';
// Floating hints instead of the browser's own, which come late and never on a touch screen; and a member that is linked to opens.
const tip = document.getElementById('tip');
for (const spot of document.querySelectorAll('.spot')) {
  const title = spot.querySelector('title'), text = title.textContent;
  title.remove();
  spot.setAttribute('aria-label', text);
  const show = () => {
    const box = spot.getBoundingClientRect();
    tip.textContent = text;
    tip.hidden = false;
    const left = box.left + box.width / 2 - tip.offsetWidth / 2;
    tip.style.left = Math.max(8, Math.min(left, innerWidth - tip.offsetWidth - 8)) + 'px';
    const above = box.top - tip.offsetHeight - 6;
    tip.style.top = (above > 8 ? above : Math.min(box.bottom + 6, innerHeight - tip.offsetHeight - 8)) + 'px';
  };
  const hide = () => { tip.hidden = true; };
  spot.addEventListener('pointerenter', show);
  spot.addEventListener('focus', show);
  spot.addEventListener('pointerleave', hide);
  spot.addEventListener('blur', hide);
}
const open = () => {
  const member = document.getElementById(location.hash.slice(1));
  if (member && member.tagName === 'DETAILS') { member.open = true; }
};
addEventListener('hashchange', open);
open();
