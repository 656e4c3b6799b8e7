//! Reading all rows: at the beginning, and again when the source has lost the service's position.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use rusqlite::{Connection, OpenFlags};
use sync_sources::sqlite::SqliteSource;

use crate::Stage;
use crate::data::Data;
use crate::figures::{Figures, micros, number, rate, ratio};
use crate::program::Program;

fn storage(stage: &Stage<'_>) -> PathBuf {
    stage.folder.path().join("storage.db")
}

/// Starts the service on the rows.
pub(crate) fn measure_initial(
    stage: &Stage<'_>,
    data: &Data,
    copied: Duration,
    figures: &mut Figures,
) -> Result<Program> {
    let program = Program::start(stage.program, &data.path, &storage(stage))?;
    let cpu = program.cpu()?;
    let written = program.client.metric("rowtide_operations_written_total")?;
    ensure!(written == data.count(), "{written} operations were written for {} rows", data.count());
    figures.add("initial replication", rate(data.count(), program.ready_after), "rows/s", "≥ 30 000");
    figures.add("— CPU, initial replication", micros(cpu, data.count()), "µs per row", "≤ 33");
    figures.add("— CPU, initial replication ÷ copying the table in SQLite", ratio(cpu, copied), "×", "");
    Ok(program)
}

/// What the storage takes, compared with the rows as clients get them.
pub(crate) fn measure_storage(stage: &Stage<'_>, data: &Data, bytes: usize, figures: &mut Figures) -> Result<()> {
    let used = number(stored(&storage(stage))?);
    let (rows, bytes) = (number(data.count()), number(bytes));
    figures.add("storage", used / rows, "bytes per row", "");
    figures.add("— rows as JSON", bytes / rows, "bytes per row", "");
    figures.add("— storage ÷ (1.6 × JSON + 60 bytes per row)", used / (1.6 * bytes + 60.0 * rows), "×", "≤ 1");
    Ok(())
}

/// How many bytes of a storage in this file are used.
pub(crate) fn stored(storage: &Path) -> Result<usize> {
    let connection = Connection::open_with_flags(storage, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let pages = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok(usize::try_from((pages("page_count")? - pages("freelist_count")?) * pages("page_size")?)?)
}

/// Has the source forget everything: the service then compares all rows with what it has stored.
pub(crate) fn measure_rebuild(stage: &Stage<'_>, program: Program, data: &Data, figures: &mut Figures) -> Result<()> {
    drop(program);
    SqliteSource::open(&data.path)?.remove()?;
    let rows = data.connection.query_row("SELECT count(*) FROM items", [], |row| row.get::<_, i64>(0))?;
    let rows = usize::try_from(rows)?;
    let program = Program::start(stage.program, &data.path, &storage(stage))?;
    let begin = std::time::Instant::now();
    program.client.reach()?;
    let (time, cpu): (Duration, _) = (begin.elapsed() + program.ready_after, program.cpu()?);
    let written = program.client.metric("rowtide_operations_written_total")?;
    ensure!(written == 0, "{written} operations were written though no row has changed");
    figures.add("comparing all rows, nothing changed", rate(rows, time), "rows/s", "≥ 60 000");
    figures.add("— CPU, comparing all rows", micros(cpu, rows), "µs per row", "≤ 17");
    figures.add("— operations written when nothing changed", number(written), "", "0");
    Ok(())
}
