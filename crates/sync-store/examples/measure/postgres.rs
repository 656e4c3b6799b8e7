//! The store in PostgreSQL, compared with the one in SQLite by the time on the clock and by the CPU of all involved.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use pg_connect::Target;
use pg_server::Server;
use sync_engine::store::Store;
use sync_store::{Options, PostgresOptions, PostgresStore, SqliteStore};

use crate::work::{batch, cpu, read_all};

/// As a server is used; the settings of tests do not wait for the disk.
const SETTINGS: &str = "fsync = on
synchronous_commit = on
full_page_writes = on
shared_buffers = 256MB
max_wal_size = 4GB
wal_level = replica";

/// Times for a change or an operation, in microseconds.
#[derive(Clone, Copy, Default)]
struct Times {
    clock: f64,
    here: f64,
    server: f64,
}

/// Measures from here on.
struct Meter<'a> {
    server: Option<&'a Server>,
    at: Instant,
    cpu: f64,
    server_cpu: f64,
}

impl<'a> Meter<'a> {
    fn start(server: Option<&'a Server>) -> Self {
        Self { server, server_cpu: server.map_or(0.0, server_cpu), cpu: cpu(), at: Instant::now() }
    }

    fn each(&self, count: i64) -> Times {
        let count = count as f64;
        let server = self.server.map_or(0.0, |server| server_cpu(server) - self.server_cpu);
        let clock = self.at.elapsed().as_secs_f64() * 1e6;
        Times { clock: clock / count, here: (cpu() - self.cpu) / count, server: server / count }
    }
}

/// Microseconds of CPU of the server and its processes, those that have ended included.
fn server_cpu(server: &Server) -> f64 {
    let pid = std::fs::read_to_string(server.data().join("postmaster.pid")).unwrap();
    let pid: u64 = pid.lines().next().unwrap().trim().parse().unwrap();
    let mut ticks = 0;
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((name, rest)) = stat.rsplit_once(')') else { continue };
        let fields: Vec<u64> = rest.split(' ').skip(2).map(|field| field.parse().unwrap_or(0)).collect();
        let own: u64 = name.split(' ').next().unwrap().parse().unwrap();
        // The parent, and then times of user and system, and those of children that have ended.
        if own == pid {
            ticks += fields[10..14].iter().sum::<u64>();
        } else if fields[0] == pid {
            ticks += fields[10..12].iter().sum::<u64>();
        }
    }
    ticks as f64 * 1e4
}

fn write(store: &mut dyn Store, server: Option<&Server>, changes: i64, size: i64) -> [Times; 2] {
    let mut times = [Times::default(); 2];
    for start in (0..2 * changes).step_by(size as usize) {
        let batch = batch(start..start + size, changes);
        let meter = Meter::start(server);
        store.commit(&batch).unwrap();
        let each = meter.each(changes);
        let sum = &mut times[(start / changes) as usize];
        *sum = Times { clock: sum.clock + each.clock, here: sum.here + each.here, server: sum.server + each.server };
    }
    times
}

fn print(what: &str, sqlite: Times, postgres: Times) {
    println!(
        "  {what}: SQLite {:.2} (CPU {:.2}), PostgreSQL {:.2} (CPU {:.2} here and {:.2} there): {:.2} times the clock, {:.2} times \
         the CPU",
        sqlite.clock,
        sqlite.here,
        postgres.clock,
        postgres.here,
        postgres.server,
        postgres.clock / sqlite.clock,
        (postgres.here + postgres.server) / sqlite.here,
    );
}

/// Writes, reads, compacts and reads again.
pub(crate) fn measure(folder: &Path, changes: i64) {
    for size in [20_000, 2_000, 100] {
        let changes = if size == 100 { changes / 10 } else { changes };
        let server = Server::start(SETTINGS);
        let database = Arc::clone(&server).database();
        let target = Target::parse(&database.url()).unwrap();
        let mut postgres = PostgresStore::open(&target, PostgresOptions::default()).unwrap();
        let mut sqlite = SqliteStore::open(&folder.join(format!("compared {size}")), Options::default()).unwrap();
        println!("{size} changes a transaction, microseconds for each:");
        let (one, other) =
            (write(&mut sqlite, None, changes, size), write(&mut postgres, Some(&server), changes, size));
        print("new rows", one[0], other[0]);
        print("changed rows", one[1], other[1]);
        compare_reads("operations read, half of them superseded", &sqlite, &postgres, &server);
        let compact = |store: &mut dyn Store, server| {
            let (mut operations, meter) = (0, Meter::start(server));
            loop {
                let compacted = store.compact(2 * changes, 2_000).unwrap();
                operations += compacted.operations as i64;
                if !compacted.has_more {
                    return meter.each(operations);
                }
            }
        };
        let (one, other) = (compact(&mut sqlite, None), compact(&mut postgres, Some(&server)));
        print("operations compacted", one, other);
        compare_reads("operations read, none superseded", &sqlite, &postgres, &server);
        let size = "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class AS c
            WHERE relnamespace = 'rowtide'::regnamespace AND relkind = 'r'";
        let size: i64 = database.client().query_one(size, &[]).unwrap().get(0);
        println!("  PostgreSQL has {} bytes for each row of two operations", size / changes);
    }
}

fn compare_reads(what: &str, sqlite: &SqliteStore, postgres: &PostgresStore, server: &Server) {
    let read = |store: &dyn Store, server| {
        let meter = Meter::start(server);
        meter.each(read_all(&*store.readers()))
    };
    print(what, read(sqlite, None), read(postgres, Some(server)));
}
