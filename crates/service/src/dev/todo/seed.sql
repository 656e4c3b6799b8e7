-- The data of the todo app of `rowtide dev`: the source database begins with it, and POST /dev/reset goes back to it.
--
-- You can edit this file. What you change shows after the next reset:
--   curl -X POST http://127.0.0.1:8080/dev/reset

CREATE TABLE lists (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    owner_id TEXT NOT NULL
);

CREATE TABLE todos (
    id TEXT PRIMARY KEY NOT NULL,
    list_id TEXT NOT NULL,
    description TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL DEFAULT (datetime('now'))
);

INSERT INTO lists (id, name, owner_id) VALUES
    ('list-groceries', 'Groceries', 'alice'),
    ('list-trip', 'Trip to the sea', 'alice'),
    ('list-garden', 'Garden', 'bob');

INSERT INTO todos (id, list_id, description, done, created_at) VALUES
    ('todo-1', 'list-groceries', 'Bread', 0, '2026-01-05 08:00:00'),
    ('todo-2', 'list-groceries', 'Apples', 1, '2026-01-05 08:01:00'),
    ('todo-3', 'list-groceries', 'Coffee', 0, '2026-01-05 08:02:00'),
    ('todo-4', 'list-trip', 'Book the train', 1, '2026-01-06 19:30:00'),
    ('todo-5', 'list-trip', 'Find the swimming things', 0, '2026-01-06 19:31:00'),
    ('todo-6', 'list-garden', 'Cut the hedge', 0, '2026-01-07 10:00:00'),
    ('todo-7', 'list-garden', 'Plant tulips', 0, '2026-01-07 10:05:00');
