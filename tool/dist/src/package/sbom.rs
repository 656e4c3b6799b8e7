//! The software bill of materials: which packages the libraries are made of, as CycloneDX 1.5 in JSON.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use tool_support::process;

/// Its name.
pub(crate) const FILE: &str = "powersync-sqlite-core.cdx.json";

/// The packages of which libraries are made.
const LIBRARIES: &[&str] = &["rowtide-loadable", "rowtide-static"];

/// Writes the list: what Cargo links into the libraries, without what only builds and tests use.
///
/// # Errors
/// If Cargo cannot be asked.
pub(crate) fn write(directory: &Path) -> Result<()> {
    let text = process::output(&mut process::cargo(&["metadata", "--locked", "--format-version=1"]))?;
    let document = describe(&serde_json::from_str(&text)?)?;
    Ok(std::fs::write(directory.join(FILE), format!("{document:#}\n"))?)
}

fn describe(metadata: &Value) -> Result<Value> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let nodes =
        metadata.pointer("/resolve/nodes").and_then(Value::as_array).context("cargo metadata resolves nothing")?;
    let is_library = |package: &&Value| LIBRARIES.iter().any(|name| package["name"] == *name);
    let mut waiting: Vec<&str> =
        packages.iter().filter(is_library).filter_map(|package| package["id"].as_str()).collect();
    let mut linked = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if linked.insert(id) {
            waiting.extend(nodes.iter().filter(|node| node["id"] == *id).flat_map(normal_dependencies));
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    let found = |id: &str| packages.iter().find(|package| package["id"] == *id);
    let components: Vec<Value> =
        linked.iter().filter_map(|id| found(id)).filter(|package| !is_library(package)).map(component).collect();
    let dependencies: Vec<Value> = linked
        .iter()
        .filter_map(|id| found(id).zip(nodes.iter().find(|node| node["id"] == **id)))
        .map(|(package, node)| {
            let names: BTreeSet<String> = normal_dependencies(node).filter_map(found).map(reference).collect();
            json!({ "ref": reference(package), "dependsOn": names })
        })
        .collect();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": {
            "type": "library", "bom-ref": "powersync-sqlite-core", "name": "powersync-sqlite-core", "version": version,
            "licenses": [{ "license": { "id": "Apache-2.0" } }],
        } },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// The packages that are linked with one, by their identifiers.
fn normal_dependencies(node: &Value) -> impl Iterator<Item = &str> {
    let is_normal = |dependency: &&Value| {
        let kinds = dependency["dep_kinds"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
    };
    node["deps"].as_array().into_iter().flatten().filter(is_normal).filter_map(|dependency| dependency["pkg"].as_str())
}

fn component(package: &Value) -> Value {
    let (name, version, license) = (&package["name"], &package["version"], &package["license"]);
    let mut members = json!({
        "type": "library",
        "bom-ref": reference(package),
        "name": name,
        "version": version,
        "licenses": [{ "expression": license }],
    });
    // What is in this repository has no place in a registry.
    if let Some(members) = members.as_object_mut().filter(|_| !package["source"].is_null()) {
        members.insert("purl".to_owned(), reference(package).into());
    }
    members
}

/// The identifier of a package, within the document and (if it is published) outside.
fn reference(package: &Value) -> String {
    let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
    format!("pkg:cargo/{}@{}", text("name"), text("version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_linked_is_listed() {
        let package = |name: &str, source: Value| json!({ "name": name, "id": name, "version": "1.2.3", "license": "MIT", "source": source });
        let dependency = |name: &str, kind: Value| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [
                package("rowtide-static", Value::Null),
                package("inner", Value::Null),
                package("itoa", json!("registry")),
                package("tempfile", json!("registry")),
                package("cc", json!("registry")),
            ],
            "resolve": { "nodes": [
                { "id": "rowtide-static", "deps": [dependency("inner", Value::Null), dependency("cc", json!("build"))] },
                { "id": "inner", "deps": [dependency("itoa", Value::Null), dependency("tempfile", json!("dev"))] },
                { "id": "itoa", "deps": [] },
            ] },
        });
        let document = describe(&metadata).unwrap();
        let names: Vec<&Value> =
            document["components"].as_array().unwrap().iter().map(|component| &component["name"]).collect();
        assert_eq!(names, ["inner", "itoa"]);
        assert_eq!(document.pointer("/components/0/purl"), None);
        assert_eq!(document.pointer("/components/1/purl"), Some(&json!("pkg:cargo/itoa@1.2.3")));
        assert_eq!(document.pointer("/dependencies/0/dependsOn"), Some(&json!(["pkg:cargo/itoa@1.2.3"])));
    }
}
