// The pages of the documentation work without this. It adds the search, buttons that copy code, and marks the section that is read.
import { addCopyButtons } from './copy.js';
import { followSections } from './contents.js';
import { startSearch } from './search.js';

startSearch({
  field: document.querySelector('#search'),
  panel: document.querySelector('#results'),
  list: document.querySelector('#found'),
  count: document.querySelector('#count'),
});
addCopyButtons(document.querySelectorAll('.code'));
followSections(document.querySelector('#contents'));
makeScrollable(document.querySelectorAll('.text pre, .text .scroll'));
showCurrentPage(document.querySelector('#pages'));
closeBehindFocus(document.querySelectorAll('nav[popover]'));

/** What scrolls in itself can be reached with Tab, in browsers that do not do that themselves. */
function makeScrollable(elements) {
  const check = (element) => {
    const scrolls = element.scrollWidth > element.clientWidth;
    element.toggleAttribute('tabindex', scrolls);
    if (!scrolls) {
      element.removeAttribute('role');
      element.removeAttribute('aria-label');
      return;
    }
    element.tabIndex = 0;
    element.setAttribute('role', 'region');
    element.setAttribute('aria-label', element.matches('pre') ? 'Code' : 'Table');
  };
  const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => check(target)));
  for (const element of elements) observer.observe(element);
}

/** A list that covers the page is closed when the focus goes on to the page. */
function closeBehindFocus(lists) {
  addEventListener('focusin', ({ target }) => {
    for (const list of lists) {
      if (list.matches(':popover-open') && !list.contains(target) && target.popoverTargetElement !== list) list.hidePopover();
    }
  });
}

/** Scrolls the list of pages so that this one is in it. */
function showCurrentPage(pages) {
  const show = () => {
    const current = pages.querySelector('[aria-current]');
    if (current === null) return;
    const [list, link] = [pages.getBoundingClientRect(), current.getBoundingClientRect()];
    if (link.top < list.top || link.bottom > list.bottom) pages.scrollTop += link.top - list.top - list.height / 3;
  };
  show();
  pages.addEventListener('toggle', show);
}
