//! The documentation: everything is in it, every link leads somewhere, and nothing in the text becomes markup.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../build/docs/mod.rs"]
mod docs;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use docs::links::{Target, address, target};
use docs::markdown::Document;
use docs::{Documentation, sidebar};
use flate2::read::GzDecoder;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn built() -> Documentation {
    docs::build(&repository()).unwrap()
}

/// Pages by their addresses.
fn pages() -> BTreeMap<String, String> {
    let files = built().files.into_iter();
    let page = |(name, content): (String, String)| {
        let name = name.strip_suffix(".html")?;
        Some((format!("/{}", name.trim_end_matches("/index")), content))
    };
    files.filter_map(page).collect()
}

/// The values of an attribute.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!(" {name}=\"");
    page.split(&begin).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

fn parsed(text: &str) -> Document {
    Document::parse("guide/page.md", text, &|file| file == "guide/other.md" || file == "guide/code.rs")
}

#[test]
fn what_is_built_is_in_the_library() {
    let Documentation { files, images, sources } = built();
    for image in images {
        assert!(web_pages::asset(&image).is_some(), "{image} is missing");
    }
    // Of a folder, every change in it would count.
    assert!(sources.iter().all(|source| source.is_file()));
    for (name, content) in files {
        let asset = web_pages::asset(&name).unwrap_or_else(|| panic!("{name} is missing"));
        let mut text = String::new();
        GzDecoder::new(asset.gzip).read_to_string(&mut text).unwrap();
        // The bar is added to pages.
        let is_same = content.split("<!-- header: docs -->").all(|part| text.contains(part));
        assert!(is_same, "{name} is an older one");
        assert_eq!(text.contains("data-page=\"docs\" aria-current=\"page\""), name.ends_with(".html"), "{name}");
    }
}

#[test]
fn every_link_and_anchor_leads_somewhere() {
    let pages = pages();
    let ids: BTreeMap<&String, BTreeSet<&str>> =
        pages.iter().map(|(address, page)| (address, attributes(page, "id").into_iter().collect())).collect();
    let mut count = 0;
    for (from, page) in &pages {
        assert!(!page.contains("data-nowhere"), "{from} has a link that leads nowhere");
        for link in attributes(page, "href") {
            count += 1;
            if link.starts_with("http") || link.starts_with("mailto:") {
                continue;
            }
            if let Some(asset) = link.strip_prefix("/assets/") {
                assert!(web_pages::asset(asset).is_some(), "{from}: {link}");
                continue;
            }
            let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
            let to = if path.is_empty() { from } else { path };
            let found = ids.get(&to.to_owned()).unwrap_or_else(|| panic!("{from}: {link} leads to no page"));
            assert!(anchor.is_none_or(|anchor| found.contains(anchor)), "{from}: {link} leads to no place");
        }
    }
    assert!(count > 2_000, "only {count} links were found");
}

