//! `cargo xtask web`: builds the side modules and the npm package with them, and has the published web SDK use them in a
//! headless Chromium, in apps that are bundled as the package's README says.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::hosts::table::find;
use crate::package::side;
use crate::packages::distribution::Distribution;
use crate::packages::web;
use tool_support::{library, node, process};

/// The tests, and the packages that the app has beside ours.
const TESTS: &str = "tests/hosts/web";

/// Builds the package, and says where it is.
///
/// # Errors
/// If something that is needed is not there, or the package cannot be made.
pub(crate) fn build() -> Result<()> {
    let package = package()?;
    println!("{}", package.display());
    Ok(())
}

/// Builds it, and runs the tests; says what is left out because a tool is missing.
///
/// # Errors
/// If it does not build, or does not work.
pub(crate) fn check() -> Result<()> {
    if let Some(missing) = ["node", "chromium"].iter().find(|name| find(name).is_none()) {
        println!("SKIPPED the web SDK: not installed: {missing}");
        return Ok(());
    }
    let (chromium, package) = (find("chromium").context("there is no chromium")?, package()?);
    let project = install(&package)?;
    let program = library::built(&mut process::cargo(&["build", "--bin", "rowtide", library::JSON_MESSAGES]), "bin")?;
    let mut tests = process::program("node", &["--test", "--test-reporter=spec"]);
    tests.arg(process::repository().join(TESTS).join("web.test.mjs")).current_dir(project);
    let mut passed = 0;
    process::watch(tests.env("CHROMIUM", chromium).env("ROWTIDE", program), |line| {
        passed += line.strip_prefix("ℹ pass ").and_then(|number| number.parse::<u32>().ok()).unwrap_or(0);
    })?;
    ensure!(passed > 0, "no test was run");
    Ok(())
}

/// Where all of it is.
fn place() -> PathBuf {
    process::repository().join("target/web")
}

/// Makes the package.
fn package() -> Result<PathBuf> {
    let directory = place().join("package");
    std::fs::create_dir_all(&directory)?;
    if let Some(missing) = side::build_in(&directory)? {
        anyhow::bail!("the side modules cannot be built: {missing}");
    }
    let distribution = Distribution::in_directory(&directory);
    web::write(&distribution)?;
    Ok(directory.join(web::file_name(distribution.version)))
}

/// Installs what the app is made of, unless that is there, and gives its directory. npm refuses our package if it does not fit
/// the others.
fn install(package: &Path) -> Result<PathBuf> {
    let (tests, project) = (process::repository().join(TESTS), place().join("app"));
    node::install_copy(&tests, &project).context("npm cannot install the packages of the app")?;
    // It goes when npm installs everything again.
    let mark = project.join("node_modules/.installed-ours");
    let sum = format!("{:x}", Sha256::digest(std::fs::read(package)?));
    if !std::fs::read_to_string(&mark).is_ok_and(|found| found == sum) {
        process::run(node::npm(&project, &["install", "--no-save"]).args(node::QUIETLY).arg(package))
            .context("npm cannot install the package that was built")?;
        std::fs::write(mark, sum)?;
    }
    Ok(project)
}
