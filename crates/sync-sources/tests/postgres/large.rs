//! Many rows, in the snapshot and in one transaction.

use std::time::Instant;

use crate::app::App;

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn many_rows() {
    let count: usize =
        std::env::var("ROWTIDE_POSTGRES_ROWS").ok().and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let rows = |from: usize, to: usize| {
        format!("INSERT INTO t SELECT n, 'row ' || n, n % 7, now() FROM generate_series({from}, {to}) n")
    };
    let sql = format!("CREATE TABLE t(id int PRIMARY KEY, v text, n int, at timestamptz); {}", rows(1, count / 2));
    let began = Instant::now();
    let mut app = App::new(&["t"], &sql);
    println!("snapshot of {} rows: {:?}", count / 2, began.elapsed());
    let began = Instant::now();
    app.check_after(&rows(count / 2 + 1, count));
    println!("a transaction of {} rows: {:?}", count - count / 2, began.elapsed());
    assert_eq!(app.follower.content()["t"].len(), count);
    app.check_after("UPDATE t SET n = n + 1 WHERE id % 10 = 0; DELETE FROM t WHERE id % 3 = 0");
    assert_eq!(app.follower.content()["t"].len(), count - count / 3);
}
