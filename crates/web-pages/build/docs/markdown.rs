//! One Markdown file as HTML, and what else is known of it: its headings, its texts for searching, and the files that it links to.

use std::collections::{BTreeSet, HashMap};

use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};

use super::links::{Target, target};
use super::{code, diagram, escaped};

/// Names up to this many bytes are not broken.
const LONG_NAME: usize = 24;

/// A page.
pub(crate) struct Document {
    /// Its file in the repository.
    pub(crate) file: String,
    /// The text of its first heading.
    pub(crate) title: String,
    pub(crate) html: String,
    /// Its parts, each from a heading to the next. The first one begins with the title.
    pub(crate) sections: Vec<Section>,
    /// Files that it links to, other than pages.
    pub(crate) linked_files: BTreeSet<String>,
    /// Pictures that it shows.
    pub(crate) images: BTreeSet<String>,
}

/// What is under one heading.
pub(crate) struct Section {
    pub(crate) level: u8,
    pub(crate) heading: String,
    pub(crate) anchor: String,
    /// Its text without markup.
    pub(crate) text: String,
}

/// Reads events of the parser, and writes others.
struct Reader<'a> {
    file: &'a str,
    exists: &'a dyn Fn(&str) -> bool,
    events: Vec<Event<'a>>,
    sections: Vec<Section>,
    anchors: HashMap<String, usize>,
    linked_files: BTreeSet<String>,
    images: BTreeSet<String>,
    is_in_table: bool,
}

