// Pictures of the inspector.
import { connect, refuse, seedEverything } from './inspector.mjs';

/** Clients are connected, and something was written. */
const busy = (view) => ({
  ...view,
  show: async (page, dev) => {
    const streams = await Promise.all([connect(dev, 'alice'), connect(dev, 'bob', [{ stream: 'list', parameters: { id: 'list-garden' }, override_priority: null }])]);
    await seedEverything(dev);
    await view.show?.(page, dev);
    for (const stream of streams) stream.close();
  },
});

export default [
  busy({
    name: 'inspector-overview',
    path: '/inspect',
    show: async (page, dev) => {
      await page.see('Everything is well');
      // Some commits for the charts; the page asks every other second.
      for (let number = 1; number <= 14; number++) {
        const before = await page.evaluate("document.querySelector('.chart .line').getAttribute('d')");
        for (let more = 0; more < (number * 7) % 5; more++) {
          await dev.ask('/dev/rows', { table: 'todos', op: 'update', key: { id: `todo-${1 + more}` }, values: { created_at: `2026-01-05 09:${10 + number}:00` } });
        }
        await page.until(async () => (await page.evaluate("document.querySelector('.chart .line').getAttribute('d')")) !== before, 'another sample');
      }
    },
  }),
  busy({
    name: 'inspector-source',
    path: '/inspect#source/todos',
    show: async (page) => {
      await page.click('button', 'Edit todo-3');
      await page.find('textbox', /^description/);
    },
  }),
  busy({ name: 'inspector-buckets', path: '/inspect#buckets', show: (page) => page.see('in use') }),
  busy({
    name: 'inspector-definition',
    path: '/inspect#buckets',
    show: async (page) => {
      await page.click('link', 'lists');
      await page.see('Every client gets its user');
    },
  }),
  busy({
    name: 'inspector-operations',
    path: '/inspect#buckets',
    show: async (page) => {
      await page.click('link', 'lists');
      await page.click('link', '["alice"]');
      await page.see('operations in all');
    },
  }),
  busy({ name: 'inspector-clients', path: '/inspect#clients', show: (page) => page.see('2 clients connected, all up to date') }),
  busy({
    name: 'inspector-preview',
    path: '/inspect#preview/alice/todos/todo-6',
    show: async (page) => {
      await page.see('alice does not have todos todo-6');
      await page.see('alice would get');
    },
  }),
  busy({
    name: 'inspector-writes',
    path: '/inspect#writes',
    show: async (page, dev) => {
      await refuse(dev);
      await page.click('button', /^Show \d/);
      await page.see('Number in its queue');
    },
  }),
  busy({
    name: 'inspector-config',
    path: '/inspect#config',
    show: async (page) => {
      await page.see('no mistakes');
    },
  }),
  busy({
    name: 'inspector-config-wrong',
    path: '/inspect#config',
    show: async (page) => {
      await page.see('no mistakes');
      await page.click('textbox', 'Configuration, as YAML');
      await page.press('Control+End');
      await page.type('\n  more:\n    query: SELECT * FROM todos WHERE lst = 1 AND');
      await page.see('error');
    },
  }),
  busy({
    name: 'inspector-deploy',
    path: '/inspect#config',
    show: async (page) => {
      await page.see('no mistakes');
      await page.click('textbox', 'Configuration, as YAML');
      await page.press('Control+End');
      await page.type('\n  all_lists:\n    query: SELECT * FROM lists');
      await page.click('button', 'Deploy…');
      await page.see('What it does');
    },
  }),
  { name: 'inspector-faults', path: '/inspect#faults', show: (page) => page.see('Until they are switched off') },
];
