//! The software bills of materials: which packages the libraries and the program are made of, as CycloneDX 1.5 in JSON.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use tool_support::process;

/// What a list is about.
pub(crate) struct Product {
    name: &'static str,
    kind: &'static str,
    /// The packages of this repository that become it.
    packages: &'static [&'static str],
}

impl Product {
    /// The list's name.
    pub(crate) fn file(&self) -> String {
        format!("{}.cdx.json", self.name)
    }
}

pub(crate) const LIBRARIES: &Product =
    &Product { name: "powersync-sqlite-core", kind: "library", packages: &["rowtide-loadable", "rowtide-static"] };

pub(crate) const PROGRAM: &Product = &Product { name: "rowtide", kind: "application", packages: &["rowtide"] };

/// Writes the lists: what Cargo links, without what only builds and tests use.
///
/// # Errors
/// If Cargo cannot be asked.
pub(crate) fn write(directory: &Path) -> Result<()> {
    let metadata = metadata()?;
    for product in [LIBRARIES, PROGRAM] {
        let document = describe(&metadata, product)?;
        std::fs::write(directory.join(product.file()), format!("{document:#}\n"))?;
    }
    Ok(())
}

/// What Cargo knows of all packages.
///
/// # Errors
/// If it cannot be asked.
pub(crate) fn metadata() -> Result<Value> {
    let text = process::output(&mut process::cargo(&["metadata", "--locked", "--format-version=1"]))?;
    Ok(serde_json::from_str(&text)?)
}

/// The packages that are linked into a product, other than its own.
///
/// # Errors
/// If it is not what Cargo says.
pub(crate) fn linked<'m>(metadata: &'m Value, product: &Product) -> Result<Vec<&'m Value>> {
    let (packages, _, linked) = closure(metadata, product)?;
    let is_wanted = |package: &&Value| {
        let id = package["id"].as_str().unwrap_or_default();
        linked.contains(id) && !product.packages.iter().any(|name| package["name"] == *name)
    };
    Ok(packages.iter().filter(is_wanted).collect())
}

/// All packages, what they need, and the identifiers of those that are linked.
type Closure<'m> = (&'m Vec<Value>, &'m Vec<Value>, BTreeSet<&'m str>);

fn closure<'m>(metadata: &'m Value, product: &Product) -> Result<Closure<'m>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let nodes =
        metadata.pointer("/resolve/nodes").and_then(Value::as_array).context("cargo metadata resolves nothing")?;
    let is_own = |package: &&Value| product.packages.iter().any(|name| package["name"] == *name);
    let mut waiting: Vec<&str> = packages.iter().filter(is_own).filter_map(|package| package["id"].as_str()).collect();
    let mut linked = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if linked.insert(id) {
            waiting.extend(nodes.iter().filter(|node| node["id"] == *id).flat_map(normal_dependencies));
        }
    }
    Ok((packages, nodes, linked))
}

fn describe(metadata: &Value, product: &Product) -> Result<Value> {
    let (packages, nodes, linked) = closure(metadata, product)?;
    let is_own = |package: &&Value| product.packages.iter().any(|name| package["name"] == *name);
    let version = env!("CARGO_PKG_VERSION");
    let found = |id: &str| packages.iter().find(|package| package["id"] == *id);
    let components: Vec<Value> =
        linked.iter().filter_map(|id| found(id)).filter(|package| !is_own(package)).map(component).collect();
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
            "type": product.kind, "bom-ref": product.name, "name": product.name, "version": version,
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
        let document = describe(&metadata, LIBRARIES).unwrap();
        let names: Vec<&Value> =
            document["components"].as_array().unwrap().iter().map(|component| &component["name"]).collect();
        assert_eq!(names, ["inner", "itoa"]);
        assert_eq!(document.pointer("/components/0/purl"), None);
        assert_eq!(document.pointer("/components/1/purl"), Some(&json!("pkg:cargo/itoa@1.2.3")));
        assert_eq!(document.pointer("/dependencies/0/dependsOn"), Some(&json!(["pkg:cargo/itoa@1.2.3"])));
    }
}
