//! Rows come with the snapshot, and then with the stream.

use sync_engine::source::Source;

use crate::app::App;

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn rows_are_followed() {
    let sql = "CREATE TABLE lists(id int PRIMARY KEY, name text);
        INSERT INTO lists SELECT n, 'list ' || n FROM generate_series(1, 1234) n";
    let mut app = App::new(&["lists"], sql);
    assert_eq!(app.follower.content()["lists"].len(), 1234);
    app.check_after("INSERT INTO lists VALUES (2000, NULL); UPDATE lists SET name = 'x' WHERE id < 10");
    app.check_after("UPDATE lists SET id = id + 10000 WHERE id < 10; DELETE FROM lists WHERE id = 2000");
    app.check_after("TRUNCATE lists; INSERT INTO lists VALUES (1, 'again')");
    assert_eq!(app.follower.content()["lists"].len(), 1);
    app.resume();
    app.check_after("DELETE FROM lists");
    assert_eq!(app.source.describe().kind, "postgres");
}
