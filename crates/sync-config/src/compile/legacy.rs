//! Legacy bucket definitions (editions 1 and 2).

use super::group::Assembly;
use crate::diagnostic::Diagnostic;
use crate::document::{LegacyText, Named};
use crate::options::CompileOptions;
use crate::plan::Settings;

/// Compiles a bucket definition into `assembly`.
pub fn compile(
    _named: &Named<LegacyText>,
    _options: &CompileOptions,
    _settings: &Settings,
    _assembly: &mut Assembly,
    _findings: &mut Vec<Diagnostic>,
) {
}
