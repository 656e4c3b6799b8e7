// Marks the section that is being read in the contents of the page.

/** Follows the sections that the links of a list lead to. */
export function followSections(contents) {
  const links = new Map([...contents.querySelectorAll('a')].map((link) => [decodeURIComponent(link.hash.slice(1)), link]));
  const headings = [...links.keys()].map((id) => document.getElementById(id)).filter((heading) => heading !== null);
  if (headings.length === 0) return;
  let current;
  const mark = () => {
    // The last heading above the upper third; at the end of the page, the last one.
    const isAtEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2 && scrollY > 0;
    const above = headings.filter((heading) => heading.getBoundingClientRect().top < innerHeight / 3);
    const link = links.get((isAtEnd ? headings.at(-1) : above.at(-1))?.id);
    if (link === current) return;
    current?.removeAttribute('aria-current');
    link?.setAttribute('aria-current', 'true');
    current = link;
    // Only the list moves, not the page.
    if (link && getComputedStyle(contents).position === 'sticky') {
      const [list, place] = [contents.getBoundingClientRect(), link.getBoundingClientRect()];
      if (place.top < list.top || place.bottom > list.bottom) contents.scrollTop += place.top - list.top - list.height / 2;
    }
  };
  let isDue = false;
  const later = () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      mark();
    });
  };
  addEventListener('scroll', later, { passive: true });
  addEventListener('resize', later, { passive: true });
  mark();
  // A link that was followed has done its work.
  contents.addEventListener('click', (event) => {
    if (event.target.closest('a') && contents.matches(':popover-open')) contents.hidePopover();
  });
}