#[test]
fn every_document_is_in_the_sidebar_once() {
    fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            match path.is_dir() {
                true if name != "node_modules" && name != "target" => documents(&path, found),
                false if name.ends_with(".md") => found.push(path),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    documents(&repository().join("docs"), &mut found);
    let listed: Vec<&str> = sidebar::GROUPS.iter().flat_map(|group| group.pages).map(|(file, _)| *file).collect();
    assert!(found.len() > 25, "only {} documents", found.len());
    for path in found {
        let file = path.strip_prefix(repository()).unwrap().to_str().unwrap().replace('\\', "/");
        assert!(listed.contains(&&*file), "{file} is not in crates/web-pages/build/docs/sidebar.rs");
    }
    let unique: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(unique.len(), listed.len());
    let addresses: BTreeSet<String> = listed.iter().map(|file| address(file)).collect();
    assert_eq!(addresses.len(), listed.len());
}

#[test]
fn every_page_has_a_title_and_knows_its_place() {
    for (address, page) in pages() {
        assert_eq!(page.matches("<h1").count(), 1, "{address}");
        let in_sidebar =
            sidebar::GROUPS.iter().flat_map(|group| group.pages).any(|(file, _)| docs::links::address(file) == address);
        assert_eq!(page.matches("aria-current=\"page\"").count(), usize::from(in_sidebar), "{address}");
        assert_eq!(page.contains("class=\"around\""), in_sidebar, "{address}");
        assert!(!page.contains("{{title}}") && !page.contains("{{around}}"), "{address}");
    }
}

#[test]
fn markup_in_the_text_is_text() {
    let smuggled = [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "<div onclick=\"alert(1)\">\nx\n</div>",
        "# <svg onload=alert(1)>",
        "| <iframe src=x> |\n| --- |\n| <b onmouseover=alert(1)>x</b> |",
        "<!-- comment --><script>alert(1)</script>",
        "<!-- comment\n--><script>alert(1)</script>\n<!-- -->",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[x](vbscript:x) <javascript:alert(1)>",
        "[x](https://a.example/\"onmouseover=\"alert(1))",
        "![x](x\"onerror=\"alert(1))",
        "[x](other.md#\"onclick=\"alert(1))",
        "```\"><script>alert(1)</script>\ncode\n```",
        "```html\n<script>alert(1)</script>\n```",
        "`<script>alert(1)</script>`",
        "```mermaid\nflowchart TD\n  a[\"<script>alert(1)</script>\"] -->|<img onerror=x>| b\n```",
    ];
    for text in smuggled {
        let html = parsed(text).html;
        // What is left of it in tags; text between them is harmless.
        let tags: Vec<&str> = html.split('<').skip(1).map(|tag| tag.split('>').next().unwrap()).collect();
        for tag in tags {
            let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap();
            assert!(!["script", "img", "svg", "iframe"].contains(&name), "{text}: {html}");
            // Values are quoted, and quotes in them are not.
            let outside: String = tag.split('"').step_by(2).collect();
            assert!(!outside.contains(" on") && !outside.contains("onerror"), "{text}: {html}");
            for address in attributes(&format!(" {tag}"), "href") {
                let address = address.to_lowercase();
                assert!(
                    address.starts_with("https://a.example/")
                        || address.starts_with("/docs/")
                        || address.starts_with('#'),
                    "{text}: {html}"
                );
            }
        }
    }
    assert!(!parsed("<!-- only for tools -->\n\ntext").html.contains("tools"));
}

#[test]
fn links_lead_to_pages_to_files_and_to_other_hosts() {
    let exists = |file: &str| ["guide/other.md", "guide/service/README.md", "README.md", "src/main.rs"].contains(&file);
    let to = |link: &str| target("guide/page.md", link, &exists);
    let page = |file: &str, address: &str| Target::File { file: file.into(), address: address.into() };
    assert_eq!(to("other.md"), page("guide/other.md", "/docs/guide/other"));
    assert_eq!(to("./other.md#a-b"), page("guide/other.md", "/docs/guide/other#a-b"));
    assert_eq!(to("service/README.md"), page("guide/service/README.md", "/docs/guide/service"));
    assert_eq!(to("../README.md#try"), page("README.md", "/docs#try"));
    assert_eq!(to("../src/main.rs"), page("src/main.rs", "/docs/source/src/main.rs"));
    assert_eq!(to("#here"), Target::AsItIs("#here".into()));
    assert_eq!(to("https://example.com/a.md"), Target::AsItIs("https://example.com/a.md".into()));
    for link in ["missing.md", "../../outside.md", "/etc/passwd", "javascript:x", "file:///x", "x:y"] {
        assert_eq!(to(link), Target::Nowhere, "{link}");
    }
    assert_eq!(address("CONTRIBUTING.md"), "/docs/contributing");
    assert_eq!(address("docs/service/README.md"), "/docs/service");
}

#[test]
fn headings_have_anchors_and_sections_have_texts() {
    let document =
        parsed("# A *page*\n\nIntro `code`.\n\n## Same\nOne [link](other.md).\n\n## Same\n\n```sql\nSELECT 1\n```\n");
    assert_eq!(document.title, "A page");
    let sections: Vec<(&str, &str, &str)> =
        document.sections.iter().map(|one| (&*one.heading, &*one.anchor, one.text.trim())).collect();
    assert_eq!(
        sections,
        [("A page", "a-page", "Intro code."), ("Same", "same", "One link."), ("Same", "same-1", "SELECT 1")]
    );
    assert!(document.html.contains("<h2 id=\"same-1\"><a class=\"anchor\" href=\"#same-1\">Same</a></h2>"));
    let linked = parsed("## See [it](code.rs)");
    assert!(linked.html.contains("<h2 id=\"see-it\">See <a href=\"/docs/source/guide/code.rs\">it</a></h2>"));
    assert_eq!(linked.linked_files.into_iter().collect::<Vec<_>>(), ["guide/code.rs"]);
}

#[test]
fn diagrams_are_lists_of_what_leads_to_what() {
    /// What a list says, without markup.
    fn said(source: &str) -> Vec<String> {
        let html = docs::diagram::of(source).0.replace("<ul>", " :").replace("<small>", " ").replace("</li>", "\n");
        let text: String = html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
        let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines.filter(|line| !line.is_empty() && line != ":").collect()
    }
    assert_eq!(
        said(
            "flowchart TD\n  a[(A)] -->|x, y| b[\"B<br/>about\"] --> c & d\n  a --> d[D]\n  subgraph S\n  c <-->|both| d\n  end"
        ),
        ["A :", "leads to→ B about x, y", "leads to→ D", "B :", "leads to→ c D", "c :", "to and from↔ D both"]
    );
    assert_eq!(
        said("stateDiagram-v2\n  [*] --> On: start\n  On --> [*]: stop <now>"),
        ["start or end :", "leads to→ On start", "On :", "leads to→ start or end stop &lt;now&gt;"]
    );
    assert!(docs::diagram::of("flowchart LR\n a[\"A<br/>b\"] -->|c| d").1.contains("A b"));
}

#[test]
fn long_names_in_tables_may_be_broken() {
    let name = "powersync_create_raw_table_crud_trigger";
    let html = parsed(&format!("# P\n\n`{name}`\n\n| a |\n| --- |\n| `{name}` `short_name` |\n")).html;
    assert!(html.contains(&format!("<code>{name}</code>")) && html.contains("<code>short_name</code>"), "{html}");
    assert!(html.contains("<code>powersync_<wbr>create_<wbr>raw_<wbr>"), "{html}");
}

#[test]
fn colours_leave_code_as_it_is() {
    for (language, code) in [
        ("sql", "SELECT 'it''s' -- a \"comment\"\n/* open"),
        ("rust", "let a = r#\"x \"y\"\"#; // c\nlet b: &'a str = \"\\\"\";"),
        ("sh", "echo \"$#\" '# no' # yes\nB='open"),
        ("js", "const a = `x\n${b}`; /* c */ 'it\\'s' + 0x1f"),
        ("json", "{\"a\": [1.5e3, true, \"b\"]}"),
        ("yaml", "a-b: {c: 'd'} # e\n  f: 1"),
        ("console", "$ todo list\nGroceries <1>\n$ x"),
        ("unknown", "<&>\"'"),
        ("text", ""),
    ] {
        let html = docs::code::block(language, code);
        let text: String = html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
        let text = ["&lt;<", "&gt;>", "&quot;\"", "&#39;'", "&amp;&"].iter().fold(text, |text, pair| {
            let (name, character) = pair.split_at(pair.len() - 1);
            text.replace(name, character)
        });
        assert_eq!(text.trim_end(), code, "{language}");
    }
    let html = docs::code::block("sql", "SELECT limits.max FROM a -- b");
    assert!(
        html.contains("<span class=\"k\">SELECT</span>") && html.contains("<span class=\"c\">-- b</span>"),
        "{html}"
    );
}

#[test]
fn pictures_of_the_repository_are_shown_and_no_others() {
    let parsed = |text: &str| Document::parse("README.md", text, &|file| file == "docs/images/a.png");
    let page = parsed("![A \"phone\"](docs/images/a.png)");
    assert!(page.html.contains("<img src=\"/assets/docs/images/a.png\" alt=\"A &quot;phone&quot;\">"), "{}", page.html);
    assert!(page.images.contains("docs/images/a.png"));
    for other in ["https://example.com/a.png", "docs/images/b.png", "javascript:alert(1)", "data:image/png;base64,AA"] {
        let page = parsed(&format!("![said]({other})"));
        assert!(!page.html.contains("<img") && page.html.contains("said"), "{}", page.html);
    }
}
