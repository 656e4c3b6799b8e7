//! Puts the files of `assets` and `parts` into the library, compressed once.
//!
//! A page may hold `<!-- header: NAME -->`: the bar on top of all pages, with the link NAME marked as the current one.

mod docs;

use std::error::Error;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The bar on top of all pages.
const HEADER: &str = "assets/header.html";

fn main() -> Outcome<()> {
    for folder in ["build", "assets", "parts"] {
        println!("cargo::rerun-if-changed={folder}");
    }
    let header = fs::read_to_string(HEADER)?;
    let mut table = Table::open()?;
    for (name, file) in files(Path::new("assets"))?.into_iter().filter(|(name, _)| name != "header.html") {
        let content = fs::read(file)?;
        match name.ends_with(".html") {
            true => table.add(&name, with_header(&String::from_utf8(content)?, &header).as_bytes())?,
            false => table.add(&name, &content)?,
        }
    }
    for (name, file) in files(Path::new("parts"))? {
        table.add(&format!("parts/{name}"), &fs::read(file)?)?;
    }
    let documentation = docs::build(Path::new("../.."))?;
    for (name, content) in documentation.files {
        table.add(&name, with_header(&content, &header).as_bytes())?;
    }
    for image in documentation.images {
        table.add(&image, &fs::read(Path::new("../..").join(&image))?)?;
    }
    for source in documentation.sources {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    table.close()
}

/// A page with the bar in place of the comment that asks for it.
fn with_header(page: &str, header: &str) -> String {
    let (start, end) = ("<!-- header: ", " -->");
    let Some((before, (name, after))) =
        page.split_once(start).and_then(|(before, rest)| Some((before, rest.split_once(end)?)))
    else {
        return page.to_owned();
    };
    let current =
        header.replace(&format!("data-page=\"{name}\""), &format!("data-page=\"{name}\" aria-current=\"page\""));
    format!("{before}{current}{after}")
}

/// The files of a folder and of those in it, by their names below it. What begins with a dot is left out.
fn files(folder: &Path) -> Outcome<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name().to_string_lossy().into_owned()))?;
        if name.starts_with('.') {
            continue;
        }
        match entry.is_dir() {
            true => found.extend(files(&entry)?.into_iter().map(|(inner, file)| (format!("{name}/{inner}"), file))),
            false => found.push((name, entry)),
        }
    }
    found.sort();
    Ok(found)
}

/// The table of all files, as Rust code, and the folder of what it refers to.
struct Table {
    folder: PathBuf,
    entries: Vec<String>,
}

impl Table {
    fn open() -> Outcome<Self> {
        let folder = PathBuf::from(std::env::var("OUT_DIR")?);
        fs::create_dir_all(folder.join("files"))?;
        Ok(Self { folder, entries: Vec::new() })
    }

    fn add(&mut self, name: &str, content: &[u8]) -> Outcome<()> {
        let mut hasher = DefaultHasher::new();
        (name, content).hash(&mut hasher);
        let file = self.folder.join(format!("files/{:016x}", hasher.finish()));
        let mut compressed = GzEncoder::new(Vec::new(), Compression::best());
        compressed.write_all(content)?;
        fs::write(&file, compressed.finish()?)?;
        self.entries.push(format!(
            "({name:?}, Asset {{ media_type: {:?}, etag: \"\\\"{:016x}\\\"\", gzip: include_bytes!({file:?}) }}),",
            media_type(name)?,
            hasher.finish()
        ));
        Ok(())
    }

    /// Writes it, sorted by name.
    fn close(mut self) -> Outcome<()> {
        self.entries.sort_unstable();
        let entries = self.entries.join("\n");
        Ok(fs::write(self.folder.join("assets.rs"), format!("static ASSETS: &[(&str, Asset)] = &[\n{entries}\n];\n"))?)
    }
}

fn media_type(name: &str) -> Outcome<&'static str> {
    Ok(match name.rsplit_once('.').map(|(_, kind)| kind) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("wasm") => "application/wasm",
        Some("txt") => "text/plain; charset=utf-8",
        _ => return Err(format!("{name}: what kind of file is it? Add it to build/main.rs").into()),
    })
}