impl Document {
    /// Reads a file. `exists` tells whether there is a file in the repository.
    pub(crate) fn parse(file: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Self {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
        let mut reader = Reader {
            file,
            exists,
            events: Vec::new(),
            sections: Vec::new(),
            anchors: HashMap::new(),
            linked_files: BTreeSet::new(),
            images: BTreeSet::new(),
            is_in_table: false,
        };
        let mut parser = Parser::new_ext(text, options);
        while let Some(event) = parser.next() {
            reader.read(event, &mut parser);
        }
        let Reader { events, sections, linked_files, images, .. } = reader;
        let mut content = String::new();
        html::push_html(&mut content, events.into_iter());
        let title = sections.first().map_or(file, |section| &section.heading).to_owned();
        Self { file: file.to_owned(), title, html: content, sections, linked_files, images }
    }
}

impl<'a> Reader<'a> {
    fn read(&mut self, event: Event<'a>, rest: &mut Parser<'a>) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => self.heading(level, rest),
            Event::Start(Tag::CodeBlock(kind)) => self.code_block(&kind, rest),
            Event::Start(Tag::HtmlBlock) => self.html_block(rest),
            // Markup in the text is text.
            Event::Html(text) | Event::InlineHtml(text) => self.text(text),
            Event::Start(Tag::Link { link_type: LinkType::Email, dest_url, .. }) => {
                self.link(&format!("mailto:{dest_url}"))
            }
            Event::Start(Tag::Link { dest_url, .. }) => self.link(&dest_url),
            Event::End(TagEnd::Link) => self.raw("</a>"),
            Event::Start(Tag::Image { dest_url, .. }) => self.image(&dest_url, rest),
            Event::Start(Tag::Table(columns)) => {
                self.is_in_table = true;
                self.raw("<div class=\"scroll\">");
                self.events.push(Event::Start(Tag::Table(columns)));
            }
            Event::End(TagEnd::Table) => {
                self.is_in_table = false;
                self.events.push(Event::End(TagEnd::Table));
                self.raw("</div>");
            }
            Event::Text(text) => self.text(text),
            Event::Code(text) => self.code(text),
            Event::SoftBreak | Event::HardBreak => {
                self.note(" ");
                self.events.push(event);
            }
            Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::TableCell | TagEnd::TableRow) => {
                self.note(" ");
                self.events.push(event);
            }
            event => self.events.push(event),
        }
    }

    fn raw(&mut self, markup: impl Into<CowStr<'a>>) {
        self.events.push(Event::Html(markup.into()));
    }

    fn text(&mut self, text: CowStr<'a>) {
        self.note(&text);
        self.events.push(Event::Text(text));
    }

    /// A long name would leave no room for the other columns of a table, so it may be broken between its words.
    fn code(&mut self, text: CowStr<'a>) {
        self.note(&text);
        if !self.is_in_table || text.len() <= LONG_NAME {
            self.events.push(Event::Code(text));
            return;
        }
        let mut markup = String::from("<code>");
        for part in text.split_inclusive(['_', '(', ',', '/', '.', ':']) {
            markup.push_str(&escaped(part));
            markup.push_str("<wbr>");
        }
        markup.push_str("</code>");
        self.raw(markup);
    }

    /// Adds to the text of the section.
    fn note(&mut self, text: &str) {
        if let Some(section) = self.sections.last_mut() {
            section.text.push_str(text);
        }
    }

    /// The heading is a link to itself, so that people can copy it.
    fn heading(&mut self, level: HeadingLevel, rest: &mut Parser<'a>) {
        let before = std::mem::take(&mut self.events);
        let number = level as u8;
        self.sections.push(Section {
            level: number,
            heading: String::new(),
            anchor: String::new(),
            text: String::new(),
        });
        let mut has_link = false;
        for event in rest.by_ref() {
            match event {
                Event::End(TagEnd::Heading(_)) => break,
                event => {
                    has_link |= matches!(event, Event::Start(Tag::Link { .. }));
                    self.read(event, &mut Parser::new(""));
                }
            }
        }
        let inner = std::mem::replace(&mut self.events, before);
        let heading = self.sections.last_mut().map(|section| std::mem::take(&mut section.text)).unwrap_or_default();
        let anchor = self.unused_anchor(&heading);
        let (open, close) = match has_link || number == 1 {
            true => (String::new(), ""),
            false => (format!("<a class=\"anchor\" href=\"#{}\">", escaped(&anchor)), "</a>"),
        };
        self.raw(format!("<h{number} id=\"{}\">{open}", escaped(&anchor)));
        self.events.extend(inner);
        self.raw(format!("{close}</h{number}>\n"));
        if let Some(section) = self.sections.last_mut() {
            (section.heading, section.anchor) = (heading, anchor);
        }
    }

    /// The anchor that GitHub gives a heading.
    fn unused_anchor(&mut self, heading: &str) -> String {
        let is_kept = |character: &char| character.is_alphanumeric() || " -_".contains(*character);
        let anchor = heading.to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-");
        let count = self.anchors.entry(anchor.clone()).or_default();
        *count += 1;
        if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
    }

    fn code_block(&mut self, kind: &CodeBlockKind<'_>, rest: &mut Parser<'a>) {
        let mut text = String::new();
        for event in rest.by_ref() {
            match event {
                Event::Text(part) => text.push_str(&part),
                Event::End(TagEnd::CodeBlock) => break,
                _ => {}
            }
        }
        let language = match kind {
            CodeBlockKind::Fenced(info) => info.split([' ', ',', '{']).next().unwrap_or_default().to_owned(),
            CodeBlockKind::Indented => String::new(),
        };
        if language == "mermaid" {
            let (markup, plain) = diagram::of(&text);
            self.note(&plain);
            self.raw(markup);
            return;
        }
        self.note(&text);
        self.raw(code::block(&language, &text));
    }

    /// Comments are for tools. Anything else is text.
    fn html_block(&mut self, rest: &mut Parser<'a>) {
        let mut text = String::new();
        for event in rest.by_ref() {
            match event {
                Event::Html(part) | Event::Text(part) => text.push_str(&part),
                Event::End(TagEnd::HtmlBlock) => break,
                _ => {}
            }
        }
        let is_comment = text.trim().starts_with("<!--") && text.trim().ends_with("-->");
        if !is_comment {
            self.note(&text);
            self.raw(format!("<p>{}</p>\n", escaped(&text)));
        }
    }

    fn link(&mut self, link: &str) {
        let target = target(self.file, link, self.exists);
        let markup = match &target {
            Target::AsItIs(address) if address.starts_with("http") => {
                format!("<a href=\"{}\" rel=\"noopener noreferrer\">", escaped(address))
            }
            Target::AsItIs(address) | Target::File { address, .. } => format!("<a href=\"{}\">", escaped(address)),
            // A test finds it.
            Target::Nowhere => "<a data-nowhere>".to_owned(),
        };
        if let Target::File { file, .. } = target
            && !file.ends_with(".md")
        {
            self.linked_files.insert(file);
        }
        self.raw(markup);
    }

    /// A picture of the repository. Of any other there is only what it says.
    fn image(&mut self, link: &str, rest: &mut Parser<'a>) {
        let mut text = String::new();
        for event in rest.by_ref() {
            match event {
                Event::Text(part) | Event::Code(part) => text.push_str(&part),
                Event::SoftBreak | Event::HardBreak => text.push(' '),
                Event::End(TagEnd::Image) => break,
                _ => {}
            }
        }
        self.note(&text);
        match target(self.file, link, self.exists) {
            Target::File { file, .. } if file.starts_with("docs/images/") => {
                self.raw(format!("<img src=\"/assets/{}\" alt=\"{}\">", escaped(&file), escaped(&text)));
                self.images.insert(file);
            }
            _ => self.raw(escaped(&text)),
        }
    }
}
