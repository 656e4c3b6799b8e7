//! The SQL in `sql/` as the library holds it: all files in one text, compressed, and a constant for the place of each.
//! See `src/packed_sql.rs`.
//!
//! In these files, comments have lines of their own. The name of a file in `sql/fragments`, in braces, stands for its content;
//! what is between two @ is filled in when the statement is run.

use std::fmt::Write;
use std::io::Result;
use std::path::Path;

use super::files;

/// Writes `sql.lz4` and `sql.rs` to the directory `out`.
pub(crate) fn pack(sql: &Path, out: &Path) -> Result<()> {
    let mut fragments = Vec::new();
    for file in files(&sql.join("fragments"))? {
        fragments.push((format!("{{{}}}", name(&file)), read(&file)?));
    }
    let (mut text, mut places) = (String::new(), String::new());
    for file in files(sql)?.iter().filter(|file| !file.starts_with(sql.join("fragments"))) {
        let start = text.len();
        text += &fragments.iter().fold(read(file)?, |sql, (name, fragment)| sql.replace(name, fragment));
        let (name, end) = (name(file).to_uppercase(), text.len());
        // Writing to a string does not fail.
        let _ = writeln!(places, "pub(crate) const {name}: Place = Place {{ start: {start}, end: {end} }};");
    }
    let _ = writeln!(places, "const LENGTH: usize = {};", text.len());
    std::fs::write(out.join("sql.lz4"), lz4_flex::block::compress(text.as_bytes()))?;
    std::fs::write(out.join("sql.rs"), places)
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A file without comments, and without indentation unless the text is stored in the file of an app. Statements that an empty
/// line follows are separated by a NUL character instead of their semicolon, so that they can be taken one by one.
fn read(file: &Path) -> Result<String> {
    let is_kept = file.parent().is_some_and(|directory| directory.ends_with("migrations"));
    let file = std::fs::read_to_string(file)?;
    let lines = file.lines().filter(|line| !line.starts_with("--"));
    let lines = lines.map(|line| if is_kept { line } else { line.trim_start() }).collect::<Vec<_>>().join("\n");
    let lines = lines.trim();
    Ok(lines.strip_suffix(';').unwrap_or(lines).replace(";\n\n", "\0"))
}
