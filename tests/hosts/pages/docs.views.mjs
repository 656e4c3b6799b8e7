// Pictures of the documentation.

const search = async (page) => {
  await page.press('/');
  await page.type('gate');
  await page.see('places');
};

export default [
  { name: 'docs', path: '/docs' },
  { name: 'docs-search', path: '/docs', show: search },
  { name: 'docs-faults', path: '/docs/service#faults' },
  { name: 'docs-reference', path: '/docs/reference/functions#powersync_diagnose' },
  { name: 'docs-diagram', path: '/docs/architecture' },
  { name: 'docs-code', path: '/docs/source/docs/examples/rust/src/main.rs' },
  { name: 'docs-pages', path: '/docs/service/writes', sizes: ['phone'], show: (page) => page.click('button', 'Pages') },
  { name: 'docs-sections', path: '/docs/service/writes', sizes: ['phone'], show: (page) => page.click('button', 'Sections') },
  { name: 'docs-missing', path: '/docs/none' },
];
