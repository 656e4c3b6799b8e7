//! Tables that change, appear, get other names, and are dropped, while they are followed.

use crate::app::App;

fn notes() -> App {
    App::new(
        &["notes"],
        "CREATE TABLE notes(id int PRIMARY KEY, a text, b int); INSERT INTO notes VALUES (1, 'x', 1), (2, 'y', 2)",
    )
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn columns_are_added_renamed_retyped_and_dropped() {
    let mut app = notes();
    // Rows that were there have the new column as soon as they are written.
    let touch = "UPDATE notes SET id = id";
    app.check_after(&format!("ALTER TABLE notes ADD COLUMN c text DEFAULT 'new'; {touch}"));
    app.check_after(&format!("INSERT INTO notes VALUES (3, 'z', 3, 'c'); ALTER TABLE notes RENAME b TO d; {touch}"));
    app.check_after(&format!("ALTER TABLE notes ALTER d TYPE text USING 'n' || d; {touch}"));
    app.check_after("ALTER TABLE notes DROP COLUMN a; INSERT INTO notes VALUES (4, 'd', 'c')");
    // In one transaction with rows before and after.
    app.check_after(&format!(
        "BEGIN; UPDATE notes SET c = 'before'; ALTER TABLE notes ADD COLUMN e int[] DEFAULT '{{1}}';
        INSERT INTO notes VALUES (5, 'd', 'c', '{{2}}'); {touch}; COMMIT"
    ));
    app.resume();
    app.check();
    let columns = &app.follower.state.tables.values().next().unwrap().table.columns;
    assert_eq!(columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["id", "d", "c", "e"]);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_column_that_is_added_is_known_without_a_change_of_a_row() {
    let mut app = notes();
    app.run("ALTER TABLE notes ADD COLUMN c text");
    app.until(|follower| follower.state.tables.values().any(|table| table.table.columns.len() == 4));
    app.check_after("UPDATE notes SET c = 'x'");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn dropped_and_renamed_tables_are_gone() {
    let sql = "CREATE TABLE notes(id int PRIMARY KEY); CREATE TABLE other(id int PRIMARY KEY);
        INSERT INTO notes VALUES (1); INSERT INTO other VALUES (1)";
    let mut app = App::new(&["notes", "other"], sql);
    app.run("DROP TABLE notes");
    app.until(|follower| !follower.content().contains_key("notes"));
    app.run("ALTER TABLE other RENAME TO another");
    app.until(|follower| follower.content().is_empty());
    app.run("ALTER TABLE another RENAME TO notes; INSERT INTO notes VALUES (2)");
    app.until(|follower| follower.content().contains_key("notes"));
    app.check();
    assert_eq!(app.follower.content()["notes"].len(), 2);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_table_that_is_created_again_has_its_new_rows() {
    let mut app = notes();
    let name = app.database.name().to_owned();
    app.run("ALTER PUBLICATION powersync OWNER TO postgres; DROP PUBLICATION powersync; CREATE PUBLICATION powersync FOR ALL TABLES");
    // What was published before cannot be read with another publication of the name; the slot begins again.
    app.restart();
    app.check();
    app.check_after(
        "DROP TABLE notes; CREATE TABLE notes(id text PRIMARY KEY, other int); INSERT INTO notes VALUES ('a', 1)",
    );
    assert_eq!(app.follower.content()["notes"].len(), 1, "{name}");
    app.check_after("UPDATE notes SET other = 2; INSERT INTO notes VALUES ('b', 1)");
    app.resume();
    app.check();
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn tables_that_match_a_wildcard_appear() {
    let sql = "CREATE PUBLICATION powersync FOR ALL TABLES; CREATE TABLE t_a(id int PRIMARY KEY, v text); INSERT INTO t_a VALUES (1, 'a')";
    let mut app = App::new(&["t_%"], sql);
    app.check_after("CREATE TABLE t_b(id int PRIMARY KEY); INSERT INTO t_b VALUES (1); CREATE TABLE other(id int PRIMARY KEY); INSERT INTO other VALUES (1)");
    assert_eq!(app.follower.content().keys().collect::<Vec<_>>(), ["t_a", "t_b"]);
    // Without any row, and with rows from before that the stream does not have.
    app.run("CREATE TABLE t_empty(id int PRIMARY KEY)");
    app.until(|follower| follower.content().contains_key("t_empty"));
    app.run("ALTER TABLE other RENAME TO t_other");
    app.until(|follower| follower.content().contains_key("t_other"));
    app.check();
    assert_eq!(app.follower.content()["t_other"].len(), 1);
    app.check_after("ALTER TABLE t_b RENAME TO t_c; INSERT INTO t_c VALUES (2)");
    assert!(app.follower.content().contains_key("t_c") && !app.follower.content().contains_key("t_b"));
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn another_key_is_another_generation() {
    let mut app = notes();
    let id = |app: &App| app.follower.state.tables.keys().next().unwrap().clone();
    let before = id(&app);
    app.check_after(
        "UPDATE notes SET a = 'k' || id; ALTER TABLE notes DROP CONSTRAINT notes_pkey, ADD PRIMARY KEY (a);
        UPDATE notes SET b = b + 1; DELETE FROM notes WHERE id = 1",
    );
    assert_ne!(id(&app), before);
    // The same columns with values of another type.
    app.check_after("ALTER TABLE notes DROP CONSTRAINT notes_pkey, ADD PRIMARY KEY (id); UPDATE notes SET b = 3");
    assert_eq!(id(&app), before);
    app.check_after("ALTER TABLE notes ALTER id TYPE text; UPDATE notes SET b = 4");
    assert_ne!(id(&app), before);
    app.check_after("ALTER TABLE notes ALTER id TYPE int8 USING id::int8; UPDATE notes SET b = 5");
    assert_eq!(id(&app), before, "integers of all sizes are the same keys");
    app.resume();
    app.check();
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn truncate_reaches_all_tables_that_it_cascades_to() {
    let sql = "CREATE TABLE parents(id int PRIMARY KEY);
        CREATE TABLE children(id int PRIMARY KEY, parent int REFERENCES parents);
        CREATE TABLE unwanted(id int PRIMARY KEY, child int REFERENCES children);
        CREATE TABLE others(id int PRIMARY KEY);
        INSERT INTO parents VALUES (1), (2); INSERT INTO children VALUES (1, 1); INSERT INTO others VALUES (1)";
    let mut app = App::new(&["parents", "children", "others"], sql);
    app.check_after("TRUNCATE parents RESTART IDENTITY CASCADE");
    let sizes: Vec<usize> = app.follower.content().values().map(|rows| rows.len()).collect();
    assert_eq!(sizes, [0, 1, 0], "children, others, parents");
    app.check_after("BEGIN; INSERT INTO parents VALUES (3); TRUNCATE others, parents, children, unwanted; INSERT INTO parents VALUES (4); COMMIT");
    assert_eq!(app.follower.content()["parents"].len(), 1);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn partitions_are_tables() {
    let sql = "CREATE TABLE parts(id int, region text, v int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
        CREATE TABLE parts_eu PARTITION OF parts FOR VALUES IN ('eu');
        CREATE TABLE parts_us PARTITION OF parts FOR VALUES IN ('us');
        CREATE PUBLICATION powersync FOR ALL TABLES;
        INSERT INTO parts VALUES (1, 'eu', 1), (2, 'us', 1)";
    let mut app = App::new(&["parts_%"], sql);
    app.check_after("INSERT INTO parts VALUES (3, 'us', 1); UPDATE parts SET v = 2");
    app.check_after("UPDATE parts SET region = 'us' WHERE id = 1");
    let count = |app: &App, name: &str| app.follower.content()[name].len();
    assert_eq!((count(&app, "parts_eu"), count(&app, "parts_us")), (0, 3), "the row has moved");
    app.check_after(
        "CREATE TABLE parts_as PARTITION OF parts FOR VALUES IN ('as'); INSERT INTO parts VALUES (9, 'as', 1)",
    );
    assert_eq!(count(&app, "parts_as"), 1);
    app.check_after("TRUNCATE parts");
    assert_eq!((count(&app, "parts_as"), count(&app, "parts_us")), (0, 0));
    app.run("DROP TABLE parts_as");
    app.until(|follower| !follower.content().contains_key("parts_as"));
    app.check();
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn children_of_a_table_are_not_its_rows() {
    let sql = "CREATE TABLE base(id int PRIMARY KEY, v text); CREATE TABLE derived() INHERITS (base);
        INSERT INTO base VALUES (1, 'base'); INSERT INTO derived VALUES (2, 'derived')";
    let mut app = App::new(&["base"], sql);
    assert_eq!(app.follower.content()["base"].len(), 1);
    app.check_after("INSERT INTO derived VALUES (3, 'derived'); UPDATE base SET v = 'x'");
    assert_eq!(app.follower.content()["base"].len(), 1);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn lists_of_columns_and_conditions_of_a_publication_count() {
    let sql = "CREATE TABLE t(id int PRIMARY KEY, a text, secret text, g int GENERATED ALWAYS AS (id * 2) STORED);
        CREATE TABLE odd(id int PRIMARY KEY, n int);
        CREATE PUBLICATION powersync FOR TABLE t (id, a), odd WHERE (id % 2 = 1);
        INSERT INTO t VALUES (1, 'a', 's'); INSERT INTO odd VALUES (1, 1), (2, 2)";
    let mut app = App::new(&["t", "odd"], sql);
    app.check_after(
        "INSERT INTO t VALUES (2, 'b', 's'); INSERT INTO odd VALUES (3, 3), (4, 4); UPDATE odd SET n = n + 1",
    );
    let content = app.follower.content();
    assert_eq!(content["odd"].len(), 2);
    assert!(content["t"].values().all(|row| row.len() == 2), "{:?}", content["t"]);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn names_of_all_kinds() {
    let sql = "CREATE SCHEMA \"Odd \"\"schema\"; CREATE TABLE \"Odd \"\"schema\".\"t'a.b,\"(\"the \"\"key\" int PRIMARY KEY, \"SELECT\" text, \"ä'\" text);
        INSERT INTO \"Odd \"\"schema\".\"t'a.b,\" VALUES (1, 'a', 'b')";
    let mut app = App::new(&["Odd \"schema.t'a.b,"], sql);
    app.check_after("UPDATE \"Odd \"\"schema\".\"t'a.b,\" SET \"SELECT\" = 'c'");
    assert_eq!(app.follower.content()["t'a.b,"].len(), 1);
}
