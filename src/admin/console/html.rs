//! Elements of the page. They are written as HTML when the page loads, and as JSON for the script, which then changes
//! only what differs. Texts are escaped here and nowhere else, and the script makes text nodes of them, so that no
//! text becomes markup.

use serde::{Serialize, Serializer, ser::SerializeTuple};
use std::fmt::{Display, Write};

/// A child of an element.
#[derive(Clone, Debug)]
pub enum HtmlNode {
    /// A text, not escaped.
    Text(String),
    /// An element.
    Element(HtmlElement),
}

/// An element with its attributes and children.
#[derive(Clone, Debug)]
pub struct HtmlElement {
    tag: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<HtmlNode>,
}

/// Creates an empty element. Its tag must be one that has an end tag.
pub fn el(tag: &'static str) -> HtmlElement {
    HtmlElement { tag, attributes: Vec::new(), children: Vec::new() }
}

impl HtmlElement {
    /// Adds an attribute.
    pub fn with(mut self, attribute: &'static str, value: impl Display) -> Self {
        self.attributes.push((attribute, value.to_string()));
        self
    }

    /// Adds the attribute `class`.
    pub fn class(self, class: impl Display) -> Self {
        self.with("class", class)
    }

    /// Appends a text.
    pub fn text(mut self, text: impl Display) -> Self {
        self.children.push(HtmlNode::Text(text.to_string()));
        self
    }

    /// Appends an element.
    pub fn child(mut self, child: Self) -> Self {
        self.children.push(HtmlNode::Element(child));
        self
    }

    /// Appends elements.
    pub fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children.into_iter().map(HtmlNode::Element));
        self
    }

    /// Writes the element as HTML.
    pub fn write(&self, html: &mut String) {
        let _ = write!(html, "<{}", self.tag);
        for (name, value) in &self.attributes {
            let _ = write!(html, " {name}=\"{}\"", escaped(value));
        }
        html.push('>');
        for child in &self.children {
            match child {
                HtmlNode::Text(text) => html.push_str(&escaped(text)),
                HtmlNode::Element(element) => element.write(html),
            }
        }
        let _ = write!(html, "</{}>", self.tag);
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Serializes a text as a string, and an element as `[tag, [[name, value], ...], [child, ...]]`.
impl Serialize for HtmlNode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Element(element) => element.serialize(serializer),
        }
    }
}

impl Serialize for HtmlElement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(3)?;
        tuple.serialize_element(self.tag)?;
        tuple.serialize_element(&self.attributes)?;
        tuple.serialize_element(&self.children)?;
        tuple.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_attributes_never_become_markup() {
        let part = el("p").with("title", "\"><script>").text("<img onerror='x'>&").child(el("b").text("ü"));
        let mut html = String::new();
        part.write(&mut html);
        assert_eq!(html, "<p title=\"&quot;&gt;&lt;script&gt;\">&lt;img onerror=&#39;x&#39;&gt;&amp;<b>ü</b></p>");
        let json = serde_json::to_value(&part).expect("JSON");
        assert_eq!(
            json,
            serde_json::json!(["p", [["title", "\"><script>"]], ["<img onerror='x'>&", ["b", [], ["ü"]]]])
        );
    }
}
