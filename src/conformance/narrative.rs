//! Narratives: XHTML with the elements and attributes that FHIR allows.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

const ELEMENTS: &[&str] = &[
    "p",
    "br",
    "div",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "a",
    "span",
    "b",
    "em",
    "i",
    "strong",
    "small",
    "big",
    "tt",
    "dfn",
    "q",
    "var",
    "abbr",
    "acronym",
    "cite",
    "blockquote",
    "hr",
    "address",
    "bdo",
    "kbd",
    "sub",
    "sup",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "pre",
    "table",
    "caption",
    "colgroup",
    "col",
    "thead",
    "tr",
    "tfoot",
    "tbody",
    "th",
    "td",
    "code",
    "samp",
    "img",
    "map",
    "area",
];

/// Attributes of any element.
const ATTRIBUTES: &[&str] = &[
    "title",
    "style",
    "class",
    "id",
    "lang",
    "xml:lang",
    "dir",
    "accesskey",
    "tabindex",
    "span",
    "width",
    "align",
    "valign",
    "char",
    "charoff",
    "abbr",
    "axis",
    "headers",
    "scope",
    "rowspan",
    "colspan",
    "xml:space",
];

/// Attributes of some.
const OWN: &[(&str, &[&str])] = &[
    ("a", &["href", "name", "charset", "type", "hreflang", "rel", "rev", "shape", "coords"]),
    ("img", &["src", "border", "alt", "longdesc", "height", "width", "usemap", "ismap"]),
    ("blockquote", &["cite"]),
    ("q", &["cite"]),
    ("map", &["name"]),
    ("area", &["shape", "coords", "href", "nohref", "alt"]),
    ("table", &["summary", "width", "border", "frame", "rules", "cellspacing", "cellpadding"]),
    ("pre", &["space"]),
    ("td", &["nowrap"]),
];

const NAMESPACE: &[u8] = b"http://www.w3.org/1999/xhtml";

/// Blocks, which may not be within a paragraph.
const BLOCKS: &[&str] = &["div", "blockquote", "table", "ol", "ul", "p"];

/// What a narrative leads to within its resource, and what can be led to within it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Fragments of hyperlinks.
    pub targets: Vec<String>,
    /// Ids and names.
    pub anchors: Vec<String>,
}

/// The links of a narrative that is what it may be; else why it is not.
pub fn check(text: &str) -> Result<Links, String> {
    let mut links = Links::default();
    let mut reader = Reader::from_str(text);
    let mut open: Vec<String> = Vec::new();
    let (mut roots, mut content) = (0, false);
    loop {
        match reader.read_event().map_err(|error| format!("no XHTML: {error}"))? {
            Event::Start(start) => {
                let name = element(&start, &open, &mut links)?;
                content |= name == "img";
                roots += usize::from(open.is_empty());
                open.push(name);
            }
            Event::Empty(start) => {
                let name = element(&start, &open, &mut links)?;
                content |= name == "img";
                roots += usize::from(open.is_empty());
            }
            Event::End(_) => {
                open.pop();
            }
            Event::Text(part) => {
                content |= !part.iter().all(u8::is_ascii_whitespace);
            }
            Event::GeneralRef(_) | Event::CData(_) => content = true,
            Event::DocType(_) | Event::PI(_) => return Err("neither DOCTYPE nor instructions are allowed".to_owned()),
            Event::Decl(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match (roots, open.is_empty(), content) {
        (1, true, true) => Ok(links),
        (1, true, false) => Err("the narrative is empty".to_owned()),
        (1, ..) => Err("no XHTML: an element is not closed".to_owned()),
        _ => Err("a narrative is one div".to_owned()),
    }
}

/// The name of an element that may be there, with attributes that it may have.
fn element(start: &BytesStart<'_>, open: &[String], links: &mut Links) -> Result<String, String> {
    let name = String::from_utf8_lossy(start.name().as_ref()).into_owned();
    if open.is_empty() && name != "div" {
        return Err(format!("a narrative is a div, no {name}"));
    }
    if !ELEMENTS.contains(&name.as_str()) {
        return Err(format!("the element {name} is not allowed"));
    }
    if BLOCKS.contains(&name.as_str()) && open.iter().any(|above| above == "p") {
        return Err(format!("{name} is not allowed in a paragraph"));
    }
    let mut namespace = false;
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| format!("no XHTML: {error}"))?;
        let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
        if key == "xmlns" {
            if attribute.value.as_ref() != NAMESPACE {
                return Err("the namespace is not that of XHTML".to_owned());
            }
            namespace = true;
            continue;
        }
        let value = || String::from_utf8_lossy(&attribute.value).into_owned();
        match (name.as_str(), key.as_str()) {
            ("a", "href") => {
                links.targets.extend(value().strip_prefix('#').filter(|id| !id.is_empty()).map(str::to_owned));
            }
            ("a", "name") | (_, "id") => links.anchors.push(value()),
            _ => {}
        }
        let own = OWN.iter().any(|(element, keys)| *element == name && keys.contains(&key.as_str()));
        if !key.starts_with("xmlns") && !ATTRIBUTES.contains(&key.as_str()) && !own {
            return Err(format!("the attribute {key} of {name} is not allowed"));
        }
    }
    if open.is_empty() && !namespace {
        return Err("the namespace is not that of XHTML".to_owned());
    }
    Ok(name)
}
